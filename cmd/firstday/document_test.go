package main

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"firstday.dev/config"
)

// What documents say to type is what commands take.
func TestDocumentedCommands(t *testing.T) {
	for file, least := range map[string]int{"federation.md": 5, "partners.md": 9, "quickstart.md": 12, "goreleaser.md": 3, "troubleshooting.md": 5, "station.md": 2, "windows-images.md": 5, "packages.md": 9, "console.md": 9} {
		data, err := os.ReadFile("../../docs/" + file)
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
				t.Errorf("%s: %s: %v", file, typed, err)
			}
		}
		if found < least {
			t.Errorf("%s: only %d commands were found", file, found)
		}
		for i, code := range strings.Split(string(data), "`") {
			if i%2 == 0 || !strings.HasPrefix(code, "firstday ") {
				continue
			}
			if err := knows(code); err != nil {
				t.Errorf("%s: `%s`: %v", file, code, err)
			}
		}
	}
}

// knows tells whether there are the command and the flags that a sentence names,
// which leaves out what else they need.
func knows(code string) error {
	c, rest, err := newRoot().Find(words(code)[1:])
	if err != nil {
		return err
	}
	for _, word := range rest {
		name, isFlag := strings.CutPrefix(word, "--")
		if isFlag && c.Flag(name) == nil {
			return fmt.Errorf("%s has no flag %s", c.CommandPath(), word)
		}
		if !isFlag && c.HasSubCommands() && c.ValidateArgs([]string{word}) != nil {
			return fmt.Errorf("%s has no command %s", c.CommandPath(), word)
		}
	}
	return nil
}

// What documents say to put into firstday.yaml is what it takes.
func TestDocumentedSettings(t *testing.T) {
	data, err := os.ReadFile("../../docs/goreleaser.md")
	if err != nil {
		t.Fatal(err)
	}
	_, signer, found := strings.Cut(string(data), "```yaml\nsigning:\n")
	signer, _, ended := strings.Cut(signer, "```")
	if !found || !ended {
		t.Fatal("there is no section signing")
	}
	c, err := config.Parse("firstday.yaml", []byte("version: 1\norganisation: {name: Acme}\ndirectory: {url: 'https://directory.acme.example'}\nsigning:\n"+signer))
	if err != nil || len(c.Signing.Signer) == 0 {
		t.Errorf("%v, %+v", err, c)
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
