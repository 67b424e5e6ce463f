package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/agent"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/visible"
)

func newDiagnose() *cobra.Command {
	var output string
	var asJSON bool
	c := &cobra.Command{
		Use:   "diagnose",
		Short: "Collect what the help desk needs, without secrets",
		Long: `Diagnose writes one zip file for the help desk: status, logs, the way to the
directory, the device's key and TPM, and what lies in the agent's folders. Its
INDEX.txt says what each file is. It holds no connect key, no password, no
private key and no ticket of a sign-in.

It needs administrator rights. It works, too, where the agent is not installed,
or not entirely; what is missing is said in the file.`,
		Example: `  firstday-agent diagnose
  firstday-agent diagnose -o laptop-4711.zip --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			if output == "" {
				output = "firstday-diagnose-" + time.Now().UTC().Format("20060102T150405Z") + ".zip"
			}
			f, err := atomicfile.Create(output, 0o600)
			if err != nil {
				return err
			}
			defer f.Close()
			d, err := a.Diagnose(c.Context(), f)
			if err != nil {
				return err
			}
			if err := f.Commit(); err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				return enc.Encode(diagnoseResult{output, d})
			}
			printDiagnosis(c.OutOrStdout(), output, d)
			return nil
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "", "file to write; one that is there is replaced (default: named after the time,\nin this folder)")
	c.Flags().BoolVar(&asJSON, "json", false, "write what was found as JSON (schema 1: fields may be added, none changes)")
	return c
}

// diagnoseResult is where the bundle is, and what is in it.
type diagnoseResult struct {
	Output string `json:"output"`
	*agent.Diagnosis
}

func printDiagnosis(w io.Writer, output string, d *agent.Diagnosis) {
	n := 0
	for _, f := range d.Files {
		if f.Missing == "" {
			n++
		}
	}
	for _, p := range d.Problems {
		fmt.Fprintf(w, "problem  %s\n", visible.Line(p))
	}
	if len(d.Problems) == 0 {
		fmt.Fprintln(w, "no problem was found")
	}
	fmt.Fprintf(w, "%s is written: %d files and an index; send it to your help desk\n", output, n)
}
