//go:build !windows

package loginplugin_test

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/loginplugin"
	"firstday.dev/internal/propertylist"
	"firstday.dev/internal/testloginplugin"
	"firstday.dev/signinpage"
)

// build builds the bundle, and gives its folder.
func build(t *testing.T) string {
	t.Helper()
	return testloginplugin.Build(t, "1.2.3")
}

// files gives what is in a bundle, with the modes.
func files(t *testing.T, bundle string) map[string]string {
	t.Helper()
	all := make(map[string]string)
	err := filepath.WalkDir(bundle, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		name, _ := filepath.Rel(bundle, path)
		text := info.Mode().String() + " "
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += string(data)
		}
		all[name] = text
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestBuildIsReproducible(t *testing.T) {
	first, second := files(t, build(t)), files(t, build(t))
	home, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range first {
		if second[name] != text {
			t.Errorf("%s differs from itself", name)
		}
		if strings.Contains(text, filepath.Dir(filepath.Dir(home))) {
			t.Errorf("%s tells where it was built", name)
		}
	}
	var names []string
	for name, text := range first {
		mode, _, _ := strings.Cut(text, " ")
		names = append(names, mode+" "+name)
	}
	slices.Sort(names)
	want := []string{
		"-rw-r--r-- Contents/Info.plist", "-rwxr-xr-x Contents/MacOS/FirstdayLogin", "drwxr-xr-x .", "drwxr-xr-x Contents", "drwxr-xr-x Contents/MacOS", "drwxr-xr-x Contents/Resources",
	}
	err = fs.WalkDir(signinpage.Files, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case d.IsDir():
			want = append(want, "drwxr-xr-x Contents/Resources/"+name)
		default:
			want = append(want, "-rw-r--r-- Contents/Resources/"+name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(want)
	if diff := cmp.Diff(want, names); diff != "" || len(second) != len(first) {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestInfo(t *testing.T) {
	bundle := build(t)
	data, err := os.ReadFile(filepath.Join(bundle, "Contents", "Info.plist"))
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := propertylist.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"CFBundleDevelopmentRegion": "en", "CFBundleExecutable": filepath.Base(testloginplugin.Program(bundle)), "CFBundleIdentifier": "dev.firstday.login",
		"CFBundleInfoDictionaryVersion": "6.0", "CFBundleName": "FirstdayLogin", "CFBundlePackageType": "BNDL",
		"CFBundleShortVersionString": "1.2.3", "CFBundleVersion": "1.2.3", "LSMinimumSystemVersion": "12.0",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if filepath.Base(authdb.BundlePath) != loginplugin.Bundle {
		t.Errorf("authd looks for %s", authdb.BundlePath)
	}
}

// A version goes into a script's and a compiler's arguments.
func TestBuildRefusesOddVersions(t *testing.T) {
	for _, version := range []string{`1"`, "1;x", "1 2", "$(x)", "1/../.."} {
		dir := t.TempDir()
		out, err := exec.Command("./build.sh", dir, version).CombinedOutput()
		if left, _ := os.ReadDir(dir); err == nil || !strings.Contains(string(out), "is no version") || len(left) > 0 {
			t.Errorf("%q: %v, %s", version, err, out)
		}
	}
}

// As the linker signs it.
func TestShippedCode(t *testing.T) {
	testloginplugin.CheckShipped(t, build(t), "FirstdayLogin")
}
