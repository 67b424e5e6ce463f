package xar

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
)

// memory is an output in memory.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if need := int(at) + len(p); need > len(m.b) {
		m.b = append(m.b, make([]byte, need-len(m.b))...)
	}
	return copy(m.b[at:], p), nil
}

var (
	created = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	headers = []Header{
		{Name: "Agent.pkg/Bom", Compress: true}, {Name: "Agent.pkg/Payload"}, {Name: "Agent.pkg/PackageInfo", Compress: true},
		{Name: "Resources/en.lproj/licence.txt", Compress: true}, {Name: "empty"}, {Name: "Distribution", Compress: true},
	}
	contents = map[string]string{
		"Agent.pkg/Bom": "BOMStore", "Agent.pkg/Payload": strings.Repeat("payload ", 10000), "Agent.pkg/PackageInfo": "<pkg-info/>\n",
		"Resources/en.lproj/licence.txt": strings.Repeat("Grüße ", 1000), "empty": "", "Distribution": "<installer-gui-script/>\n",
	}
	// The payload goes first, the rest as in the TOC.
	order = []string{"Agent.pkg/Payload", "Agent.pkg/Bom", "Agent.pkg/PackageInfo", "Resources/en.lproj/licence.txt", "empty", "Distribution"}
)

func pack(t testing.TB, o Options) []byte {
	t.Helper()
	o.Created = created
	out := new(memory)
	w, err := NewWriter(out, headers, o)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range order {
		f, err := w.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, contents[name]); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(context.Background()); err != nil {
		t.Fatal(err)
	}
	return out.b
}

func open(b []byte) (*Archive, error) { return Open(bytes.NewReader(b), int64(len(b))) }

func unpack(a *Archive) (map[string]string, error) {
	got := map[string]string{}
	for _, f := range a.Files {
		if f.IsDir {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		content, err := io.ReadAll(r)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", f.Name, err)
		}
		got[f.Name] = string(content)
	}
	return got, nil
}

// signer signs with an RSA identity of the test PKI. The CMS is no real one.
func signer(pki *testpki.PKI) *Signer {
	return &Signer{
		Chain: pki.CodeRSA.Chain, Key: pki.CodeRSA.Key,
		CMS: func(_ context.Context, digest []byte) ([]byte, error) {
			return append([]byte{0x30, byte(len(digest))}, digest...), nil
		},
	}
}

func TestRoundTrip(t *testing.T) {
	pki := testpki.New(t)
	for _, hash := range []crypto.Hash{0, crypto.SHA1, crypto.SHA256, crypto.SHA512} {
		for _, s := range []*Signer{nil, signer(pki)} {
			b := pack(t, Options{Checksum: hash, Signer: s})
			a, err := open(b)
			if err != nil {
				t.Fatalf("%v: %v", hash, err)
			}
			got, err := unpack(a)
			if err != nil {
				t.Fatalf("%v: %v", hash, err)
			}
			if diff := cmp.Diff(contents, got); diff != "" {
				t.Errorf("%v: %s", hash, diff)
			}
			if len(a.Oddities) > 0 || a.Ticket != nil || !a.Created.Equal(created) || len(a.Files) != 9 {
				t.Errorf("%v: %q, %v, %d files", hash, a.Oddities, a.Created, len(a.Files))
			}
			if !bytes.Equal(b, pack(t, Options{Checksum: hash, Signer: s})) {
				t.Errorf("%v: a second archive is another one", hash)
			}
			if s == nil {
				if a.RSA != nil || a.CMS != nil {
					t.Errorf("%v: signed by nobody", hash)
				}
				continue
			}
			if cert, err := a.RSA.VerifyRSA(); err != nil || !cert.Equal(s.Chain[0]) {
				t.Errorf("%v: %v", hash, err)
			}
			if der := a.CMS.DER(); !bytes.Equal(der[2:], a.Digest) || len(a.CMS.Certificates) != len(s.Chain) {
				t.Errorf("%v: CMS is %x", hash, der)
			}
		}
	}
}

// TestTOCFillsItsRoom whatever that is, and stays a valid zlib stream.
func TestTOCFillsItsRoom(t *testing.T) {
	toc := []byte("<xar><toc/></xar>")
	b, _, err := fill(toc, 1000)
	if err != nil || len(b) != 1000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	var least int64
	for room := int64(1); room < 200; room++ {
		if _, _, err := fill(toc, room); err == nil {
			least = room
			break
		} else if !errors.Is(err, ErrRoom) {
			t.Fatal(err)
		}
	}
	rooms := []int64{least, least + 1, least + 4, least + 5, least + 6, 1 << 20}
	for extra := int64(65530); extra < 65550; extra++ {
		rooms = append(rooms, least+extra, least+2*extra)
	}
	for _, room := range rooms {
		b, size, err := fill(toc, room)
		if err != nil || int64(len(b)) != room {
			t.Fatalf("room of %d: %d bytes, %v", room, len(b), err)
		}
		if _, err := readTOC(b, int64(size)); err != nil {
			t.Errorf("room of %d: %v", room, err)
		}
	}
}

// TestSevenZipReads what we write, checksums included.
func TestSevenZipReads(t *testing.T) {
	peer := testtool.Need(t, "7zz")
	for _, hash := range []crypto.Hash{crypto.SHA1, crypto.SHA256} {
		path := filepath.Join(t.TempDir(), "test.xar")
		if err := os.WriteFile(path, pack(t, Options{Checksum: hash, Signer: signer(testpki.New(t))}), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(peer, "t", path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Everything is Ok") || !strings.Contains(string(out), "Type = Xar") {
			t.Errorf("%v: %v\n%s", hash, err, out)
		}
		for _, name := range order {
			out, err := exec.Command(peer, "e", "-so", path, name).Output()
			if err != nil || string(out) != contents[name] {
				t.Errorf("%v: %s: %d bytes, %v", hash, name, len(out), err)
			}
		}
	}
}

// TestOpenSSLVerifies the RSA signature over the digest.
func TestOpenSSLVerifies(t *testing.T) {
	peer := testtool.Need(t, "openssl")
	pki := testpki.New(t)
	a, err := open(pack(t, Options{Signer: signer(pki)}))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	public, err := x509.MarshalPKIXPublicKey(a.RSA.Certificates[0].PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{"key": public, "digest": a.Digest, "sig": a.RSA.Value} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	verify := exec.Command(peer, "pkeyutl", "-verify", "-pubin", "-keyform", "DER", "-inkey", "key", "-in", "digest", "-sigfile", "sig", "-pkeyopt", "digest:sha256")
	verify.Dir = dir
	if out, err := verify.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

func TestEveryFlippedByteIsNoticed(t *testing.T) {
	good := pack(t, Options{Signer: signer(testpki.New(t))})
	a, err := open(good)
	if err != nil {
		t.Fatal(err)
	}
	// The CMS is verified elsewhere.
	from, to := a.heap+a.CMS.span.offset, a.heap+a.CMS.span.offset+a.CMS.span.length
	for i := int64(0); i < int64(len(good)); i += 1 + i/200 {
		if i >= from && i < to {
			continue
		}
		bad := bytes.Clone(good)
		bad[i] ^= 0x10
		a, err := open(bad)
		if err == nil {
			_, err = unpack(a)
		}
		if err == nil {
			_, err = a.RSA.VerifyRSA()
		}
		if err == nil {
			t.Errorf("byte %d flipped", i)
		}
	}
}

func TestTrailer(t *testing.T) {
	good := pack(t, Options{})
	ticket := []byte("s8ch and a ticket")
	for name, c := range map[string]struct {
		behind []byte
		ticket []byte
	}{
		"ticket":       {AppendTrailer(nil, ticket), ticket},
		"junk":         {[]byte("12345678"), nil},
		"long junk":    {make([]byte, 100), nil},
		"wrong length": {bytes.Replace(AppendTrailer(nil, ticket), []byte{byte(len(ticket)), 0}, []byte{7, 0}, 1), nil},
		"two":          {AppendTrailer(AppendTrailer(nil, ticket), ticket), nil},
	} {
		a, err := open(append(bytes.Clone(good), c.behind...))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !bytes.Equal(a.Ticket, c.ticket) || (c.ticket == nil) != (len(a.Oddities) == 1) {
			t.Errorf("%s: ticket %q, oddities %q", name, a.Ticket, a.Oddities)
		}
		if c.ticket != nil && a.Unstapled() != int64(len(good)) {
			t.Errorf("%s: %d bytes without it", name, a.Unstapled())
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	pki := testpki.New(t)
	for name, c := range map[string]struct {
		headers []Header
		options Options
		want    error
	}{
		"no name":      {[]Header{{Name: ""}}, Options{}, ErrName},
		"absolute":     {[]Header{{Name: "/a"}}, Options{}, ErrName},
		"dots":         {[]Header{{Name: "a/../b"}}, Options{}, ErrName},
		"twice":        {[]Header{{Name: "a"}, {Name: "a"}}, Options{}, ErrName},
		"file, folder": {[]Header{{Name: "a"}, {Name: "a/b"}}, Options{}, ErrName},
		"MD5":          {nil, Options{Checksum: crypto.MD5}, ErrUnsupported},
		"ECDSA":        {nil, Options{Signer: &Signer{Chain: pki.CodeEC.Chain, Key: pki.CodeEC.Key}}, ErrUnsupported},
		"no chain":     {nil, Options{Signer: &Signer{Key: pki.CodeRSA.Key}}, ErrUnsupported},
	} {
		if _, err := NewWriter(new(memory), c.headers, c.options); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	s := signer(pki)
	s.CMSSize = 10
	w, err := NewWriter(new(memory), nil, Options{Signer: s})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(t.Context()); !errors.Is(err, ErrRoom) {
		t.Errorf("a CMS that does not fit: %v", err)
	}
	w, err = NewWriter(new(memory), []Header{{Name: "a"}}, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Create("b"); !errors.Is(err, ErrName) {
		t.Errorf("an unknown file: %v", err)
	}
	if err := w.Close(t.Context()); err == nil {
		t.Error("a file is missing")
	}
}

// craft makes an archive of a TOC as it is, with a right digest in front of
// the heap.
func craft(t testing.TB, toc, heap string) []byte {
	t.Helper()
	doc := fmt.Sprintf(`<?xml version="1.0"?><xar><toc><checksum style="SHA1"><size>20</size><offset>0</offset></checksum>%s</toc></xar>`, toc)
	compressed, size, err := fill([]byte(doc), int64(len(doc)+100))
	if err != nil {
		t.Fatal(err)
	}
	b := []byte(magic)
	b = binary.BigEndian.AppendUint16(b, headerSize)
	b = binary.BigEndian.AppendUint16(b, version)
	b = binary.BigEndian.AppendUint64(b, uint64(len(compressed)))
	b = binary.BigEndian.AppendUint64(b, uint64(size))
	b = binary.BigEndian.AppendUint32(b, 1)
	h := crypto.SHA1.New()
	h.Write(compressed)
	return append(append(append(b, compressed...), h.Sum(nil)...), heap...)
}

func entryXML(name string, offset, length int) string {
	return fmt.Sprintf(`<file id="1"><name>%s</name><type>file</type><data><encoding style="application/octet-stream"/><size>%d</size><offset>%d</offset><length>%d</length></data></file>`,
		name, length, offset, length)
}

func TestOpenRefuses(t *testing.T) {
	deep := strings.Repeat(`<file><name>d</name><type>directory</type>`, 100) + strings.Repeat(`</file>`, 100)
	for name, c := range map[string]struct {
		toc  string
		want error
	}{
		"good":              {entryXML("a", 20, 4), nil},
		"two good":          {entryXML("a", 20, 2) + entryXML("b", 22, 2), nil},
		"beyond":            {entryXML("a", 20, 5), ErrFormat},
		"far beyond":        {entryXML("a", 1<<62-1, 5), ErrFormat},
		"negative":          {entryXML("a", -1, 1), ErrFormat},
		"overlap":           {entryXML("a", 20, 3) + entryXML("b", 22, 2), ErrFormat},
		"in the digest":     {entryXML("a", 10, 10), ErrFormat},
		"twice":             {entryXML("a", 20, 2) + entryXML("a", 22, 2), ErrFormat},
		"twice but case":    {entryXML("a", 20, 2) + entryXML("A", 22, 2), ErrFormat},
		"dots":              {entryXML("..", 20, 4), ErrFormat},
		"absolute":          {entryXML("/etc/passwd", 20, 4), ErrFormat},
		"no name":           {entryXML("", 20, 4), ErrFormat},
		"two names":         {strings.Replace(entryXML("a", 20, 4), "<type>", "<name>b</name><type>", 1), ErrFormat},
		"the same name":     {strings.Replace(entryXML("a", 20, 4), "<type>", "<name>a</name><type>", 1), nil},
		"hard link":         {strings.Replace(entryXML("a", 20, 4), "<type>file", `<type link="1">hardlink`, 1), ErrUnsupported},
		"symbolic link":     {strings.Replace(entryXML("a", 20, 4), "<type>file", `<type>symlink`, 1), ErrUnsupported},
		"device":            {strings.Replace(entryXML("a", 20, 4), "<type>file", `<type>character special`, 1), ErrUnsupported},
		"unknown encoding":  {strings.Replace(entryXML("a", 20, 4), "octet-stream", "x-lzma", 1), ErrUnsupported},
		"wrong size":        {strings.Replace(entryXML("a", 20, 4), "<size>4", "<size>3", 1), ErrFormat},
		"file in a file":    {strings.Replace(entryXML("a", 20, 4), "</data>", "</data>"+entryXML("b", 20, 0), 1), ErrFormat},
		"deep":              {deep, ErrFormat},
		"short checksum":    {strings.Replace(entryXML("a", 20, 4), "<size>", `<archived-checksum style="sha1">00</archived-checksum><size>`, 1), ErrFormat},
		"unknown checksum":  {strings.Replace(entryXML("a", 20, 4), "<size>", `<archived-checksum style="crc">00</archived-checksum><size>`, 1), ErrUnsupported},
		"base64":            {`<signature style="RSA"><size>4</size><offset>20</offset><KeyInfo><X509Data><X509Certificate>AA=A</X509Certificate></X509Data></KeyInfo></signature>`, ErrFormat},
		"certificate":       {`<signature style="RSA"><size>4</size><offset>20</offset><KeyInfo><X509Data><X509Certificate>MAA=</X509Certificate></X509Data></KeyInfo></signature>`, ErrFormat},
		"gigantic signing":  {`<signature style="RSA"><size>9999999999</size><offset>20</offset></signature>`, ErrFormat},
		"signature overlap": {`<signature style="RSA"><size>4</size><offset>19</offset></signature>`, ErrFormat},
		"two signatures":    {strings.Repeat(`<signature style="RSA"><size>2</size><offset>20</offset></signature>`, 2), ErrUnsupported},
		"entity":            {`&a;`, ErrFormat},
	} {
		_, err := open(craft(t, c.toc, "heap"))
		if !errors.Is(err, c.want) || (c.want == nil) != (err == nil) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good := craft(t, entryXML("a", 20, 4), "heap")
	edit := func(at int, value ...byte) []byte { b := bytes.Clone(good); copy(b[at:], value); return b }
	for name, c := range map[string]struct {
		b    []byte
		want error
	}{
		"empty":        {nil, ErrFormat},
		"no magic":     {edit(0, 'X'), ErrFormat},
		"long header":  {edit(5, 64), ErrUnsupported},
		"version":      {edit(7, 2), ErrUnsupported},
		"gigantic TOC": {edit(8, 0x7f), ErrFormat},
		"TOC bomb":     {edit(16, 0x7f), ErrFormat},
		"other length": {edit(23, 1), ErrFormat},
		"other style":  {edit(27, 3), ErrFormat},
		"no style":     {edit(27, 0), ErrFormat},
		"MD5":          {edit(27, 2), ErrUnsupported},
		"no digest":    {good[:len(good)-10], ErrFormat},
		"TOC changed":  {edit(len(good)-24, 0), ErrChecksum},
		"cut":          {good[:len(good)-1], ErrFormat},
	} {
		if _, err := open(c.b); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestDamagedContents is found even where no checksum speaks of it.
func TestDamagedContents(t *testing.T) {
	for encoding, heap := range map[string]string{
		"x-gzip": "\x78\x9c\x4b\x4c\x04\x00\x01\x24\x00\xc2", "x-bzip2": "BZh91AY&SY broken",
	} {
		for _, cut := range []int{1, 5, len(heap)} {
			data := heap[:cut]
			toc := strings.Replace(entryXML("a", 20, cut), "octet-stream", encoding, 1)
			toc = strings.Replace(toc, fmt.Sprintf("<size>%d", cut), "<size>2", 1)
			a, err := open(craft(t, toc, data))
			if err != nil {
				t.Fatal(err)
			}
			if _, err := unpack(a); !errors.Is(err, ErrFormat) {
				t.Errorf("%s, %d bytes: %v", encoding, cut, err)
			}
		}
	}
}

func TestGapsAreOdd(t *testing.T) {
	a, err := open(craft(t, entryXML("a", 22, 2), "heap"))
	if err != nil || len(a.Oddities) != 1 {
		t.Errorf("%v, %v", a, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(pack(f, Options{Checksum: crypto.SHA1}))
	f.Add(craft(f, entryXML("a", 20, 4), "heap"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := open(b)
		if err == nil {
			if _, err = unpack(a); err == nil && a.RSA != nil {
				_, err = a.RSA.VerifyRSA()
			}
		}
		checkError(t, err)
	})
}

// FuzzTOC reaches what the digest guards.
func FuzzTOC(f *testing.F) {
	f.Add(entryXML("a", 20, 4))
	f.Add(`<signature style="RSA"><size>4</size><offset>20</offset></signature>`)
	f.Add(`<file id="1"><name>d</name><type>directory</type>` + entryXML("b", 20, 2) + `</file>`)
	f.Fuzz(func(t *testing.T, toc string) {
		a, err := open(craft(t, toc, "heap"))
		if err == nil {
			_, err = unpack(a)
		}
		checkError(t, err)
	})
}

func checkError(t *testing.T, err error) {
	if err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrChecksum) && !errors.Is(err, ErrSignature) {
		t.Fatal(err)
	}
}
