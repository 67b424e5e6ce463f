package signing_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/sassoftware/relic/v7/lib/fruit/machos"
	relicxar "github.com/sassoftware/relic/v7/lib/fruit/xar"

	"firstday.dev/internal/testmacho"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/pkgbuild/xar"
	"firstday.dev/signing"
)

func developer(t *testing.T, e *testpki.Entity) *signing.Identity {
	t.Helper()
	id, err := signing.NewIdentity(e.Chain, e.Key, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// machoProgram is a real program for macOS, for both architectures.
func machoProgram(t *testing.T) []byte {
	t.Helper()
	var programs []macho.Program
	for _, arch := range []string{"amd64", "arm64"} {
		b := testmacho.Thin(t, arch)
		programs = append(programs, macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	var fat bytes.Buffer
	if err := macho.MakeFat(&fat, programs...); err != nil {
		t.Fatal(err)
	}
	return fat.Bytes()
}

const entitlements = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>com.apple.security.cs.allow-jit</key><true/></dict></plist>
`

func signMachO(t *testing.T, b []byte, id *signing.Identity, opts signing.Options) []byte {
	t.Helper()
	var out bytes.Buffer
	code := signing.Code{Identifier: "dev.firstday.agent", Entitlements: []byte(entitlements)}
	if err := signing.SignMachO(t.Context(), bytes.NewReader(b), int64(len(b)), &out, code, id, opts); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func verifyMachO(t *testing.T, b []byte, opts signing.VerifyOptions) ([]signing.CodeReport, error) {
	t.Helper()
	return signing.VerifyMachO(t.Context(), bytes.NewReader(b), int64(len(b)), opts)
}

func TestSignedMachOVerifies(t *testing.T) {
	pki := testpki.New(t)
	dev := pki.NewDevelopers(t)
	signed := signMachO(t, machoProgram(t), developer(t, dev.Application), stamped(pki, pki.NewTSA(t)))
	reports, err := verifyMachO(t, signed, trust(pki))
	if err != nil || len(reports) != 2 {
		t.Fatalf("%d reports, %v", len(reports), err)
	}
	for _, r := range reports {
		if r.TeamID != testpki.TeamID || r.Flags != macho.FlagRuntime || !r.Report.Timestamp.Trusted ||
			!strings.Contains(r.Designated.String(), `certificate leaf[subject.OU] = "9TEAM12345"`) {
			t.Errorf("%v: %+v %+v", r.CPU, r.Signature, r.Report)
		}
		if len(r.Report.Embedded) != 3 {
			t.Errorf("%d certificates, the root must be there", len(r.Report.Embedded))
		}
		judgeCMS(t, pki, r.CMS, r.CodeDirectory)
	}
	if _, err := verifyMachO(t, signed, signing.VerifyOptions{}); !errors.Is(err, signing.ErrUntrusted) {
		t.Errorf("without Apple's root: %v", err)
	}
	slices, err := macho.Slices(bytes.NewReader(signed), int64(len(signed)))
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range slices {
		if _, err := machos.Verify(bytes.NewReader(signed[s.Offset:s.Offset+s.Size]), nil, nil, false); err != nil {
			t.Errorf("relic on %v: %v", s.CPU, err)
		}
	}
	signed[len(signed)/3] ^= 1
	if _, err := verifyMachO(t, signed, trust(pki)); !errors.Is(err, signing.ErrBadSignature) {
		t.Errorf("a flipped bit: %v", err)
	}
}

// judgeCMS lets OpenSSL verify a detached signature.
func judgeCMS(t *testing.T, pki *testpki.PKI, cms, content []byte) {
	t.Helper()
	run(t, testtool.Need(t, "openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", write(t, "signature", cms),
		"-content", write(t, "content", content), "-CAfile", pki.RootFile(t), "-purpose", "any", "-ignore_critical", "-out", os.DevNull)
}

func TestAdhocMachO(t *testing.T) {
	signed := signMachO(t, machoProgram(t), nil, signing.Options{})
	reports, err := verifyMachO(t, signed, signing.VerifyOptions{})
	if err != nil || reports[0].Report != nil || reports[1].Flags != macho.FlagAdhoc|macho.FlagRuntime {
		t.Errorf("%+v, %v", reports, err)
	}
}

func TestMachORefuses(t *testing.T) {
	dev := testpki.New(t).NewDevelopers(t)
	b := machoProgram(t)
	for name, c := range map[string]struct {
		program []byte
		id      *signing.Identity
		want    error
	}{
		"an installer's certificate": {b, developer(t, dev.Installer), signing.ErrCertificateType},
		"a script":                   {[]byte("#!/bin/sh\necho 1 2 3 4 5 6 7 8 9"), nil, signing.ErrFormat},
	} {
		err := signing.SignMachO(t.Context(), bytes.NewReader(c.program), int64(len(c.program)), new(bytes.Buffer), signing.Code{Identifier: "x"}, c.id, signing.Options{})
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := verifyMachO(t, b, signing.VerifyOptions{}); !errors.Is(err, signing.ErrNoSignature) {
		t.Errorf("unsigned: %v", err)
	}
}

// signedPackage is a small package and its file.
func signedPackage(t *testing.T, id *signing.Identity, opts signing.Options) []byte {
	t.Helper()
	o := pkgbuild.Options{Time: time.Unix(1_700_000_000, 0)}
	if id != nil {
		var err error
		if o.Signer, err = signing.PackageSigner(id, opts); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "test.pkg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &pkgbuild.Component{
		Identifier: "dev.firstday.test", Version: "1.0",
		Payload: fstest.MapFS{"opt/file": {Data: bytes.Repeat([]byte("contents "), 1000), Mode: 0o644}},
	}
	if err := pkgbuild.WriteComponent(t.Context(), f, c, o); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func verifyPackage(t *testing.T, b []byte, opts signing.VerifyOptions) (*signing.PackageReport, error) {
	t.Helper()
	return signing.VerifyPackage(t.Context(), bytes.NewReader(b), int64(len(b)), opts)
}

func TestSignedPackageVerifies(t *testing.T) {
	pki := testpki.New(t)
	dev := pki.NewDevelopers(t)
	b := signedPackage(t, developer(t, dev.Installer), stamped(pki, pki.NewTSA(t)))
	r, err := verifyPackage(t, b, trust(pki))
	if err != nil {
		t.Fatal(err)
	}
	if r.TeamID != testpki.TeamID || r.Timestamp == nil || !r.Timestamp.Trusted || len(r.Embedded) != 3 || len(r.Checked) != 6 {
		t.Errorf("%+v", r)
	}
	a, err := xar.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	judgeCMS(t, pki, a.CMS.DER(), a.Digest)
	judgeRSA(t, dev.Installer.Certificate(), a.RSA.Value, a.Digest)
	theirs, err := relicxar.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := theirs.Verify(false); err != nil {
		t.Errorf("relic: %v", err)
	}
	if _, err := verifyPackage(t, b, signing.VerifyOptions{}); !errors.Is(err, signing.ErrUntrusted) {
		t.Errorf("without Apple's root: %v", err)
	}
}

// judgeRSA lets OpenSSL verify the signature of a digest.
func judgeRSA(t *testing.T, cert *x509.Certificate, value, digest []byte) {
	t.Helper()
	key, err := x509.MarshalPKIXPublicKey(cert.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	run(t, testtool.Need(t, "openssl"), "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", write(t, "key", key),
		"-in", write(t, "digest", digest), "-sigfile", write(t, "rsa", value), "-pkeyopt", "digest:sha256")
}

// Whatever is damaged alone is found.
func TestDamagedPackages(t *testing.T) {
	pki := testpki.New(t)
	id := developer(t, pki.NewDevelopers(t).Installer)
	good := signedPackage(t, id, signing.Options{})
	a, err := xar.Open(bytes.NewReader(good), int64(len(good)))
	if err != nil {
		t.Fatal(err)
	}
	flip := func(part []byte) []byte {
		damaged := bytes.Clone(good)
		damaged[bytes.Index(good, part)+len(part)/2] ^= 4
		return damaged
	}
	raw := func(name string) []byte {
		for _, f := range a.Files {
			if f.Name == name {
				part := make([]byte, f.Raw().Size())
				if _, err := f.Raw().ReadAt(part, 0); err != nil {
					t.Fatal(err)
				}
				return part
			}
		}
		t.Fatalf("no %s", name)
		return nil
	}
	ticket := append([]byte("s8ch"), a.Digest[:20]...)
	for name, c := range map[string]struct {
		b    []byte
		says string
	}{
		"RSA":          {flip(a.RSA.Value), "signature does not match"},
		"CMS":          {flip(a.CMS.DER()[len(a.CMS.DER())-200:]), "verification error"},
		"CMS padding":  {flip(a.CMS.Value[len(a.CMS.DER()):]), "zero"},
		"TOC digest":   {flip(a.Digest), "checksum"},
		"TOC":          {flip(good[28:200]), ""},
		"payload":      {flip(raw("Payload")), "Payload"},
		"Bom":          {flip(raw("Bom")), "Bom"},
		"trailer":      {append(bytes.Clone(good), "junk"...), "belong to nothing"},
		"stale ticket": {xar.AppendTrailer(bytes.Clone(good), append([]byte("s8ch"), make([]byte, 40)...)), "another package"},
		"no ticket":    {xar.AppendTrailer(bytes.Clone(good), ticket[4:]), "another package"},
	} {
		_, err := verifyPackage(t, c.b, trust(pki))
		if err == nil || !strings.Contains(err.Error(), c.says) || !errors.Is(err, signing.ErrBadSignature) && !errors.Is(err, signing.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r, err := verifyPackage(t, xar.AppendTrailer(bytes.Clone(good), ticket), trust(pki))
	if err != nil || !r.Stapled {
		t.Errorf("a ticket: %+v, %v", r, err)
	}
	if _, err := verifyPackage(t, signedPackage(t, nil, signing.Options{}), trust(pki)); !errors.Is(err, signing.ErrNoSignature) {
		t.Errorf("unsigned: %v", err)
	}
}

func TestPackageSignerRefuses(t *testing.T) {
	pki := testpki.New(t)
	for name, c := range map[string]struct {
		entity *testpki.Entity
		want   error
	}{
		"an application's certificate": {pki.NewDevelopers(t).Application, signing.ErrCertificateType},
		"ECDSA":                        {pki.CodeEC, signing.ErrCertificateType},
	} {
		if _, err := signing.PackageSigner(developer(t, c.entity), signing.Options{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := signing.PackageSigner(developer(t, pki.CodeRSA), signing.Options{}); err != nil {
		t.Errorf("one for code signing that is not Apple's: %v", err)
	}
	dev := pki.NewDevelopers(t)
	if _, err := signing.SignCatalog(context.Background(), nil, developer(t, dev.Installer), signing.Options{}); err == nil {
		t.Error("an installer's certificate signs catalogs")
	}
}

// An authority that lies or is silent makes no package, signed or not.
func TestPackageNeedsItsTimestamp(t *testing.T) {
	pki := testpki.New(t)
	a := pki.NewTSA(t)
	a.WrongImprint = true
	signer, err := signing.PackageSigner(developer(t, pki.NewDevelopers(t).Installer), signing.Options{Timestamps: &signing.Authorities{URLs: []string{a.URL}, Roots: pki.Roots()}})
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "test.pkg"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c := &pkgbuild.Component{Identifier: "dev.firstday.test", Version: "1.0", Payload: fstest.MapFS{"file": {}}}
	if err := pkgbuild.WriteComponent(t.Context(), f, c, pkgbuild.Options{Signer: signer}); !errors.Is(err, signing.ErrTimestamp) {
		t.Errorf("got %v", err)
	}
}

// Apple's certificates are what they are known as, and one leads to the other.
func TestAppleCertificates(t *testing.T) {
	known := signing.AppleCertificates()
	want := []string{
		"b0b1730ecbc7ff4505142c49f1295e6eda6bcaed7e2c68c5be91b5a11001f024",
		"7afc9d01a62f03a2de9637936d4afe68090d2de18d03f29c88cfb0b1ba63587f",
		"f16cd3c54c7f83cea4bf1a3e6a0819c8aaa8e4a1528fd144715f350643d2df3a",
	}
	for i, c := range known {
		if got := fmt.Sprintf("%x", sha256.Sum256(c.Raw)); got != want[i] {
			t.Errorf("%s has fingerprint %s", c.Subject, got)
		}
		if err := c.CheckSignatureFrom(known[0]); i > 0 && err != nil {
			t.Errorf("%s: %v", c.Subject, err)
		}
	}
}
