package station

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"firstday.dev/kit"
	"firstday.dev/signing"
	"firstday.dev/station/fat32"
	"firstday.dev/templates/usb"
)

func verify(t *testing.T, c *Contents, s *Stick, o kit.VerifyOptions) *Findings {
	t.Helper()
	defer c.Close()
	f, err := c.Verify(t.Context(), s, o)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func folderOf(t *testing.T, dir string) *Contents {
	t.Helper()
	c, err := OpenFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// What is wrong with a stick is found with the kit, and without.
func TestVerifySticks(t *testing.T) {
	kitDir := buildKit(t, kit.Windows, kit.MacOS)
	s, o := open(t, kitDir), trusting(t, kitDir)
	for name, c := range map[string]struct {
		spoil   func(dir string) error
		want    Findings
		err     error
		unknown bool // without the kit
	}{
		"nothing": {spoil: func(string) error { return nil }, want: Findings{OK: true}},
		"a flipped byte": {spoil: func(dir string) error { return flip(filepath.Join(dir, "Muller-Sohne.ppkg")) },
			want: Findings{Changed: []string{"Muller-Sohne.ppkg"}}, err: kit.ErrIntegrity},
		"a file less": {spoil: func(dir string) error { return os.Remove(filepath.Join(dir, "Muller-Sohne.cat")) },
			want: Findings{Missing: []string{"Muller-Sohne.cat"}}, err: kit.ErrIntegrity},
		"the script": {spoil: func(dir string) error { return flip(filepath.Join(dir, usb.RunFile)) },
			want: Findings{Changed: []string{usb.RunFile}}, err: kit.ErrIntegrity},
		"a link": {spoil: func(dir string) error {
			name := filepath.Join(dir, usb.RunFile)
			return errors.Join(os.Rename(name, name+".old"), os.Symlink(usb.RunFile+".old", name))
		}, want: Findings{Changed: []string{usb.RunFile}, Foreign: []string{usb.RunFile + ".old"}}},
		"another package": {spoil: func(dir string) error { return os.WriteFile(filepath.Join(dir, "Other.PPKG"), nil, 0o600) },
			want: Findings{Packages: []string{"Other.PPKG"}}, err: kit.ErrIntegrity},
		"files": {spoil: func(dir string) error {
			return errors.Join(os.Mkdir(filepath.Join(dir, "a"), 0o755), os.WriteFile(filepath.Join(dir, "a", "b.ppkg"), nil, 0o600),
				os.WriteFile(filepath.Join(dir, ".DS_Store"), nil, 0o600), os.WriteFile(filepath.Join(dir, usb.LogsFolder, "l"), nil, 0o600))
		}, want: Findings{OK: true, Foreign: []string{"a/b.ppkg"}}},
		"marked": {spoil: func(dir string) error { return os.WriteFile(filepath.Join(dir, fat32.IncompleteFile), nil, 0o600) },
			want: Findings{Incomplete: true}, err: ErrIncomplete},
		"no signature": {spoil: func(dir string) error { return os.Remove(filepath.Join(dir, kit.SignatureFile)) },
			want: Findings{Missing: []string{kit.SignatureFile}}, err: kit.ErrIntegrity, unknown: true},
	} {
		dir := t.TempDir()
		put(t, s, dir, WriteOptions{})
		if err := c.spoil(dir); err != nil {
			t.Fatal(name, err)
		}
		for _, with := range []*Stick{s, nil} {
			f := verify(t, folderOf(t, dir), with, o)
			if f.KitID == "" || f.Organisation != "Müller & Söhne" || f.ReadBack == "" || (f.Err() == nil) != f.OK || c.err != nil && !errors.Is(f.Err(), c.err) && !c.unknown {
				t.Errorf("%s, kit %t: %v, %+v", name, with != nil, f.Err(), f)
			}
			if c.unknown && with == nil {
				if !errors.Is(f.Err(), signing.ErrNoSignature) {
					t.Errorf("%s: %v", name, f.Err())
				}
				continue
			}
			ignored := cmpopts.IgnoreFields(Findings{}, "Stick", "KitID", "Organisation", "ReadBack", "Files", "Checks")
			if diff := cmp.Diff(&c.want, f, ignored, cmpopts.IgnoreUnexported(Findings{})); diff != "" {
				t.Errorf("%s, kit %t: %s", name, with != nil, diff)
			}
		}
	}
}

// The signature on the stick says who vouches; scripts must be ours.
func TestStickAlone(t *testing.T) {
	kitDir := buildKit(t, kit.Windows, kit.MacOS)
	s, dir := open(t, kitDir), t.TempDir()
	put(t, s, dir, WriteOptions{})
	if f := verify(t, folderOf(t, dir), nil, kit.VerifyOptions{}); !errors.Is(f.Err(), signing.ErrUntrusted) {
		t.Errorf("nobody is trusted: %v", f.Err())
	}
	// Whoever changes a script can change its checksum, but not this program's.
	run := filepath.Join(dir, usb.RunFile)
	text := []byte("#!/bin/sh\necho other\n")
	sums, err := os.ReadFile(filepath.Join(dir, usb.SumsFile))
	if err != nil {
		t.Fatal(err)
	}
	changed := []byte(string(sums))
	copy(changed[len(changed)-len(usb.RunFile)-3-64:], sha256Hex(text))
	if err := errors.Join(os.WriteFile(run, text, 0o600), os.WriteFile(filepath.Join(dir, usb.SumsFile), changed, 0o600)); err != nil {
		t.Fatal(err)
	}
	if f := verify(t, folderOf(t, dir), nil, trusting(t, kitDir)); len(f.Warnings) != 1 || f.OK || !cmp.Equal(f.Changed, []string{usb.RunFile}) {
		t.Errorf("%v, %+v", f.Err(), f)
	}
	nobody := trusting(t, kitDir)
	nobody.RequireSignature = false
	if f := verify(t, folderOf(t, dir), nil, nobody); len(f.Warnings) != 1 || !f.OK {
		t.Errorf("nobody has to vouch: %v, %+v", f.Err(), f)
	}
	if f := verify(t, folderOf(t, dir), s, trusting(t, kitDir)); f.OK {
		t.Error("the kit does not tell the script")
	}
	// A script that is not listed is judged, too.
	if err := os.WriteFile(filepath.Join(dir, usb.SumsFile), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if f := verify(t, folderOf(t, dir), nil, trusting(t, kitDir)); !cmp.Equal(f.Changed, []string{usb.RunFile}) {
		t.Errorf("%+v", f)
	}
	empty := verify(t, folderOf(t, t.TempDir()), nil, kit.VerifyOptions{})
	if !errors.Is(empty.Err(), kit.ErrNotAKit) {
		t.Errorf("an empty stick: %v", empty.Err())
	}
}

func TestVerifyImage(t *testing.T) {
	kitDir := buildKit(t, kit.Windows)
	s, o := open(t, kitDir), trusting(t, kitDir)
	image := filepath.Join(t.TempDir(), "stick.img")
	if _, err := s.WriteImage(t.Context(), image, ImageOptions{}); err != nil {
		t.Fatal(err)
	}
	for _, with := range []*Stick{s, nil} {
		c, err := OpenImage(image)
		if err != nil {
			t.Fatal(err)
		}
		if f := verify(t, c, with, o); !f.OK || f.Label != DefaultLabel || f.Files < 7 {
			t.Errorf("%v, %+v", f.Err(), f)
		}
	}
	for path, want := range map[string]error{filepath.Join(kitDir, kit.SumsFile): fat32.ErrFormat, filepath.Join(kitDir, "missing"): os.ErrNotExist} {
		if _, err := OpenImage(path); !errors.Is(err, want) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{kitDir, os.DevNull} {
		if _, err := OpenImage(path); err == nil {
			t.Errorf("%s is an image", path)
		}
	}
}

// A stick may be anybody's: what its checksums say leads nowhere, and takes no
// memory.
func FuzzStickSums(f *testing.F) {
	f.Add([]byte("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  run\n"))
	f.Add([]byte("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  ../../etc/passwd\n"))
	f.Add([]byte("x  run\n\n  \n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		for name, sum := range parseStickSums(data) {
			if len(sum) != 64 || !filepath.IsLocal(name) || name == kit.SumsFile {
				t.Errorf("%q: %q", name, sum)
			}
		}
	})
}
