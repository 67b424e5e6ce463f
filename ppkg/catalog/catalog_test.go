package catalog

import (
	"bytes"
	"encoding/hex"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"firstday.dev/internal/testtool"
	"github.com/google/go-cmp/cmp"
)

var (
	listID  = [16]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}
	created = time.Date(2026, 11, 23, 9, 8, 7, 0, time.UTC)
)

func testCatalog(t testing.TB, content string) (der []byte, d Digests) {
	t.Helper()
	d, err := Digest(strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	der, err = Create(d, listID, created)
	if err != nil {
		t.Fatal(err)
	}
	return der, d
}

// The layout of formats/ppkg.md §5.2 written out, with the digests of "abc"
// from FIPS 180.
func TestCreateWritesTheDocumentedBytes(t *testing.T) {
	der, d := testCatalog(t, "abc")
	const (
		sha1abc   = "a9993e364706816aba3e25717850c26c9cd0d89d"
		sha256abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
		info      = "3010 060a2b060104018237 0c0203 3102 8200"
	)
	want := unhex(t, `
	3082012e 06092a864886f70d010702 a082011f 3082011b 020101 3100
	 30820110 06092b060104018237`+"0a01"+` a0820101 3081fe
	  300c 060a2b060104018237`+"0c0101"+`
	  0410 000102030405060708090a0b0c0d0e0f
	  170d 3236313132333039303830375a
	  300e 060a2b060104018237`+"0c0103"+` 0500
	  3081bc
	   302a 0414`+sha1abc+` 3112`+info+`
	   30818d 0420`+sha256abc+` 3169`+info+`
	    3055 060a2b060104018237`+"020104"+` 3147 3045
	     3010 060a2b060104018237`+"020119"+` a2028000
	     3031 300d 0609608648016503040201 0500 0420`+sha256abc+`
	 3100`)
	if diff := cmp.Diff(hex.Dump(want), hex.Dump(der)); diff != "" {
		t.Error(diff)
	}
	if len(der) != 306 {
		t.Errorf("catalog of %d bytes, Windows Configuration Designer writes 306", len(der))
	}
	got, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&Catalog{ListIdentifier: listID, ThisUpdate: created, Digests: d, CTL: got.CTL}, got); diff != "" {
		t.Error(diff)
	}
}

func unhex(t *testing.T, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.Join(strings.Fields(s), ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMembersAreSortedByDigest(t *testing.T) {
	seen := map[bool]bool{}
	for _, content := range []string{"a", "b", "c", "d", "e", "f"} {
		der, d := testCatalog(t, content)
		c, err := Parse(der)
		if err != nil {
			t.Fatal(err)
		}
		if c.Digests != d {
			t.Errorf("%s: digests changed", content)
		}
		first, second := bytes.Index(der, d.SHA1[:]), bytes.Index(der, d.SHA256[:])
		less := bytes.Compare(d.SHA1[:], d.SHA256[:]) < 0
		if (first < second) != less {
			t.Errorf("%s: members are not in ascending order", content)
		}
		seen[less] = true
	}
	if len(seen) != 2 {
		t.Error("the samples try one order only")
	}
}

func TestCheckNamesTheDigest(t *testing.T) {
	der, d := testCatalog(t, "package")
	c, err := Parse(der)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Check(d); err != nil {
		t.Error(err)
	}
	bad1, bad256 := d, d
	bad1.SHA1[19] ^= 1
	bad256.SHA256[0] ^= 1
	for name, bad := range map[string]Digests{"SHA-1": bad1, "SHA-256": bad256} {
		if err := c.Check(bad); !errors.Is(err, ErrMismatch) || !strings.Contains(err.Error(), name+" is") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParseRejectsEveryOtherList(t *testing.T) {
	der, d := testCatalog(t, "package")
	for i := range der {
		for _, mask := range []byte{0x01, 0x80, 0xff} {
			bad := bytes.Clone(der)
			bad[i] ^= mask
			c, err := Parse(bad)
			if err != nil && !errors.Is(err, ErrFormat) {
				t.Fatalf("byte %d: %v", i, err)
			}
			// Unsigned, the identifier and the time may say anything.
			if err == nil && c.Check(d) == nil && c.ListIdentifier == listID && c.ThisUpdate.Equal(created) {
				t.Errorf("byte %d ^ %#x: not noticed", i, mask)
			}
		}
	}
	for n := range der {
		if _, err := Parse(der[:n]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut to %d bytes: %v", n, err)
		}
	}
	if _, err := Parse(append(bytes.Clone(der), 0)); !errors.Is(err, ErrFormat) {
		t.Errorf("trailing byte: %v", err)
	}
	if _, err := Parse(make([]byte, MaxSize+1)); !errors.Is(err, ErrFormat) {
		t.Errorf("oversized: %v", err)
	}
	twice, err := Create(Digests{}, listID, created) // both digests sort alike
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(twice); err != nil {
		t.Errorf("digests of zeros: %v", err)
	}
}

func TestCreateRejectsYearsOutsideUTCTime(t *testing.T) {
	for _, year := range []int{1949, 2050} {
		if _, err := Create(Digests{}, listID, time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC)); err == nil {
			t.Errorf("year %d: no error", year)
		}
	}
	east := time.FixedZone("east", 3600)
	der, err := Create(Digests{}, listID, time.Date(2026, 1, 1, 0, 30, 0, 999, east))
	if err != nil {
		t.Fatal(err)
	}
	if c, err := Parse(der); err != nil || !c.ThisUpdate.Equal(time.Date(2025, 12, 31, 23, 30, 0, 0, time.UTC)) {
		t.Errorf("time in another zone: %v", err)
	}
}

func TestDigestReportsReadErrors(t *testing.T) {
	if _, err := Digest(iotest.ErrReader(os.ErrPermission)); !errors.Is(err, os.ErrPermission) {
		t.Error(err)
	}
}

func TestOpenSSLReadsTheStructure(t *testing.T) {
	openssl := testtool.Need(t, "openssl")
	der, _ := testCatalog(t, "package")
	name := filepath.Join(t.TempDir(), "x.cat")
	if err := os.WriteFile(name, der, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command(openssl, "pkcs7", "-inform", "DER", "-in", name, "-noout", "-print").CombinedOutput()
	if err != nil || !bytes.Contains(out, []byte("1.3.6.1.4.1.311.10.1")) {
		t.Errorf("openssl pkcs7: %v\n%s", err, out)
	}
}

func FuzzParse(f *testing.F) {
	der, _ := testCatalog(f, "package")
	f.Add(der)
	f.Add(der[:100])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := Parse(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Errorf("untyped error: %v", err)
			}
			return
		}
		again, err := Create(c.Digests, c.ListIdentifier, c.ThisUpdate)
		if err != nil {
			t.Fatal(err)
		}
		if !c.Signed && !bytes.Equal(again, data) {
			t.Error("an unsigned catalog differs from what Create writes")
		}
	})
}

// TestDigestsGoOnFromWhatBeganAlike with any rest, at once or twice.
func TestDigestsGoOnFromWhatBeganAlike(t *testing.T) {
	const text = "the beginning that all have in common, and then some more of each"
	for end := range len(text) {
		state, err := Begin(strings.NewReader(text[:end]))
		if err != nil {
			t.Fatal(err)
		}
		for _, rest := range []string{text[end:], "another", "", text[end:]} {
			want, err := Digest(strings.NewReader(text[:end] + rest))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := state.Digest(strings.NewReader(rest)); err != nil || got != want {
				t.Errorf("%d bytes and %q: %x, %v", end, rest, got, err)
			}
		}
	}
	broken := iotest.ErrReader(errors.New("the disk is broken"))
	if _, err := Begin(broken); err == nil || !strings.Contains(err.Error(), "the disk is broken") {
		t.Errorf("a beginning that cannot be read: %v", err)
	}
	state, err := Begin(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := state.Digest(broken); err == nil || !strings.Contains(err.Error(), "the disk is broken") {
		t.Errorf("a rest that cannot be read: %v", err)
	}
}
