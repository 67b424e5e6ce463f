package simulate

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/api"
	"firstday.dev/kit"
	"firstday.dev/ppkg"
	"firstday.dev/signing"
	"firstday.dev/station"
	"firstday.dev/station/fat32"
)

// stickOf makes the image of a stick that holds a tree.
func stickOf(t testing.TB, tree fs.FS) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stick.img"))
	if err != nil {
		t.Fatal(err)
	}
	o := fat32.Options{Label: "STICK", Time: at}
	o.Size, err = fat32.SizeFor(tree, 0)
	if err := errors.Join(err, fat32.Write(t.Context(), f, tree, o), f.Truncate(o.Size), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func openStick(t *testing.T, image string) *Stick {
	t.Helper()
	s, err := OpenStick(image)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// One stick, made by the station, sets up a laptop and a Mac.
func TestStickEnrolsBothPlatforms(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{Uses: 2})
	dir := buildKit(t, d.At, key, "", kit.Windows, kit.MacOS)
	stick, err := station.Open(t.Context(), dir, "ACME", kit.VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer stick.Close()
	image := filepath.Join(t.TempDir(), "stick.img")
	if _, err := stick.WriteImage(t.Context(), image, station.ImageOptions{}); err != nil {
		t.Fatal(err)
	}
	s := openStick(t, image)
	if got := s.Platforms(); len(got) != 2 || !IsStick(image) || IsStick(filepath.Join(dir, "Acme.ppkg")) || IsStick(filepath.Join(dir, "Acme.pkg")) {
		t.Fatalf("%v", got)
	}
	devices := make(map[string]bool)
	for _, p := range s.Platforms() {
		path, err := s.Take(t.Context(), p, t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		r, told, err := simulation(t, Options{}, path)
		if err != nil || r.Device.Platform != p {
			t.Fatalf("%v\n%s", err, told)
		}
		devices[r.Enrolment.DeviceID.String()] = true
	}
	if len(devices) != 2 {
		t.Errorf("enrolled are %v", devices)
	}
}

func TestWhatSticksHold(t *testing.T) {
	file := func(text string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(text)} }
	mac := "the package"
	sums := digest(mac) + "  Acme.pkg\n"
	for name, c := range map[string]struct {
		tree     fstest.MapFS
		platform api.Platform
		want     error // of Take
	}{
		"one package":        {fstest.MapFS{"Acme.PPKG": file("x")}, api.Windows, nil},
		"with its catalog":   {fstest.MapFS{"Acme.ppkg": file("x"), "ACME.CAT": file("y")}, api.Windows, nil},
		"two packages":       {fstest.MapFS{"Acme.ppkg": file("x"), "old.Ppkg": file("y")}, api.Windows, ErrSeveral},
		"what a Mac left":    {fstest.MapFS{"Acme.ppkg": file("x"), "._Acme.ppkg": file("y")}, api.Windows, ErrSeveral},
		"in a folder":        {fstest.MapFS{"packages/Acme.ppkg": file("x")}, api.Windows, ErrNoPackage},
		"a folder as such":   {fstest.MapFS{"Acme.ppkg/x": file("x")}, api.Windows, ErrNoPackage},
		"for the other":      {fstest.MapFS{"Acme.pkg": file(mac), "SHA256SUMS": file(sums)}, api.Windows, ErrNoPackage},
		"for Macs":           {fstest.MapFS{"Acme.pkg": file(mac), "SHA256SUMS": file(sums), "._Acme.pkg": file("y")}, api.MacOS, nil},
		"two for Macs":       {fstest.MapFS{"Acme.pkg": file(mac), "Other.pkg": file(mac), "SHA256SUMS": file(sums)}, api.MacOS, ErrSeveral},
		"no checksums":       {fstest.MapFS{"Acme.pkg": file(mac)}, api.MacOS, kit.ErrIntegrity},
		"another checksum":   {fstest.MapFS{"Acme.pkg": file(mac + "!"), "SHA256SUMS": file(sums)}, api.MacOS, kit.ErrIntegrity},
		"no checksum of it":  {fstest.MapFS{"Acme.pkg": file(mac), "SHA256SUMS": file(digest("x") + "  x\n")}, api.MacOS, kit.ErrIntegrity},
		"no such checksums":  {fstest.MapFS{"Acme.pkg": file(mac), "SHA256SUMS": file("sums")}, api.MacOS, kit.ErrIntegrity},
		"sums in a folder":   {fstest.MapFS{"Acme.pkg": file(mac), "SHA256SUMS/x": file("sums")}, api.MacOS, fs.ErrInvalid},
		"nothing whatsoever": {fstest.MapFS{}, api.Windows, ErrNoPackage},
	} {
		dir := t.TempDir()
		path, err := openStick(t, stickOf(t, c.tree)).Take(t.Context(), c.platform, dir)
		if !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil {
			continue
		}
		entries, err := os.ReadDir(dir)
		if err != nil || filepath.Dir(path) != dir || c.tree[filepath.Base(path)] == nil || name == "with its catalog" != (len(entries) == 2) {
			t.Errorf("%s: %s, %v, %v", name, path, entries, err)
		}
	}
}

// A package whose catalog is not beside it on the stick is not what was signed.
func TestStickWithoutCatalog(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	data, err := os.ReadFile(provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{}))
	if err != nil {
		t.Fatal(err)
	}
	path, err := openStick(t, stickOf(t, fstest.MapFS{"Acme.ppkg": {Data: data}})).Take(t.Context(), api.Windows, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if _, told, err := simulation(t, Options{Trust: Trust{VerifyOptions: kit.VerifyOptions{RequireSignature: true}}}, path); !errors.Is(err, signing.ErrNoSignature) {
		t.Errorf("%v\n%s", err, told)
	}
}

func TestImagesThatAreNone(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{"empty.img": nil, "short.img": []byte("x"), "zeros.img": make([]byte, 1<<20), "signed.bin": append(make([]byte, 510), 0x55, 0xaa)} {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if !IsStick(path) {
			t.Errorf("%s is taken for a package", name)
		}
		if _, err := OpenStick(path); !errors.Is(err, fat32.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenStick(filepath.Join(dir, "missing.img")); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if _, err := OpenStick(dir); !errors.Is(err, kit.ErrKind) || IsStick(dir) || IsStick(filepath.Join(dir, "missing")) {
		t.Error("what is no file is no stick", err)
	}
}

// FuzzStick changes a stick in its first megabytes, where all that describes its
// files is: nothing is taken from it but what has a name there, and nothing is
// written outside the folder.
func FuzzStick(f *testing.F) {
	image := stickOf(f, fstest.MapFS{"Acme.ppkg": {Data: []byte("windows")}, "Acme.cat": {Data: []byte("catalog")}, "Acme.pkg": {Data: []byte("mac")}, "SHA256SUMS": {Data: []byte(digest("mac") + "  Acme.pkg\n")}})
	whole, err := os.ReadFile(image)
	if err != nil {
		f.Fatal(err)
	}
	// The root is the first of the clusters, which begin at a whole MiB.
	root := int64(1 << 20)
	for string(whole[root:root+5]) != "STICK" {
		root += 1 << 20
	}
	f.Add(uint32(0), whole[root:root+512])
	f.Add(uint32(64), []byte("ACME~1  PPK"))
	f.Add(uint32(96), []byte(`B..\..\x`))
	f.Fuzz(func(t *testing.T, offset uint32, data []byte) {
		at := root + int64(offset%512)
		patched := &patch{whole, at, data[:min(len(data), 512)]}
		v, err := fat32.Open(patched, int64(len(whole)))
		if err != nil {
			return
		}
		entries, err := fs.ReadDir(v, ".")
		if err != nil {
			return
		}
		s := &Stick{volume: v, root: entries}
		outside := t.TempDir()
		dir := filepath.Join(outside, "taken")
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		for _, p := range s.Platforms() {
			path, err := s.Take(t.Context(), p, dir)
			if err == nil && (filepath.Dir(path) != dir || strings.ContainsAny(filepath.Base(path), `/\`)) {
				t.Errorf("%q", path)
			}
		}
		if there, err := os.ReadDir(outside); err != nil || len(there) != 1 {
			t.Errorf("%v, %v", there, err)
		}
	})
}

// patch is an image with other bytes in one place.
type patch struct {
	whole []byte
	at    int64
	data  []byte
}

func (p *patch) ReadAt(b []byte, at int64) (int, error) {
	if at >= int64(len(p.whole)) {
		return 0, io.EOF
	}
	n := copy(b, p.whole[at:])
	if from, to := max(at, p.at), min(at+int64(n), p.at+int64(len(p.data))); from < to {
		copy(b[from-at:to-at], p.data[from-p.at:])
	}
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
