package console

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"strings"
	"testing"

	"firstday.dev/internal/testbrowser"
)

// idiomorphSum is that of dist/idiomorph.min.js in npm's idiomorph-0.8.0.tgz, which
// has itself the SHA-256 c2b48584153f0167b5c98cb815576338ccd82a97378e53fbf29d139dfd67207e.
const idiomorphSum = "4cbd535caf7663a51eda9bce6595371c384fc430d54b8d414e29a61167f19f96"

// What others wrote is as they published it.
func TestIdiomorphIsAsPublished(t *testing.T) {
	sum := sha256.Sum256(assets["idiomorph.js"].plain)
	if got := hex.EncodeToString(sum[:]); got != idiomorphSum {
		t.Errorf("idiomorph.js has the SHA-256 %s", got)
	}
}

// Assets are kept for ever under the address of what they hold, and not at all under
// another.
func TestAssets(t *testing.T) {
	d := newDesk(t)
	d.role = ""
	for name, a := range assets {
		got := d.get(strings.TrimPrefix(assetAddress(name), Path))
		if got.StatusCode != http.StatusOK || got.text != string(a.plain) || got.Header.Get("Cache-Control") != "public, max-age=31536000, immutable" || got.Header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: %d, %v", name, got.StatusCode, got.Header)
		}
		if old := d.get("assets/0000/" + name); old.Header.Get("Cache-Control") != "no-store" {
			t.Errorf("%s of another version is kept", name)
		}
	}
	for _, path := range []string{"assets/x/nothing", "assets/", "assets/x/..%2fpages%2fhome.html"} {
		if got := d.get(path); got.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", path, got.StatusCode)
		}
	}
}

func TestContrast(t *testing.T) {
	testbrowser.Contrast(t, string(assets["style.css"].plain), map[string]float64{
		"ink on paper": 4.5, "ink on ground": 4.5, "ink on chosen": 4.5, "soft on paper": 4.5, "soft on ground": 4.5,
		"accent on paper": 4.5, "accent on ground": 4.5, "on-accent on accent": 4.5, "on-bad on bad": 4.5,
		"good on good-ground": 4.5, "wait on wait-ground": 4.5, "bad on bad-ground": 4.5, "bad on ground": 4.5, "line on paper": 3,
	})
}
