package bom

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

func dir(path string, size int64) Entry {
	return Entry{Path: path, Mode: ModeDir | 0o755, Size: size, ModTime: 1_700_000_000}
}

func file(path string, size int64) Entry {
	return Entry{Path: path, Mode: ModeRegular | 0o644, GID: 80, Size: size, Checksum: 0x1234_5678, ModTime: 1_700_000_001}
}

// sample is in the order of a Bom's tree: by parent, then name.
func sample() []Entry {
	program := file("./Library/agent", 300)
	program.Slices = []Slice{{0x01000007, 3, 100, 1}, {0x0100000c, 0, 150, 2}}
	thin := file("./Library/thin", 77)
	thin.Slices = []Slice{{0x0100000c, 0, 77, 3}}
	link := Entry{Path: "./zlink", Mode: ModeSymlink | 0o755, Size: 7, Checksum: 9, Target: "Library"}
	return []Entry{
		dir(".", 32*5), dir("./Library", 32*5), dir("./Library-2", 32*2), link,
		program, file("./Library/huge", 5<<32+7), thin,
	}
}

func write(t testing.TB, entries []Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Write(&b, entries); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func read(data []byte) ([]Entry, error) { return Read(bytes.NewReader(data), int64(len(data))) }

func TestRoundTrip(t *testing.T) {
	want := sample()
	shuffled := append([]Entry(nil), want...)
	rand.New(rand.NewPCG(1, 2)).Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	data := write(t, shuffled)
	judge(t, data, want)
	got, err := read(data)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := write(t, got); !bytes.Equal(again, data) {
		t.Error("written again it is another Bom")
	}
}

// TestLargeTrees has one level more for every 510 times as many paths.
func TestLargeTrees(t *testing.T) {
	counts := []int{1, 2, nodeEntries, nodeEntries + 1, 3 * nodeEntries, nodeEntries*nodeEntries + 1}
	for _, n := range counts {
		entries := make([]Entry, 0, n)
		entries = append(entries, dir(".", 0))
		for i := 1; i < n; i++ {
			if i%100 == 1 {
				entries = append(entries, dir(fmt.Sprintf("./d%06d", i/100), 0))
				continue
			}
			entries = append(entries, file(fmt.Sprintf("./d%06d/f%d", (i-1)/100, i), int64(i)))
		}
		data := write(t, entries)
		got, err := read(data)
		if err != nil || len(got) != n {
			t.Fatalf("%d paths: %d, %v", n, len(got), err)
		}
		judge(t, data, entries)
	}
}

// TestLikeApple compares bytes with facts of Apple's own files
// (formats/macos-pkg.md §3.4).
func TestLikeApple(t *testing.T) {
	data := write(t, sample())
	s, err := readStore(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		t.Fatal(err)
	}
	block := func(n uint32) []byte {
		b, err := s.block(n)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	for n, want := range map[uint32]string{
		blockInfo:      "00000001 00000008 00000003 00000000000000000000018e00000000 01000007000000000000006400000000 0100000c00000000000000e300000000",
		blockPaths:     "74726565 00000001 00000003 00001000 00000007 00",
		blockView:      "00000001 00000007 00000000 00",
		blockViewTree:  "74726565 00000001 00000008 00000080 00000000 00",
		blockSizes:     "74726565 00000001 0000000a 00001000 00000001 00",
		blockMore:      "02 01 000f 41ed 00000000 00000000 6553f100 000000a0 01 00000000 00000000",
		blockMore + 1:  "00000000 2e00",
		blockMore + 2:  "00000001 0000000b",
		blockMore + 6:  "01 01 200f 81a4 00000000 00000050 6553f101 0000012c 01 12345678 01 00000002 01000007 00000003 00000064 00000001 0100000c 00000000 00000096 00000002 00000000 00000000",
		blockMore + 18: "03 01 000f a1ed 00000000 00000000 00000000 00000007 01 00000009 00000008 4c69627261727900 00000000 00000000",
	} {
		if got := fmt.Sprintf("%x", block(n)); got != strings.ReplaceAll(want, " ", "") {
			t.Errorf("block %d is %s\n want %s", n, got, want)
		}
	}
	for n, want := range map[uint32]int{blockPathsRoot: 4096, blockLinksRoot: 4096, blockViewRoot: 128, blockSizesRoot: 4096} {
		if got := len(block(n)); got != want {
			t.Errorf("node %d has %d bytes", n, got)
		}
	}
	if got := string(data[:8]); got != magic || binary.BigEndian.Uint32(data[16:])+binary.BigEndian.Uint32(data[20:]) != uint32(len(data)) {
		t.Errorf("header %q, index not at the end", data[:headerSize])
	}
}

func TestWriteRefuses(t *testing.T) {
	root := dir(".", 0)
	for name, entries := range map[string][]Entry{
		"nothing":          {},
		"no root":          {dir("./a", 0)},
		"root is a file":   {file(".", 1)},
		"no folder":        {root, file("./a/b", 1)},
		"in a file":        {root, file("./a", 1), file("./a/b", 1)},
		"twice":            {root, file("./a", 1), file("./a", 1)},
		"absolute":         {root, file("/a", 1)},
		"bare":             {root, file("a", 1)},
		"dots":             {root, file("./../a", 1)},
		"double slash":     {root, dir("./a", 0), file("./a//b", 1)},
		"NUL":              {root, file("./a\x00b", 1)},
		"long":             {root, file("./"+strings.Repeat("a", maxPath), 1)},
		"device":           {root, {Path: "./a", Mode: 0o020644}},
		"link to nothing":  {root, {Path: "./a", Mode: ModeSymlink}},
		"target of a file": {root, {Path: "./a", Mode: ModeRegular, Target: "b"}},
		"negative":         {root, file("./a", -1)},
		"sliced folder":    {root, {Path: "./a", Mode: ModeDir, Slices: make([]Slice, 1)}},
	} {
		if err := Write(&bytes.Buffer{}, entries); !errors.Is(err, ErrPath) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReadRefuses(t *testing.T) {
	good := write(t, sample())
	index := binary.BigEndian.Uint32(good[16:])
	at := func(block uint32) uint32 { return binary.BigEndian.Uint32(good[index+4+8*block:]) }
	edit := func(at uint32, value ...byte) []byte { b := bytes.Clone(good); copy(b[at:], value); return b }
	for name, b := range map[string][]byte{
		"empty":          {},
		"header only":    good[:headerSize],
		"no magic":       edit(0, 'b'),
		"version":        edit(11, 9),
		"index beyond":   edit(16, 0xff),
		"index of all":   edit(index, 0xff, 0xff, 0xff, 0xff),
		"cut":            good[:len(good)-1],
		"no such block":  edit(at(blockPathsRoot)+nodeHeader, 0, 0xff),
		"wrong count":    edit(at(blockPaths)+19, 6),
		"gigantic count": edit(at(blockPaths)+16, 0xff),
		"no tree":        edit(at(blockPaths), 'T'),
		"chain of one":   edit(at(blockPathsRoot)+7, blockPathsRoot),
		"branch to self": edit(at(blockPathsRoot), 0, 0),
		"disorder":       edit(at(blockPathsRoot)+nodeHeader+8, good[at(blockPathsRoot)+nodeHeader:][:8]...),
		"slash in name":  edit(at(blockMore+4)+4, '/'),
		"no parent":      edit(at(blockMore+4)+3, 200),
		"endless target": edit(at(blockMore+18)+27, 0xff),
		"many slices":    edit(at(blockMore+6)+28, 0xff),
	} {
		if _, err := read(b); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestChecksumIsThatOfPOSIX(t *testing.T) {
	cksum := testtool.Need(t, "cksum")
	r := rand.New(rand.NewPCG(3, 4))
	for _, n := range []int{0, 1, 7, 8, 9, 255, 256, 65536, 100_003} {
		data := make([]byte, n)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		path := filepath.Join(t.TempDir(), "data")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.Command(cksum, path).Output()
		if err != nil {
			t.Fatal(err)
		}
		c := NewChecksum()
		for rest := data; len(rest) > 0; {
			k := min(len(rest), 1+r.IntN(100))
			_, _ = c.Write(rest[:k])
			rest = rest[k:]
		}
		if got := fmt.Sprint(c.Sum32()); got != strings.Fields(string(out))[0] {
			t.Errorf("%d bytes: %s, cksum says %s", n, got, out)
		}
	}
}

func FuzzRead(f *testing.F) {
	f.Add(write(f, sample()))
	f.Add(write(f, []Entry{dir(".", 0)}))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := read(data)
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		var again bytes.Buffer
		if err := Write(&again, entries); err != nil && !errors.Is(err, ErrPath) {
			t.Fatal(err)
		}
	})
}
