package signing_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/signing"
)

func TestLoadPEMAndPKCS12(t *testing.T) {
	pki := testpki.New(t)
	for name, test := range map[string]struct {
		entity *testpki.Entity
		want   error
	}{
		"RSA":         {pki.CodeRSA, nil},
		"EC":          {pki.CodeEC, nil},
		"expiring":    {pki.Expiring, nil},
		"expired":     {pki.Expired, signing.ErrExpired},
		"no usage":    {pki.NoEKU, signing.ErrNotCodeSigning},
		"for servers": {pki.Server, signing.ErrNotCodeSigning},
	} {
		for _, password := range []string{"", "geheim ü"} {
			certFile, keyFile := test.entity.WritePEM(t, password)
			id, err := signing.LoadPEM(certFile, keyFile, password)
			checkIdentity(t, "PEM "+name, test.entity, id, err, test.want)
			id, err = signing.LoadPKCS12(test.entity.WritePKCS12(t, password), password)
			checkIdentity(t, "PKCS #12 "+name, test.entity, id, err, test.want)
		}
	}
}

func checkIdentity(t *testing.T, name string, entity *testpki.Entity, id *signing.Identity, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
	if want != nil || err != nil {
		return
	}
	if len(id.Chain) != 3 || !id.Chain[0].Equal(entity.Certificate()) {
		t.Errorf("%s: chain of %d", name, len(id.Chain))
	}
	if soon := strings.Contains(name, "expiring"); soon != (len(id.Warnings) == 1) {
		t.Errorf("%s: warnings %q", name, id.Warnings)
	}
	if err := id.Close(); err != nil {
		t.Errorf("%s: %v", name, err)
	}
}

func TestLoadRefusesWrongPasswordsAndKeys(t *testing.T) {
	pki := testpki.New(t)
	certFile, keyFile := pki.CodeEC.WritePEM(t, "right")
	_, otherKey := pki.CodeRSA.WritePEM(t, "")
	p12 := pki.CodeEC.WritePKCS12(t, "right")
	garbage := filepath.Join(t.TempDir(), "garbage")
	if err := os.WriteFile(garbage, []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := signing.LoadPEM(certFile, keyFile, "wrong")
	expect(t, "wrong password", err, signing.ErrPassword)
	_, err = signing.LoadPEM(certFile, keyFile, "")
	expect(t, "no password", err, signing.ErrPassword)
	_, err = signing.LoadPKCS12(p12, "wrong")
	expect(t, "wrong password of PKCS #12", err, signing.ErrPassword)
	_, err = signing.LoadPKCS12(p12, "")
	expect(t, "no password of PKCS #12", err, signing.ErrPassword)
	_, err = signing.LoadPEM(certFile, otherKey, "")
	expect(t, "key of another", err, signing.ErrKeyMismatch)
	_, err = signing.LoadPEM(filepath.Join(t.TempDir(), "none"), keyFile, "")
	expect(t, "missing file", err, os.ErrNotExist)
	for name, load := range map[string]func() error{
		"garbage certificate":   func() error { _, err := signing.LoadPEM(garbage, keyFile, "right"); return err },
		"key without key":       func() error { _, err := signing.LoadPEM(certFile, certFile, ""); return err },
		"chain without any":     func() error { _, err := signing.LoadPEM(keyFile, keyFile, "right"); return err },
		"PKCS #12 that is PEM":  func() error { _, err := signing.LoadPKCS12(certFile, ""); return err },
		"folder for a file":     func() error { _, err := signing.LoadPKCS12(t.TempDir(), ""); return err },
		"PKCS #12 not readable": func() error { _, err := signing.LoadPKCS12(garbage, ""); return err },
	} {
		if err := load(); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func expect(t *testing.T, name string, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Errorf("%s: %v, want %v", name, err, want)
	}
}

func TestLoadPEMTakesCertificatesInAnyOrder(t *testing.T) {
	pki := testpki.New(t)
	dir := t.TempDir()
	key, err := x509.MarshalECPrivateKey(pki.CodeEC.Key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	var file []byte // the root first, a stranger among them, the key in the same file
	for _, c := range []*x509.Certificate{pki.CodeEC.Chain[2], pki.CodeRSA.Chain[0], pki.CodeEC.Chain[1], pki.CodeEC.Chain[0]} {
		file = append(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	file = append(file, pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: key})...)
	name := filepath.Join(dir, "all.pem")
	if err := os.WriteFile(name, file, 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := signing.LoadPEM(name, name, "")
	checkIdentity(t, "any order", pki.CodeEC, id, err, nil)
}

// OpenSSL's own files are those people have: modern and, with -legacy, old.
func TestLoadReadsOpenSSLFiles(t *testing.T) {
	openssl := testtool.Need(t, "openssl")
	pki := testpki.New(t)
	certFile, keyFile := pki.CodeRSA.WritePEM(t, "")
	dir := t.TempDir()
	run := func(args ...string) {
		t.Helper()
		if out, err := exec.Command(openssl, args...).CombinedOutput(); err != nil {
			t.Fatalf("openssl %v: %v\n%s", args, err, out)
		}
	}
	for name, flags := range map[string][]string{"modern": nil, "legacy": {"-legacy"}} {
		p12 := filepath.Join(dir, name+".p12")
		run(append([]string{"pkcs12", "-export", "-in", certFile, "-inkey", keyFile, "-out", p12, "-passout", "pass:geheim"}, flags...)...)
		id, err := signing.LoadPKCS12(p12, "geheim")
		checkIdentity(t, name, pki.CodeRSA, id, err, nil)
		_, err = signing.LoadPKCS12(p12, "falsch")
		expect(t, name, err, signing.ErrPassword)
	}
	for name, flags := range map[string][]string{"PBES2": {"-v2", "aes-256-cbc"}, "scrypt": {"-scrypt"}} {
		key := filepath.Join(dir, name+".pem")
		run(append([]string{"pkcs8", "-topk8", "-in", keyFile, "-out", key, "-passout", "pass:geheim"}, flags...)...)
		id, err := signing.LoadPEM(certFile, key, "geheim")
		checkIdentity(t, name, pki.CodeRSA, id, err, nil)
		_, err = signing.LoadPEM(certFile, key, "falsch")
		expect(t, name, err, signing.ErrPassword)
	}
	old := filepath.Join(dir, "old.pem")
	run("rsa", "-in", keyFile, "-traditional", "-aes128", "-passout", "pass:geheim", "-out", old)
	if _, err := signing.LoadPEM(certFile, old, "geheim"); err == nil || !strings.Contains(err.Error(), "openssl pkcs8 -topk8") {
		t.Errorf("old encryption: %v", err)
	}
}

func TestThrowawaySaysDoNotTrust(t *testing.T) {
	for _, organisation := range []string{"Acme", "", strings.Repeat("ä", 100)} {
		id, err := signing.Throwaway(organisation, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		if len(id.Chain) != 2 || len(id.Warnings) == 0 {
			t.Fatalf("chain of %d, warnings %q", len(id.Chain), id.Warnings)
		}
		for _, c := range id.Chain {
			if !strings.Contains(c.Subject.String(), "DO NOT TRUST") || !signing.IsThrowaway(c) || c.NotAfter.Sub(c.NotBefore) > 31*24*time.Hour {
				t.Errorf("%v, until %v", c.Subject, c.NotAfter)
			}
		}
		cat, err := signing.SignCatalog(t.Context(), unsignedCatalog(t), id, describe)
		if err != nil {
			t.Fatal(err)
		}
		r, err := signing.VerifyCatalog(cat, signing.VerifyOptions{Roots: x509.NewCertPool()})
		if !errors.Is(err, signing.ErrUntrusted) || len(r.Embedded) != 2 {
			t.Errorf("untrusted: %v", err)
		}
		roots := x509.NewCertPool()
		roots.AddCert(id.Chain[1])
		if _, err := signing.VerifyCatalog(cat, signing.VerifyOptions{Roots: roots}); err != nil {
			t.Error(err)
		}
	}
	if signing.IsThrowaway(testpki.New(t).CodeEC.Certificate()) {
		t.Error("a real certificate passes for a throw-away")
	}
}

func TestSigningNoticesAnotherKey(t *testing.T) {
	pki := testpki.New(t)
	id := &signing.Identity{Chain: pki.CodeEC.Chain, Signer: pki.NoEKU.Key}
	if _, err := signing.SignDetached(t.Context(), bytes.NewReader(nil), id, describe); !errors.Is(err, signing.ErrKeyMismatch) {
		t.Error(err)
	}
	if _, err := signing.SignDetached(t.Context(), bytes.NewReader(nil), new(signing.Identity), describe); err == nil {
		t.Error("signed by nobody")
	}
}
