package signing_test

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"errors"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/signing"
)

// certify makes a code-signing certificate of its own issuer.
func certify(t *testing.T, name string, key crypto.Signer, issuerName string, issuerKey crypto.Signer, until time.Time) *x509.Certificate {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: name},
		NotBefore: until.AddDate(-2, 0, 0), NotAfter: until,
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	issuer := &x509.Certificate{Subject: pkix.Name{CommonName: issuerName}}
	der, err := x509.CreateCertificate(rand.Reader, template, issuer, key.Public(), issuerKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func ecKey(t *testing.T, curve elliptic.Curve) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestWeakKeysAreRefused(t *testing.T) {
	weakRSA, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	next := time.Now().AddDate(1, 0, 0)
	for name, key := range map[string]crypto.Signer{"RSA": weakRSA, "ECDSA": ecKey(t, elliptic.P224())} {
		cert := certify(t, "weak", key, "weak", key, next)
		if _, err := signing.NewIdentity([]*x509.Certificate{cert}, key, time.Now()); !errors.Is(err, signing.ErrWeakKey) {
			t.Errorf("%s: %v", name, err)
		}
		// And what others sign with one is not accepted.
		roots := x509.NewCertPool()
		roots.AddCert(cert)
		id := &signing.Identity{Chain: []*x509.Certificate{cert}, Signer: key}
		p7s, err := signing.SignDetached(t.Context(), strings.NewReader("x"), id, signing.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := signing.VerifyDetached(t.Context(), strings.NewReader("x"), p7s, signing.VerifyOptions{Roots: roots}); !errors.Is(err, signing.ErrWeakKey) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChainsEnd(t *testing.T) {
	next := time.Now().AddDate(1, 0, 0)
	leafKey, a, b := ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256()), ecKey(t, elliptic.P256())
	leaf := certify(t, "leaf", leafKey, "A", a, next)
	// A and B certify each other.
	id, err := signing.NewIdentity([]*x509.Certificate{leaf, certify(t, "A", a, "B", b, next), certify(t, "B", b, "A", a, next)}, leafKey, time.Now())
	if err != nil || len(id.Chain) != 3 {
		t.Errorf("%v, %d certificates", err, len(id.Chain))
	}
	id, err = signing.NewIdentity([]*x509.Certificate{leaf}, leafKey, time.Now())
	if err != nil || len(id.Warnings) != 1 || !strings.Contains(id.Warnings[0], "issuer") {
		t.Errorf("%v, warnings %q", err, id.Warnings)
	}
	old := certify(t, "leaf", leafKey, "A", a, time.Now().AddDate(0, -1, 0))
	id, err = signing.NewIdentity([]*x509.Certificate{old, leaf}, leafKey, time.Now())
	if err != nil || !id.Chain[0].Equal(leaf) {
		t.Errorf("a renewed certificate: %v", err)
	}
	if _, err = signing.NewIdentity([]*x509.Certificate{old}, leafKey, time.Now()); !errors.Is(err, signing.ErrExpired) {
		t.Errorf("an old certificate: %v", err)
	}
}

func TestSignPowerShellTakesNothingAway(t *testing.T) {
	pki := testpki.New(t)
	signed, err := signing.SignPowerShell(t.Context(), []byte("exit 0\r\n"), identity(pki.CodeEC), describe)
	if err != nil {
		t.Fatal(err)
	}
	again, err := signing.SignPowerShell(t.Context(), signed, identity(pki.CodeRSA), describe)
	if err != nil || !bytes.HasPrefix(again, []byte("exit 0\r\n\r\n# SIG #")) || bytes.Count(again, []byte("Begin signature")) != 1 {
		t.Errorf("signed anew: %v\n%s", err, again)
	}
	const begin = "# SIG # Begin signature block\r\n"
	for name, script := range map[string]string{
		"line behind":   string(signed) + "Remove-Item important\r\n",
		"two blocks":    string(signed) + string(signed),
		"half a block":  "exit 0\r\n" + begin + "# AAAA\r\n",
		"first of all":  begin + "# AAAA\r\n",
		"line feeds":    "exit 0\n" + strings.ReplaceAll(begin, "\r", ""),
		"damaged block": strings.Replace(string(signed), "# MI", "# !!", 1),
	} {
		if _, err := signing.SignPowerShell(t.Context(), []byte(script), identity(pki.CodeEC), describe); !errors.Is(err, signing.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignerProgramsSeeNoOtherSecrets(t *testing.T) {
	t.Setenv("FIRSTDAY_CONNECT_KEY", "fdk_secret")
	t.Setenv("PKCS11_MODULE", "kept")
	dir := t.TempDir()
	script := filepath.Join(dir, "signer.sh")
	if err := os.WriteFile(script, []byte("#!/bin/sh\nread x\nenv > env.txt\necho '{}'\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	_, err := signing.OpenSigner(t.Context(), signing.SignerProgram{Args: []string{script}, Dir: dir, Hide: []string{"FIRSTDAY_CONNECT_KEY"}})
	if err == nil {
		t.Error("it sent no certificates")
	}
	env, err := os.ReadFile(filepath.Join(dir, "env.txt"))
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(env), "fdk_secret") || !strings.Contains(string(env), "PKCS11_MODULE=kept") {
		t.Errorf("it sees\n%s", env)
	}
}

func TestAddressesShowNoPasswords(t *testing.T) {
	opts := signing.Options{Timestamps: &signing.Authorities{URLs: []string{"http://user:hunter2@127.0.0.1:1/tsa"}}}
	_, err := signing.SignDetached(t.Context(), strings.NewReader("x"), identity(testpki.New(t).CodeEC), opts)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}
