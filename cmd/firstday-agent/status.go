package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
	"github.com/spf13/cobra"
)

func newStatus() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status",
		Short: "Say how the agent is doing",
		Long: `Status tells what is installed, whether the service runs, what became of the
package's other installers, and where the device stands with its directory. It
reads files only administrators may read. The exit code tells the gist; see
'firstday-agent --help'.`,
		Example: `  firstday-agent status
  firstday-agent status --json`,
		Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			s, err := a.Status(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				enc := json.NewEncoder(c.OutOrStdout())
				enc.SetIndent("", "  ")
				if err := enc.Encode(s); err != nil {
					return err
				}
			} else if err := printStatus(c.OutOrStdout(), s); err != nil {
				return err
			}
			switch {
			case s.Healthy:
				return nil
			case s.Faulty():
				return answer(exitFaulty)
			default:
				return answer(exitNotEnrolled)
			}
		},
	}
	c.Flags().BoolVar(&asJSON, "json", false, "write JSON (schema 1: fields may be added, none changes)")
	return c
}

func printStatus(w io.Writer, s *agent.Status) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	row := func(name string, value any) { fmt.Fprintf(t, "%s\t%v\n", name, value) }
	if s.Organisation != "" {
		row("organisation", s.Organisation)
		row("package", fmt.Sprintf("%s %s (%s)", s.PackageName, s.PackageVersion, s.PackageID))
	}
	if s.AgentVersion != "" {
		row("agent", s.AgentVersion)
	}
	row("service", s.Service.State)
	if s.Phase != "" {
		row("installation", s.Phase)
	}
	for _, p := range s.Payloads {
		row("payload", fmt.Sprintf("%s: %s", p.File, p.State))
	}
	if e := s.Enrolment; e != nil {
		row("directory", e.Directory)
		row("enrolment", e.State)
		if e.Key != nil {
			row("key", describeKey(e.Key))
		}
		if e.NextAttempt != nil {
			row("next attempt", e.NextAttempt.Local().Format(time.DateTime))
		}
	}
	if p := s.PIN; p != nil && p.Ready {
		row("PIN", "ready")
	} else if p != nil {
		row("PIN", "not offered: "+p.Reason)
	}
	if s.Tile != nil {
		row("tile", describeTile(s.Tile))
	}
	for _, token := range s.Tokens {
		row("secure token", fmt.Sprintf("%s: %s", token.Account, token.State))
	}
	if s.RebootNeeded {
		row("restart", "needed")
	}
	if s.Healthy {
		row("health", "good")
	}
	for _, p := range s.Problems {
		row("problem", p)
	}
	return t.Flush()
}

// describeKey tells where the device's own key is.
func describeKey(k *agent.KeyStatus) string {
	switch {
	case k.TPM != nil:
		return fmt.Sprintf("in the TPM (%s, firmware %s)", k.TPM.Manufacturer, k.TPM.Firmware)
	case k.Storage == api.KeyInTPM:
		return "in the TPM, which does not answer"
	case k.Reason != "":
		return "in a file: " + k.Reason
	}
	return "in a file"
}
