package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"firstday.dev/station"
)

// writing is what is asked of usb write and usb repair.
type writing struct {
	source
	all     bool
	format  bool
	confirm []string
	label   string
	report  string
	station.WriteOptions
}

func newUSBWrite() *cobra.Command {
	w := new(writing)
	c := &cobra.Command{
		Use:   "write KIT|ORDER [STICK...]",
		Short: "Write a kit onto sticks, all at once",
		Long: `Write verifies a kit, writes it onto sticks and reads every byte back, past the
cache where the system lets it. The kit is read once for all sticks; one that fails
or is pulled out does not stop the others. ORDER is the bundle of an order, as the
customer sent it: a folder with order.json in it.

STICK is the name of a disk or its port, as firstday usb list shows them, or the
folder where a stick is mounted. Files are written beside what is on the stick; what
is there already is compared and written only if it differs. The folder logs always
stays. Other files stay, too, unless --clean is given, but a second package in the
root is an error: Windows would ask which one. With --format the whole stick is
written anew; every name must be typed, or given with --confirm.

Until a stick is whole it says INCOMPLETE, wherever it is pulled out. What is looked
at before anything is written, and what is said of sticks that fail, is in
docs/faults.md.

A report of each run is kept as JSON and HTML: in the folder --report, else in
$XDG_STATE_HOME/firstday/reports, ~/.local/state/firstday/reports if that is not set;
on macOS in ~/Library/Application Support/firstday/reports, on Windows in
%LocalAppData%\firstday\reports.`,
		Example: `  firstday usb write kit /media/ann/FIRSTDAY
  firstday usb write kit sdb sdc --format
  firstday usb write kit --all --format --confirm sdb,sdc,sdd --operator Ann
  firstday usb write PO-4711 --all --signer 3f5e…
  firstday usb write kit 1-4.2 --root acme-ca.pem --report reports --json`,
		Args: cobra.MinimumNArgs(1),
		RunE: w.run,
	}
	w.flags(c)
	f := c.Flags()
	f.BoolVar(&w.all, "all", false, "all sticks that are plugged in")
	f.BoolVar(&w.format, "format", false, "write whole sticks anew: everything on them is lost")
	f.StringSliceVar(&w.confirm, "confirm", nil, "names of all disks that are formatted, for scripts, such as sdb,sdc")
	return c
}

func newUSBRepair() *cobra.Command {
	w := new(writing)
	w.Repair = true
	c := &cobra.Command{
		Use:   "repair KIT|ORDER [STICK...]",
		Short: "Make sticks whole again that were written before",
		Long: `Repair compares sticks with a kit by reading every file, and writes what is missing,
damaged or of an older kit of the same organisation. A stick that holds nothing of a
kit stays as it is: a wrong name does no harm. The folder logs always stays.

It does what firstday usb write does without --format, and knows the same names.`,
		Example: `  firstday usb repair kit --all
  firstday usb repair kit /media/ann/FIRSTDAY --root acme-ca.pem`,
		Args: cobra.MinimumNArgs(1),
		RunE: w.run,
	}
	w.flags(c)
	c.Flags().BoolVar(&w.all, "all", false, "all sticks that are plugged in")
	return c
}

func (w *writing) flags(c *cobra.Command) {
	w.source.flags(c)
	f := c.Flags()
	f.BoolVar(&w.Clean, "clean", false, "remove everything from the sticks that is not ours, but for logs")
	f.BoolVar(&w.Force, "force", false, "write the kit though its connect key has ended")
	f.StringVar(&w.label, "label", station.DefaultLabel, "label of the volume; the pages on the stick name it")
	f.StringVar(&w.Operator, "operator", "", "who does it, for the report (default: the user)")
	f.StringVar(&w.report, "report", "", "folder for the report")
	_ = c.MarkFlagDirname("report")
}

func (w *writing) run(c *cobra.Command, args []string) (err error) {
	names := args[1:]
	switch {
	case w.all == (len(names) > 0):
		return usageError{errors.New("name sticks, or --all of them")}
	case len(w.confirm) > 0 && !w.format:
		return usageError{errors.New("without --format nothing has to be confirmed")}
	}
	reports, err := w.reportFolder()
	if err != nil {
		return err
	}
	if err := os.MkdirAll(reports, 0o700); err != nil {
		return withHint(err, "name another folder for the report with --report")
	}
	stick, _, err := w.open(c, args[0], w.label)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stick.Close()) }()
	warnOf(c, stick.Warnings)
	targets, err := findSticks(c.Context(), names, w.format)
	if err != nil {
		return err
	}
	if w.Clean {
		if err := onlySticks(targets); err != nil {
			return err
		}
	}
	if w.format {
		if err := confirmFormat(c.Context(), targets, w.all, w.confirm); err != nil {
			return err
		}
	}
	w.nameOperator()
	bars := newStickBars(c)
	w.Event = bars.event
	run, failure := stick.Write(c.Context(), targets, w.WriteOptions)
	bars.close()
	if errors.Is(failure, station.ErrPreflight) {
		return withHint(failure, station.Hint(failure))
	}
	files, err := run.WriteReport(reports)
	shown := show(c, run, func(t *text) { describeRun(t, run, files) })
	return errors.Join(failure, err, shown)
}

// nameOperator takes the user, if nobody is named.
func (w *writing) nameOperator() {
	if w.Operator != "" {
		return
	}
	if u, err := user.Current(); err == nil { // it is for people
		w.Operator = u.Username
	}
}

// reportFolder is where reports are kept.
func (w *writing) reportFolder() (string, error) {
	if w.report != "" {
		return w.report, nil
	}
	state, err := stateFolder()
	if err != nil {
		return "", withHint(fmt.Errorf("looking for a place for the report: %w", err), "name one with --report")
	}
	return filepath.Join(state, "firstday", "reports"), nil
}

// stateFolder is where programs of a user keep what they did.
func stateFolder() (string, error) {
	switch runtime.GOOS {
	case "windows":
		return os.UserCacheDir() // %LocalAppData%
	case "darwin":
		return os.UserConfigDir()
	}
	if dir := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(dir) {
		return dir, nil
	}
	home, err := os.UserHomeDir()
	return filepath.Join(home, ".local", "state"), err
}

func describeRun(w *text, run *station.Run, files []string) {
	for _, p := range run.Problems {
		w.line("note    %s", p.Reason)
	}
	rows := [][]string{{"STICK", "RESULT", "FILES", "WRITTEN", "TIME", "PORT", "SERIAL"}}
	for _, r := range run.Sticks {
		rows = append(rows, []string{r.Target, string(r.Outcome), fmt.Sprint(r.Files), size(r.Bytes), fmt.Sprintf("%.1f s", r.Seconds), r.Port, r.Serial})
	}
	columns(w, rows)
	for _, r := range run.Sticks {
		describeStick(w, r)
	}
	w.line("%d of %d sticks are good", run.Good(), len(run.Sticks))
	for _, f := range files {
		w.line("report  %s", f)
	}
}

func describeStick(w *text, r *station.Result) {
	for _, p := range r.Problems {
		if !p.Fatal {
			w.line("%s: note: %s", r.Target, p.Reason)
		}
	}
	for _, name := range r.Removed {
		w.line("%s: removed %s", r.Target, name)
	}
	if r.ReadBack == station.ReadDropped && r.Outcome.Good() {
		w.line("%s: note: it was read back %s", r.Target, r.ReadBack)
	}
	if r.Reason != "" {
		w.line("%s: %s: %s", r.Target, r.Outcome, r.Reason)
	}
	if r.Hint != "" {
		w.line("%s: hint: %s", r.Target, r.Hint)
	}
}

// confirm goes on once a person has typed what is wanted; where there is nobody, a script
// gives it by a flag.
func confirm(ctx context.Context, what, want, script string) error {
	in, out, err := openTerminal()
	if err != nil {
		return withHint(usageError{errors.New("--format must be confirmed, and there is no terminal")}, script)
	}
	defer in.Close()
	defer out.Close()
	fmt.Fprintf(out, "%sEverything on that is lost. Type %s to go on: ", what, want)
	answer, err := interruptible(ctx, func() ([]byte, error) { return readLine(in) }, func() error { return nil })
	if err != nil {
		return err
	}
	if string(answer) != want {
		return usageError{errors.New("nothing was written: it was not confirmed")}
	}
	return nil
}
