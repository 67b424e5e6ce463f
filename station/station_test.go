package station

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testtool"
	"firstday.dev/kit"
	"firstday.dev/ppkg/xpress"
	"firstday.dev/station/fat32"
	"firstday.dev/templates/usb"
)

func TestMain(m *testing.M) {
	code := m.Run()
	testagents.Cleanup()
	os.Exit(code)
}

// buildKit builds a kit as IT does.
func buildKit(t *testing.T, platforms ...kit.Platform) string {
	t.Helper()
	dir := t.TempDir()
	text := `version: 1
organisation: {name: "Müller & Söhne"}
directory: {url: "https://directory.acme.example"}
connectKey: {file: connect.key, expires: 2099-01-01}
signing: {throwaway: true}
macos: {signing: {installer: {throwaway: true}}}
`
	for name, content := range map[string]string{"firstday.yaml": text, "connect.key": "fdk_the-connect-key-of-the-tests\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	c, err := config.Load(filepath.Join(dir, "firstday.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	output := filepath.Join(dir, "kit")
	_, err = kit.Build(t.Context(), kit.Options{
		Config: c, Platforms: platforms, Agents: testagents.Dir(t), Output: output, Builder: "test",
		Time: time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC), Level: xpress.Fast,
	})
	if err != nil {
		t.Fatal(err)
	}
	return output
}

// trusting trusts whom the kit itself names.
func trusting(t *testing.T, dir string) (o kit.VerifyOptions) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, kit.SignerFile))
	if err != nil {
		t.Fatal(err)
	}
	o.RequireSignature, o.Roots = true, x509.NewCertPool()
	o.Roots.AppendCertsFromPEM(data)
	return o
}

func open(t *testing.T, dir string) *Stick {
	t.Helper()
	s, err := Open(t.Context(), dir, DefaultLabel, trusting(t, dir))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestStickForBothSystems(t *testing.T) {
	dir := buildKit(t, kit.Windows, kit.MacOS)
	s := open(t, dir)
	if err := fstest.TestFS(s, usb.RunFile, usb.FirstBootInstallFile, usb.LogsFolder, kit.SumsFile); err != nil {
		t.Error(err)
	}
	// Everything of the kit is there, as it is.
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		want, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := fs.ReadFile(s, e.Name()); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s: %v", e.Name(), err)
		}
	}
	root, err := fs.Glob(s, "*")
	if err != nil || len(root) != len(entries)+5 { // run, README.html, first-boot, logs, STICK.SHA256SUMS
		t.Errorf("%v, %v", root, err)
	}
	if packages, err := fs.Glob(s, "*.ppkg"); err != nil || len(packages) != 1 {
		t.Errorf("%v, %v", packages, err)
	}
	sums, err := fs.ReadFile(s, usb.SumsFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{usb.RunFile, usb.ReadmeFile, usb.FirstBootInstallFile, usb.FirstBootDaemonFile} {
		data, err := fs.ReadFile(s, name)
		if line := fmt.Sprintf("%x  %s\n", sha256.Sum256(data), name); err != nil || !strings.Contains(string(sums), line) {
			t.Errorf("%s is not in\n%s(%v)", line, sums, err)
		}
	}
	page, err := fs.ReadFile(s, usb.ReadmeFile)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"The stick of Müller &amp; Söhne", `sh "/Volumes/FIRSTDAY/run" --allow-untrusted</code>`, "<h2>Set up a laptop</h2>", "press the Windows key five times</strong>",
		"<h2>From a stick, on a Mac that is set up</h2>", "<td>Package id</td>", "<blockquote>",
	} {
		if !strings.Contains(string(page), want) {
			t.Errorf("%q is not in the page", want)
		}
	}
	if strings.Contains(string(page), "<!-- raw HTML omitted -->") {
		t.Error("the instructions hold HTML")
	}
}

// A stick for Macs alone, or for Windows alone, has nothing of the other.
func TestStickForOneSystem(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	if _, err := fs.Stat(s, usb.RunFile); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("run: %v", err)
	}
	page, err := fs.ReadFile(s, usb.ReadmeFile)
	if err != nil || strings.Contains(string(page), "Recovery and run") {
		t.Errorf("%v\n%s", err, page)
	}
}

func TestKitsThatMakeNoStick(t *testing.T) {
	good := buildKit(t, kit.Windows)
	o := trusting(t, good)
	for name, c := range map[string]struct {
		spoil func(dir string) error
		want  error
	}{
		"a flipped byte": {func(dir string) error { return flip(filepath.Join(dir, "Muller-Sohne.ppkg")) }, kit.ErrIntegrity},
		"a file more":    {func(dir string) error { return os.WriteFile(filepath.Join(dir, "Other.ppkg"), nil, 0o600) }, kit.ErrIntegrity},
		"no catalog":     {func(dir string) error { return os.Remove(filepath.Join(dir, "Muller-Sohne.cat")) }, kit.ErrIntegrity},
		"no checksums":   {func(dir string) error { return os.Remove(filepath.Join(dir, kit.SumsFile)) }, kit.ErrIntegrity},
		"no kit": {func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, kit.SumsFile)), os.Remove(filepath.Join(dir, kit.ManifestFile)))
		}, kit.ErrNotAKit},
		"no folder": {os.RemoveAll, fs.ErrNotExist},
	} {
		dir := filepath.Join(t.TempDir(), "kit")
		if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
			t.Fatal(err)
		}
		if err := c.spoil(dir); err != nil {
			t.Fatal(name, err)
		}
		if _, err := Open(t.Context(), dir, DefaultLabel, o); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(t.Context(), good, DefaultLabel, kit.VerifyOptions{}); !errors.Is(err, ErrUnverified) {
		t.Errorf("nobody trusts the signer: %v", err)
	}
	if _, err := Open(t.Context(), filepath.Join(good, "Muller-Sohne.ppkg"), DefaultLabel, o); !errors.Is(err, kit.ErrNotAKit) {
		t.Errorf("a package is no kit: %v", err)
	}
	if _, err := Open(t.Context(), good, "small", o); !errors.Is(err, fat32.ErrLabel) {
		t.Errorf("label: %v", err)
	}
}

func flip(path string) error {
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	b[len(b)/2] ^= 1
	return os.WriteFile(path, b, 0o600)
}

// What is in the kit, and what systems make of it.
func TestLayoutRules(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  string
	}{
		"two packages": {[]string{"a.ppkg", "a.cat", "b.PPKG", "b.cat"}, "several packages for one system"},
		"two for Macs": {[]string{"a.pkg", "b.pkg"}, "several packages for one system"},
		"no catalog":   {[]string{"a.ppkg"}, "lacks its catalog a.cat"},
		"a name taken": {[]string{"README.html"}, "README.html is in the kit"},
		"cases":        {[]string{"readme.HTML"}, "are one name"},
		"a device":     {[]string{"aux.txt"}, "is the name of a device to Windows"},
	} {
		s := &Stick{Label: DefaultLabel, Manifest: &kit.Manifest{Organisation: "Acme"}, files: make(map[string]*source)}
		for _, f := range c.files {
			s.put(f, []byte("x"))
		}
		err := s.checkPackages()
		if err == nil {
			err = s.addOurs()
		}
		if err == nil {
			err = s.arrange()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestImage(t *testing.T) {
	dir := buildKit(t, kit.Windows, kit.MacOS)
	s := open(t, dir)
	first, second := filepath.Join(t.TempDir(), "first.img"), filepath.Join(t.TempDir(), "second.img")
	var done, total int64
	i, err := s.WriteImage(t.Context(), first, ImageOptions{Progress: func(_ string, d, of int64) { done, total = d, of }})
	if err != nil {
		t.Fatal(err)
	}
	if done == 0 || done != total {
		t.Errorf("progress ends at %d of %d", done, total)
	}
	if i.Serial != strings.ToUpper(i.KitID[:4]+"-"+i.KitID[4:8]) || i.Size%(1<<20) != 0 || len(i.Files) < 12 {
		t.Errorf("%+v", i)
	}
	for range 2 { // the second takes the place of the first
		if _, err := open(t, dir).WriteImage(t.Context(), second, ImageOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	one, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(second)
	if err != nil || !bytes.Equal(one, two) {
		t.Errorf("two images of one kit differ: %v", err)
	}
	v, err := fat32.Open(bytes.NewReader(one), int64(len(one)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range i.Files {
		data, err := fs.ReadFile(v, f.Path)
		if err != nil || f.Size != int64(len(data)) || f.SHA256 != fmt.Sprintf("%x", sha256.Sum256(data)) {
			t.Errorf("%s: %v", f.Path, err)
		}
	}
	// What people type to check the stick.
	back := t.TempDir()
	if err := os.CopyFS(back, v); err != nil {
		t.Fatal(err)
	}
	for _, list := range []string{kit.SumsFile, usb.SumsFile} {
		check := exec.Command(testtool.Need(t, "sha256sum"), "-c", "--strict", list)
		check.Dir = back
		if out, err := check.CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", list, err, out)
		}
	}
}

// A kit that is changed after it was verified makes no image.
func TestKitChangesUnderway(t *testing.T) {
	for name, spoil := range map[string]func(path string) error{
		"other bytes": flip,
		"shorter":     func(path string) error { return os.Truncate(path, 100) },
		"gone":        os.Remove,
		"a link": func(path string) error {
			return errors.Join(os.Rename(path, path+".old"), os.Symlink(filepath.Base(path)+".old", path))
		},
	} {
		dir := buildKit(t, kit.Windows)
		s := open(t, dir)
		image := filepath.Join(t.TempDir(), "stick.img")
		if err := spoil(filepath.Join(dir, "Muller-Sohne.ppkg")); err != nil {
			t.Fatal(err)
		}
		_, err := s.WriteImage(t.Context(), image, ImageOptions{})
		if !errors.Is(err, kit.ErrIntegrity) && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
		if left, err := os.ReadDir(filepath.Dir(image)); err != nil || len(left) > 0 {
			t.Errorf("%s: %v, %v", name, left, err)
		}
	}
}

func TestInterruptedImage(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(t.Context())
	_, err := s.WriteImage(ctx, filepath.Join(dir, "stick.img"), ImageOptions{Progress: func(string, int64, int64) { cancel() }})
	if left, e := os.ReadDir(dir); !errors.Is(err, context.Canceled) || e != nil || len(left) > 0 {
		t.Errorf("%v, %v, %v", err, left, e)
	}
}

// An image takes the place of an image, and of nothing else.
func TestImageReplacesNothingElse(t *testing.T) {
	dir := buildKit(t, kit.Windows)
	s := open(t, dir)
	elsewhere := t.TempDir()
	notes, link := filepath.Join(elsewhere, "notes.txt"), filepath.Join(elsewhere, "link.img")
	if err := errors.Join(os.WriteFile(notes, []byte("precious"), 0o600), os.Symlink(notes, link)); err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(elsewhere, "other.img")
	f, err := os.Create(other)
	if err != nil {
		t.Fatal(err)
	}
	precious := fstest.MapFS{"precious": {Data: []byte("x")}}
	if err := errors.Join(fat32.Write(t.Context(), f, precious, fat32.Options{Size: fat32.MinSize, Label: "OTHER"}), f.Truncate(fat32.MinSize), f.Close()); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		other: kit.ErrOverwrite,
		notes: kit.ErrOverwrite, filepath.Join(dir, "stick.img"): kit.ErrOverwrite, filepath.Join(dir, kit.ManifestFile): kit.ErrOverwrite,
		link: atomicfile.ErrInTheWay, elsewhere: atomicfile.ErrInTheWay, os.DevNull: atomicfile.ErrInTheWay, filepath.Join(elsewhere, "no", "x.img"): fs.ErrNotExist,
	} {
		if _, err := s.WriteImage(t.Context(), path, ImageOptions{}); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	if data, err := os.ReadFile(notes); string(data) != "precious" {
		t.Errorf("%q, %v", data, err)
	}
	if _, err := s.WriteImage(t.Context(), filepath.Join(elsewhere, "x.img"), ImageOptions{Size: fat32.MinSize}); err != nil && !errors.Is(err, fat32.ErrFull) {
		t.Error(err)
	}
	if _, err := s.WriteImage(t.Context(), filepath.Join(elsewhere, "x.img"), ImageOptions{Size: 200e9}); !errors.Is(err, fat32.ErrSize) {
		t.Error(err)
	}
}
