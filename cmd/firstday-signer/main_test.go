package main

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
)

// TestMain lets this test program be firstday-signer.
func TestMain(m *testing.M) {
	if os.Getenv("FIRSTDAY_TEST_SIGNER") != "" {
		main()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// openSigner starts firstday-signer as firstday does, with a configuration in
// the folder dir.
func openSigner(t *testing.T, dir, config string) (*signing.Identity, error) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("FIRSTDAY_TEST_SIGNER", "1")
	id, err := signing.OpenSigner(context.Background(), signing.SignerProgram{Args: []string{self, write(t, dir, "signer.yaml", config)}})
	if err == nil {
		t.Cleanup(func() {
			if err := id.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return id, err
}

func write(t *testing.T, dir, name, content string) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certify gives a key that lives elsewhere a certificate for code signing, and
// writes it with its issuers into chain.pem in the folder dir.
func certify(t *testing.T, dir string, key crypto.PublicKey) (der []byte) {
	t.Helper()
	pki := testpki.New(t)
	issuer := pki.Intermediate
	der, err := x509.CreateCertificate(rand.Reader, &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: "Key held elsewhere"},
		NotBefore:    time.Now().Add(-time.Hour), NotAfter: time.Now().AddDate(1, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, issuer.Certificate(), key, issuer.Key)
	if err != nil {
		t.Fatal(err)
	}
	var chain bytes.Buffer
	for _, raw := range [][]byte{issuer.Chain[1].Raw, issuer.Chain[0].Raw, der} { // in no good order
		if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: raw}); err != nil {
			t.Fatal(err)
		}
	}
	write(t, dir, "chain.pem", chain.String())
	return der
}

// signCatalog signs a catalog and lets our verifier and osslsigncode judge it.
func signCatalog(t *testing.T, id *signing.Identity) {
	t.Helper()
	pki := testpki.New(t)
	digests, err := catalog.Digest(strings.NewReader("a package"))
	if err != nil {
		t.Fatal(err)
	}
	unsigned, err := catalog.Create(digests, [16]byte{1}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	opts := signing.Options{
		Description: "Firstday",
		Timestamps:  &signing.Authorities{URLs: []string{pki.NewTSA(t).URL}, Roots: pki.Roots()},
	}
	signed, err := signing.SignCatalog(t.Context(), unsigned, id, opts)
	if err != nil {
		t.Fatal(err)
	}
	report, err := signing.VerifyCatalog(signed, signing.VerifyOptions{Roots: pki.Roots(), TimestampRoots: pki.Roots()})
	if err != nil {
		t.Fatal(err)
	}
	if report.Signer.Subject.CommonName != "Key held elsewhere" || len(report.Embedded) != 3 {
		t.Errorf("signed by %s, %d certificates", report.Signer.Subject, len(report.Embedded))
	}
	judge := testtool.Need(t, "osslsigncode")
	root := pki.RootFile(t)
	file := write(t, t.TempDir(), "signed.cat", string(signed))
	out, err := exec.CommandContext(t.Context(), judge, "verify", "-CAfile", root, "-TSA-CAfile", root, "-in", file).CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("Signature verification: ok")) || !bytes.Contains(out, []byte("Timestamp Server Signature verification: ok")) {
		t.Errorf("osslsigncode: %v\n%s", err, out)
	}
}

func TestFileKeySigns(t *testing.T) {
	dir := t.TempDir()
	key, err := testpki.Issue(&x509.Certificate{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	certify(t, dir, key.Key.Public())
	_, keyFile := key.WritePEM(t, "geheim")
	t.Setenv("TEST_KEY_PASSWORD", "geheim")
	id, err := openSigner(t, dir, "certificates: chain.pem\nfile:\n  key: "+keyFile+"\n  password: {env: TEST_KEY_PASSWORD}\n")
	if err != nil {
		t.Fatal(err)
	}
	signCatalog(t, id)
	t.Setenv("TEST_KEY_PASSWORD", "falsch")
	if _, err := openSigner(t, dir, "certificates: chain.pem\nfile:\n  key: "+keyFile+"\n  password: {env: TEST_KEY_PASSWORD}\n"); err == nil || !strings.Contains(err.Error(), signing.ErrPassword.Error()) {
		t.Error(err)
	}
}

// What is wrong with a configuration reaches the person who runs firstday.
func TestMistakesAreExplained(t *testing.T) {
	dir := t.TempDir()
	key, err := testpki.Issue(&x509.Certificate{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	certify(t, dir, key.Key.Public())
	other, err := testpki.Issue(&x509.Certificate{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	_, keyFile := other.WritePEM(t, "")
	for name, test := range map[string]struct{ config, want string }{
		"empty":              {"", "exactly one of pkcs11"},
		"not YAML":           {"\tx", "signer.yaml"},
		"unknown member":     {"certificates: chain.pem\nfile: {key: k, colour: red}\n", `unknown field "colour"`},
		"two keys":           {"certificates: chain.pem\naws: {key: k}\ngcloud: {key: k}\n", "exactly one of"},
		"no certificates":    {"aws: {key: k}\n", "certificates is missing"},
		"no module":          {"certificates: chain.pem\npkcs11: {label: x}\n", "pkcs11.module is missing"},
		"no AWS key":         {"certificates: chain.pem\naws: {}\n", "aws.key is missing"},
		"no Azure key":       {"azure: {}\n", "azure.key is missing"},
		"two logins":         {"azure: {key: k, cli: true, credentials: c}\n", "keep one"},
		"no Google key":      {"certificates: chain.pem\ngcloud: {}\n", "gcloud.key is missing"},
		"no key file":        {"certificates: chain.pem\nfile: {}\n", "file.key is missing"},
		"missing file":       {"certificates: chain.pem\nfile: {key: none.pem}\n", "none.pem"},
		"two secrets":        {"certificates: chain.pem\nfile: {key: k, password: {env: A, file: b}}\n", "give either file or env"},
		"unset variable":     {"certificates: chain.pem\nfile: {key: k, password: {env: FIRSTDAY_TEST_UNSET}}\n", "FIRSTDAY_TEST_UNSET is not set"},
		"key of another":     {"certificates: chain.pem\nfile: {key: " + keyFile + "}\n", signing.ErrKeyMismatch.Error()},
		"huge configuration": {strings.Repeat("#", maxConfig+1), "longer than"},
	} {
		_, err := openSigner(t, dir, test.config)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v\nwant %q", name, err, test.want)
		}
	}
}

// A person who runs the program without firstday gets words and an exit code.
func TestRunByHand(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	key, err := testpki.Issue(&x509.Certificate{}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	certify(t, dir, key.Key.Public())
	_, keyFile := key.WritePEM(t, "")
	for name, test := range map[string]struct {
		args []string
		code int
		want string
	}{
		"no argument":       {nil, 2, "usage: firstday-signer CONFIG"},
		"bad configuration": {[]string{write(t, dir, "bad.yaml", "aws: {}\n")}, 1, "firstday-signer: "},
		"good":              {[]string{write(t, dir, "good.yaml", "certificates: chain.pem\nfile: {key: "+keyFile+"}\n")}, 0, ""},
	} {
		command := exec.CommandContext(t.Context(), self, test.args...)
		command.Env = append(os.Environ(), "FIRSTDAY_TEST_SIGNER=1")
		out, err := command.CombinedOutput()
		if command.ProcessState.ExitCode() != test.code || !strings.HasPrefix(string(out), test.want) {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}
