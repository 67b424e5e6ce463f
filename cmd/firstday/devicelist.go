package main

import (
	"fmt"
	"iter"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
)

// deviceFilter is which devices a command is about, as flags say it.
type deviceFilter struct {
	query             api.DeviceQuery
	platforms, states []string
	order, sort       string
	key, pkg          string // ids
}

func (f *deviceFilter) flags(c *cobra.Command) {
	fs := c.Flags()
	fs.StringVar(&f.query.Text, "search", "", "words that devices have in their name, serial number, maker or model, or in their people's names or addresses")
	fs.StringSliceVar(&f.platforms, "platform", nil, "any of these platforms: "+oneOf(api.Platforms))
	fs.StringSliceVar(&f.states, "state", nil, "any of these states: "+oneOf(api.Standings))
	fs.StringVar(&f.query.Tag, "tag", "", "a tag of the connect key that brought them")
	fs.StringVar(&f.query.Batch, "batch", "", "the batch of the connect key that brought them")
	fs.StringVar(&f.order, "order", "", "purchase order that they came for")
	fs.StringVar(&f.key, "key", "", "id of the connect key that brought them")
	fs.StringVar(&f.pkg, "package", "", "id of the package that brought them")
	fs.StringVar(&f.query.Problem, "problem", "", "what their agent reports, word for word")
	fs.StringVar(&f.sort, "sort", string(api.DeviceSorts[0]), "what to sort by: "+oneOf(api.DeviceSorts))
	fs.BoolVar(&f.query.Descending, "descending", false, "the last first")
	for flag, list := range map[string][]cobra.Completion{"platform": completions(api.Platforms), "state": completions(api.Standings), "sort": completions(api.DeviceSorts)} {
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(list, cobra.ShellCompDirectiveNoFileComp))
	}
}

// oneOf lists what a flag may be.
func oneOf[T ~string](list []T) string { return strings.Join(completions(list), ", ") }

func completions[T ~string](list []T) (all []cobra.Completion) {
	for _, w := range list {
		all = append(all, string(w))
	}
	return all
}

// devices gives all those that the flags name, page by page.
func (f *deviceFilter) devices(c *cobra.Command, client *api.Client) (iter.Seq2[*api.Device, error], error) {
	q := f.query
	q.Sort, q.Limit = api.DeviceSort(f.sort), api.MaxDeviceLimit
	for _, p := range f.platforms {
		q.Platforms = append(q.Platforms, api.Platform(p))
	}
	for _, s := range f.states {
		q.States = append(q.States, api.Standing(s))
	}
	for id, text := range map[*uuid.UUID]string{&q.Key: f.key, &q.Package: f.pkg} {
		if text == "" {
			continue
		}
		var err error
		if *id, err = parseID(text); err != nil {
			return nil, err
		}
	}
	if err := q.Check(); err != nil {
		return nil, usageError{err}
	}
	if f.order != "" {
		o, err := client.OrderOf(c.Context(), f.order)
		if err != nil {
			return nil, err
		}
		q.Order = o.ID
	}
	return client.EachDevice(c.Context(), q), nil
}

func newDeviceList() *cobra.Command {
	var f deviceFilter
	c := &cobra.Command{
		Use:   "list",
		Short: "List devices that are in or wait to be let in, all or those you look for",
		Long: `List shows the devices that are all that the flags say; of several platforms or
states, any. States: active is let in, pending waits for approval, waiting waits for
its person, signed-in is somebody's, trouble reports problems, off has the sign-in
switched off.`,
		Example: `  firstday device list --state pending --order PO-4711
  firstday device list --search "ann thinkpad" --platform windows,macos
  firstday device list --sort seen --descending --json`,
		Args: cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			found, err := f.devices(c, client)
			if err != nil {
				return err
			}
			devices := []*api.Device{}
			for d, err := range found {
				if err != nil {
					return err
				}
				devices = append(devices, d)
			}
			return show(c, devices, func(w *text) {
				for _, d := range devices {
					w.line("%s  %-8s  %-8s  %-20s  serial %s  %s", d.ID, d.State, d.Facts.Platform, d.Facts.Name, d.Facts.Serial, strings.Join(deviceMarks(d), "  "))
				}
			})
		}),
	}
	f.flags(c)
	return c
}

// deviceMarks are what a line of a list says of a device where there is something
// to say.
func deviceMarks(d *api.Device) (marks []string) {
	if d.Batch != "" {
		marks = append(marks, d.Batch)
	}
	for _, b := range d.Users {
		if b.State == api.Bound || b.State == api.Awaiting {
			marks = append(marks, b.User.Name)
		}
	}
	if d.SSAPOff {
		marks = append(marks, "sign-in off")
	}
	if n := len(d.Facts.Problems); n > 0 {
		marks = append(marks, fmt.Sprintf("problems: %d", n))
	}
	return marks
}

// exportMode is what others may do with an exported list: it tells who has what.
const exportMode = 0o600

func newDeviceExport() *cobra.Command {
	var f deviceFilter
	var output string
	c := &cobra.Command{
		Use:   "export",
		Short: "Write devices as CSV, all or those you look for",
		Long: `Export writes the devices that device list would show as CSV, as the console does.
What a spreadsheet would take for a formula has an apostrophe before it. A file is
there as a whole or not at all.`,
		Example: `  firstday device export -o devices.csv
  firstday device export --state trouble --batch PO-4711 >trouble.csv`,
		Args: cobra.NoArgs,
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, _ []string) error {
			found, err := f.devices(c, client)
			if err != nil {
				return err
			}
			if output == "" || output == "-" {
				return api.WriteDevicesCSV(c.OutOrStdout(), found)
			}
			file, err := atomicfile.Create(output, exportMode)
			if err != nil {
				return err
			}
			defer file.Close()
			if err := api.WriteDevicesCSV(file, found); err != nil {
				return err
			}
			if err := file.Commit(); err != nil {
				return err
			}
			return show(c, map[string]string{"file": output}, func(w *text) { w.line("%s holds the devices", output) })
		}),
	}
	f.flags(c)
	c.Flags().StringVarP(&output, "output", "o", "", "file for the list (default: standard output)")
	_ = c.MarkFlagFilename("output", "csv")
	return c
}
