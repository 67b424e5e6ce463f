package devicekey

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/api"
)

// without is a machine that has no TPM.
func without() *TPM {
	return NewTPM(func() (transport.TPMCloser, error) { return nil, ErrNoTPM })
}

func TestKeyInFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "device.key")
	if _, err := Read(path, without()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before: %v", err)
	}
	_, none := MakeInTPM(path, without())
	if !errors.Is(none, ErrNoTPM) {
		t.Fatal(none)
	}
	k, err := MakeInFile(path, none)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Read(path, without())
	if err != nil || !again.private.Equal(k.private) || again.Storage() != api.KeyInFile || again.Reason() != "there is no TPM" || again.TPMFailed() {
		t.Errorf("%+v, %v", again, err)
	}
	digest := make([]byte, 32)
	signature, err := again.Sign(rand.Reader, digest, crypto.SHA256)
	if err != nil || !ecdsa.VerifyASN1(k.public, digest, signature) || again.Trouble() != nil {
		t.Errorf("its signature: %v", err)
	}
	for _, err := range []error{
		func() error { _, err := again.Sign(rand.Reader, digest[1:], crypto.SHA256); return err }(),
		func() error { _, err := again.Sign(rand.Reader, make([]byte, 48), crypto.SHA384); return err }(),
	} {
		if err == nil {
			t.Error("it signs other things than SHA-256")
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 && os.PathSeparator == '/' {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// Keys of agents that knew no TPMs stay in use.
func TestKeyOfOlderAgents(t *testing.T) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "device.key")
	if err := os.WriteFile(path, pkcs8(t, private), 0o600); err != nil {
		t.Fatal(err)
	}
	k, err := Read(path, without())
	if err != nil || !k.private.Equal(private) || k.Reason() != "" || k.TPMFailed() {
		t.Errorf("%+v, %v", k, err)
	}
}

func pkcs8(t testing.TB, private any) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: privateBlock, Bytes: der})
}

func TestFilesThatAreNoKeys(t *testing.T) {
	of384, err := ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ofRSA, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	good := sample(t)
	block, _ := pem.Decode(good)
	change := func(f func(b *pem.Block)) string {
		b := &pem.Block{Type: block.Type, Headers: map[string]string{parentHeader: block.Headers[parentHeader]}, Bytes: append([]byte{}, block.Bytes...)}
		f(b)
		return string(pem.EncodeToMemory(b))
	}
	if _, err := parse(good); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "device.key")
	for name, content := range map[string]string{
		"nothing": "", "a letter": "x", "zeros": strings.Repeat("\x00", 300),
		"no PKCS #8":        "-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----\n",
		"P-384":             string(pkcs8(t, of384)),
		"RSA":               string(pkcs8(t, ofRSA)),
		"a certificate":     "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n",
		"half a key":        string(good[:len(good)/2]),
		"two keys":          string(good) + string(good),
		"a huge one":        string(good) + strings.Repeat("\n", maxFile),
		"no parent":         change(func(b *pem.Block) { delete(b.Headers, parentHeader) }),
		"a short parent":    change(func(b *pem.Block) { b.Headers[parentHeader] = "000b" }),
		"bytes behind":      change(func(b *pem.Block) { b.Bytes = append(b.Bytes, 0) }),
		"another kind":      change(func(b *pem.Block) { b.Bytes[11]++ }),
		"cut":               change(func(b *pem.Block) { b.Bytes = b.Bytes[:len(b.Bytes)-1] }),
		"attributes":        encoded(t, func(p *tpm2.TPMTPublic, _ *loadable) { p.ObjectAttributes.FixedTPM = false }),
		"restricted":        encoded(t, func(p *tpm2.TPMTPublic, _ *loadable) { p.ObjectAttributes.Restricted = true }),
		"off the curve":     encoded(t, func(p *tpm2.TPMTPublic, _ *loadable) { p.Unique = unique(1, 1) }),
		"a long coordinate": encoded(t, func(p *tpm2.TPMTPublic, _ *loadable) { p.Unique = uniqueOf(make([]byte, 33), make([]byte, 32)) }),
		"another parent":    encoded(t, func(_ *tpm2.TPMTPublic, l *loadable) { l.parent = 0x81000002 }),
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if k, err := Read(path, without()); !errors.Is(err, ErrDamaged) {
			t.Errorf("%s: %+v, %v", name, k, err)
		}
	}
	if err := errors.Join(os.Remove(path), os.Mkdir(path, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, err := Read(path, without()); err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, ErrDamaged) {
		t.Errorf("a folder: %v", err)
	}
	if _, err := MakeInFile(path, ErrNoTPM); err == nil {
		t.Error("a key took a folder's place")
	}
}

func uniqueOf(x, y []byte) tpm2.TPMUPublicID {
	return tpm2.NewTPMUPublicID(tpm2.TPMAlgECC, &tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: x}, Y: tpm2.TPM2BECCParameter{Buffer: y}})
}

func unique(x, y byte) tpm2.TPMUPublicID { return uniqueOf([]byte{x}, []byte{y}) }

// point is some public key, and its coordinates.
func point(t testing.TB) (public *ecdsa.PublicKey, x, y []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	b, err := private.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	return &private.PublicKey, b[1:33], b[33:]
}

// encoded is the file of a key by the template, as if a TPM had made it, changed.
func encoded(t testing.TB, change func(*tpm2.TPMTPublic, *loadable)) string {
	t.Helper()
	_, x, y := point(t)
	public := template
	public.Unique = uniqueOf(x, y)
	l := &loadable{parent: tpm2.TPMRHOwner, parentName: make([]byte, nameSize), inPrivate: tpm2.TPM2BPrivate{Buffer: make([]byte, 126)}}
	change(&public, l)
	l.inPublic = tpm2.New2B(public)
	content, err := l.encode(loadableKey)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

func sample(t testing.TB) []byte {
	return []byte(encoded(t, func(*tpm2.TPMTPublic, *loadable) {}))
}

// Coordinates without their leading zeros are the same point.
func TestShortCoordinates(t *testing.T) {
	for {
		public, x, y := point(t)
		if x[0] != 0 {
			continue
		}
		got, err := publicKey(&tpm2.TPMSECCPoint{X: tpm2.TPM2BECCParameter{Buffer: x[1:]}, Y: tpm2.TPM2BECCParameter{Buffer: y}})
		if err != nil || !got.Equal(public) {
			t.Errorf("%v, %v", got, err)
		}
		return
	}
}

func TestManufacturers(t *testing.T) {
	for id, want := range map[uint32]string{
		0x494E5443: "INTC", 0x49465800: "IFX", 0x414D4400: "AMD", 0x53544D20: "STM", 0: "0x00000000", 0x41204200: "0x41204200", 0xff000001: "0xFF000001",
	} {
		got := manufacturer(id)
		if got != want {
			t.Errorf("%#x is %q, want %q", id, got, want)
		}
		if err := (&api.TPM{Manufacturer: got, Firmware: "65535.0.1.2"}).Check(); err != nil {
			t.Error(err)
		}
	}
}

// What is read is a key; written again it is the same.
func FuzzFile(f *testing.F) {
	f.Add(sample(f))
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(pkcs8(f, private))
	f.Fuzz(func(t *testing.T, data []byte) {
		k, err := parse(data)
		if err != nil {
			return
		}
		var content []byte
		if k.private != nil {
			content, err = encodePrivate(k.private, k.reason)
		} else {
			content, err = k.encode(loadableKey)
		}
		if err != nil {
			t.Fatal(err)
		}
		again, err := parse(content)
		if err != nil || !again.public.Equal(k.public) || again.reason != k.reason {
			t.Errorf("%+v, %v", again, err)
		}
	})
}
