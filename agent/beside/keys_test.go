package beside

import "testing"

// Whoever has a keyboard without Latin letters gets back to Apple's window, too.
func TestTheKeyThatLeadsBack(t *testing.T) {
	for _, c := range []struct {
		layout, letter string
		place          uint16
		want           bool
	}{
		{"English", "a", 0, true},
		{"English, with Shift", "A", 0, true},
		{"English, another key", "s", 1, false},
		{"French", "a", 12, true},
		{"French, another key", "q", 0, false},
		{"Russian", "\u0444", 0, true},
		{"Russian, another key", "\u044b", 1, false},
		{"Arabic", "\u0634", 0, true},
		{"a dead key", "", 0, true},
	} {
		if got := isA(c.letter, c.place); got != c.want {
			t.Errorf("%s: %q at %d: %v", c.layout, c.letter, c.place, got)
		}
	}
}
