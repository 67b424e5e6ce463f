//go:build !windows

package window

import (
	"flag"
	"fmt"
	"image"
	_ "image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/image/draw"

	"firstday.dev/agent/signin"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
)

var update = flag.Bool("update", false, "write the pictures in docs/screenshots anew")

// screenshots is where pictures of the window are kept.
const screenshots = "../../docs/screenshots"

// desktop is a Windows with a screen, and the programs to run on it.
type desktop struct {
	*winetest.Prefix
	t            *testing.T
	agent, tests string
}

func newDesktop(t *testing.T) *desktop {
	d := &desktop{t: t, Prefix: winetest.NewOnDisplay(t, 2048, 1536)}
	d.agent, d.tests = winetest.Build(t, "firstday.dev/cmd/firstday-agent", "amd64"), winetest.BuildTest(t, ".")
	// Windows' own typeface is not free.
	d.registry(`HKCU\Software\Wine\Fonts\Replacements`, "Segoe UI", "REG_SZ", "Liberation Sans")
	return d
}

func (d *desktop) registry(key, name, kind, value string) {
	d.t.Helper()
	if res := d.Run(d.t.TempDir(), fmt.Sprintf(`reg.exe add "%s" /v "%s" /t %s /d "%s" /f`, key, name, kind, value)); res.Code != 0 {
		d.t.Fatalf("%s: %s", key, res.Stderr)
	}
}

// run runs tests there.
func (d *desktop) run(tests, args string) {
	d.t.Helper()
	res := d.Run(d.t.TempDir(), fmt.Sprintf(`%s "-test.run=%s" -test.v -test.timeout=150s -agent=%s %s`, d.Command(d.tests), tests, d.Command(d.agent), args))
	d.t.Log(res.Stdout)
	if res.Code != 0 {
		d.t.Errorf("code %d\n%s", res.Code, res.Stderr)
	}
}

func TestUnderWine(t *testing.T) {
	t.Parallel()
	newDesktop(t).run("^TestWindows[^P]", "")
}

// The window with the pages, with no runtime, and with a double of one, where the
// installer of the real one says that it is.
func TestWebUnderWine(t *testing.T) {
	t.Parallel()
	d := newDesktop(t)
	d.run("^TestWebFails", "")
	folder := filepath.Join(t.TempDir(), "120.0.2210.61")
	dll := filepath.Join(folder, "EBWebView", "x64", "EmbeddedBrowserWebView.dll")
	if err := os.MkdirAll(filepath.Dir(dll), 0o755); err != nil {
		t.Fatal(err)
	}
	cc := testtool.Need(t, "x86_64-w64-mingw32-gcc")
	if out, err := exec.Command(cc, "-std=gnu11", "-O2", "-Wall", "-Werror", "-shared", "-s", "-o", dll, "testdata/double.c", "-lole32", "-luuid").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	const update = `HKLM\SOFTWARE\WOW6432Node\Microsoft\EdgeUpdate`
	const id = `{F3017226-FE2A-4295-8BDF-00C3A9A7E4C5}`
	d.registry(update+`\Clients\`+id, "pv", "REG_SZ", "0.0.0.0") // as one that was removed leaves it
	d.registry(update+`\ClientState\`+id, "EBWebView", "REG_SZ", strings.Trim(d.Command(folder), `"`))
	d.run("^TestWebFails", "")
	d.registry(update+`\Clients\`+id, "pv", "REG_SZ", "108.0.1462.37")
	d.run("^TestWebFails", "")
	d.registry(update+`\Clients\`+id, "pv", "REG_SZ", "120.0.2210.61")
	d.run("^TestWeb[FSIW]", "-double")
}

// Nobody but the service starts it: elsewhere there is no window, and no word of
// it.
func TestNobodyElseStartsIt(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	agent := p.Command(winetest.Build(t, "firstday.dev/cmd/firstday-agent", "amd64"))
	for _, command := range []string{"signin-window", `signin-web C:\windows`} {
		word, _, _ := strings.Cut(command, " ")
		if res := p.Run(t.TempDir(), agent+" "+command); res.Code != 2 || !strings.HasPrefix(res.Stderr, "error: "+word+" is for the agent's service") || res.Stdout != "" {
			t.Errorf("%+v", res)
		}
	}
	if res := p.Run(t.TempDir(), agent+" --help"); res.Code != 0 || strings.Contains(res.Stdout, "signin-w") {
		t.Errorf("%+v", res)
	}
}

// The window looks as in the documents, and a camera reads its picture: at twice
// the size, and in the colours of high contrast, too.
func TestPicturesUnderWine(t *testing.T) {
	t.Parallel()
	zbar := testtool.Need(t, "zbarimg")
	d := newDesktop(t)
	dir := t.TempDir()
	take := func(suffix string) { d.run("^TestWindowsPictures", "-pictures="+d.Command(dir)+" -suffix="+suffix) }
	d.colours(map[string]string{"Hilight": "0 120 215", "HilightText": "255 255 255"}) // Windows' own
	take("")
	d.registry(`HKCU\Control Panel\Desktop`, "LogPixels", "REG_DWORD", "192")
	take("-200")
	d.registry(`HKCU\Control Panel\Desktop`, "LogPixels", "REG_DWORD", "96")
	d.colours(map[string]string{
		"Window": "0 0 0", "WindowText": "255 255 255", "Hilight": "26 235 255", "HilightText": "0 0 0",
		"ButtonFace": "0 0 0", "ButtonText": "255 255 255", "GrayText": "63 242 63",
	})
	take("-contrast")
	want := screenIn("English", signin.Waiting).QR
	for _, state := range windowStates {
		for _, suffix := range []string{"", "-200", "-contrast"} {
			name := "windows-" + string(state) + suffix + ".png"
			shot := filepath.Join(dir, name)
			if state == signin.Waiting {
				out, err := exec.Command(zbar, "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", shot).Output()
				if read := strings.TrimSpace(string(out)); err != nil || read != want {
					t.Errorf("%s: a camera reads %q, %v", name, read, err)
				}
			}
			compare(t, shot, filepath.Join(screenshots, name))
		}
	}
}

func (d *desktop) colours(all map[string]string) {
	d.t.Helper()
	for name, value := range all {
		d.registry(`HKCU\Control Panel\Colors`, name, "REG_SZ", value)
	}
}

// compare compares pictures as who stands far away: other versions of fonts, and
// another second of the time, make no difference.
func compare(t *testing.T, got, want string) {
	t.Helper()
	if *update {
		data, err := os.ReadFile(got)
		if err == nil {
			err = os.WriteFile(want, data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	a, b := decode(t, got), decode(t, want)
	if near(a.Bounds().Dx(), b.Bounds().Dx()) && near(a.Bounds().Dy(), b.Bounds().Dy()) && difference(a, b) < 12 {
		return
	}
	t.Errorf("%s differs by %d: %v, was %v; -update replaces it", filepath.Base(want), difference(a, b), a.Bounds().Size(), b.Bounds().Size())
}

// near tells lengths that differ by no more than a twentieth.
func near(a, b int) bool { return max(a, b)*19 <= min(a, b)*20 }

func decode(t *testing.T, name string) image.Image {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	m, _, err := image.Decode(f)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// difference is how much two pictures differ, of 255.
func difference(a, b image.Image) int {
	const size = 24
	small := func(m image.Image) *image.RGBA {
		out := image.NewRGBA(image.Rect(0, 0, size, size))
		draw.ApproxBiLinear.Scale(out, out.Bounds(), m, m.Bounds(), draw.Src, nil)
		return out
	}
	x, y, sum := small(a), small(b), 0
	for i := range x.Pix {
		sum += max(int(x.Pix[i])-int(y.Pix[i]), int(y.Pix[i])-int(x.Pix[i]))
	}
	return sum / (size * size * 3)
}
