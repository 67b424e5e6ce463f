package signing_test

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
	"github.com/google/go-cmp/cmp"
)

var describe = signing.Options{Description: "Größe 1", URL: "https://example.com/firstday"}

// identity is a test entity as signing knows it.
func identity(e *testpki.Entity) *signing.Identity {
	return &signing.Identity{Chain: e.Chain, Signer: e.Key}
}

func stamped(pki *testpki.PKI, tsa *testpki.TSA) signing.Options {
	opts := describe
	opts.Timestamps = &signing.Authorities{URLs: []string{tsa.URL}, Roots: pki.Roots()}
	return opts
}

func trust(pki *testpki.PKI) signing.VerifyOptions {
	return signing.VerifyOptions{Roots: pki.Roots(), TimestampRoots: pki.Roots()}
}

func unsignedCatalog(t testing.TB) []byte {
	t.Helper()
	d, err := catalog.Digest(strings.NewReader("a package"))
	if err != nil {
		t.Fatal(err)
	}
	cat, err := catalog.Create(d, [16]byte{1, 2, 3}, time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	if err != nil {
		t.Fatal(err)
	}
	return cat
}

// minimalPE is the smallest program with one section: PE32+, 1024 bytes and a
// tail that no section covers.
func minimalPE(tail int) []byte {
	const start, optional = 0x80, 240
	pe := make([]byte, 1024, 1024+tail)
	copy(pe, "MZ")
	binary.LittleEndian.PutUint32(pe[0x3c:], start)
	copy(pe[start:], "PE\x00\x00\x64\x86\x01\x00")
	binary.LittleEndian.PutUint16(pe[start+20:], optional)
	binary.LittleEndian.PutUint16(pe[start+24:], 0x20b)
	binary.LittleEndian.PutUint32(pe[start+24+36:], 512)
	binary.LittleEndian.PutUint32(pe[start+24+60:], 512)
	binary.LittleEndian.PutUint32(pe[start+24+108:], 16)
	section := pe[start+24+optional:]
	copy(section, ".text")
	binary.LittleEndian.PutUint32(section[16:], 512)
	binary.LittleEndian.PutUint32(section[20:], 512)
	for i := range pe[512:] {
		pe[512+i] = byte(i)
	}
	return append(pe, bytes.Repeat([]byte{0xaa}, tail)...)
}

// signPE signs in a file of its own and gives back its content.
func signPE(t testing.TB, pe []byte, id *signing.Identity, opts signing.Options) []byte {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "signed.exe"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := signing.SignPE(t.Context(), bytes.NewReader(pe), int64(len(pe)), out, id, opts); err != nil {
		t.Fatal(err)
	}
	signed, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	return signed
}

func verifyPE(pe []byte, opts signing.VerifyOptions) (*signing.Report, error) {
	return signing.VerifyPE(context.Background(), bytes.NewReader(pe), int64(len(pe)), opts)
}

// kinds are the four things we sign, each as content in, signed bytes out.
type kind struct {
	name    string
	content []byte
	sign    func(t testing.TB, id *signing.Identity, opts signing.Options) []byte
	verify  func(signed []byte, opts signing.VerifyOptions) (*signing.Report, error)
}

func kinds(t testing.TB) []kind {
	cat, script, text := unsignedCatalog(t), []byte("Write-Output 'hello'\r\n"), []byte("{\"manifest\": 1}\n")
	must := func(t testing.TB, out []byte, err error) []byte {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	return []kind{
		{"catalog", cat, func(t testing.TB, id *signing.Identity, opts signing.Options) []byte {
			out, err := signing.SignCatalog(t.Context(), cat, id, opts)
			return must(t, out, err)
		}, signing.VerifyCatalog},
		{"program", minimalPE(0), func(t testing.TB, id *signing.Identity, opts signing.Options) []byte {
			return signPE(t, minimalPE(0), id, opts)
		}, verifyPE},
		{"script", script, func(t testing.TB, id *signing.Identity, opts signing.Options) []byte {
			out, err := signing.SignPowerShell(t.Context(), script, id, opts)
			return must(t, out, err)
		}, signing.VerifyPowerShell},
		{"detached", text, func(t testing.TB, id *signing.Identity, opts signing.Options) []byte {
			out, err := signing.SignDetached(t.Context(), bytes.NewReader(text), id, opts)
			return must(t, out, err)
		}, func(signed []byte, opts signing.VerifyOptions) (*signing.Report, error) {
			return signing.VerifyDetached(context.Background(), bytes.NewReader(text), signed, opts)
		}},
	}
}

func TestSignThenVerify(t *testing.T) {
	pki := testpki.New(t)
	tsa := pki.NewTSA(t)
	for _, k := range kinds(t) {
		for name, entity := range map[string]*testpki.Entity{"RSA": pki.CodeRSA, "EC": pki.CodeEC} {
			t.Run(k.name+" "+name, func(t *testing.T) {
				signed := k.sign(t, identity(entity), stamped(pki, tsa))
				r, err := k.verify(signed, trust(pki))
				if err != nil {
					t.Fatal(err)
				}
				if !r.Signer.Equal(entity.Certificate()) || len(r.Chain) != 3 || !r.Chain[2].Equal(pki.Root.Certificate()) {
					t.Errorf("signer %v, chain of %d", r.Signer.Subject, len(r.Chain))
				}
				if r.Timestamp == nil || !r.Timestamp.Trusted || !r.Timestamp.Authority.Equal(pki.TSA.Certificate()) || time.Since(r.Timestamp.Time) > time.Minute {
					t.Errorf("timestamp %+v", r.Timestamp)
				}
				if claims := time.Since(r.SigningTime) < time.Minute; claims != (k.name == "detached") || len(r.Warnings) > 0 {
					t.Errorf("signing time %v, warnings %q", r.SigningTime, r.Warnings)
				}
				want := describe
				if k.name == "detached" {
					want = signing.Options{}
				}
				if r.Description != want.Description || r.URL != want.URL {
					t.Errorf("description %q, URL %q", r.Description, r.URL)
				}
			})
		}
	}
}

func TestVerifyTellsWhatIsMissing(t *testing.T) {
	pki := testpki.New(t)
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			good := k.sign(t, identity(pki.CodeEC), describe)
			year := 365 * 24 * time.Hour
			for name, test := range map[string]struct {
				signed []byte
				opts   signing.VerifyOptions
				want   error
			}{
				"unknown root":    {good, signing.VerifyOptions{Roots: x509.NewCertPool()}, signing.ErrUntrusted},
				"too late":        {good, signing.VerifyOptions{Roots: pki.Roots(), Time: time.Now().Add(2 * year)}, signing.ErrExpired},
				"no usage":        {k.sign(t, identity(pki.NoEKU), describe), trust(pki), signing.ErrNotCodeSigning},
				"for servers":     {k.sign(t, identity(pki.Server), describe), trust(pki), signing.ErrNotCodeSigning},
				"expired, no TSA": {k.sign(t, identity(pki.Expired), describe), trust(pki), signing.ErrExpired},
			} {
				r, err := k.verify(test.signed, test.opts)
				if !errors.Is(err, test.want) || errors.Is(err, signing.ErrBadSignature) {
					t.Errorf("%s: %v, want %v", name, err, test.want)
				}
				if r == nil || r.Signer == nil {
					t.Errorf("%s: no report", name)
				}
			}
			if k.name == "detached" {
				return
			}
			if r, err := k.verify(k.content, trust(pki)); !errors.Is(err, signing.ErrNoSignature) || r != nil {
				t.Errorf("unsigned: %v", err)
			}
		})
	}
}

func TestTimestampOutlivesTheCertificate(t *testing.T) {
	pki := testpki.New(t)
	tsa := pki.NewTSA(t)
	then := time.Now().Add(-48 * time.Hour)
	tsa.Now = func() time.Time { return then }
	opts := stamped(pki, tsa)
	opts.Time = then
	for _, k := range kinds(t) {
		signed := k.sign(t, identity(pki.Expired), opts)
		if _, err := k.verify(signed, trust(pki)); err != nil {
			t.Errorf("%s: %v", k.name, err)
		}
		r, err := k.verify(signed, signing.VerifyOptions{Roots: pki.Roots(), TimestampRoots: x509.NewCertPool()})
		if !errors.Is(err, signing.ErrExpired) {
			t.Errorf("%s with an unknown authority: %v", k.name, err)
		}
		if r.Timestamp == nil || r.Timestamp.Trusted {
			t.Errorf("%s: an unknown authority's timestamp is trusted", k.name)
		}
		fresh := k.sign(t, identity(pki.CodeEC), opts)
		if _, err := k.verify(fresh, signing.VerifyOptions{Roots: pki.Roots(), TimestampRoots: x509.NewCertPool()}); !errors.Is(err, signing.ErrUntrusted) {
			t.Errorf("%s fresh with an unknown authority: %v", k.name, err)
		}
	}
}

func TestSigningAgainReplacesTheSignature(t *testing.T) {
	pki := testpki.New(t)
	id := identity(pki.CodeRSA) // RSA PKCS #1 v1.5 always gives the same signature
	cat, err := signing.SignCatalog(t.Context(), unsignedCatalog(t), identity(pki.CodeEC), describe)
	if err != nil {
		t.Fatal(err)
	}
	once, err1 := signing.SignCatalog(t.Context(), unsignedCatalog(t), id, describe)
	twice, err2 := signing.SignCatalog(t.Context(), cat, id, describe)
	if err1 != nil || err2 != nil || !bytes.Equal(once, twice) {
		t.Errorf("catalog: %v, %v, equal %v", err1, err2, bytes.Equal(once, twice))
	}
	script := []byte("exit 0")
	ps, err := signing.SignPowerShell(t.Context(), script, identity(pki.CodeEC), describe)
	if err != nil {
		t.Fatal(err)
	}
	once, err1 = signing.SignPowerShell(t.Context(), script, id, describe)
	twice, err2 = signing.SignPowerShell(t.Context(), ps, id, describe)
	if err1 != nil || err2 != nil || !bytes.Equal(once, twice) {
		t.Errorf("script: %v, %v, equal %v", err1, err2, bytes.Equal(once, twice))
	}
	for tail := range 9 {
		pe := minimalPE(tail)
		once := signPE(t, pe, id, describe)
		twice := signPE(t, signPE(t, pe, identity(pki.CodeEC), describe), id, describe)
		if diff := cmp.Diff(once, twice); diff != "" {
			t.Errorf("program with a tail of %d: %s", tail, diff)
		}
		if _, err := verifyPE(once, trust(pki)); err != nil {
			t.Errorf("program with a tail of %d: %v", tail, err)
		}
	}
}

// TestEveryFlippedByteIsNoticed is the promise of `firstday verify`.
func TestEveryFlippedByteIsNoticed(t *testing.T) {
	pki := testpki.New(t)
	tsa := pki.NewTSA(t)
	for _, k := range kinds(t) {
		t.Run(k.name, func(t *testing.T) {
			signed := k.sign(t, identity(pki.CodeRSA), stamped(pki, tsa))
			if _, err := k.verify(signed, trust(pki)); err != nil {
				t.Fatal(err)
			}
			for i := range signed {
				mask := byte(1) << (i % 8)
				bad := bytes.Clone(signed)
				bad[i] ^= mask
				if _, err := k.verify(bad, trust(pki)); err == nil {
					t.Errorf("byte %d of %d, %#x ^ %#x: not noticed", i, len(signed), signed[i], mask)
				}
			}
			for _, n := range []int{0, 1, len(signed) / 2, len(signed) - 1} {
				if _, err := k.verify(signed[:n], trust(pki)); err == nil {
					t.Errorf("cut to %d bytes: not noticed", n)
				}
			}
			if _, err := k.verify(append(bytes.Clone(signed), 0), trust(pki)); err == nil {
				t.Error("trailing byte: not noticed")
			}
		})
	}
}

func TestSigningStopsWithItsContext(t *testing.T) {
	pki := testpki.New(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := signing.SignCatalog(ctx, unsignedCatalog(t), identity(pki.CodeEC), describe); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if _, err := signing.SignDetached(ctx, strings.NewReader("x"), identity(pki.CodeEC), describe); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestSignPERefusesWhatIsNoProgram(t *testing.T) {
	pki := testpki.New(t)
	good := minimalPE(0)
	edit := func(at int, value ...byte) []byte {
		pe := bytes.Clone(good)
		copy(pe[at:], value)
		return pe
	}
	const optional = 0x80 + 24
	for name, pe := range map[string][]byte{
		"empty":              nil,
		"text":               []byte(strings.Repeat("text ", 100)),
		"no MZ":              edit(0, 'Z'),
		"no PE":              edit(0x80, 'Q'),
		"far PE":             edit(0x3c, 0xff, 0xff, 0xff, 0x7f),
		"unknown magic":      edit(optional, 7, 1),
		"few directories":    edit(optional+108, 4),
		"cut":                good[:1023],
		"cut in headers":     good[:200],
		"half entry":         edit(optional+112+32, 1),
		"signature in front": edit(optional+112+32, 8, 0, 0, 0, 0xf8, 3),
		"signature beyond":   edit(optional+112+32, 0, 4, 0, 0, 8),
		"many sections":      edit(0x86, 0xff, 0xff),
	} {
		out, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		err = signing.SignPE(t.Context(), bytes.NewReader(pe), int64(len(pe)), out, identity(pki.CodeEC), describe)
		if !errors.Is(err, signing.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := out.Stat(); err != nil || info.Size() > 0 {
			t.Errorf("%s: something was written", name)
		}
		out.Close()
	}
}

func TestSignPowerShellRefuses(t *testing.T) {
	pki := testpki.New(t)
	for _, script := range []string{"Write-Output 'ä'", "\ufeffexit", "e\x00x\x00"} {
		if _, err := signing.SignPowerShell(t.Context(), []byte(script), identity(pki.CodeEC), describe); !errors.Is(err, signing.ErrFormat) {
			t.Errorf("%q: %v", script, err)
		}
	}
}

func TestSignCatalogRefusesOtherFiles(t *testing.T) {
	pki := testpki.New(t)
	if _, err := signing.SignCatalog(t.Context(), []byte("text"), identity(pki.CodeEC), describe); !errors.Is(err, catalog.ErrFormat) {
		t.Error(err)
	}
	if _, err := signing.VerifyCatalog([]byte("text"), trust(pki)); !errors.Is(err, catalog.ErrFormat) {
		t.Error(err)
	}
}

func TestVerifyDetachedReadsTheFile(t *testing.T) {
	pki := testpki.New(t)
	p7s, err := signing.SignDetached(t.Context(), strings.NewReader("text"), identity(pki.CodeEC), describe)
	if err != nil {
		t.Fatal(err)
	}
	for content, want := range map[string]error{"text": nil, "Text": signing.ErrBadSignature, "": signing.ErrBadSignature} {
		_, err := signing.VerifyDetached(t.Context(), strings.NewReader(content), p7s, trust(pki))
		if !errors.Is(err, want) {
			t.Errorf("%q: %v", content, err)
		}
	}
	broken := io.MultiReader(strings.NewReader("te"), brokenReader{})
	if _, err := signing.VerifyDetached(t.Context(), broken, p7s, trust(pki)); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

type brokenReader struct{}

func (brokenReader) Read([]byte) (int, error) { return 0, os.ErrPermission }
