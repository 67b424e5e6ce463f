package beside

import (
	"regexp"
	"testing"
	"testing/fstest"

	"firstday.dev/signinpage"
)

// Whatever the screen and the words, what stands in the corner leaves the middle to
// Apple's window.
func TestCornerLeavesTheMiddle(t *testing.T) {
	for _, screen := range []rect{
		{0, 0, 640, 480}, {0, 0, 1024, 768}, {0, 0, 1440, 900}, {0, 0, 1512, 982}, {-1920, 200, 1920, 1080}, {0, 0, 5120, 2880}, {0, 0, 900, 1440},
	} {
		for _, button := range []size{{90, 32}, {420, 32}, {4000, 400}} {
			for _, text := range []func(float64) size{nil, func(w float64) size { return size{w, 48} }, func(w float64) size { return size{w + 100, 2000} }} {
				c := arrangeCorner(screen, button, text)
				if c.window.x < screen.x+screen.width*2/3-2*padding || c.window.x+c.window.width > screen.x+screen.width {
					t.Errorf("on %v: from %v to %v", screen, c.window.x, c.window.x+c.window.width)
				}
				if screen.height >= 480 && (c.window.y < screen.y || c.window.y+c.window.height > screen.y+screen.height/4) {
					t.Errorf("on %v: %v high, from %v", screen, c.window.height, c.window.y)
				}
				inside := rect{0, 0, c.window.width, c.window.height}
				for _, r := range []rect{c.text, c.button} {
					if r.width < 0 || r.height < 0 || r.x < inside.x || r.y < inside.y || r.x+r.width > inside.width || r.y+r.height > inside.height {
						t.Errorf("on %v: %v is not in %v", screen, r, inside)
					}
				}
				if c.text.height > 0 && c.text.y < c.button.y+c.button.height {
					t.Errorf("on %v: the text %v is on the button %v", screen, c.text, c.button)
				}
			}
		}
	}
}

func TestPageHasItsPlace(t *testing.T) {
	for screen, want := range map[rect]rect{
		{0, 0, 1440, 900}:   {240, 90, 960, 720},
		{0, 0, 800, 600}:    {48, 48, 704, 504},
		{-1440, 0, 1440, 9}: {-1200, 4.5, 960, 0},
	} {
		if got := arrangePage(screen); got != want {
			t.Errorf("on %v: %v, not %v", screen, got, want)
		}
	}
	for flipped, y := range map[bool]float64{false: 0, true: 72} {
		if got := arrangeOther(size{960, 720}, flipped); got != (rect{0, y, 960, 648}) {
			t.Errorf("the second web view, flipped: %v: %v", flipped, got)
		}
	}
}

func TestPageFilesByAddress(t *testing.T) {
	files := fstest.MapFS{"index.html": {Data: []byte("page")}, "words/de.js": {Data: []byte("words")}, "secret.pem": {Data: []byte("key")}}
	for address, want := range map[string]string{
		pageAddress:                           "page",
		"firstday://page/index.html":          "page",
		"firstday://page/words/de.js":         "words",
		"firstday://page/words/../index.html": "",
		"firstday://page/../index.html":       "",
		"firstday://page/secret.pem":          "",
		"firstday://page/other.html":          "",
		"firstday://page/":                    "",
		"firstday://page/index.html?x":        "",
		"firstday://other/index.html":         "",
		"https://page/index.html":             "",
		"":                                    "",
	} {
		content, kind, err := pageFile(files, address)
		if string(content) != want || (err == nil) != (want != "") || err == nil && kind == "" {
			t.Errorf("%s: %q, %s, %v", address, content, kind, err)
		}
	}
}

// Each file that the page is made of has its address.
func TestPageIsWhole(t *testing.T) {
	content, _, err := pageFile(signinpage.Files, pageAddress)
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllSubmatch(content, -1)
	if len(found) < 5 {
		t.Fatalf("the page loads %d files", len(found))
	}
	for _, f := range found {
		if data, kind, err := pageFile(signinpage.Files, pageRoot+string(f[1])); err != nil || len(data) == 0 || kind == "" {
			t.Errorf("%s: %q, %v", f[1], kind, err)
		}
	}
}
