package console

import (
	"encoding/base64"
	"encoding/hex"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testbrowser"
)

var update = flag.Bool("update", false, "take the pictures in docs/screenshots anew")

// chromium is an administrator's browser on the console.
type chromium struct {
	*testbrowser.Browser
	t *testing.T
	d *desk
}

func newChromium(t *testing.T, d *desk) *chromium {
	t.Helper()
	pin, err := hex.DecodeString(strings.TrimPrefix(d.At.Pin, "sha256:"))
	if err != nil {
		t.Fatal(err)
	}
	c := &chromium{testbrowser.New(t, base64.StdEncoding.EncodeToString(pin)), t, d}
	if d.cookies[d.role] != nil {
		c.as(d.role)
	}
	return c
}

// as signs somebody in.
func (c *chromium) as(role api.Role) {
	c.t.Helper()
	cookie := c.d.cookies[role]
	c.Cookie(c.d.At.URL, cookie.Name, cookie.Value)
}

// visit opens a page of the console, and looks at it.
func (c *chromium) visit(path, title string) {
	c.t.Helper()
	c.Open(c.d.At.URL + Path + path)
	c.shows(title)
}

// shows waits for the page of a title, and looks at it as somebody would who cannot
// see it well.
func (c *chromium) shows(title string) {
	c.t.Helper()
	c.SeeTitle(title)
	c.Look()
	c.Axe(title)
}

// live waits until the page hears of news.
func (c *chromium) live() {
	c.t.Helper()
	c.Await(`document.documentElement.dataset.live == "on"`)
}

// screenshots are where pictures of the pages lie, for people to look at.
const screenshots = "../../docs/screenshots"

// maxScreenshot bounds a picture, in bytes.
const maxScreenshot = 120 << 10

// picture takes one of the window, where pictures are taken anew. It looks at the page
// in that light in any case.
func (c *chromium) picture(name string, phone, dark bool) {
	c.t.Helper()
	c.Screen(phone, dark)
	c.Look()
	c.Axe(name)
	if !*update {
		return
	}
	png := c.Picture()
	if len(png) > maxScreenshot {
		c.t.Errorf("%s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(screenshots, "console-"+name+".png"), png, 0o644); err != nil { //nolint:gosec // documentation
		c.t.Fatal(err)
	}
}
