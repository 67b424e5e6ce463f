package signing_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild"
	"firstday.dev/signing"
)

// berSignature has OpenSSL sign as Apple's tools do: in BER, in pieces.
func berSignature(t *testing.T, e *testpki.Entity, content []byte) []byte {
	t.Helper()
	cert, key := e.WritePEM(t, "")
	above := &testpki.Entity{Chain: e.Chain[1:], Key: e.Key}
	others, _ := above.WritePEM(t, "")
	out := filepath.Join(t.TempDir(), "ber")
	sign := exec.Command(testtool.Need(t, "openssl"), "cms", "-sign", "-binary", "-stream", "-outform", "DER", "-md", "sha256", "-nosmimecap",
		"-in", write(t, "content", content), "-signer", cert, "-inkey", key, "-certfile", others, "-out", out)
	if text, err := sign.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	b, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	// OpenSSL has no way to leave the content out here. Of a value that does not
	// tell its length it can be cut.
	embedded := append(append([]byte{0xa0, 0x80, 0x24, 0x80, 0x04, 0x20}, content...), 0, 0, 0, 0)
	if !bytes.HasPrefix(b, []byte{0x30, 0x80}) || !bytes.Contains(b, embedded) {
		t.Fatalf("it is not BER: %x", b)
	}
	return bytes.Replace(b, embedded, nil, 1)
}

// Packages that Apple's productsign signed are in BER; who says that they may be
// foreign can verify them.
func TestPackageSignedInBER(t *testing.T) {
	pki := testpki.New(t)
	entity := pki.NewDevelopers(t).Installer
	signer, err := signing.PackageSigner(developer(t, entity), signing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var ber []byte
	signer.CMS = func(_ context.Context, digest []byte) ([]byte, error) {
		ber = berSignature(t, entity, digest)
		return ber, nil
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "test.pkg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &pkgbuild.Component{Identifier: "dev.firstday.test", Version: "1.0", Payload: fstest.MapFS{"file": {}}}
	if err := pkgbuild.WriteComponent(t.Context(), f, c, pkgbuild.Options{Signer: signer}); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := verifyPackage(t, b, trust(pki)); !errors.Is(err, signing.ErrBadSignature) || !strings.Contains(err.Error(), "BER") {
		t.Errorf("as ours: %v", err)
	}
	foreign := trust(pki)
	foreign.Foreign = true
	r, err := verifyPackage(t, b, foreign)
	if err != nil || r.TeamID != testpki.TeamID || len(r.Warnings) == 0 {
		t.Errorf("as foreign: %+v, %v", r, err)
	}
	at := bytes.Index(b, ber)
	for _, i := range []int{at + 1, at + 30, at + 900} {
		damaged := bytes.Clone(b)
		damaged[i] ^= 1
		if _, err := verifyPackage(t, damaged, foreign); !errors.Is(err, signing.ErrBadSignature) {
			t.Errorf("a flipped bit at %d: %v", i-at, err)
		}
	}
}
