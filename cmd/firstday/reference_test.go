package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

var update = flag.Bool("update", false, "rewrite docs/commands.md")

// What --help says, the reference says.
func TestReferenceIsMadeFromTheCommands(t *testing.T) {
	const file = "../../docs/commands.md"
	var b strings.Builder
	root := newRoot()
	root.InitDefaultCompletionCmd()
	b.WriteString("# Commands\n\nMade from the commands themselves; packages and archives have the same as manual pages (`man firstday-build`).\n\n")
	contents(&b, root)
	section(&b, root)
	if *update {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(have), b.String()); diff != "" {
		t.Errorf("docs/commands.md is out of date (go test ./cmd/firstday -run Reference -update):\n%s", diff)
	}
}

func contents(b *strings.Builder, c *cobra.Command) {
	fmt.Fprintf(b, "- [`%s`](#%s): %s\n", c.CommandPath(), strings.ReplaceAll(c.CommandPath(), " ", "-"), c.Short)
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" && c.Parent() == nil {
			contents(b, sub)
		}
	}
}

// section writes about a command, then about those below it.
func section(b *strings.Builder, c *cobra.Command) {
	long := c.Long
	if long == "" {
		long = c.Short + "."
	}
	heading := "##"
	if c.HasParent() && c.Parent().HasParent() {
		heading = "###"
	}
	fmt.Fprintf(b, "\n%s %s\n\n", heading, c.CommandPath())
	block(b, c.UseLine())
	b.WriteString("\n")
	prose(b, strings.TrimSpace(long))
	if c.Example != "" {
		b.WriteString("\n")
		block(b, unindent(c.Example))
	}
	flags := c.NonInheritedFlags()
	if c.HasParent() && c.Parent().HasParent() { // those of the group are told once more
		flags = c.Flags()
	}
	var own pflag.FlagSet
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && (c == c.Root() || c.Root().PersistentFlags().Lookup(f.Name) == nil) {
			own.AddFlag(f)
		}
	})
	if own.HasAvailableFlags() {
		b.WriteString("\n")
		block(b, unindent(own.FlagUsagesWrapped(110)))
	}
	for _, sub := range c.Commands() {
		if !sub.Hidden && sub.Name() != "help" {
			section(b, sub)
		}
	}
}

// prose writes text for people; lines that are indented stay as they are.
func prose(b *strings.Builder, text string) {
	for _, paragraph := range strings.Split(text, "\n\n") {
		first, rest, more := strings.Cut(paragraph, "\n")
		switch {
		case strings.HasPrefix(first, "\t") || strings.HasPrefix(first, "    "):
			block(b, unindent(paragraph))
		case more && strings.HasPrefix(rest, "    "):
			fmt.Fprintf(b, "%s\n\n", plain.Replace(first))
			block(b, rest)
		default:
			fmt.Fprintf(b, "%s\n", plain.Replace(paragraph))
		}
		b.WriteString("\n")
	}
	text = strings.TrimRight(b.String(), "\n") + "\n"
	b.Reset()
	b.WriteString(text)
}

func block(b *strings.Builder, text string) {
	fmt.Fprintf(b, "```text\n%s\n```\n", strings.TrimRight(text, "\n"))
}

// unindent takes from each line what all begin with.
func unindent(text string) string {
	lines := strings.Split(strings.Trim(text, "\n"), "\n")
	indent := len(text)
	for _, line := range lines {
		if words := strings.TrimLeft(line, " \t"); words != "" {
			indent = min(indent, len(line)-len(words))
		}
	}
	for i, line := range lines {
		lines[i] = line[min(indent, len(line)):]
	}
	return strings.Join(lines, "\n")
}

// A manual page shows what --help shows, also what Markdown would swallow.
func TestManualPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1700000000")
	dir := filepath.Join(t.TempDir(), "man")
	root := newRoot()
	root.SetArgs([]string{"man", dir})
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(dir, "firstday.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"FIRSTDAY" "1" "Nov 2023"`, `Sign in with <Org>`, "firstday-build(1)"} {
		if !strings.Contains(strings.ReplaceAll(string(page), `\fB`, ""), want) {
			t.Errorf("firstday.1 lacks %q", want)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "firstday-man.1")); err == nil {
		t.Error("what is hidden has a page")
	}
}
