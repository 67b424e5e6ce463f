package wim

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"testing/iotest"

	"firstday.dev/internal/testtool"
)

// writeTree puts the test tree on disk, where wimlib can capture it.
func writeTree(t testing.TB, tree fstest.MapFS) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "tree")
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
	for name, file := range tree {
		if err := os.Chtimes(filepath.Join(dir, name), file.ModTime, file.ModTime); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func openWIM(t testing.TB, name string) *Reader {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(f, info.Size())
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return r
}

func TestReadsWimlib(t *testing.T) {
	wimlib := testtool.Need(t, "wimlib-imagex")
	dir := writeTree(t, testTree())
	for name, flags := range map[string][]string{
		"none":               {"--compress=none"},
		"XPRESS":             {"--compress=XPRESS"},
		"XPRESS, integrity":  {"--compress=XPRESS", "--check"},
		"XPRESS, best":       {"--compress=XPRESS:100"},
		"XPRESS, 4K chunks":  {"--compress=XPRESS", "--chunk-size=4096"},
		"XPRESS, 64K chunks": {"--compress=XPRESS", "--chunk-size=65536"},
		"LZX":                {"--compress=LZX"},
		"LZX, fast":          {"--compress=LZX:20", "--check"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "test.wim")
			run(t, append([]string{wimlib, "capture", dir, file, "first name", "a description"}, flags...)...)
			run(t, append([]string{wimlib, "append", dir + "/mixed", file, "second"}, flags[1:]...)...)
			r := openWIM(t, file)
			if err := r.Verify(context.Background(), 0, nil); err != nil {
				t.Error(err)
			}
			if len(r.Images) != 2 {
				t.Fatalf("%d images", len(r.Images))
			}
			for i, want := range []struct{ name, dir string }{{"first name", "."}, {"second", "mixed"}} {
				image := r.Images[i]
				if got := image.Property("NAME"); got != want.name || image.Created.IsZero() {
					t.Errorf("image %d is called %q, made %v", i+1, got, image.Created)
				}
				tree, err := fs.Sub(testTree(), want.dir)
				if err != nil {
					t.Fatal(err)
				}
				compareTrees(t, image, tree)
			}
		})
	}
}

func TestOtherKindsOfWIMAreUnsupported(t *testing.T) {
	wimlib := testtool.Need(t, "wimlib-imagex")
	dir := writeTree(t, testTree())
	tmp := t.TempDir()
	in := func(name string) string { return filepath.Join(tmp, name) }
	run(t, wimlib, "capture", dir, in("solid"), "--solid")
	run(t, wimlib, "capture", dir, in("lzms"), "--compress=LZMS")
	run(t, wimlib, "capture", dir, in("pipable"), "--pipable")
	run(t, wimlib, "capture", dir, in("whole"), "--compress=none")
	run(t, wimlib, "split", in("whole"), in("part.swm"), "1")
	for _, name := range []string{"solid", "lzms", "pipable", "part.swm", "part2.swm"} {
		b, err := os.ReadFile(in(name))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := NewReader(bytes.NewReader(b), int64(len(b))); !errors.Is(err, ErrUnsupported) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFilesSeekAndReadAt(t *testing.T) {
	tree := testTree()
	for name, opts := range variants {
		r := readTest(t, writeTest(t, testImage(tree), opts))
		for _, file := range []string{"one", "empty", "chunk and one", "mixed/a", "noise/large"} {
			f, err := r.Images[0].Open(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := iotest.TestReader(f, tree[file].Data); err != nil {
				t.Errorf("%s: %s: %v", name, file, err)
			}
			f.Close()
			if _, err := f.Read(make([]byte, 1)); file != "empty" && !errors.Is(err, fs.ErrClosed) {
				t.Errorf("%s: reading a closed file: %v", name, err)
			}
		}
	}
}

func TestImagesMayBeReadConcurrently(t *testing.T) {
	tree := testTree()
	r := readTest(t, writeTest(t, testImage(tree), Options{}))
	var readers sync.WaitGroup
	for range 8 {
		readers.Go(func() {
			for name, file := range tree {
				if len(file.Data) == 0 {
					continue
				}
				f, err := r.Images[0].Open(name)
				if err != nil {
					t.Error(err)
					continue
				}
				if _, err := f.(io.ReaderAt).ReadAt(make([]byte, len(file.Data)), 0); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
	readers.Wait()
}

func TestDamagedContentsAreNeverHandedOutWhole(t *testing.T) {
	for name, opts := range variants {
		t.Run(name, func(t *testing.T) {
			opts.Integrity = false
			whole := writeTest(t, testImage(testTree()), opts)
			r := readTest(t, whole)
			for _, file := range []string{"hello.txt", "noise/large", "segment and one", "mixed/a"} {
				n, err := r.Images[0].find("test", file)
				if err != nil {
					t.Fatal(err)
				}
				damaged := bytes.Clone(whole)
				damaged[r.blobs[n.hash].end()-1] ^= 0x40
				checkDamaged(t, damaged, file)
			}
		})
	}
}

func checkDamaged(t *testing.T, damaged []byte, file string) {
	t.Helper()
	r := readTest(t, damaged)
	image := r.Images[0]
	isDamage := func(what string, err error) {
		t.Helper()
		if !errors.Is(err, ErrChecksum) && !errors.Is(err, ErrFormat) {
			t.Errorf("%s of %s: %v", what, file, err)
		}
	}
	_, err := image.ReadFile(file)
	isDamage("ReadFile", err)
	f, err := image.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	_, err = f.(io.ReaderAt).ReadAt(make([]byte, 1), 0)
	isDamage("ReadAt", err)
	b, err := io.ReadAll(f)
	isDamage("Read", err)
	if int64(len(b)) == f.(*openFile).size {
		t.Errorf("%s: all bytes handed out", file)
	}
	err = r.Verify(context.Background(), 2, nil)
	isDamage("Verify", err)
	if strings.Contains(fmt.Sprint(err), "blob") {
		t.Errorf("%v: does not name a file", err)
	}

	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	isDamage("Extract", image.Extract(context.Background(), root, 2, nil))
	if _, err := root.Stat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%s was extracted", file)
	}
}

func TestEveryDamagedByteOfDataIsNoticed(t *testing.T) {
	opts := Options{GUID: testGUID}
	whole := writeTest(t, testImage(fstest.MapFS{
		"text": {Data: bytes.Repeat([]byte("some text "), 300)},
		"dir":  {Mode: fs.ModeDir},
		"raw":  {Data: []byte("raw")},
	}), opts)
	end := readTest(t, whole).header.blobs.offset
	for i := int64(headerSize); i < end; i++ {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 0x55
		r, err := NewReader(bytes.NewReader(damaged), int64(len(damaged)))
		if err == nil {
			err = r.Verify(context.Background(), 1, nil)
		}
		// XPRESS codes bits that no plain byte depends on, such as the
		// padding at a chunk's end.
		if err == nil && bytesDiffer(t, whole, damaged) {
			t.Errorf("byte %d of %d", i, end)
		}
	}
}

// bytesDiffer tells whether two WIMs hold different trees.
func bytesDiffer(t *testing.T, a, b []byte) bool {
	x, y := listTree(t, readTest(t, a).Images[0]), listTree(t, readTest(t, b).Images[0])
	return fmt.Sprint(x) != fmt.Sprint(y)
}

func TestIntegrityTableCatchesWhatHashesDoNot(t *testing.T) {
	b := writeTest(t, testImage(testTree()), Options{Integrity: true})
	refs := readTest(t, b).header.blobs.offset + 26 // a refcount, which nothing else covers
	b[refs] ^= 1
	if err := readTest(t, b).Verify(context.Background(), 0, nil); !errors.Is(err, ErrChecksum) {
		t.Error(err)
	}
}

func TestTruncatedFileIsAnError(t *testing.T) {
	whole := writeTest(t, testImage(testTree()), Options{Integrity: true})
	for size := 0; size < len(whole); size += 1 + size/50 {
		if _, err := NewReader(bytes.NewReader(whole[:size]), int64(size)); err == nil {
			t.Errorf("%d of %d bytes are accepted", size, len(whole))
		}
		// A file shorter than it claims to be.
		r, err := NewReader(bytes.NewReader(whole[:size]), int64(len(whole)))
		if err == nil {
			err = r.Verify(context.Background(), 1, nil)
		}
		if err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%d of %d bytes: %v", size, len(whole), err)
		}
	}
}

// TestClaimsOfHeaderAndBlobTable patches one field at a time.
func TestClaimsOfHeaderAndBlobTable(t *testing.T) {
	whole := writeTest(t, testImage(testTree()), Options{})
	h := readTest(t, whole).header
	table := int(h.blobs.offset)
	for name, c := range map[string]struct {
		at    int
		value []byte
		want  error
	}{
		"magic":                 {0, []byte("X"), ErrFormat},
		"header size":           {8, []byte{1}, ErrFormat},
		"version":               {12, []byte{1}, ErrUnsupported},
		"solid":                 {12, []byte{0, 0x0E, 0, 0}, ErrUnsupported},
		"unfinished":            {16, []byte{0xC2}, ErrFormat},
		"two codecs":            {18, []byte{6}, ErrFormat},
		"no codec":              {18, []byte{0}, ErrFormat},
		"chunks of 1":           {20, []byte{1, 0, 0, 0}, ErrUnsupported},
		"chunks of 2 GiB":       {20, []byte{0, 0, 0, 0x80}, ErrUnsupported},
		"two parts":             {42, []byte{2}, ErrUnsupported},
		"no images":             {44, []byte{0}, ErrFormat},
		"many images":           {44, []byte{0xFF, 0xFF, 0xFF, 0xFF}, ErrFormat},
		"blob table beyond":     {0x3C, []byte{0xFF}, ErrFormat},
		"blob table huge":       {0x34, []byte{0xFF}, ErrFormat},
		"blob table two sizes":  {0x40, []byte{1}, ErrFormat},
		"XML negative":          {0x50, bytes.Repeat([]byte{0xFF}, 8), ErrFormat},
		"XML plain huge":        {0x5F, []byte{0x7F}, ErrFormat},
		"blob plain huge":       {table + 50 + 8 + 8 + 5, []byte{1}, ErrFormat},
		"blob beyond":           {table + 50 + 8 + 4, []byte{1}, ErrFormat},
		"blob in header":        {table + 50 + 8, make([]byte, 8), ErrFormat},
		"blob over another":     {table + 100 + 8, whole[table+50+8 : table+50+16], ErrFormat},
		"blob in another part":  {table + 50 + 24, []byte{2}, ErrUnsupported},
		"blob solid":            {table + 50 + 7, []byte{0x14}, ErrUnsupported},
		"blob spanned":          {table + 50 + 7, []byte{0x0C}, ErrUnsupported},
		"second metadata":       {table + 50 + 7, []byte{0x06}, ErrFormat},
		"no metadata":           {table + 7, []byte{0x04}, ErrFormat},
		"metadata hash":         {table + 30, []byte("not the hash"), ErrChecksum},
		"contents not in table": {table + 50 + 30, []byte("not the hash"), ErrFormat},
	} {
		b := bytes.Clone(whole)
		copy(b[c.at:], c.value)
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err == nil {
			_, err = r.Images[0].ReadDir(".")
		}
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
}

func encodeAll(root *node) ([]byte, error) {
	m, err := layOut(root)
	if err != nil {
		return nil, err
	}
	b, err := io.ReadAll(m.open())
	if err == nil && int64(len(b)) != m.size {
		err = fmt.Errorf("%d bytes, laid out as %d", len(b), m.size)
	}
	return b, err
}

// encodeTest lays out a tree whose offsets the test then changes.
func encodeTest(t *testing.T, root *node) []byte {
	t.Helper()
	b, err := encodeAll(root)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func testDir(name string, children ...*node) *node {
	return &node{name: name, attributes: AttrDirectory, children: children}
}

func TestHostileMetadata(t *testing.T) {
	file := func(name string) *node { return &node{name: name} }
	inner := testDir("inner", file("x"))
	root := testDir("", testDir("outer", inner), file("y"))
	good := encodeTest(t, root)
	outer := root.children[0]
	entry := func(dir *node) int64 { return dir.listing } // where its first child's dentry is
	patch := func(at int64, value uint64) []byte {
		b := bytes.Clone(good)
		binary.LittleEndian.PutUint64(b[at:], value)
		return b
	}
	deep := testDir("deepest")
	for range maxDepth + 2 {
		deep = testDir("d", deep)
	}
	chain := testDir("", deep)
	for name, b := range map[string][]byte{
		"empty":                   {},
		"no root":                 make([]byte, 8),
		"root cut off":            good[:100],
		"lists cut off":           good[:len(good)-9],
		"loop to the root":        patch(entry(outer)+dentryListing, uint64(root.listing)),
		"loop to itself":          patch(entry(outer)+dentryListing, uint64(outer.listing)),
		"list in the middle":      patch(entry(root)+dentryListing, uint64(outer.listing)+4),
		"list beyond":             patch(entry(root)+dentryListing, 1<<63),
		"list in the last bytes":  patch(entry(root)+dentryListing, uint64(len(good))),
		"dentry too short":        patch(entry(root), 16),
		"dentry too long":         patch(entry(root), 1<<40),
		"dentry negative":         patch(entry(root), 1<<63+8),
		"too deep":                encodeTest(t, chain),
		"descriptors beyond":      patch(0, 8|1<<32),
		"descriptor block beyond": patch(0, 1<<31),
		"slash":                   encodeTest(t, testDir("", file("a/b"))),
		"backslash":               encodeTest(t, testDir("", file(`a\b`))),
		"dot dot":                 encodeTest(t, testDir("", file(".."))),
		"dot":                     encodeTest(t, testDir("", testDir("."))),
		"zero unit":               encodeTest(t, testDir("", file("a\x00b"))),
		"no name":                 encodeTest(t, testDir("", file(""))),
		"same name twice":         encodeTest(t, testDir("", file("a"), file("b"), file("a"))),
		"root is a file":          encodeTest(t, file("")),
	} {
		if _, err := decodeMetadata(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := decodeMetadata(good); err != nil {
		t.Error(err)
	}
}

// appendStream makes a stream entry as DISM and wimlib write it.
func appendStream(b []byte, name string, hash [20]byte) []byte {
	size := streamFixed
	if name != "" {
		size += 2*len(name) + 2
	}
	at := len(b)
	b = append(b, make([]byte, align8(size))...)
	binary.LittleEndian.PutUint64(b[at:], uint64(align8(size)))
	copy(b[at+streamHash:], hash[:])
	binary.LittleEndian.PutUint16(b[at+streamName:], uint16(2*len(name)))
	appendUTF16(b[:at+streamFixed], name)
	return b
}

// TestBothPlacesOfTheHash reads a file with alternate data streams, whose own
// contents then have a stream entry too.
func TestBothPlacesOfTheHash(t *testing.T) {
	hash := [20]byte{1, 2, 3}
	first, second := &node{name: "first"}, &node{name: "second", hash: [20]byte{4}}
	root := testDir("", first, second)
	b := encodeTest(t, root)
	at, next := root.listing, root.listing+first.encodedSize()
	binary.LittleEndian.PutUint16(b[at+dentryStreams:], 3)
	streams := appendStream(nil, "", hash)
	streams = appendStream(streams, "Zone.Identifier", [20]byte{9})
	streams = appendStream(streams, "other", [20]byte{})
	b = append(append(bytes.Clone(b[:next]), streams...), b[next:]...)
	got, err := decodeMetadata(b)
	if err != nil {
		t.Fatal(err)
	}
	if n := got.children[0]; n.hash != hash || strings.Join(n.extra().streams, " ") != "Zone.Identifier other" {
		t.Errorf("got %x, streams %q", n.hash, n.extra().streams)
	}
	if n := got.children[1]; n.hash != second.hash || n.extra().streams != nil {
		t.Errorf("second: got %x, streams %q", n.hash, n.extra().streams)
	}
	for cut := next; cut < next+int64(len(streams)); cut++ {
		if _, err := decodeMetadata(b[:cut]); !errors.Is(err, ErrFormat) {
			t.Errorf("cut off at %d: %v", cut, err)
		}
	}
}

func TestHostileXML(t *testing.T) {
	utf16 := func(s string) []byte { return appendUTF16([]byte{0xFF, 0xFE}, s) }
	for name, b := range map[string][]byte{
		"empty":          {},
		"odd":            {0xFF, 0xFE, '<'},
		"no element":     utf16("text"),
		"cut off":        utf16("<WIM><IMAGE INDEX='1'>"),
		"wrong root":     utf16("<MIW/>"),
		"image 0":        utf16("<WIM><IMAGE INDEX='0'/></WIM>"),
		"image 2":        utf16("<WIM><IMAGE INDEX='2'/></WIM>"),
		"no index":       utf16("<WIM><IMAGE/></WIM>"),
		"image twice":    utf16("<WIM><IMAGE INDEX='1'/><IMAGE INDEX='1'/></WIM>"),
		"deep":           utf16(strings.Repeat("<WIM>", 100) + strings.Repeat("</WIM>", 100)),
		"entity":         utf16("<!DOCTYPE WIM [<!ENTITY a 'aaa'>]><WIM>&a;</WIM>"),
		"mismatched":     utf16("<WIM><A></B></WIM>"),
		"half of a pair": append(utf16("<WIM>"), 0x3D, 0xD8),
	} {
		if _, err := decodeXML(b, 1); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, s := range map[string]string{
		"declaration": `<?xml version="1.0" encoding="utf-16"?><WIM><IMAGE INDEX="1"/></WIM>`,
		"no image":    `<WIM/>`,
	} {
		if _, err := decodeXML(utf16(s), 1); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestLinksOfWimlib reads what wimlib makes of Unix links: hard links are
// files with the same contents, symbolic ones are reparse points.
func TestLinksOfWimlib(t *testing.T) {
	wimlib := testtool.Need(t, "wimlib-imagex")
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := errors.Join(
		os.Mkdir(in("tree"), 0o777),
		os.WriteFile(in("tree/file"), []byte("contents"), 0o666),
		os.Link(in("tree/file"), in("tree/hard")),
	); err != nil {
		t.Fatal(err)
	}
	run(t, wimlib, "capture", in("tree"), in("hard.wim"))
	if err := os.Symlink("file", in("tree/soft")); err != nil {
		t.Fatal(err)
	}
	run(t, wimlib, "capture", in("tree"), in("soft.wim"))

	for _, name := range []string{"hard.wim", "soft.wim"} {
		image := openWIM(t, in(name)).Images[0]
		for _, file := range []string{"file", "hard"} {
			if b, err := image.ReadFile(file); string(b) != "contents" {
				t.Errorf("%s: %s is %q, %v", name, file, b, err)
			}
		}
	}
	soft := openWIM(t, in("soft.wim")).Images[0]
	info, err := soft.Stat("soft")
	if err != nil || info.Mode().IsRegular() || info.Mode()&fs.ModeIrregular == 0 {
		t.Errorf("soft link: %v, %v", info, err)
	}
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	if err := soft.Extract(context.Background(), root, 1, nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("extracting a soft link: %v", err)
	}
	if err := writeToNowhere(soft); !errors.Is(err, ErrUnsupported) {
		t.Errorf("writing a soft link: %v", err)
	}
}

func TestHostileChunkTable(t *testing.T) {
	whole := writeTest(t, testImage(testTree()), Options{})
	r := readTest(t, whole)
	for _, file := range []string{"chunk and one", "mixed/a"} { // one small, one large
		n, err := r.Images[0].find("test", file)
		if err != nil {
			t.Fatal(err)
		}
		res := r.blobs[n.hash].resource
		last := tableSize(res.plain, chunkSize) - 4
		for _, at := range []int64{0, last} {
			for _, value := range []uint32{0, 1, 0x7FFFFFFF, 0xFFFFFFFF, uint32(res.size), uint32(res.size - last - 4)} {
				b := bytes.Clone(whole)
				binary.LittleEndian.PutUint32(b[res.offset+at:], value)
				_, err := readTest(t, b).Images[0].ReadFile(file)
				if !errors.Is(err, ErrFormat) && !errors.Is(err, ErrChecksum) {
					t.Errorf("%s: entry at %d is %#x: %v", file, at, value, err)
				}
			}
		}
	}
}

// TestDamagedLZXDoesNotPanic guards against go-winio's decoder, too.
func TestDamagedLZXDoesNotPanic(t *testing.T) {
	r := readTest(t, readSeed(t, filepath.Join("testdata", "fuzz", "FuzzReader", "wimlib, LZX")))
	tried := 0
	for _, b := range r.order {
		if !b.compressed() || b.plain > chunkSize {
			continue
		}
		chunk := make([]byte, b.size)
		if err := readAt(r.r, chunk, b.offset); err != nil {
			t.Fatal(err)
		}
		plain := make([]byte, b.plain)
		for i := range chunk {
			for bit := range 8 {
				damaged := bytes.Clone(chunk)
				damaged[i] ^= 1 << bit
				if err := decompressLZX(plain, damaged); err != nil && !errors.Is(err, ErrFormat) {
					t.Errorf("byte %d: %v", i, err)
				}
				tried++
			}
		}
		for size := range chunk {
			if err := decompressLZX(plain, chunk[:size]); err != nil && !errors.Is(err, ErrFormat) {
				t.Errorf("%d bytes: %v", size, err)
			}
		}
	}
	if tried == 0 {
		t.Error("no LZX chunk in the seed")
	}
}
