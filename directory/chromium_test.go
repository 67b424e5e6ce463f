package directory

import (
	"crypto/sha256"
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/internal/testbrowser"
)

// chromium is a person's browser on the directory's pages.
type chromium struct {
	*testbrowser.Browser
	t    *testing.T
	base string // the directory's pages
	seen map[string]bool
}

func newChromium(t *testing.T, d *Directory) *chromium {
	t.Helper()
	known := sha256.Sum256(d.ca.cert.RawSubjectPublicKeyInfo)
	return &chromium{testbrowser.New(t, base64.StdEncoding.EncodeToString(known[:])), t, d.PagesURL, make(map[string]bool)}
}

// shows waits for the page of a title, and looks at it.
func (c *chromium) shows(title string) {
	c.t.Helper()
	c.SeeTitle(title)
	if strings.HasPrefix(c.Location(), c.base) {
		c.lookAt(title)
	}
}

func (c *chromium) lookAt(title string) {
	c.t.Helper()
	c.Look()
	c.seen[title] = true
}

// screenshots are where pictures of the pages lie, for people to look at.
const screenshots = "../docs/screenshots"

// maxScreenshot bounds a picture, in bytes.
const maxScreenshot = 60 << 10

// picture takes one of the whole page, where the golden files are written.
func (c *chromium) picture(name string, phone, dark bool) {
	c.t.Helper()
	c.Screen(phone, dark)
	if !*update {
		return
	}
	png := c.Picture()
	if len(png) > maxScreenshot {
		c.t.Errorf("%s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(screenshots, name+".png"), png, 0o644); err != nil { //nolint:gosec // documentation
		c.t.Fatal(err)
	}
}
