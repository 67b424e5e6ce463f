//go:build !windows

package credprov

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/internal/winetest"
)

const versionFolder = `Program Files\Firstday\Agent\1.2.3`

// underWine runs tests of this package with a DLL that is registered as the
// installer will register it.
func underWine(t *testing.T, tests string, sources ...string) {
	t.Helper()
	name := "firstday-credprov-amd64.dll"
	if len(sources) > 0 {
		name = "test-credprov-amd64.dll"
	}
	dll, err := os.ReadFile(filepath.Join(build(t, "1.2.3", sources...), name))
	if err != nil {
		t.Fatal(err)
	}
	p := winetest.New(t)
	if err := os.MkdirAll(p.Path(versionFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Path(versionFolder), "firstday-credprov.dll"), dll, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{fmt.Sprintf(`/ve /d "C:\%s\firstday-credprov.dll"`, versionFolder), `/v ThreadingModel /d Apartment`} {
		if res := p.Run(t.TempDir(), fmt.Sprintf(`reg.exe add HKLM\SOFTWARE\Classes\CLSID\%s\InprocServer32 %s /f`, CLSID, value)); res.Code != 0 {
			t.Fatalf("%+v", res)
		}
	}
	res := p.Run(t.TempDir(), p.Command(winetest.BuildTest(t, "."))+" -test.run=^TestWindows"+tests+" -test.v -test.timeout=150s")
	t.Log(res.Stdout)
	if res.Code != 0 {
		t.Errorf("code %d\n%s", res.Code, res.Stderr)
	}
}

// As shipped, but that anybody is taken for the agent, and that there is somebody
// to log on with: Wine has neither services of SYSTEM nor Negotiate.
func TestTileUnderWine(t *testing.T) {
	t.Parallel()
	underWine(t, "Tile", "testdata/nosystem/peer.c", "testdata/nolsa/logon.c")
}

// As shipped, but that anybody is taken for the agent.
func TestTileWithoutNegotiateUnderWine(t *testing.T) {
	t.Parallel()
	underWine(t, "NoLogon", "testdata/nosystem/peer.c")
}

// As shipped.
func TestShippedDLLUnderWine(t *testing.T) {
	t.Parallel()
	underWine(t, "Shipped")
}
