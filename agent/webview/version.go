package webview

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// version is that of the runtime: four numbers.
type version [4]int

func (v version) String() string { return fmt.Sprintf("%d.%d.%d.%d", v[0], v[1], v[2], v[3]) }

// parseVersion reads a version as the runtime's installer writes it.
func parseVersion(s string) (v version, err error) {
	parts := strings.Split(s, ".")
	if len(parts) != len(v) {
		return v, fmt.Errorf("%.40q is no version", s)
	}
	for i, part := range parts {
		n, err := strconv.ParseUint(part, 10, 31)
		if err != nil || strconv.FormatUint(n, 10) != part {
			return version{}, fmt.Errorf("%.40q is no version", s)
		}
		v[i] = int(n)
	}
	return v, nil
}

// leastVersion is that of the first runtime that has all we lock: the last to come
// was what keeps pages from opening other programs (ICoreWebView2_18).
var leastVersion = version{109, 0, 1518, 46}

var errNoRuntime = errors.New("there is no WebView2 runtime for all users of this device")

// checkVersion tells why a runtime of that version does not do. The installer leaves
// 0.0.0.0, or nothing, where it was removed.
func checkVersion(s string) error {
	if s == "" {
		return errNoRuntime
	}
	v, err := parseVersion(s)
	switch {
	case err != nil:
		return fmt.Errorf("the WebView2 runtime: %w", err)
	case v == version{}:
		return errNoRuntime
	case slices.Compare(v[:], leastVersion[:]) < 0:
		return fmt.Errorf("the WebView2 runtime is of version %s, and needs to be of %s", v, leastVersion)
	}
	return nil
}
