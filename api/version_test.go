package api

import (
	"strings"
	"testing"
)

func TestVersionsInOrder(t *testing.T) {
	// The first ten are semver.org's own example, and what surrounds it.
	order := []string{
		"0.0.0", "0.1.0-dev", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "18446744073709551616.0.0",
	}
	for i, a := range order {
		if !IsVersion(a) {
			t.Errorf("%q was refused", a)
		}
		for j, b := range order {
			want := map[bool]int{i < j: -1, i > j: 1, i == j: 0}[true]
			if got := CompareVersions(a, b); got != want {
				t.Errorf("CompareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
	if CompareVersions("1.0.0+a", "1.0.0+b") != 0 {
		t.Error("builds differ")
	}
	for _, v := range []string{"", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3/..", "../1.2.3", "1.2.3 ", strings.Repeat("1", 65) + ".0.0", "devel"} {
		if IsVersion(v) {
			t.Errorf("%q was accepted", v)
		}
	}
}
