package cpio

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

type entry struct {
	Header
	Content string
}

var sample = []entry{
	{Header{Name: ".", Mode: ModeDir | 0o755, Links: 3}, ""},
	{Header{Name: "./dir", Mode: ModeDir | 0o1775, GID: 80, ModTime: 1_700_000_000}, ""},
	{Header{Name: "./dir/Grüße.txt", Mode: ModeRegular | 0o644, UID: max6, Size: 6, ModTime: max11}, "hello\n"},
	{Header{Name: "./dir/empty", Mode: ModeRegular | 0o4755}, ""},
	{Header{Name: "./link", Mode: ModeSymlink | 0o755, Size: 9}, "dir/empty"},
}

func pack(t testing.TB, entries []entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := NewWriter(&b)
	for _, e := range entries {
		if err := w.WriteHeader(&e.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.Content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func unpack(r io.Reader) ([]entry, error) {
	var entries []entry
	for in := NewReader(r); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return entries, nil
		}
		if err != nil {
			return entries, err
		}
		content, err := io.ReadAll(in)
		if err != nil {
			return entries, err
		}
		entries = append(entries, entry{*h, string(content)})
	}
}

func TestRoundTrip(t *testing.T) {
	archive := pack(t, sample)
	got, err := unpack(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	want := make([]entry, len(sample))
	for i, e := range sample {
		e.Inode, e.Links = uint32(i+1), max(e.Links, 1)
		want[i] = e
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if again := pack(t, got); !bytes.Equal(again, archive) {
		t.Error("written again it is another archive")
	}
	const first = "070707" + "000000" + "000001" + "040755" + "000000" + "000000" + "000003" + "000000" + "00000000000" + "000002" + "00000000000" + ".\x00"
	if !bytes.HasPrefix(archive, []byte(first)) {
		t.Errorf("archive begins with %q", archive[:len(first)])
	}
}

func TestContentsMayBePassedOver(t *testing.T) {
	r := NewReader(bytes.NewReader(pack(t, sample)))
	n := 0
	for {
		_, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		n++
	}
	if n != len(sample) {
		t.Errorf("%d entries", n)
	}
}

func TestInodesNeverRunOut(t *testing.T) {
	w := NewWriter(io.Discard)
	for i := range uint32(max6 + 2) {
		h := Header{Name: "x", Mode: ModeRegular}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if want := i%max6 + 1; w.inode != want {
			t.Fatalf("entry %d has inode %d", i, w.inode)
		}
	}
}

func TestWriterRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		header Header
		want   error
	}{
		"no name":     {Header{}, ErrName},
		"NUL":         {Header{Name: "a\x00b"}, ErrName},
		"long name":   {Header{Name: strings.Repeat("a", maxName)}, ErrName},
		"trailer":     {Header{Name: trailer}, ErrName},
		"user":        {Header{Name: "a", UID: max6 + 1}, ErrTooLarge},
		"before 1970": {Header{Name: "a", ModTime: -1}, ErrTooLarge},
		"8 GiB":       {Header{Name: "a", Size: MaxSize + 1}, ErrTooLarge},
	} {
		w := NewWriter(io.Discard)
		if err := w.WriteHeader(&c.header); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err := w.Close(); err != nil {
			t.Errorf("%s: nothing was written, and yet: %v", name, err)
		}
	}
	w := NewWriter(io.Discard)
	if err := w.WriteHeader(&Header{Name: "a", Size: 2}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err == nil {
		t.Error("contents may be missing")
	}
	w = NewWriter(io.Discard)
	if _, err := w.Write([]byte("x")); !errors.Is(err, ErrTooLarge) {
		t.Errorf("contents without a header: %v", err)
	}
}

func TestReaderRefuses(t *testing.T) {
	good := pack(t, sample)
	edit := func(at int, s string) []byte { b := bytes.Clone(good); copy(b[at:], s); return b }
	for name, b := range map[string][]byte{
		"empty":          {},
		"newc":           edit(0, "070701"),
		"binary":         edit(0, "\x71\xc7"),
		"text":           []byte(strings.Repeat("text ", 30)),
		"not octal":      edit(6, "00008"),
		"sign":           edit(6, "+00001"),
		"no name":        edit(59, "000001"),
		"endless name":   edit(59, "777777"),
		"name too short": edit(59, "000003"),
		"no trailer":     good[:len(good)-headerSize-len(trailer)-1],
		"cut in name":    good[:headerSize+1],
		"cut in file":    good[:bytes.Index(good, []byte("hello"))+3],
	} {
		if _, err := unpack(bytes.NewReader(b)); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken disk")
	if _, err := unpack(io.MultiReader(bytes.NewReader(good[:80]), brokenReader{broken})); !errors.Is(err, broken) {
		t.Errorf("a fault in reading becomes %v", err)
	}
}

type brokenReader struct{ err error }

func (r brokenReader) Read([]byte) (int, error) { return 0, r.err }

// TestOthersReadOurs and write what we read.
func TestOthersReadOurs(t *testing.T) {
	peers := map[string][]string{
		testtool.Need(t, "cpio"):   {"--extract", "--make-directories", "--no-absolute-filenames", "--quiet"},
		testtool.Need(t, "bsdtar"): {"-x", "-f", "-"},
	}
	for peer, arguments := range peers {
		dir := t.TempDir()
		extract := exec.Command(peer, arguments...)
		extract.Dir, extract.Stdin = dir, bytes.NewReader(pack(t, sample))
		if out, err := extract.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", peer, err, out)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "dir", "Grüße.txt")); string(got) != "hello\n" {
			t.Errorf("%s: %q, %v", peer, got, err)
		}
		if got, err := os.Readlink(filepath.Join(dir, "link")); got != "dir/empty" {
			t.Errorf("%s: %q, %v", peer, got, err)
		}
		if info, err := os.Stat(filepath.Join(dir, "dir")); err != nil || info.Mode()&(os.ModeSticky|0o777) != os.ModeSticky|0o775 {
			t.Errorf("%s: %v, %v", peer, info, err)
		}
	}
}

func TestReadsGNU(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), []byte("contents"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("file", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	create := exec.Command(testtool.Need(t, "cpio"), "--create", "--format=odc", "--quiet")
	create.Dir, create.Stdin = dir, strings.NewReader(".\n./file\n./link\n")
	archive, err := create.Output()
	if err != nil {
		t.Fatal(err)
	}
	entries, err := unpack(bytes.NewReader(archive))
	if err != nil || len(entries) != 3 {
		t.Fatalf("%d entries, %v", len(entries), err)
	}
	if e := entries[1]; filepath.Clean(e.Name) != "file" || e.Mode != ModeRegular|0o640 || e.Content != "contents" {
		t.Errorf("%+v", e)
	}
	if e := entries[2]; e.Mode&ModeType != ModeSymlink || e.Content != "file" {
		t.Errorf("%+v", e)
	}
}

func FuzzReader(f *testing.F) {
	f.Add(pack(f, sample))
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, err := unpack(bytes.NewReader(data))
		if err != nil {
			if !errors.Is(err, ErrFormat) {
				t.Fatal(err)
			}
			return
		}
		if len(entries) == 0 {
			return
		}
		again, err := unpack(bytes.NewReader(pack(t, entries)))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(entries, again); diff != "" && !strings.Contains(diff, "Links") && !strings.Contains(diff, "Inode") {
			t.Fatal(diff)
		}
	})
}
