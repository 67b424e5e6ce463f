package beside

import "strings"

// Finding is one thing that was looked at.
type Finding struct {
	What    string
	Problem string // empty: all is well
}

func lacks(what string, missing []string) Finding {
	if len(missing) == 0 {
		return Finding{What: what}
	}
	return Finding{what, "this macOS has no " + strings.Join(missing, ", ")}
}
