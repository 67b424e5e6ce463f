package main

import (
	"errors"
	"io"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/station/order"
)

func newOrderReport() *cobra.Command {
	var asCSV, asHTML bool
	var output string
	c := &cobra.Command{
		Use:   "report PO",
		Short: "Compare what an order expects with the devices that came",
		Long: `Report tells of each serial number of an order whether its device was not seen,
came, belongs to somebody, or was refused and why; then which others were refused.
With --csv it is a file for spreadsheets, with --html a page with a chart that needs
nothing else. Of several orders of one number it is the newest.`,
		Example: `  firstday order report PO-4711
  firstday order report PO-4711 --csv -o PO-4711.csv
  firstday order report PO-4711 --json | jq '.rows[] | select(.state == "not seen") | .serial'`,
		Args: cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			if asJSON(c) && (asCSV || asHTML) {
				return usageError{errors.New("--json is neither --csv nor --html")}
			}
			r, err := order.NewReport(c.Context(), client, args[0], time.Now())
			if err != nil {
				return err
			}
			write := func(w io.Writer) error {
				t := &text{w: w}
				describeReport(t, r)
				return t.err
			}
			switch {
			case asJSON(c):
				write = func(w io.Writer) error { return writeJSON(w, r) }
			case asCSV:
				write = r.WriteCSV
			case asHTML:
				write = r.WriteHTML
			}
			if output == "" {
				return write(c.OutOrStdout())
			}
			f, err := atomicfile.Create(output, 0o600) // it names people
			if err != nil {
				return err
			}
			defer f.Close()
			if err := write(f); err != nil {
				return err
			}
			return f.Commit()
		}),
	}
	f := c.Flags()
	f.BoolVar(&asCSV, "csv", false, "write CSV for spreadsheets")
	f.BoolVar(&asHTML, "html", false, "write a page with a chart")
	f.StringVarP(&output, "output", "o", "", "file to write (default: standard output)")
	c.MarkFlagsMutuallyExclusive("csv", "html")
	return c
}

func describeReport(w *text, r *order.Report) {
	w.line("%s  %d of %d came, %d are missing; %d signed in; %s", r.PO, r.Came, r.Quantity, r.Missing, r.SignedIn, r.Standing())
	for i := range r.Rows {
		row := r.Rows[i].Cells()
		w.line("%-20s  %-16s  %-20s  %-8s  %-20s  %s  %s", row[0], row[1], row[5], row[6], row[7], row[2], row[3])
	}
	if r.More {
		w.line("There are more refusals, which are left out.")
	}
}
