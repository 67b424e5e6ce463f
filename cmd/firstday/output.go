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
		_, t.err = fmt.Fprintln(t.w, visible.Line(fmt.Sprintf(format, args...)))
	}
}
