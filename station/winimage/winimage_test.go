package winimage

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testtool"
	"firstday.dev/kit"
)

var (
	kitFiles = fstest.MapFS{"Acme.ppkg": {Data: []byte("the package")}, "Acme.cat": {Data: []byte("its catalog")}}
	acme     = &kit.Package{File: "Acme.ppkg", Catalog: "Acme.cat"}
)

// folder makes one of the files that tell what is in it.
func folder(t *testing.T, files ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range files {
		write(t, dir, name, name)
	}
	return dir
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	name = filepath.Join(dir, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o755), os.WriteFile(name, []byte(text), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// tree lists the files of a folder, what was there before left out.
func tree(t *testing.T, dir string, before ...string) (files []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() && !slices.Contains(before, name) {
			files = append(files, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func add(t *testing.T, dir string, way Way, replace bool) (*Added, error) {
	t.Helper()
	f, err := Open(dir)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return f.Add(t.Context(), kitFiles, acme, way, replace)
}

func TestAdd(t *testing.T) {
	image := []string{"WINDOWS/system32/Config/SOFTWARE"}
	media := []string{"sources/install.esd"}
	for name, test := range map[string]struct {
		there []string
		way   Way
		want  []string
	}{
		"image, recovery":               {image, Recovery, []string{"Recovery/Customizations/Acme.cat", "Recovery/Customizations/Acme.ppkg"}},
		"recovery in another case":      {append(image, "recovery/CUSTOMIZATIONS/usmt.ppkg"), Recovery, []string{"recovery/CUSTOMIZATIONS/Acme.cat", "recovery/CUSTOMIZATIONS/Acme.ppkg"}},
		"beside a folder of the maker":  {append(image, "Recovery/Customizations/OEM/x"), Recovery, []string{"Recovery/Customizations/Acme.cat", "Recovery/Customizations/Acme.ppkg"}},
		"image, unattend":               {image, Unattend, []string{"WINDOWS/Panther/Unattend.xml", "WINDOWS/Setup/Firstday/Acme.cat", "WINDOWS/Setup/Firstday/Acme.ppkg"}},
		"medium, recovery":              {media, Recovery, []string{"sources/$OEM$/$1/Recovery/Customizations/Acme.cat", "sources/$OEM$/$1/Recovery/Customizations/Acme.ppkg"}},
		"medium, unattend":              {media, Unattend, []string{"Autounattend.xml", "sources/$OEM$/$1/Windows/Setup/Firstday/Acme.cat", "sources/$OEM$/$1/Windows/Setup/Firstday/Acme.ppkg"}},
		"medium with other customizing": {append(media, "sources/$oem$/$$/Setup/x"), Recovery, []string{"sources/$oem$/$1/Recovery/Customizations/Acme.cat", "sources/$oem$/$1/Recovery/Customizations/Acme.ppkg"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, test.there...)
			a, err := add(t, dir, test.way, false)
			if err != nil || a.Unchanged {
				t.Fatal(a, err)
			}
			if got := tree(t, dir, test.there...); !slices.Equal(got, test.want) {
				t.Errorf("%q\nwant %q", got, test.want)
			}
			for _, file := range a.Files {
				if !slices.Contains(test.want, file.Path) {
					t.Errorf("said to be there: %s", file.Path)
				}
			}
			again, err := add(t, dir, test.way, false)
			if err != nil || !again.Unchanged {
				t.Errorf("again: %+v, %v", again, err)
			}
		})
	}
}

// What is there is lost only if the caller says so, and then only what has the
// name of ours, or is in the folder that is ours.
func TestAddReplaces(t *testing.T) {
	for name, test := range map[string]struct {
		way  Way
		path string
		kept string
	}{
		"recovery":                  {Recovery, "Recovery/Customizations/Acme.ppkg", "Recovery/Customizations/usmt.ppkg"},
		"recovery, another case":    {Recovery, "Recovery/Customizations/ACME.PPKG", "Recovery/Customizations/usmt.ppkg"},
		"unattend":                  {Unattend, "Windows/Setup/Firstday/Acme.ppkg", "Windows/Setup/Scripts/SetupComplete.cmd"},
		"unattend, another package": {Unattend, "Windows/Setup/Firstday/Older.ppkg", "Windows/Setup/Scripts/SetupComplete.cmd"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := folder(t, "Windows/System32/config/SOFTWARE", test.path, test.kept)
			before := tree(t, dir)
			if a, err := add(t, dir, test.way, false); !errors.Is(err, ErrOther) || !strings.Contains(err.Error(), test.path) {
				t.Fatal(a, err)
			}
			if after := tree(t, dir); !slices.Equal(before, after) {
				t.Errorf("refused, and changed: %q", after)
			}
			if _, err := add(t, dir, test.way, true); err != nil {
				t.Fatal(err)
			}
			data, err := os.ReadFile(filepath.Join(dir, filepath.Dir(test.path), "Acme.ppkg"))
			if err != nil || string(data) != "the package" {
				t.Errorf("%s, %v", data, err)
			}
			packages := 0
			for _, file := range tree(t, dir) {
				if strings.EqualFold(filepath.Ext(file), ".ppkg") {
					packages++
				}
			}
			if _, err := os.Stat(filepath.Join(dir, test.kept)); err != nil || test.way == Unattend && packages != 1 {
				t.Error(err, tree(t, dir))
			}
		})
	}
}

func TestAddRefuses(t *testing.T) {
	outside := t.TempDir()
	for name, test := range map[string]struct {
		prepare func(t *testing.T, dir string)
		want    error
	}{
		"no Windows":                {func(t *testing.T, dir string) { write(t, dir, "notes.txt", "") }, ErrNotWindows},
		"a folder of that name":     {func(t *testing.T, dir string) { write(t, dir, "sources/install.wim/x", "") }, ErrNotWindows},
		"answers that are no XML":   {func(t *testing.T, dir string) { write(t, dir, "Windows/Panther/unattend.xml", "no") }, ErrAnswerFile},
		"answers of something else": {func(t *testing.T, dir string) { write(t, dir, "Windows/Panther/unattend.xml", "<a/>") }, ErrAnswerFile},
		"answers in UTF-16":         {func(t *testing.T, dir string) { write(t, dir, "Windows/Panther/unattend.xml", "\xff\xfe<\x00") }, ErrAnswerFile},
		"answers that are very long": {func(t *testing.T, dir string) {
			write(t, dir, "Windows/Panther/unattend.xml", strings.Repeat(" ", maxAnswers+1))
		}, ErrAnswerFile},
		"a link out of the folder": {func(t *testing.T, dir string) {
			if err := os.Symlink(outside, filepath.Join(dir, "Windows/Setup")); err != nil {
				t.Fatal(err)
			}
		}, nil},
		"a folder in the place of the package": {func(t *testing.T, dir string) { write(t, dir, "Windows/Setup/Firstday/Acme.ppkg/x", "") }, ErrOther},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if !errors.Is(test.want, ErrNotWindows) {
				write(t, dir, "Windows/System32/config/SOFTWARE", "")
			}
			test.prepare(t, dir)
			before := tree(t, dir)
			if _, err := add(t, dir, Unattend, true); err == nil || test.want != nil && !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if after := tree(t, dir); !slices.Equal(before, after) {
				t.Errorf("refused, and changed: %q", after)
			}
			if there := tree(t, outside); len(there) > 0 {
				t.Errorf("written outside: %q", there)
			}
		})
	}
}

// A kit that changes under our hands leaves nothing behind.
func TestAddOfAChangedKit(t *testing.T) {
	dir := folder(t, "Windows/System32/config/SOFTWARE")
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.Add(t.Context(), fails{kitFiles, "Acme.ppkg"}, acme, Recovery, false); !errors.Is(err, kit.ErrIntegrity) {
		t.Error(err)
	}
	if left := tree(t, dir, "Windows/System32/config/SOFTWARE"); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// Where there is no room for the new package, the old one stays.
func TestReplaceKeepsTheOldUntilTheNewIsThere(t *testing.T) {
	dir := folder(t, "Windows/System32/config/SOFTWARE", "Windows/Setup/Firstday/Older.ppkg")
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	full := &failsLater{FS: kitFiles}
	if _, err := f.Add(t.Context(), full, acme, Unattend, true); !errors.Is(err, errFull) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "Windows/Setup/Firstday/Older.ppkg")); err != nil {
		t.Error(err)
	}
}

var errFull = errors.New("no room")

// failsLater gives its files once, to be hashed, and not again, to be copied.
type failsLater struct {
	fs.FS
	opened int
}

func (f *failsLater) Open(name string) (fs.File, error) {
	if f.opened++; f.opened > 2 {
		return nil, errFull
	}
	return f.FS.Open(name)
}

// fails gives one file that is not what it was.
type fails struct {
	fs.FS
	name string
}

func (f fails) Open(name string) (fs.File, error) {
	if name == f.name {
		return nil, kit.ErrIntegrity
	}
	return f.FS.Open(name)
}

// An image that wimlib applied, changed here and captured again holds the package.
func TestAddToAnImageOfWimlib(t *testing.T) {
	wimlib := testtool.Need(t, "wimlib-imagex")
	run := func(args ...string) string {
		t.Helper()
		out, err := exec.Command(wimlib, args...).CombinedOutput()
		if err != nil {
			t.Fatalf("wimlib-imagex %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	work := t.TempDir()
	before, after, applied := filepath.Join(work, "install.wim"), filepath.Join(work, "with.wim"), filepath.Join(work, "mount")
	run("capture", folder(t, "Windows/System32/config/SOFTWARE"), before, "Windows 11 Pro")
	run("apply", before, "1", applied)
	if _, err := add(t, applied, Recovery, false); err != nil {
		t.Fatal(err)
	}
	run("capture", applied, after, "Windows 11 Pro")
	if list := run("dir", after, "1"); !strings.Contains(list, "/Recovery/Customizations/Acme.ppkg\n") || !strings.Contains(list, "/Recovery/Customizations/Acme.cat\n") {
		t.Errorf("%s", list)
	}
}
