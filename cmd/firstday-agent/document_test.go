package main

import (
	"os"
	"strings"
	"testing"
)

// What documents say to type on a device is what the agent takes.
func TestDocumentedCommands(t *testing.T) {
	data, err := os.ReadFile("../../docs/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(data)) {
		if !strings.HasPrefix(line, "    firstday-agent ") {
			continue
		}
		found++
		c, rest, err := newRoot().Find(strings.Fields(line)[1:])
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
	if found < 3 {
		t.Errorf("only %d commands were found", found)
	}
}
