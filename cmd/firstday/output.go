package main

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"firstday.dev/internal/visible"
)

// show writes a result to standard output: as JSON where --json is given,
// else as human describes it.
func show(c *cobra.Command, result any, human func(*text)) error {
	if asJSON(c) {
		return writeJSON(c.OutOrStdout(), result)
	}
	w := &text{w: c.OutOrStdout()}
	human(w)
	return w.err
}

func asJSON(c *cobra.Command) bool {
	given, _ := c.Flags().GetBool("json")
	return given
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	enc.SetEscapeHTML(false)
	return enc.Encode(v)
}

// text writes lines for people and keeps the first error.
type text struct {
	w   io.Writer
	err error
}

func (t *text) line(format string, args ...any) {
	if t.err == nil {
		_, t.err = fmt.Fprintln(t.w, visible.Line(fmt.Sprintf(format, args...)))
	}
}
