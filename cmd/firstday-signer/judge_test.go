package main

import (
	"bytes"
	"crypto/x509"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/sassoftware/relic/v7/lib/authenticode"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/signing"
)

// signProgram signs a real Windows program and has relic read the signature.
func signProgram(t *testing.T, id *signing.Identity) {
	t.Helper()
	pki := testpki.New(t)
	dir := t.TempDir()
	source, program := write(t, dir, "main.go", "package main\n\nfunc main() {}\n"), filepath.Join(dir, "main.exe")
	build := exec.CommandContext(t.Context(), testtool.Need(t, "go"), "build", "-ldflags=-s -w", "-o", program, source)
	build.Env = append(os.Environ(), "GOOS=windows", "GOARCH=amd64", "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	in, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(dir, "signed.exe"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	opts := signing.Options{Timestamps: &signing.Authorities{URLs: []string{pki.NewTSA(t).URL}, Roots: pki.Roots()}}
	if err := signing.SignPE(t.Context(), bytes.NewReader(in), int64(len(in)), out, id, opts); err != nil {
		t.Fatal(err)
	}
	signatures, err := authenticode.VerifyPE(out, false)
	if err != nil || len(signatures) != 1 {
		t.Fatalf("relic: %v, %d signatures", err, len(signatures))
	}
	if err := signatures[0].VerifyChain(pki.Roots(), nil, x509.ExtKeyUsageCodeSigning); err != nil {
		t.Errorf("relic: %v", err)
	}
	if signatures[0].CounterSignature == nil {
		t.Error("relic sees no timestamp")
	}
}
