//go:build unix

package page

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/api"
)

var update = flag.Bool("update", false, "write the pictures in docs/screenshots anew")

// screenshots are where pictures of the window lie, for people to look at.
const screenshots = "../../docs/screenshots"

// maxScreenshot bounds a picture, in bytes.
const maxScreenshot = 90 << 10

// picture takes one in a theme, where the pictures are made.
func (w *window) picture(name string, theme ...string) {
	w.t.Helper()
	if !*update {
		return
	}
	w.Prefer(theme...)
	defer w.Prefer(themes[0]...)
	png := w.Picture()
	if len(png) > maxScreenshot {
		w.t.Errorf("%s has %d bytes", name, len(png))
	}
	if err := os.WriteFile(filepath.Join(screenshots, "macos-"+name+".png"), png, 0o644); err != nil { //nolint:gosec // documentation
		w.t.Fatal(err)
	}
}

// A Mac's first day in pictures, which docs/macos-login.md shows.
func pictures(t *testing.T, s *sight) {
	light, dark := themes[0], themes[1]
	m := newMac(t)
	m.Change(func(s *api.Settings) { s.MacOS.Text = "Questions? Call 4711." })
	m.hears()
	w := s.opens(m)
	w.See("María Müller")
	w.See("Sign in once")
	w.Run(`document.activeElement.blur()`)
	w.picture("ready", light...)
	w.picture("ready-dark", dark...)
	w.picture("ready-contrast", "prefers-contrast", "more", "forced-colors", "active")
	for tag, name := range map[string]string{"de": "german", "ar": "arabic"} {
		w.Run(`words.use(` + quote(tag) + `), drawAll(), document.activeElement.blur()`)
		w.picture("ready-"+name, light...)
	}
	w.Run(`words.use("en"), drawAll()`)
	w.Click("#network")
	w.See("with a password")
	w.picture("network", light...)
	w.Run(`words.use("ar"), drawAll()`)
	w.picture("network-arabic-dark", dark...)
	w.Run(`words.use("en"), drawAll()`)
	w.Key("\x1b")
	w.Click("#info")
	w.See("ACME-MAC-1")
	w.picture("info", light...)
	w.Key("\x1b")
	w.Click("button[value=start]")
	w.wished(Show)
	w.picture("page", light...)
	w.Click("#visit button[value=elsewhere]")
	w.wished(Shut)
	w.See("Time left")
	w.picture("waiting", light...)
	w.picture("waiting-dark", dark...)
	number, err := m.MustHire("ann").SignIn(t.Context(), w.At, w.signIn.Screen().QR)
	if err != nil {
		t.Fatal(err)
	}
	w.See("Type the number")
	w.picture("number", light...)
	w.Write("input[name=number]", number+"\n")
	w.See("At least 8 characters")
	w.Write("input[name=password]", "of this device")
	w.picture("password", light...)
	w.Write("input[name=again]", "of that device\n")
	w.See("The two passwords are not the same.")
	w.picture("password-refused-dark", dark...)
}
