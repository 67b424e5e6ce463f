package main

import (
	"os"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"
)

// newMan is for those who package Firstday; nobody else need see it.
func newMan() *cobra.Command {
	return &cobra.Command{
		Use:    "man FOLDER",
		Short:  "Write the manual pages",
		Hidden: true,
		Long: `Man writes a manual page for each command into a folder, which is made. With
SOURCE_DATE_EPOCH set, that is their date.`,
		Example: `  firstday man man1`,
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			date, _, err := buildTime()
			if err != nil {
				return err
			}
			if err := os.MkdirAll(args[0], 0o755); err != nil {
				return err
			}
			root := newRoot()
			root.InitDefaultCompletionCmd()
			root.DisableAutoGenTag = true
			asMarkdown(root)
			header := doc.GenManHeader{Section: "1", Source: "firstday " + version, Manual: "Firstday", Date: &date}
			return doc.GenManTree(root, &header, args[0])
		},
	}
}

// plain keeps Markdown, from which manual pages are made, from reading plain
// text as its own: <Org> is no tag.
var plain = strings.NewReplacer("<", `\<`, "*", `\*`, "`", "\\`")

// asMarkdown turns the texts of a command and those below it into Markdown.
// Indented lines are shown as they are there, too.
func asMarkdown(c *cobra.Command) {
	lines := strings.Split(c.Long, "\n")
	for i, line := range lines {
		if !strings.HasPrefix(line, "    ") && !strings.HasPrefix(line, "\t") {
			lines[i] = plain.Replace(line)
		}
	}
	c.Long = strings.Join(lines, "\n")
	usage := func(f *pflag.Flag) { f.Usage = plain.Replace(f.Usage) }
	c.LocalNonPersistentFlags().VisitAll(usage)
	c.PersistentFlags().VisitAll(usage)
	for _, sub := range c.Commands() {
		asMarkdown(sub)
	}
}
