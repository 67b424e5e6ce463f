package signing_test

import (
	"bytes"
	"crypto/rand"
	"crypto/x509"
	"errors"
	"math/big"
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

// Programs of other people, from the samples of the module saferwall/pe, which
// the tests need anyway. Nobody's root is trusted here, so that the result does
// not depend on the machine. The dates are those osslsigncode shows.
func TestForeignProgramsAreJudgedFairly(t *testing.T) {
	out, err := exec.Command(testtool.Need(t, "go"), "list", "-m", "-f", "{{.Dir}}", "github.com/saferwall/pe").Output()
	if err != nil {
		t.Fatal(err)
	}
	samples := filepath.Join(strings.TrimSpace(string(out)), "test")
	const (
		nonCritical  = "the timestamp's certificate is not for timestamping alone"
		attributes   = "the timestamp carries attribute certificates, which nobody checks"
		second       = "its first signature rests on SHA-1; this is about the second one"
		unsorted     = "the signature's sets are not in the order of DER; some verifiers refuse it"
		oldTimestamp = "not looked at: an old-style timestamp"
	)
	for name, want := range map[string]struct {
		signer    string
		timestamp string
		warnings  []string
	}{
		"KernelBase.dll": {"Microsoft Windows", "", nil},
		"kernel32.dll":   {"Microsoft Windows", "2021-11-02", []string{nonCritical, attributes}},
		"pwsh.exe":       {"Microsoft Corporation", "2023-04-12", []string{attributes}},
		"mfc140u.dll":    {"Microsoft Corporation", "2018-09-05", []string{second, nonCritical, attributes}},
		"putty.exe":      {"Simon Tatham", "", []string{second, unsorted, oldTimestamp}},
		"brave.exe":      {"Brave Software, Inc.", "", []string{oldTimestamp}},
		"liblzo2-2.dll":  {"Express Vpn LLC", "2020-08-20", nil},
	} {
		t.Run(name, func(t *testing.T) {
			program, err := os.ReadFile(filepath.Join(samples, name))
			if err != nil {
				t.Fatal(err)
			}
			opts := signing.VerifyOptions{Roots: x509.NewCertPool(), TimestampRoots: x509.NewCertPool(), Foreign: true}
			r, err := verifyPE(program, opts)
			if !errors.Is(err, signing.ErrUntrusted) || r == nil {
				t.Fatalf("%v, want %v", err, signing.ErrUntrusted)
			}
			timestamp := ""
			if r.Timestamp != nil {
				timestamp = r.Timestamp.Time.Format(time.DateOnly)
			}
			if r.Signer.Subject.CommonName != want.signer || timestamp != want.timestamp || strings.Join(r.Warnings, "\n") != strings.Join(want.warnings, "\n") {
				t.Errorf("signer %q, timestamp %q, warnings %q", r.Signer.Subject.CommonName, timestamp, r.Warnings)
			}
			program[len(program)/2] ^= 1
			if r, err := verifyPE(program, opts); !errors.Is(err, signing.ErrBadSignature) || r != nil {
				t.Errorf("changed: %v", err)
			}
		})
	}
}

// What is a warning for a foreign program is an error for one of ours.
func TestForeignHabitsAreWarnings(t *testing.T) {
	pki := testpki.New(t)
	signed := signPE(t, minimalPE(0), identity(pki.CodeRSA), describe)
	entry := 0x80 + 24 + 112 + 32
	for name, test := range map[string]struct {
		spoil func() []byte
		want  string
	}{
		"checksum": {func() []byte { return edited(signed, 0x80+24+64, 0, 0, 0, 0) }, "checksum"},
		"hidden data": {func() []byte {
			pe := append(bytes.Clone(signed), "hidden data....."...)
			pe[entry+4] += 16 // the size of the certificate table, and of what is in it
			pe[1024] += 16
			return pe
		}, "something follows it"},
	} {
		pe := test.spoil()
		opts := trust(pki)
		if r, err := verifyPE(pe, opts); !errors.Is(err, signing.ErrBadSignature) || r != nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
		opts.Foreign = true
		if r, err := verifyPE(pe, opts); err != nil || !strings.Contains(strings.Join(r.Warnings, "\n"), test.want) {
			t.Errorf("%s in a foreign program: %v", name, err)
		}
	}
}

func edited(data []byte, at int, value ...byte) []byte {
	data = bytes.Clone(data)
	copy(data[at:], value)
	return data
}

// DigiCert's authority sends its root certified by an older root. Whoever
// trusts the new one does not need to know the old one.
func TestTimestampsMayCarryCrossCertificates(t *testing.T) {
	pki := testpki.New(t)
	older, err := testpki.Issue(&x509.Certificate{
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		Subject: pki.Intermediate.Certificate().Subject,
	}, nil, true)
	if err != nil {
		t.Fatal(err)
	}
	root := pki.Root.Certificate()
	template := *root
	template.SerialNumber = big.NewInt(77)
	der, err := x509.CreateCertificate(rand.Reader, &template, older.Certificate(), root.PublicKey, older.Key)
	if err != nil {
		t.Fatal(err)
	}
	cross, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	tsa := pki.NewTSA(t)
	tsa.Entity = &testpki.Entity{Chain: []*x509.Certificate{pki.TSA.Certificate(), cross}, Key: pki.TSA.Key}
	for _, k := range kinds(t) {
		signed := k.sign(t, identity(pki.CodeRSA), stamped(pki, tsa))
		if _, err := k.verify(signed, trust(pki)); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
	}
}

func TestExpiredStrangersAreBoth(t *testing.T) {
	pki := testpki.New(t)
	for _, k := range kinds(t) {
		signed := k.sign(t, identity(pki.Expired), describe)
		if _, err := k.verify(signed, trust(pki)); !errors.Is(err, signing.ErrExpired) || errors.Is(err, signing.ErrUntrusted) {
			t.Errorf("%s: %v", k.name, err)
		}
		_, err := k.verify(signed, signing.VerifyOptions{Roots: x509.NewCertPool()})
		if !errors.Is(err, signing.ErrExpired) || !errors.Is(err, signing.ErrUntrusted) {
			t.Errorf("%s by a stranger: %v", k.name, err)
		}
	}
}
