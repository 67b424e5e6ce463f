package agent

import (
	"cmp"
	"regexp"
	"strings"
)

// versionPattern is the grammar of semver.org, as its authors publish it.
var versionPattern = regexp.MustCompile(`^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)` +
	`(?:-((?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*)(?:\.(?:0|[1-9]\d*|\d*[a-zA-Z-][0-9a-zA-Z-]*))*))?` +
	`(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?$`)

// isVersion accepts semantic versions short enough for a folder name.
func isVersion(v string) bool { return len(v) <= 64 && versionPattern.MatchString(v) }

// compareVersions orders two valid versions by precedence (semver.org §11).
// Builds of one version that differ only behind the "+" are equal.
func compareVersions(a, b string) int {
	x, y := versionPattern.FindStringSubmatch(a), versionPattern.FindStringSubmatch(b)
	if x == nil || y == nil { // callers check first; an order all the same
		return strings.Compare(a, b)
	}
	for i := 1; i <= 3; i++ {
		if c := compareNumbers(x[i], y[i]); c != 0 {
			return c
		}
	}
	switch pre, other := x[4], y[4]; {
	case pre == other:
		return 0
	case pre == "": // a release comes after its candidates
		return 1
	case other == "":
		return -1
	default:
		return comparePreReleases(strings.Split(pre, "."), strings.Split(other, "."))
	}
}

func comparePreReleases(a, b []string) int {
	for i := range min(len(a), len(b)) {
		numA, numB := isNumber(a[i]), isNumber(b[i])
		var c int
		switch {
		case numA && numB:
			c = compareNumbers(a[i], b[i])
		case numA: // numbers come before words
			c = -1
		case numB:
			c = 1
		default:
			c = strings.Compare(a[i], b[i])
		}
		if c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// compareNumbers compares decimal numbers of any length without leading zeros.
func compareNumbers(a, b string) int {
	return cmp.Or(cmp.Compare(len(a), len(b)), strings.Compare(a, b))
}

func isNumber(s string) bool { return strings.Trim(s, "0123456789") == "" }
