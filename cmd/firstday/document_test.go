package main

import (
	"os"
	"strings"
	"testing"
)

// What documents say to type is what commands take.
func TestDocumentedCommands(t *testing.T) {
	data, err := os.ReadFile("../../docs/federation.md")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(data)) {
		typed := strings.TrimSpace(line)
		if !strings.HasPrefix(line, "    ") || !strings.HasPrefix(typed, "firstday ") {
			continue
		}
		found++
		c, rest, err := newRoot().Find(words(typed)[1:])
		if err == nil {
			err = c.ParseFlags(rest)
		}
		if err == nil {
			err = c.ValidateArgs(c.Flags().Args())
		}
		if err == nil {
			err = c.ValidateRequiredFlags()
		}
		if err != nil {
			t.Errorf("%s: %v", typed, err)
		}
	}
	if found < 5 {
		t.Errorf("only %d commands were found", found)
	}
}

// words takes a command line apart, as far as documents need it.
func words(line string) (list []string) {
	for i, part := range strings.Split(line, `"`) {
		if i%2 == 1 {
			list = append(list, part)
			continue
		}
		list = append(list, strings.Fields(part)...)
	}
	return list
}
