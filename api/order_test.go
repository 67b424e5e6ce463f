package api

import (
	"strings"
	"testing"
)

// FoldSerial and strings.EqualFold agree: a key and an order tell the same serial
// numbers apart.
func FuzzFoldSerial(f *testing.F) {
	f.Add("S1", "s1")
	f.Add("\u212aelvin", "kelvin")
	f.Add("straße", "STRASSE")
	f.Add("ſ", "S")
	f.Add("Σίσυφος", "ΣΊΣΥΦΟΣ")
	f.Add("\xff", "\ufffd")
	f.Fuzz(func(t *testing.T, a, b string) {
		if got, want := FoldSerial(a) == FoldSerial(b), strings.EqualFold(strings.TrimSpace(a), strings.TrimSpace(b)); got != want {
			t.Errorf("%q and %q: the same is %v, want %v", a, b, got, want)
		}
		if FoldSerial(" "+FoldSerial(a)) != FoldSerial(a) {
			t.Errorf("%q folds to %q, and that to %q", a, FoldSerial(a), FoldSerial(FoldSerial(a)))
		}
	})
}
