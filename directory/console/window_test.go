package console

import (
	"net/http"
	"regexp"
	"strings"
	"testing"
)

// The Mac's window is whole, the same for everybody, and shut in: it may be framed by
// us alone, loads nothing but its own files, and sends nothing.
func TestWindowIsShutIn(t *testing.T) {
	d := newDesk(t)
	d.role = ""
	index := d.get("window/index.html")
	found := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(index.text, -1)
	if index.StatusCode != http.StatusOK || len(found) < 10 || found[1][1] != standIn {
		t.Fatalf("%d, with %q:\n%s", index.StatusCode, found, index.text)
	}
	for _, file := range append(found, []string{"", "index.html"}) {
		a := d.get("window/" + file[1])
		if a.StatusCode != http.StatusOK || a.Header.Get("Content-Security-Policy") != windowPolicy || a.Header.Get("X-Frame-Options") != "SAMEORIGIN" || a.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, %v", file[1], a.StatusCode, a.Header)
		}
	}
	for _, must := range []string{"default-src 'none'", "sandbox allow-scripts allow-forms", "form-action 'none'", "frame-ancestors 'self'"} {
		if !strings.Contains(windowPolicy, must) {
			t.Errorf("the policy lacks %s", must)
		}
	}
	if strings.Contains(windowPolicy, "same-origin") || strings.Contains(windowPolicy, "connect-src") {
		t.Errorf("the frame gets at more than its own: %s", windowPolicy)
	}
	for _, name := range []string{"", "words", "words/", "../window.go", "recorded.json", "files.go", "index.html/", "%2e%2e/assets"} {
		if a := d.get("window/" + name); a.StatusCode == http.StatusOK {
			t.Errorf("%q is there", name)
		}
	}
}
