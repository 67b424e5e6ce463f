package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/config"
	"firstday.dev/internal/visible"
)

// problem is one thing that is wrong: what, where there is a place, and the
// way on, where there is one.
type problem struct {
	File    string `json:"file,omitempty"`
	Line    int    `json:"line,omitempty"`
	Column  int    `json:"column,omitempty"`
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`

	head, excerpt string // as people see it
}

// problemsOf takes an error apart. A configuration's mistakes are told one by
// one, each with the line it is in.
func problemsOf(err error) []problem {
	var mistakes config.Errors
	var mistake *config.Error
	switch {
	case errors.As(err, &mistakes):
	case errors.As(err, &mistake):
		mistake.Hint = cmp.Or(mistake.Hint, hint(err))
		mistakes = config.Errors{mistake}
	default:
		return []problem{{Message: err.Error(), Hint: hint(err), head: err.Error()}}
	}
	var problems []problem
	for _, m := range mistakes {
		problems = append(problems, problemAt(m))
	}
	return problems
}

func problemAt(m *config.Error) problem {
	return problem{File: m.File, Line: m.Line, Column: m.Column, Message: m.Message, Hint: m.Hint, head: m.Error(), excerpt: m.Excerpt()}
}

// report tells why a command failed: to people in lines, to programs as one
// JSON object. Both go where errors go, so that results stay what they are.
func report(w io.Writer, err error, code int, asJSON bool) {
	problems := problemsOf(err)
	if asJSON {
		_ = writeJSON(w, struct {
			ExitCode int       `json:"exitCode"`
			Errors   []problem `json:"errors"`
		}{code, problems})
		return
	}
	for _, p := range problems {
		p.tell(w, "error")
	}
}

// warn tells what is no reason to stop.
func warn(c *cobra.Command, warnings []problem) {
	switch {
	case len(warnings) == 0:
	case asJSON(c):
		_ = writeJSON(c.ErrOrStderr(), struct {
			Warnings []problem `json:"warnings"`
		}{warnings})
	default:
		for _, p := range warnings {
			p.tell(c.ErrOrStderr(), "warning")
		}
	}
}

// tell follows one rule: what is wrong on a line of its own, then, where there
// is one, the way on.
func (p problem) tell(w io.Writer, severity string) {
	for line := range strings.SplitSeq(p.head, "\n") {
		fmt.Fprintf(w, "%s: %s\n", severity, visible.Line(line))
	}
	if p.excerpt != "" {
		fmt.Fprintln(w, p.excerpt)
	}
	if p.Hint != "" {
		fmt.Fprintf(w, "hint: %s\n", p.Hint)
	}
}
