package order

import (
	"archive/zip"
	"bytes"
	"errors"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/kit"
)

// entry is a file in a .zip.
type entry struct {
	name, data string
	mode       fs.FileMode
}

func writeEntries(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		h.SetMode(e.mode | 0o600)
		w, err := z.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestHostileZips(t *testing.T) {
	good := entry{name: "PO-1/order.json", data: "{}"}
	bomb := strings.Repeat("\x00", mayUnpack+1)
	lying := rawZip(t, "PO-1/order.json", []byte("more than it says"), 3)
	for name, data := range map[string][]byte{
		"no zip":         []byte("PK is what it begins with"),
		"nothing":        writeEntries(t),
		"no folder":      writeEntries(t, entry{name: "order.json"}),
		"up":             writeEntries(t, good, entry{name: "../evil"}),
		"up and in":      writeEntries(t, good, entry{name: "PO-1/../../evil"}),
		"absolute":       writeEntries(t, good, entry{name: "/evil"}),
		"a drive":        writeEntries(t, good, entry{name: "PO-1/C:evil"}),
		"backslashes":    writeEntries(t, good, entry{name: `PO-1\..\..\evil`}),
		"a device":       writeEntries(t, good, entry{name: "PO-1/NUL"}),
		"a link":         writeEntries(t, entry{name: "PO-1/kit", data: "/etc", mode: fs.ModeSymlink}, entry{name: "PO-1/kit/evil"}),
		"a pipe":         writeEntries(t, entry{name: "PO-1/pipe", mode: fs.ModeNamedPipe}),
		"two folders":    writeEntries(t, good, entry{name: "PO-2/order.json"}),
		"twice":          writeEntries(t, good, entry{name: "PO-1/ORDER.json"}),
		"a file as dir":  writeEntries(t, good, entry{name: "PO-1/order.json/x"}),
		"deep":           writeEntries(t, good, entry{name: "PO-1/kit/a/b"}),
		"a bomb":         writeEntries(t, good, entry{name: "PO-1/bomb", data: bomb}),
		"a lying length": lying,
	} {
		parent := t.TempDir()
		file, dir := filepath.Join(parent, "x.zip"), filepath.Join(parent, "inner", "dir")
		if err := errors.Join(os.WriteFile(file, data, 0o600), os.MkdirAll(dir, 0o700)); err != nil {
			t.Fatal(err)
		}
		if got, err := Unpack(t.Context(), file, dir); err == nil || name != "a file as dir" && !errors.Is(err, ErrBundle) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		var evil []string
		for _, pattern := range []string{"evil*", "*/evil*", "inner/dir/evil*"} {
			found, err := filepath.Glob(filepath.Join(parent, pattern))
			if err != nil {
				t.Fatal(err)
			}
			evil = append(evil, found...)
		}
		if len(evil) > 0 {
			t.Errorf("%s: it wrote %v", name, evil)
		}
	}
}

// rawZip holds one file that claims another length than it has.
func rawZip(t *testing.T, name string, data []byte, says uint64) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.CreateRaw(&zip.FileHeader{Name: name, Method: zip.Store, CRC32: crc32.ChecksumIEEE(data), CompressedSize64: uint64(len(data)), UncompressedSize64: says})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// One bit in a zip: what was in the file is named, or the zip is no good.
func TestOneBitInAZip(t *testing.T) {
	_, made := sampleBundle(t)
	whole, err := os.ReadFile(made.Zip)
	if err != nil {
		t.Fatal(err)
	}
	for i := range 40 {
		data := bytes.Clone(whole)
		data[i*(len(data)-1)/39] ^= 1
		file := filepath.Join(t.TempDir(), "x.zip")
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
		dir, err := Unpack(t.Context(), file, t.TempDir())
		if err == nil {
			_, err = Open(t.Context(), dir, pinned(made))
		}
		if err == nil {
			got, err := os.ReadFile(filepath.Join(dir, kit.SumsFile))
			want, wantErr := os.ReadFile(filepath.Join(made.Folder, kit.SumsFile))
			if err != nil || wantErr != nil || !bytes.Equal(got, want) {
				t.Errorf("bit %d: another bundle opens", i)
			}
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(writeEntries(f, entry{name: "PO-1/order.json", data: "{}"}, entry{name: "PO-1/kit/", mode: fs.ModeDir | 0o700}, entry{name: "PO-1/kit/x"}))
	f.Add(writeEntries(f, entry{name: "../x"}))
	f.Add([]byte("PK\x05\x06"))
	f.Fuzz(func(t *testing.T, data []byte) {
		parent := t.TempDir()
		file, inner := filepath.Join(parent, "x.zip"), filepath.Join(parent, "dir")
		if err := errors.Join(os.WriteFile(file, data, 0o600), os.Mkdir(inner, 0o700)); err != nil {
			t.Fatal(err)
		}
		dir, err := Unpack(t.Context(), file, inner)
		if err == nil {
			if _, err := Verify(t.Context(), dir, VerifyOptions{}); err == nil {
				return
			}
		}
		if left, err := os.ReadDir(parent); err != nil || len(left) != 2 {
			t.Errorf("it wrote beside its folder: %v, %v", left, err)
		}
	})
}
