package testcredprov

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"firstday.dev/agent/credprov"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
	"firstday.dev/signing"
)

// File is what the DLL is called on devices.
const File = credprov.File

// sources is the package with them.
const sources = "firstday.dev/agent/credprov"

// Build builds the DLLs, and gives their folder.
func Build(tb testing.TB, version string) string {
	tb.Helper()
	Need(tb)
	dir := tb.TempDir()
	if err := Compile(dir, version); err != nil {
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
	root, err := testtool.Folder(sources)
	if err != nil {
		tb.Fatal(err)
	}
	for _, dir := range []string{root, filepath.Join(root, "..", "local", "reference")} {
		testtool.See(tb, dir)
	}
}

// Compile is Build for programs that are no tests.
func Compile(dir, version string) error {
	root, err := testtool.Folder(sources)
	if err != nil {
		return err
	}
	if out, err := exec.Command(filepath.Join(root, "build.sh"), dir, version).CombinedOutput(); err != nil {
		return fmt.Errorf("building the credential provider: %w\n%s", err, out)
	}
	return nil
}

// Install puts the DLL into a folder of the prefix such as `Program Files\Firstday\Agent\1.2.3`,
// signed by somebody or by nobody, and registers it for COM.
func Install(tb testing.TB, p *winetest.Prefix, folder string, signer *testpki.Entity) {
	tb.Helper()
	dll, err := os.ReadFile(filepath.Join(Build(tb, "1.2.3"), "firstday-credprov-amd64.dll"))
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.MkdirAll(p.Path(folder), 0o755); err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Path(folder), File), Sign(tb, dll, signer), 0o644); err != nil {
		tb.Fatal(err)
	}
	for _, value := range []string{fmt.Sprintf(`/ve /d "C:\%s\%s"`, folder, File), `/v ThreadingModel /d Apartment`} {
		if res := p.Run(tb.TempDir(), fmt.Sprintf(`reg.exe add HKLM\SOFTWARE\Classes\CLSID\%s\InprocServer32 %s /f`, credprov.CLSID, value)); res.Code != 0 {
			tb.Fatalf("%+v", res)
		}
	}
}

// Sign signs a program as somebody, or leaves it as it is for nobody.
func Sign(tb testing.TB, program []byte, signer *testpki.Entity) []byte {
	tb.Helper()
	if signer == nil {
		return program
	}
	out, err := os.Create(filepath.Join(tb.TempDir(), "signed"))
	if err != nil {
		tb.Fatal(err)
	}
	id := &signing.Identity{Chain: signer.Chain, Signer: signer.Key}
	err = signing.SignPE(tb.Context(), bytes.NewReader(program), int64(len(program)), out, id, signing.Options{})
	if err := errors.Join(err, out.Close()); err != nil {
		tb.Fatal(err)
	}
	signed, err := os.ReadFile(out.Name())
	if err != nil {
		tb.Fatal(err)
	}
	return signed
}
