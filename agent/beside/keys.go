package beside

import "unicode/utf8"

// ansiA is where the letter A is on most keyboards (kVK_ANSI_A, HIToolbox/Events.h).
const ansiA = 0

// isA tells the key with the letter A or, in layouts that have no Latin letters, the
// one where it is on others, as native/window.m of the plug-in does.
func isA(letter string, place uint16) bool {
	if letter == "" || letter[0] >= utf8.RuneSelf {
		return place == ansiA
	}
	return letter == "a" || letter == "A"
}
