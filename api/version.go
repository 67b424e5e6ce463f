package api

import (
	"strings"

	"golang.org/x/mod/semver"
)

// maxVersion bounds a version, which also names a folder, in bytes.
const maxVersion = 64

// IsVersion accepts whole semantic versions (semver.org), as agents have them.
func IsVersion(v string) bool {
	core, _, _ := strings.Cut(v, "-")
	core, _, _ = strings.Cut(core, "+")
	return len(v) <= maxVersion && semver.IsValid("v"+v) && strings.Count(core, ".") == 2
}

// CompareVersions orders two valid versions by precedence: -1, 0 or 1. Builds
// of one version that differ only behind the "+" are equal.
func CompareVersions(a, b string) int { return semver.Compare("v"+a, "v"+b) }
