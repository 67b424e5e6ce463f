// Package testpasskey makes passkeys, and proofs of them, as browsers do, and such
// as no honest one would.
package testpasskey

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"testing"

	"github.com/fxamacker/cbor/v2"
)

// Authenticator holds passkeys in memory, and can lie about what it does.
type Authenticator struct {
	TB      testing.TB
	Origin  string // of the page that asks
	Site    string // RP ID; empty: the one that is asked for
	Blind   bool   // it does not look who is there
	Counter uint32 // 0: it counts nothing
	User    []byte // whom it says the passkey is for; nil: as it was made
	Keys    []*Key
}

// Key is a passkey.
type Key struct {
	*ecdsa.PrivateKey
	id, user []byte
}

const (
	flagPresent  = 1 << 0
	flagVerified = 1 << 2
	flagAttested = 1 << 6
)

var b64 = base64.RawURLEncoding

func (a *Authenticator) data(site string, flags byte, more []byte) []byte {
	if a.Site != "" {
		site = a.Site
	}
	hash := sha256.Sum256([]byte(site))
	flags |= flagPresent
	if !a.Blind {
		flags |= flagVerified
	}
	data := append(hash[:], flags)
	return append(binary.BigEndian.AppendUint32(data, a.Counter), more...)
}

func (a *Authenticator) clientData(kind, challenge string) []byte {
	b, err := json.Marshal(map[string]any{"type": kind, "challenge": challenge, "origin": a.Origin, "crossOrigin": false})
	if err != nil {
		a.TB.Fatal(err)
	}
	return b
}

func (a *Authenticator) answer(id []byte, response map[string]any) string {
	b, err := json.Marshal(map[string]any{"id": b64.EncodeToString(id), "rawId": b64.EncodeToString(id), "type": "public-key", "clientExtensionResults": map[string]any{}, "response": response})
	if err != nil {
		a.TB.Fatal(err)
	}
	return string(b)
}

// Create makes a passkey as navigator.credentials.create does.
func (a *Authenticator) Create(options []byte) string {
	a.TB.Helper()
	var o struct {
		PublicKey struct {
			Challenge string
			RP        struct{ ID string }
			User      struct{ ID string }
		}
	}
	if err := json.Unmarshal(options, &o); err != nil {
		a.TB.Fatal(err)
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.TB.Fatal(err)
	}
	user, err := b64.DecodeString(o.PublicKey.User.ID)
	if err != nil {
		a.TB.Fatal(err)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	a.Keys = append(a.Keys, &Key{key, id, user})
	point, err := key.PublicKey.Bytes()
	if err != nil {
		a.TB.Fatal(err)
	}
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		a.TB.Fatal(err)
	}
	attested := make([]byte, 16) // of no known model
	attested = binary.BigEndian.AppendUint16(attested, uint16(len(id)))
	attested = append(append(attested, id...), cose...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": a.data(o.PublicKey.RP.ID, flagAttested, attested)})
	if err != nil {
		a.TB.Fatal(err)
	}
	return a.answer(id, map[string]any{
		"clientDataJSON": b64.EncodeToString(a.clientData("webauthn.create", o.PublicKey.Challenge)), "attestationObject": b64.EncodeToString(object),
		"transports": []string{"internal", "hybrid"},
	})
}

// Get proves as navigator.credentials.get does that the passkey made last is there.
func (a *Authenticator) Get(options []byte) string {
	a.TB.Helper()
	var o struct {
		PublicKey struct {
			Challenge string
			RPID      string `json:"rpId"`
		}
	}
	if err := json.Unmarshal(options, &o); err != nil {
		a.TB.Fatal(err)
	}
	key := a.Keys[len(a.Keys)-1]
	if a.Counter > 0 {
		a.Counter++
	}
	data, client := a.data(o.PublicKey.RPID, 0, nil), a.clientData("webauthn.get", o.PublicKey.Challenge)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(append([]byte{}, data...), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, key.PrivateKey, digest[:])
	if err != nil {
		a.TB.Fatal(err)
	}
	user := key.user
	if a.User != nil {
		user = a.User
	}
	return a.answer(key.id, map[string]any{
		"clientDataJSON": b64.EncodeToString(client), "authenticatorData": b64.EncodeToString(data), "signature": b64.EncodeToString(signature), "userHandle": b64.EncodeToString(user),
	})
}
