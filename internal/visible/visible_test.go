package visible

import "testing"

func TestLine(t *testing.T) {
	for in, want := range map[string]string{
		"":                         "",
		"a\tb c":                   "a\tb c",
		"Müller \U0001F600 \uFFFD": "Müller \U0001F600 \uFFFD",
		"a\r\nb":                   `a\r\nb`,
		"\x1b[2J\a\x7f":            `\x1b[2J\a\x7f`,
		"exe.\u202Egpj":            `exe.\u202egpj`,
		"\u0085\u2028\ufeff":       `\u0085\u2028\ufeff`,
		"\xffab\xc3":               `\xffab\xc3`,
	} {
		if got := Line(in); got != want {
			t.Errorf("Line(%q) = %s, want %s", in, got, want)
		}
	}
}
