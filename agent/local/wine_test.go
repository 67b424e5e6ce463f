//go:build !windows

package local

import (
	"testing"

	"firstday.dev/internal/winetest"
)

// This package's tests for Windows, on Windows as Wine makes it.
func TestUnderWine(t *testing.T) {
	p := winetest.New(t)
	res := p.Run(t.TempDir(), p.Command(winetest.BuildTest(t, "."))+" -test.run=^TestWindows -test.v -test.timeout=2m")
	t.Log(res.Stdout)
	if res.Code != 0 {
		t.Errorf("code %d\n%s", res.Code, res.Stderr)
	}
}
