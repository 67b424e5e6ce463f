package testcredprov

import (
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/agent/credprov"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
)

// Sources that take the place of shipped ones under Wine, where no service is
// SYSTEM and Negotiate is not known.
const (
	AnybodyIsTheAgent = "testdata/nosystem/peer.c"
	SomebodyLogsOn    = "testdata/nolsa/logon.c"
)

// File is what the DLL is called on devices.
const File = "firstday-credprov.dll"

// Build builds the DLLs, with sources of tests in place of shipped ones, and
// gives their folder.
func Build(tb testing.TB, version string, sources ...string) string {
	tb.Helper()
	Need(tb)
	dir := tb.TempDir()
	if err := Compile(dir, version, sources...); err != nil {
		tb.Fatal(err)
	}
	return dir
}

// Need is for tests that have the DLLs built: it looks for the tools that do it.
func Need(tb testing.TB) {
	tb.Helper()
	for _, tool := range []string{"clang", "lld-link", "llvm-dlltool"} {
		testtool.Need(tb, tool)
	}
	root, err := sourceFolder()
	if err != nil {
		tb.Fatal(err)
	}
	for _, sources := range []string{root, filepath.Join(root, "..", "local", "reference")} {
		see(tb, sources)
	}
}

// Compile is Build for programs that are no tests.
func Compile(dir, version string, sources ...string) error {
	root, err := sourceFolder()
	if err != nil {
		return err
	}
	args := []string{dir, version}
	for _, s := range sources {
		args = append(args, filepath.Join(root, s))
	}
	if out, err := exec.Command(filepath.Join(root, "build.sh"), args...).CombinedOutput(); err != nil {
		return fmt.Errorf("building the credential provider: %w\n%s", err, out)
	}
	return nil
}

func sourceFolder() (string, error) {
	home, err := exec.Command("go", "list", "-f", "{{.Dir}}", "firstday.dev/agent/credprov").Output()
	return strings.TrimSpace(string(home)), err
}

// see looks at files that only other programs read: go test keeps a result as
// long as what the test has looked at stays the same.
func see(tb testing.TB, dir string) {
	tb.Helper()
	err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err == nil {
			_, err = os.Stat(path)
		}
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// Install puts a DLL into a folder of the prefix such as `Program Files\Firstday\Agent\1.2.3`,
// and registers it for COM.
func Install(tb testing.TB, p *winetest.Prefix, folder string, sources ...string) {
	tb.Helper()
	name := "firstday-credprov-amd64.dll"
	if len(sources) > 0 {
		name = "test-credprov-amd64.dll"
	}
	dll, err := os.ReadFile(filepath.Join(Build(tb, "1.2.3", sources...), name))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(p.Path(folder), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Path(folder), File), dll, 0o644); err != nil {
		tb.Fatal(err)
	}
	for _, value := range []string{fmt.Sprintf(`/ve /d "C:\%s\%s"`, folder, File), `/v ThreadingModel /d Apartment`} {
		if res := p.Run(tb.TempDir(), fmt.Sprintf(`reg.exe add HKLM\SOFTWARE\Classes\CLSID\%s\InprocServer32 %s /f`, credprov.CLSID, value)); res.Code != 0 {
			tb.Fatalf("%+v", res)
		}
	}
}
