package main

import (
	"os"
	"strings"
	"testing"
)

// words splits a command line as a shell does, as far as documents need it.
func words(line string) []string {
	quoted := false
	return strings.FieldsFunc(strings.TrimSpace(line), func(r rune) bool {
		if r == '"' {
			quoted = !quoted
		}
		return !quoted && (r == ' ' || r == '"')
	})
}

// What documents say to type on a device is what the agent takes.
func TestDocumentedCommands(t *testing.T) {
	var data []byte
	for _, page := range []string{"troubleshooting.md", "windows-signin.md", "macos-login.md"} {
		text, err := os.ReadFile("../../docs/" + page)
		if err != nil {
			t.Fatal(err)
		}
		data = append(data, text...)
	}
	found := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "    firstday-agent ") {
			continue
		}
		found++
		c, rest, err := newRoot().Find(words(line)[1:])
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: %v", strings.TrimSpace(line), err)
		}
	}
	if found < 6 {
		t.Errorf("only %d commands were found", found)
	}
}
