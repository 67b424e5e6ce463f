package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// show writes a result to standard output: as JSON where --json is given,
// else as human describes it.
func show(c *cobra.Command, result any, human func(*text)) error {
	if asJSON, _ := c.Flags().GetBool("json"); asJSON {
		enc := json.NewEncoder(c.OutOrStdout())
		enc.SetIndent("", "  ")
		enc.SetEscapeHTML(false)
		return enc.Encode(result)
	}
	w := &text{w: c.OutOrStdout()}
	human(w)
	return w.err
}

// text writes lines for people and keeps the first error.
type text struct {
	w   io.Writer
	err error
}

func (t *text) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, sanitize(fmt.Sprintf(format, args...)))
	}
}

// sanitize keeps what a hostile package says of itself from steering the
// terminal: control characters are shown as Go escapes.
func sanitize(s string) string {
	var b strings.Builder
	for _, r := range s {
		if r < ' ' && r != '\t' || r >= 0x7f && r < 0xa0 || r == '\u202e' || r == '\u2066' || r == '\u2067' || r == '\u2068' {
			fmt.Fprintf(&b, "\\x%02x", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
