package notary

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"sync"
	"time"
)

// Key is a team key of App Store Connect.
type Key struct {
	Issuer  string // id of the team's keys
	ID      string // of the key
	Private *ecdsa.PrivateKey
}

// ReadKey reads the private key as Apple hands it out, AuthKey_….p8.
func ReadKey(issuer, id string, p8 []byte) (*Key, error) {
	block, _ := pem.Decode(p8)
	if block == nil || block.Type != "PRIVATE KEY" {
		return nil, fmt.Errorf("%w: no PEM private key", ErrKey)
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, fmt.Errorf("%w: it cannot be read", ErrKey)
	}
	private, ok := parsed.(*ecdsa.PrivateKey)
	if !ok || private.Curve != elliptic.P256() {
		return nil, fmt.Errorf("%w: it is of another kind", ErrKey)
	}
	return &Key{issuer, id, private}, nil
}

// tokenLife is how long a token is valid: Apple takes none of more than 20
// minutes.
const tokenLife = 15 * time.Minute

// token is the present JSON web token.
type token struct {
	mu    sync.Mutex
	value string
	until time.Time
}

// bearer gives a token that is good for a while yet, or a fresh one.
func (c *Client) bearer(fresh bool) (string, error) {
	if c.Key == nil {
		return "", fmt.Errorf("%w: there is none", ErrKey)
	}
	c.token.mu.Lock()
	defer c.token.mu.Unlock()
	now := c.now()
	if !fresh && c.token.value != "" && now.Before(c.token.until.Add(-time.Minute)) {
		return c.token.value, nil
	}
	value, err := c.Key.token(now)
	if err != nil {
		return "", err
	}
	c.token.value, c.token.until = value, now.Add(tokenLife)
	return value, nil
}

// token makes a JSON web token (RFC 7519), signed with ES256 (RFC 7518 §3.4).
func (k *Key) token(now time.Time) (string, error) {
	part := func(v any) (string, error) {
		b, err := json.Marshal(v)
		return base64.RawURLEncoding.EncodeToString(b), err
	}
	header, err := part(map[string]string{"alg": "ES256", "kid": k.ID, "typ": "JWT"})
	if err != nil {
		return "", err
	}
	claims, err := part(map[string]any{
		"iss": k.Issuer, "iat": now.Unix(), "exp": now.Add(tokenLife).Unix(), "aud": "appstoreconnect-v1",
	})
	if err != nil {
		return "", err
	}
	digest := sha256.Sum256([]byte(header + "." + claims))
	r, s, err := ecdsa.Sign(rand.Reader, k.Private, digest[:])
	if err != nil {
		return "", fmt.Errorf("signing the token: %w", err)
	}
	signature := make([]byte, 64)
	r.FillBytes(signature[:32])
	s.FillBytes(signature[32:])
	return header + "." + claims + "." + base64.RawURLEncoding.EncodeToString(signature), nil
}
