//go:build !windows

package credprov_test

import (
	"testing"

	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/winetest"
)

// underWine runs tests of this package with a DLL that is registered as the
// installer will register it.
func underWine(t *testing.T, tests string, sources ...string) {
	t.Helper()
	p := winetest.New(t)
	testcredprov.Install(t, p, `Program Files\Firstday\Agent\1.2.3`, sources...)
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
	underWine(t, "Tile", testcredprov.AnybodyIsTheAgent, testcredprov.SomebodyLogsOn)
}

// As shipped, but that anybody is taken for the agent.
func TestTileWithoutNegotiateUnderWine(t *testing.T) {
	t.Parallel()
	underWine(t, "NoLogon", testcredprov.AnybodyIsTheAgent)
}

// As shipped.
func TestShippedDLLUnderWine(t *testing.T) {
	t.Parallel()
	underWine(t, "Shipped")
}
