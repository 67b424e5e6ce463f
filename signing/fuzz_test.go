package signing

import (
	"bufio"
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"flag"
	"fmt"
	"io"
	"math/big"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/ppkg/catalog"
)

var update = flag.Bool("update", false, "write the fuzz targets' seeds anew")

// The seeds in testdata/fuzz are real signatures of a throw-away PKI, which
// these mutate from; TestSeeds writes them.
func FuzzVerifyCatalog(f *testing.F) {
	f.Fuzz(func(t *testing.T, cat []byte) {
		r, err := VerifyCatalog(cat, VerifyOptions{Roots: x509.NewCertPool(), TimestampRoots: x509.NewCertPool()})
		checkReport(t, r, err)
	})
}

func FuzzVerifyPE(f *testing.F) {
	f.Fuzz(func(t *testing.T, pe []byte) {
		r, err := VerifyPE(context.Background(), bytes.NewReader(pe), int64(len(pe)), VerifyOptions{Roots: x509.NewCertPool(), TimestampRoots: x509.NewCertPool()})
		checkReport(t, r, err)
	})
}

// A program that is signed still is one, of the same digest.
func FuzzDigestPE(f *testing.F) {
	f.Add(smallestPE())
	f.Fuzz(func(t *testing.T, data []byte) {
		pe, err := readPE(bytes.NewReader(data), int64(len(data)))
		if err != nil {
			return
		}
		before, err := pe.digest(t.Context(), crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		out, err := os.Create(filepath.Join(t.TempDir(), "signed.exe"))
		if err != nil {
			t.Fatal(err)
		}
		defer out.Close()
		if err := pe.writeSigned(t.Context(), out, []byte{0x30, 0}); err != nil {
			t.Fatal(err)
		}
		info, err := out.Stat()
		if err != nil {
			t.Fatal(err)
		}
		signed, err := readPE(out, info.Size())
		if err != nil {
			t.Fatalf("signed it is no program: %v", err)
		}
		if after, err := signed.digest(t.Context(), crypto.SHA256); err != nil || !bytes.Equal(after, before) {
			t.Fatalf("signed it has another digest: %v", err)
		}
	})
}

func FuzzVerifyPowerShell(f *testing.F) {
	f.Fuzz(func(t *testing.T, script []byte) {
		r, err := VerifyPowerShell(script, VerifyOptions{Roots: x509.NewCertPool(), TimestampRoots: x509.NewCertPool()})
		checkReport(t, r, err)
	})
}

// checkReport: with an empty pool nothing can be trusted, and whatever is
// reported can be printed.
func checkReport(t *testing.T, r *Report, err error) {
	if err == nil {
		t.Fatal("trusted without a root")
	}
	if r != nil {
		_ = fmt.Sprint(r.Signer.Subject, r.Description, r.URL, r.SigningTime, r.Warnings)
	}
}

func FuzzTimestampResponse(f *testing.F) {
	f.Fuzz(func(t *testing.T, der []byte) {
		token, err := parseTimestampResponse(der)
		if err != nil {
			return
		}
		if stamp, err := verifyToken(token, make([]byte, crypto.SHA256.Size()), nil); err == nil {
			_, _ = stamp.verifyChain(x509.NewCertPool())
		}
	})
}

// What BER says, DER says too, and reads as itself.
func FuzzBER(f *testing.F) {
	f.Add([]byte{0x30, 0x80, 0x24, 0x80, 4, 1, 'a', 4, 2, 'b', 'c', 0, 0, 0x31, 0x81, 2, 5, 0, 0, 0, 0, 0})
	f.Add([]byte{0xa0, 3, 4, 0x81, 0})
	f.Fuzz(func(t *testing.T, b []byte) {
		der, _, err := fromBER(b)
		if err != nil {
			return
		}
		again, rest, err := fromBER(der)
		if err != nil || len(rest) > 0 || !bytes.Equal(again, der) {
			t.Fatalf("%x, then %x with %x behind it, %v", der, again, rest, err)
		}
	})
}

func FuzzSignerProtocol(f *testing.F) {
	f.Fuzz(func(t *testing.T, text []byte) {
		var answer signerAnswer
		if readLine(bufio.NewReader(bytes.NewReader(text)), &answer) == nil {
			_, _ = answer.readChain()
			_ = printable(answer.Error)
		}
		id := &Identity{Signer: refusingKey{}}
		_ = ServeSigner(bytes.NewReader(text), io.Discard, id)
	})
}

type refusingKey struct{}

func (refusingKey) Public() crypto.PublicKey { return nil }
func (refusingKey) Sign(io.Reader, []byte, crypto.SignerOpts) ([]byte, error) {
	return nil, os.ErrPermission
}

// TestSeeds checks that the committed seeds are still what they were made as:
// good signatures of unknown people.
func TestSeeds(t *testing.T) {
	if *update {
		writeSeeds(t)
	}
	never := VerifyOptions{Roots: x509.NewCertPool(), TimestampRoots: x509.NewCertPool()}
	r, err := VerifyCatalog(readSeed(t, "FuzzVerifyCatalog"), never)
	checkSeed(t, "catalog", r, err)
	pe := readSeed(t, "FuzzVerifyPE")
	r, err = VerifyPE(t.Context(), bytes.NewReader(pe), int64(len(pe)), never)
	checkSeed(t, "program", r, err)
	r, err = VerifyPowerShell(readSeed(t, "FuzzVerifyPowerShell"), never)
	checkSeed(t, "script", r, err)
	if _, err := parseTimestampResponse(readSeed(t, "FuzzTimestampResponse")); err != nil {
		t.Error(err)
	}
	if err := ServeSigner(bytes.NewReader(readSeed(t, "FuzzSignerProtocol")), io.Discard, new(Identity)); err != nil {
		t.Error(err)
	}
}

func checkSeed(t *testing.T, name string, r *Report, err error) {
	t.Helper()
	if err == nil || r == nil || r.Timestamp == nil || r.Description != "seed" {
		t.Errorf("%s: %v, report %+v", name, err, r)
	}
}

func writeSeeds(t *testing.T) {
	pki := testpki.New(t)
	tsa := pki.NewTSA(t)
	id := &Identity{Chain: pki.CodeEC.Chain[:1], Signer: pki.CodeEC.Key}
	opts := Options{Description: "seed", Timestamps: &Authorities{URLs: []string{tsa.URL}, Roots: pki.Roots()}}
	unsigned, err := catalog.Create(catalog.Digests{}, [16]byte{}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cat, err := SignCatalog(t.Context(), unsigned, id, opts)
	if err != nil {
		t.Fatal(err)
	}
	script, err := SignPowerShell(t.Context(), []byte("exit 0"), id, opts)
	if err != nil {
		t.Fatal(err)
	}
	out, err := os.Create(filepath.Join(t.TempDir(), "seed.exe"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	small := smallestPE()
	if err := SignPE(t.Context(), bytes.NewReader(small), int64(len(small)), out, id, opts); err != nil {
		t.Fatal(err)
	}
	pe, err := os.ReadFile(out.Name())
	if err != nil {
		t.Fatal(err)
	}
	request := timestampRequest(make([]byte, crypto.SHA256.Size()), big.NewInt(7))
	response, err := tsa.Reply(request)
	if err != nil {
		t.Fatal(err)
	}
	for name, seed := range map[string][]byte{
		"FuzzVerifyCatalog": cat, "FuzzVerifyPE": pe, "FuzzVerifyPowerShell": script, "FuzzTimestampResponse": response,
		"FuzzSignerProtocol": []byte(`{"version":1,"method":"open"}` + "\n" + `{"version":1,"method":"dance"}` + "\n"),
	} {
		path := seedFile(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, fmt.Appendf(nil, "go test fuzz v1\n[]byte(%q)\n", seed), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func seedFile(name string) string { return filepath.Join("testdata", "fuzz", name, "seed") }

// readSeed reads a file of the fuzz corpus: one quoted []byte.
func readSeed(t *testing.T, name string) []byte {
	t.Helper()
	file, err := os.ReadFile(seedFile(name))
	if err != nil {
		t.Fatal(err)
	}
	_, quoted, _ := strings.Cut(strings.TrimSpace(string(file)), "[]byte(")
	seed, err := strconv.Unquote(strings.TrimSuffix(quoted, ")"))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return []byte(seed)
}

// smallestPE is a PE32 program of headers alone.
func smallestPE() []byte {
	const start, optional = 64, 224
	pe := make([]byte, start+24+optional+8)
	copy(pe, "MZ")
	pe[0x3c] = start
	copy(pe[start:], "PE\x00\x00\x4c\x01")
	pe[start+20] = optional
	copy(pe[start+24:], "\x0b\x01")
	pe[start+24+36] = 8 // alignment of the file
	binary.LittleEndian.PutUint32(pe[start+24+60:], uint32(len(pe)))
	pe[start+24+92] = 16 // directories
	return pe
}
