//go:build !windows

package window

import (
	"fmt"
	"testing"

	"firstday.dev/internal/winetest"
)

func TestPicturesUnderWine(t *testing.T) {
	p := winetest.NewOnDisplay(t, 2048, 1536)
	agent := winetest.Build(t, "firstday.dev/cmd/firstday-agent", "amd64")
	tests := winetest.BuildTest(t, ".")
	dir := "/tmp/window-pictures"
	p.Run(t.TempDir(), `reg.exe add "HKCU\Software\Wine\Fonts\Replacements" /v "Segoe UI" /d "Open Sans" /f`)
	res := p.Run(t.TempDir(), fmt.Sprintf(`%s -test.run=^TestWindowsPictures -test.v -test.timeout=2m -agent=%s -pictures=%s`, p.Command(tests), p.Command(agent), p.Command(dir)))
	t.Log(res.Stdout)
	if res.Code != 0 {
		t.Errorf("code %d\n%s", res.Code, res.Stderr)
	}
}
