package testbrowser

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var colour = regexp.MustCompile(`--([a-z-]+): #([0-9a-f]{3,6});`)

// Contrast fails the test where people with weak eyes could not read, light or dark
// (WCAG 2.2, 1.4.3 and 1.4.11). It is told which contrasts there are at least: that of
// --ink on --paper is called "ink on paper". The colours stand before the first rule
// for *.
func Contrast(tb testing.TB, style string, least map[string]float64) {
	tb.Helper()
	colours, _, _ := strings.Cut(style, "* {")
	light, dark, found := strings.Cut(colours, "@media (prefers-color-scheme: dark)")
	if !found {
		tb.Fatal("there is no dark scheme")
	}
	for scheme, css := range map[string]string{"light": light, "dark": dark} {
		found := make(map[string]float64)
		for _, m := range colour.FindAllStringSubmatch(css, -1) {
			found[m[1]] = luminance(tb, m[2])
		}
		for pair, wanted := range least {
			front, back, _ := strings.Cut(pair, " on ")
			a, okA := found[front]
			b, okB := found[back]
			if !okA || !okB {
				tb.Fatalf("%s: there are no colours for %s", scheme, pair)
			}
			if got := (max(a, b) + 0.05) / (min(a, b) + 0.05); got < wanted {
				tb.Errorf("%s: %s has a contrast of %.2f, less than %.1f", scheme, pair, got, wanted)
			}
		}
	}
}

// luminance is the relative luminance of a colour (WCAG 2.2).
func luminance(tb testing.TB, digits string) float64 {
	tb.Helper()
	if len(digits) == 3 {
		digits = string([]byte{digits[0], digits[0], digits[1], digits[1], digits[2], digits[2]})
	}
	var sum float64
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		n, err := strconv.ParseUint(digits[2*i:2*i+2], 16, 8)
		if err != nil {
			tb.Fatal(err)
		}
		channel := float64(n) / 255
		if channel <= 0.04045 {
			channel /= 12.92
		} else {
			channel = math.Pow((channel+0.055)/1.055, 2.4)
		}
		sum += weight * channel
	}
	return sum
}
