package testbrowser

import (
	"testing"

	"github.com/chromedp/cdproto/log"
)

func TestIsRefusedPage(t *testing.T) {
	const refused = "Failed to load resource: the server responded with a status of 403 ()"
	for _, c := range []struct {
		text, url string
		want      bool
	}{
		{refused, "https://a.example/signin/step", true},
		{refused, "https://a.example/callback?code=eyJhbGciOi.jsd7j4v.cssQ", true}, // a token that happens to read like a file
		{refused, "https://a.example/assets/page.js", false},
		{refused, "https://a.example/assets/page.css?v=1", false},
		{"Failed to load resource: the server responded with a status of 500 ()", "https://a.example/signin/step", false},
		{"Failed to load resource: net::ERR_FAILED", "https://a.example/", false},
	} {
		if got := isRefusedPage(&log.Entry{Text: c.text, URL: c.url}); got != c.want {
			t.Errorf("%s %s: %v", c.text, c.url, got)
		}
	}
}
