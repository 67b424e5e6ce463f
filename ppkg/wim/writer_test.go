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
	"testing"
	"testing/fstest"
	"time"
	"unicode/utf16"

	"firstday.dev/internal/testtool"
)

// TestHeaderIsThatOfConfigurationDesigner holds every byte against
// formats/ppkg.md §1.1.
func TestHeaderIsThatOfConfigurationDesigner(t *testing.T) {
	b := writeTest(t, testImage(testTree()), Options{GUID: testGUID})
	u16 := func(at int) any { return binary.LittleEndian.Uint16(b[at:]) }
	u32 := func(at int) any { return binary.LittleEndian.Uint32(b[at:]) }
	u64 := func(at int) any { return binary.LittleEndian.Uint64(b[at:]) }
	entries := binary.LittleEndian.Uint64(b[0x40:]) / 50
	table := int(binary.LittleEndian.Uint64(b[0x38:]))
	xml := int(binary.LittleEndian.Uint64(b[0x50:]))
	for _, field := range []struct {
		name      string
		got, want any
	}{
		{"magic", string(b[:8]), "MSWIM\x00\x00\x00"},
		{"header size", u32(0x08), uint32(208)},
		{"version", u32(0x0C), uint32(0x00010D00)},
		{"flags", u32(0x10), uint32(0x00020082)},
		{"chunk size", u32(0x14), uint32(32768)},
		{"GUID", [16]byte(b[0x18:]), testGUID},
		{"part", u16(0x28), uint16(1)},
		{"total parts", u16(0x2A), uint16(1)},
		{"image count", u32(0x2C), uint32(1)},
		{"blob table size and flags", u64(0x30), entries*50 | 0x02<<56},
		{"blob table plain size", u64(0x40), entries * 50},
		{"XML size and flags", u64(0x48), uint64(len(b)-xml) | 0x02<<56},
		{"XML plain size", u64(0x58), uint64(len(b) - xml)},
		{"XML byte order mark", u16(xml), uint16(0xFEFF)},
		{"boot metadata, boot index, integrity and unused", string(b[0x60:0xD0]), strings.Repeat("\x00", 112)},
		{"flags of the first blob", b[table+7], byte(0x06)},
		{"part of the first blob", u16(table + 24), uint16(1)},
		{"refcount of the first blob", u32(table + 26), uint32(1)},
	} {
		if field.got != field.want {
			t.Errorf("%s is %#x, want %#x", field.name, field.got, field.want)
		}
	}
	name := filepath.Join(t.TempDir(), "test.ppkg")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := run(t, testtool.Need(t, "file"), "-b", name); !strings.Contains(got, "(WIM) image v1.13, XPRESS compressed, reparse point fixup") {
		t.Errorf("file(1) says %s", got)
	}
}

func TestXMLIsInTheOrderOfConfigurationDesigner(t *testing.T) {
	tree := fstest.MapFS{
		"dir":      {Mode: fs.ModeDir, ModTime: testTime},
		"dir/file": {Data: []byte("1234567"), ModTime: testTime},
	}
	b := writeTest(t, &Image{
		FS:         tree,
		Properties: []Property{{Name: "NAME", Value: `A & B <"c">` + "\r\n"}, {Name: "ALTITUDE", Value: "{x}"}},
		Created:    time.Unix(0, 0),
		Modified:   testTime,
	}, Options{})
	at := binary.LittleEndian.Uint64(b[0x50:])
	text, ok := decodeUTF16(b[at+2:])
	table := binary.LittleEndian.Uint64(b[0x38:]) + binary.LittleEndian.Uint64(b[0x40:])
	want := fmt.Sprintf(`<WIM><TOTALBYTES>%d</TOTALBYTES><IMAGE INDEX="1">`, table) +
		`<NAME>A &amp; B &lt;"c"&gt;&#xD;` + "\n" + `</NAME><ALTITUDE>{x}</ALTITUDE>` +
		`<DIRCOUNT>1</DIRCOUNT><FILECOUNT>1</FILECOUNT><TOTALBYTES>7</TOTALBYTES><HARDLINKBYTES>0</HARDLINKBYTES>` +
		`<CREATIONTIME><HIGHPART>0x019DB1DE</HIGHPART><LOWPART>0xD53E8000</LOWPART></CREATIONTIME>` +
		`<LASTMODIFICATIONTIME><HIGHPART>0x01DA9F84</HIGHPART><LOWPART>0x267F6907</LOWPART></LASTMODIFICATIONTIME>` +
		`<WIMBOOT>0</WIMBOOT></IMAGE></WIM>`
	if !ok || text != want {
		t.Errorf("XML is\n%s\nwant\n%s", text, want)
	}
}

func TestContentsAreStoredOnce(t *testing.T) {
	big := bytes.Repeat([]byte("0123456789abcdef"), segmentSize/8)
	tree := fstest.MapFS{}
	for i := range 300 {
		tree[fmt.Sprintf("small%d", i)] = &fstest.MapFile{Data: []byte("same")}
		tree[fmt.Sprintf("big%d", i)] = &fstest.MapFile{Data: big}
	}
	r := readTest(t, writeTest(t, &Image{FS: tree}, Options{Threads: 8}))
	if len(r.order) != 2 {
		t.Fatalf("%d blobs, want 2", len(r.order))
	}
	for _, b := range r.order {
		if b.refs != 300 {
			t.Errorf("blob of %d bytes has refcount %d, want 300", b.plain, b.refs)
		}
	}
}

func TestIncompressibleIsStoredRaw(t *testing.T) {
	tree := testTree()
	r := readTest(t, writeTest(t, testImage(tree), Options{}))
	raw := map[string]bool{}
	for name, file := range tree {
		n, err := r.Images[0].find("test", name)
		if err != nil {
			t.Fatal(err)
		}
		if b := r.blobs[n.hash]; b != nil {
			raw[name] = !b.compressed()
			if raw[name] != (b.size == int64(len(file.Data))) || b.size > b.plain {
				t.Errorf("%s: flags %#x, %d bytes for %d", name, b.flags, b.size, b.plain)
			}
		}
	}
	for name, want := range map[string]bool{
		"one": true, "hello.txt": true, "noise/small": true, "noise/chunks": true, "noise/large": true,
		"chunk": false, "segment and one": false, "mixed/a": false,
	} {
		if raw[name] != want {
			t.Errorf("%s stored raw: %v, want %v", name, raw[name], want)
		}
	}
}

// liarFS opens other bytes than it listed.
type liarFS struct {
	fstest.MapFS
	opened fstest.MapFS
}

func (l liarFS) Open(name string) (fs.File, error) {
	if l.opened[name] != nil {
		return l.opened.Open(name)
	}
	return l.MapFS.Open(name)
}

func TestFileThatChangesIsRefused(t *testing.T) {
	for _, size := range []int{1, 5000, segmentSize, segmentSize + 1, 3*segmentSize + 7} {
		for _, change := range []int{-1, 1} {
			listed := fstest.MapFS{"file": {Data: make([]byte, size)}}
			opened := fstest.MapFS{"file": {Data: make([]byte, size+change)}}
			err := writeToNowhere(liarFS{listed, opened})
			if !errors.Is(err, ErrChanged) || !strings.Contains(fmt.Sprint(err), "file") {
				t.Errorf("%d bytes and %d more: %v", size, change, err)
			}
		}
	}
}

// nowhere is an output that keeps nothing, and fails beyond a limit.
type nowhere struct{ limit int64 }

var errFull = errors.New("no space left on device")

func (n nowhere) WriteAt(b []byte, at int64) (int, error) {
	if n.limit > 0 && at+int64(len(b)) > n.limit {
		return 0, errFull
	}
	return len(b), nil
}

func (nowhere) ReadAt([]byte, int64) (int, error) { return 0, io.EOF }

func writeToNowhere(fsys fs.FS) error {
	return Write(context.Background(), nowhere{}, &Image{FS: fsys}, Options{Threads: 3})
}

func TestFullDiskIsReported(t *testing.T) {
	for _, limit := range []int64{1, 300, 100_000, 500_000} {
		err := Write(context.Background(), nowhere{limit}, testImage(testTree()), Options{})
		if !errors.Is(err, errFull) {
			t.Errorf("disk of %d bytes: %v", limit, err)
		}
	}
}

func TestNoHeaderAfterFailure(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "test.wim"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	tree := testTree()
	changed := fstest.MapFS{"mixed/b": {Data: []byte("other")}}
	if err := Write(context.Background(), f, testImage(liarFS{tree, changed}), Options{}); err == nil {
		t.Fatal("no error")
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewReader(f, info.Size()); !errors.Is(err, ErrFormat) {
		t.Errorf("reading what is left: %v", err)
	}
}

func TestWriteEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	opts := Options{Threads: 2, Progress: func(done, total int64) {
		if done > 0 {
			cancel()
		}
	}}
	tree := fstest.MapFS{}
	for i := range 200 {
		tree[fmt.Sprint(i)] = &fstest.MapFile{Data: bytes.Repeat([]byte{byte(i)}, segmentSize)}
	}
	if err := Write(ctx, nowhere{}, &Image{FS: tree}, opts); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if err := Write(ctx, nowhere{}, &Image{FS: tree}, Options{}); !errors.Is(err, context.Canceled) {
		t.Error("started when cancelled:", err)
	}
}

func TestProgressReachesTotal(t *testing.T) {
	tree := testTree()
	want := int64(0)
	for _, file := range tree {
		want += int64(len(file.Data))
	}
	var last int64
	err := Write(context.Background(), nowhere{}, testImage(tree), Options{Progress: func(done, total int64) {
		if done < last || done > total || total != want {
			t.Errorf("progress %d of %d after %d", done, total, last)
		}
		last = done
	}})
	if err != nil || last != want {
		t.Errorf("progress ended at %d of %d, %v", last, want, err)
	}
}

func TestNamesWindowsCannotHold(t *testing.T) {
	for _, name := range []string{
		`a\b`, "a:b", "a*", "a?", `a"`, "a<", "a>", "a|", "a\x01", "a\x7f", "a.", "a ", "...", " ",
		"CON", "con", "nul.txt", "Aux.tar.gz", "PRN .txt", "COM1", "lpt9.log", "COM¹", "CONIN$", "conout$",
		strings.Repeat("a", 256), strings.Repeat("😀", 128),
	} {
		err := writeToNowhere(fstest.MapFS{"dir/" + name: {}})
		if !errors.Is(err, ErrName) {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	for _, name := range []string{
		".a", "a.b.", "CONSOLE", "COM", "COM10", "LPT", "nul_", "a b", "ä", "a'b", strings.Repeat("a", 255), strings.Repeat("😀", 127),
	} {
		name = strings.TrimSuffix(name, ".")
		if err := writeToNowhere(fstest.MapFS{"dir/" + name: {}}); err != nil {
			t.Errorf("%.20q: %v", name, err)
		}
	}
	for _, tree := range []fstest.MapFS{
		{"README": {}, "ReadMe": {}},
		{"dir/Ä": {}, "dir/ä": {}},
		{"x/file": {}, "X/file": {}},
	} {
		if err := writeToNowhere(tree); !errors.Is(err, ErrName) {
			t.Errorf("%v: %v", tree, err)
		}
	}
}

func TestWhatAWIMCannotHoldIsRefused(t *testing.T) {
	deep := strings.Repeat("d/", maxDepth+1) + "file"
	stat := func(s Stat) *fstest.MapFile { return &fstest.MapFile{Sys: &s} }
	for name, c := range map[string]struct {
		tree fstest.MapFS
		want error
	}{
		"symbolic link":   {fstest.MapFS{"a": {Mode: fs.ModeSymlink, Data: []byte("b")}}, ErrUnsupported},
		"device":          {fstest.MapFS{"a": {Mode: fs.ModeDevice}}, ErrUnsupported},
		"reparse point":   {fstest.MapFS{"a": stat(Stat{Attributes: AttrReparsePoint})}, ErrUnsupported},
		"stream":          {fstest.MapFS{"a": stat(Stat{Streams: []string{"s"}})}, ErrUnsupported},
		"deep":            {fstest.MapFS{deep: {}}, ErrUnsupported},
		"long short name": {fstest.MapFS{"a": stat(Stat{ShortName: "THIRTEEN~1.TXT"})}, ErrName},
	} {
		if err := writeToNowhere(c.tree); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	err := Write(context.Background(), nowhere{}, testImage(testTree()), Options{Compression: LZX})
	if !errors.Is(err, ErrUnsupported) {
		t.Errorf("LZX: %v", err)
	}
}

func TestBadPropertiesAreRefused(t *testing.T) {
	nested := Property{Name: "A"}
	for range maxXMLDepth + 1 {
		nested = Property{Name: "A", Children: []Property{nested}}
	}
	for _, p := range []Property{
		{Name: "FILECOUNT", Value: "1"}, {Name: ""}, {Name: "a b"}, {Name: "1a"}, {Name: "<"},
		{Name: "NAME", Value: "\x00"}, {Name: "NAME", Value: "\xff"}, {Name: "NAME", Value: "\uffff"},
		{Name: "NAME", Value: "x", Children: []Property{{Name: "B"}}}, nested,
	} {
		err := Write(context.Background(), nowhere{}, &Image{FS: fstest.MapFS{}, Properties: []Property{p}}, Options{})
		if err == nil {
			t.Errorf("%.50v is accepted", p)
		}
	}
}

// TestStatIsKept also lets wimlib say what it sees.
func TestStatIsKept(t *testing.T) {
	descriptor := append([]byte{1, 0, 0x04, 0x80}, make([]byte, 16)...) // empty, self-relative
	want := Stat{
		Attributes:         AttrReadOnly | AttrHidden | AttrSystem | AttrArchive,
		Created:            testTime.Add(-time.Hour),
		Modified:           testTime,
		Accessed:           testTime.Add(100 * time.Nanosecond),
		SecurityDescriptor: descriptor,
		ShortName:          "LONGNA~1.TXT",
	}
	tree := fstest.MapFS{
		"long name.txt": {Data: []byte("x"), Sys: &want},
		"other":         {Data: []byte("y"), Sys: &Stat{SecurityDescriptor: descriptor, Created: time.Unix(-1<<40, 0)}},
	}
	b := writeTest(t, &Image{FS: tree}, Options{})
	info, err := readTest(t, b).Images[0].Stat("long name.txt")
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := info.Sys().(*Stat); !ok || fmt.Sprint(*got) != fmt.Sprint(want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
	name := filepath.Join(t.TempDir(), "test.wim")
	if err := os.WriteFile(name, b, 0o600); err != nil {
		t.Fatal(err)
	}
	out := run(t, testtool.Need(t, "wimlib-imagex"), "dir", "--detailed", name)
	for _, s := range []string{
		`Short Name          = "LONGNA~1.TXT"`, "FILE_ATTRIBUTE_HIDDEN", "Security Descriptor = 01000480",
		"Mon May 06 07:08:09 2024 UTC",
	} {
		if !strings.Contains(out, s) {
			t.Errorf("wimlib does not mention %q:\n%s", s, out)
		}
	}
}

func TestSurvivesUTF16(t *testing.T) {
	for _, s := range []string{"", "plain", "ünï", "日本", "😀", "\ufffd", "a😀\ufffdz"} {
		b := appendUTF16(nil, s)
		if want := utf16.Encode([]rune(s)); len(b) != 2*len(want) || utf16Len(s) != len(want) {
			t.Errorf("%q: %d bytes, %d units, want %d", s, len(b), utf16Len(s), len(want))
		}
		if got, ok := decodeUTF16(b); !ok || got != s {
			t.Errorf("%q became %q, %v", s, got, ok)
		}
	}
	for _, b := range [][]byte{{1}, {0x3D, 0xD8}, {0x00, 0xDE}, {0x3D, 0xD8, 0x41, 0}} {
		if s, ok := decodeUTF16(b); ok {
			t.Errorf("%x became %q", b, s)
		}
	}
}
