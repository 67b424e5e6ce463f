package directory

import (
	"testing"

	"firstday.dev/internal/testbrowser"
)

// People with weak eyes read the pages.
func TestContrast(t *testing.T) {
	style, err := pageFiles.ReadFile("pages/style.css")
	if err != nil {
		t.Fatal(err)
	}
	testbrowser.Contrast(t, string(style), map[string]float64{
		"ink on paper": 4.5, "soft on paper": 4.5, "accent on paper": 4.5, "on-accent on accent": 4.5, "bad on bad-ground": 4.5,
		"line on paper": 3, "bad on paper": 3,
	})
}
