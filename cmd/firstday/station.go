package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/spf13/cobra"
	"golang.org/x/term"

	"firstday.dev/internal/visible"
	"firstday.dev/station"
	"firstday.dev/station/order"
	"firstday.dev/station/screen"
)

// everyStick is what is typed to have whatever is plugged in formatted.
const everyStick = "format every stick"

func newStation() *cobra.Command {
	s := new(imaging)
	c := &cobra.Command{
		Use:   "station KIT|ORDER",
		Short: "Write every stick that is plugged in",
		Long: `Station verifies a kit and stays: it writes every stick that is plugged in from
then on, each as soon as it is there, reads it back, and ejects it. The screen has a
line for every socket. Green: take it out. Red: lay it aside. Sticks that were in
before stay as they are, unless --present is given, and what is no stick is never
written to. --count says how many are wanted, and the screen counts towards it; of
an order it is as many as devices are ordered, if not given.

Files are written beside what is on a stick. With --format every stick that comes is
written anew, and all that is on it is lost: that has to be confirmed once, by typing
it or with --confirm "` + everyStick + `".

What is true of firstday usb write is true here, the reports too: one for the whole
time, kept after each stick. Where there is no terminal, or with --json, a line is
written for each change. The end is q, or Ctrl-C; a stick that is not whole by then
says INCOMPLETE. docs/station.md shows the screen.`,
		Example: `  firstday station kit
  firstday station kit --format --count 40 --operator Ann
  firstday station PO-4711 --signer 3f5e…
  firstday station kit --root acme-ca.pem --report reports --json`,
		Args: cobra.ExactArgs(1),
		RunE: s.run,
	}
	s.flags(c)
	f := c.Flags()
	f.BoolVar(&s.format, "format", false, "write whole sticks anew: everything on them is lost")
	f.StringVar(&s.confirm, "confirm", "", "for scripts: \""+everyStick+"\"")
	f.BoolVar(&s.present, "present", false, "also write the sticks that are in already")
	f.IntVar(&s.count, "count", 0, "how many sticks are wanted (default: the order's quantity)")
	return c
}

// imaging is what is asked of the station.
type imaging struct {
	writing
	format, present bool
	confirm         string
	count           int
}

func (s *imaging) run(c *cobra.Command, args []string) (err error) {
	switch {
	case s.count < 0:
		return usageError{errors.New("--count is a number of sticks")}
	case s.confirm != "" && s.confirm != everyStick:
		return usageError{fmt.Errorf("--confirm is %q, not %q", s.confirm, everyStick)}
	}
	reports, err := s.reportFolder()
	if err != nil {
		return err
	}
	stick, ordered, err := s.open(c, args[0], s.label)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stick.Close()) }()
	warnOf(c, stick.Warnings)
	if s.format && s.confirm == "" {
		if err := confirm(c.Context(), "Every stick that is plugged in from now on will be formatted.\n", everyStick, "in a script: --confirm \""+everyStick+"\""); err != nil {
			return err
		}
	}
	s.nameOperator()
	var files []string
	o := station.WatchOptions{WriteOptions: s.WriteOptions, Format: s.format, Present: s.present}
	o.Keep = func(r *station.Run) (err error) {
		files, err = r.WriteReport(reports)
		return err
	}
	run, err := s.watch(c, stick, s.job(stick, ordered), o)
	if errors.Is(err, station.ErrPreflight) {
		return withHint(err, station.Hint(err))
	}
	if asJSON(c) { // a line, as all before it
		return errors.Join(err, json.NewEncoder(c.OutOrStdout()).Encode(run))
	}
	return errors.Join(err, show(c, run, func(t *text) { describeRun(t, run, files) }))
}

// job is what the screen says above all. Of an order there is a stick for each
// device, unless --count says otherwise.
func (s *imaging) job(stick *station.Stick, ordered *order.Order) screen.Job {
	j := screen.Job{Organisation: stick.Manifest.Organisation, KitID: fmt.Sprintf("%x", stick.KitID[:4]), Wanted: s.count, Formats: s.format}
	if end := stick.Manifest.ExpiresAt; end != nil {
		j.Expires = *end
	}
	if ordered != nil {
		j.Order = ordered.PO
		if s.count == 0 {
			j.Wanted = ordered.Quantity
		}
	}
	return j
}

// watch shows the screen, or writes lines.
func (s *imaging) watch(c *cobra.Command, stick *station.Stick, job screen.Job, o station.WatchOptions) (*station.Run, error) {
	in, out := c.InOrStdin(), c.OutOrStdout()
	if asJSON(c) || !isTerminal(in) || !isTerminal(out) {
		o.Tell = tellLines(out, asJSON(c))
		return stick.Watch(c.Context(), o)
	}
	ctx, stop := context.WithCancel(c.Context())
	defer stop()
	// Ctrl-C is a key here; signals from elsewhere end the context.
	program := tea.NewProgram(screen.New(job, time.Now(), stop), tea.WithoutSignalHandler(), tea.WithInput(in), tea.WithOutput(out))
	o.Tell = func(s station.Socket) { program.Send(screen.SocketMsg(s)) }
	var run *station.Run
	var err error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		run, err = stick.Watch(ctx, o)
		program.Send(screen.EndedMsg{})
	}()
	go func() {
		tick := time.NewTicker(500 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case now := <-tick.C:
				program.Send(screen.TickMsg(now))
			case <-ended:
				return
			}
		}
	}()
	_, failure := program.Run()
	// Whatever becomes of the screen, no stick is left in the middle.
	stop()
	<-ended
	if failure != nil {
		err = errors.Join(err, fmt.Errorf("the screen: %w", failure))
	}
	return run, err
}

func isTerminal(stream any) bool {
	f, ok := stream.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// tellLines writes a line for each change of a socket's state or phase.
func tellLines(w io.Writer, asJSON bool) func(station.Socket) {
	last := make(map[string]string)
	encoder := json.NewEncoder(w)
	return func(s station.Socket) {
		state := string(s.State) + s.Phase
		if last[s.Port] == state {
			return
		}
		last[s.Port] = state
		if asJSON {
			_ = encoder.Encode(s) // who reads it may have gone; the sticks are what counts
			return
		}
		what := string(s.State)
		if s.State == station.SocketBusy {
			what = s.Phase
		}
		line := fmt.Sprintf("%s  %s  %s  %s", s.Since.Format(time.TimeOnly), s.Port, visible.Line(s.Disk.Model), what)
		for _, more := range []string{s.Message, s.Hint} {
			if more != "" {
				line += ": " + visible.Line(more)
			}
		}
		_, _ = fmt.Fprintln(w, line)
	}
}
