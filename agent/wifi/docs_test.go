package wifi

import (
	"os"
	"strings"
	"testing"
)

func TestDocsNameEveryCode(t *testing.T) {
	text, err := os.ReadFile("../../docs/macos-wifi.md")
	if err != nil {
		t.Fatal(err)
	}
	var words []string
	for _, c := range []Code{CodePassword, CodeNotFound, CodeTimeout, CodeIdentity, CodeNoAddress, CodeRefused, CodeFailed} {
		words = append(words, string(c))
	}
	for _, w := range []Withheld{WithheldLocation, WithheldOff, WithheldFailed} {
		words = append(words, string(w))
	}
	for _, w := range words {
		if !strings.Contains(string(text), "\n| `"+w+"` |") {
			t.Errorf("docs/macos-wifi.md does not say what %s means", w)
		}
	}
}
