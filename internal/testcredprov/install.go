package testcredprov

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/agent/credprov"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
	"firstday.dev/signing"
)

// File is what the DLL is called on devices.
const File = "firstday-credprov.dll"

// Build builds the DLLs, and gives their folder.
func Build(tb testing.TB, version string) string {
	tb.Helper()
	for _, tool := range []string{"clang", "lld-link", "llvm-dlltool"} {
		testtool.Need(tb, tool)
	}
	home, err := exec.Command("go", "list", "-f", "{{.Dir}}", "firstday.dev/agent/credprov").Output()
	if err != nil {
		tb.Fatal(err)
	}
	root := strings.TrimSpace(string(home))
	for _, sources := range []string{root, filepath.Join(root, "..", "local", "reference")} {
		see(tb, sources)
	}
	dir := tb.TempDir()
	if out, err := exec.Command(filepath.Join(root, "build.sh"), dir, version).CombinedOutput(); err != nil {
		tb.Fatalf("%v: %s", err, out)
	}
	return dir
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

// Install puts the DLL into a folder of the prefix such as `Program Files\Firstday\Agent\1.2.3`,
// signed by somebody or by nobody, and registers it for COM. It gives the path.
func Install(tb testing.TB, p *winetest.Prefix, folder string, signer *testpki.Entity) string {
	tb.Helper()
	built := filepath.Join(Build(tb, "1.2.3"), "firstday-credprov-amd64.dll")
	dll := filepath.Join(p.Path(folder), File)
	Place(tb, built, dll, signer)
	for _, value := range []string{fmt.Sprintf(`/ve /d "C:\%s\%s"`, folder, File), `/v ThreadingModel /d Apartment`} {
		if res := p.Run(tb.TempDir(), fmt.Sprintf(`reg.exe add HKLM\SOFTWARE\Classes\CLSID\%s\InprocServer32 %s /f`, credprov.CLSID, value)); res.Code != 0 {
			tb.Fatalf("%+v", res)
		}
	}
	return dll
}

// Place copies a program to where it is installed, signed by somebody or by
// nobody.
func Place(tb testing.TB, program, path string, signer *testpki.Entity) {
	tb.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		tb.Fatal(err)
	}
	out, err := os.Create(path)
	if err != nil {
		tb.Fatal(err)
	}
	if signer == nil {
		_, err = out.Write(data)
	} else {
		err = signing.SignPE(tb.Context(), bytes.NewReader(data), int64(len(data)), out, &signing.Identity{Chain: signer.Chain, Signer: signer.Key}, signing.Options{})
	}
	if err := errors.Join(err, out.Close()); err != nil {
		tb.Fatal(err)
	}
}
