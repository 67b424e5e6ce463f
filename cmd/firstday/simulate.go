package main

import (
	"cmp"
	"errors"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"firstday.dev/simulate"
)

func newSimulate() *cobra.Command {
	s := new(simulation)
	c := &cobra.Command{
		Use:   "simulate PACKAGE",
		Short: "Try a package on a simulated device, with the real agent",
		Long: `Simulate applies a provisioning package as Windows would at its first screen, or
an installer package as macOS's Installer would, to a device that is a folder,
and checks and tells each step. Then the real agent enrols the device with the
package's directory, whose devices it is among from then on: a connect key of
its own is best (firstday build --mint), and firstday device remove afterwards.

Nothing in the package is run but the agent, whose code is that of this program;
what else a device would run is told, and taken to succeed.

The device is gone when it is done, unless its folder is named with --sandbox.
The same folder again is the same device, switched on once more: what was
interrupted goes on, and without a package its agent just runs.`,
		Example: `  firstday simulate kit/Acme.ppkg
  firstday simulate kit/Acme.ppkg --device serial=5CG1234XYZ,arch=arm64
  firstday simulate kit/Acme.pkg --sandbox mac --root acme-ca.pem --require-signed
  firstday simulate --sandbox mac --json`,
		Args: cobra.ArbitraryArgs, // of several packages simulate tells what a stick with them does
		RunE: s.run,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"ppkg", "pkg"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	s.trust.flags(c)
	f := c.Flags()
	f.StringVar(&s.device, "device", "", "what the device is, such as serial=5CG1234XYZ,model=Latitude 7450; also\nplatform, manufacturer, name, arch (amd64 or arm64), os and osVersion")
	f.StringVar(&s.sandbox, "sandbox", "", "folder of the device; made if there is none, and kept")
	f.BoolVar(&s.strict, "require-signed", false, "refuse a package without a trusted signature; --root asks for it, too")
	f.BoolVar(&s.untrusted, "allow-untrusted", false, "take an installer package whose signer is not trusted, as installer -allowUntrusted does")
	f.DurationVar(&s.patience, "timeout", time.Minute, "how long the agent may take to enrol")
	_ = c.MarkFlagDirname("sandbox")
	return c
}

// simulation is what the flags say.
type simulation struct {
	trust             trust
	device, sandbox   string
	strict, untrusted bool
	patience          time.Duration
}

// simulated is a simulation as JSON.
type simulated struct {
	OK bool `json:"ok"`
	*simulate.Result
	Events []simulate.Event `json:"events"`
}

func (s *simulation) run(c *cobra.Command, args []string) (err error) {
	o, err := s.options(args)
	if err != nil {
		return err
	}
	if o.Sandbox == "" {
		if o.Sandbox, err = os.MkdirTemp("", "firstday-simulate-*"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.Sandbox)) }()
	}
	out := simulated{Events: []simulate.Event{}}
	quiet, _ := c.Flags().GetBool("quiet")
	line := timeline(c)
	o.Events = func(e simulate.Event) {
		out.Events = append(out.Events, e)
		if !quiet && !asJSON(c) {
			line(e)
		}
	}
	r, failure := simulate.Run(c.Context(), args, o)
	out.OK, out.Result = failure == nil, r
	err = show(c, out, func(w *text) { describeSimulation(w, r, s.sandbox) })
	return errors.Join(failure, err)
}

// options are those of simulate.
func (s *simulation) options(args []string) (o simulate.Options, err error) {
	if len(args) == 0 && s.sandbox == "" {
		return o, usageError{errors.New("name a package, or with --sandbox a device that has one")}
	}
	if s.patience <= 0 {
		return o, usageError{errors.New("--timeout is no time at all")}
	}
	if o.Device, err = simulate.ParseDevice(s.device); err != nil {
		return o, usageError{err}
	}
	if o.Trust.VerifyOptions, err = s.trust.options(); err != nil {
		return o, err
	}
	o.Trust.RequireSignature, o.Trust.AllowUntrusted = s.strict || len(s.trust.roots) > 0, s.untrusted
	o.Sandbox, o.Patience, o.Version = s.sandbox, s.patience, version
	return o, nil
}

// timeline writes each event as it happens.
func timeline(c *cobra.Command) func(simulate.Event) {
	marks := map[simulate.Mark]string{simulate.Good: "ok    ", simulate.Note: "note  ", simulate.Failed: "FAILED"}
	if c.OutOrStdout() == os.Stdout && term.IsTerminal(int(os.Stdout.Fd())) {
		marks = map[simulate.Mark]string{simulate.Good: "✓", simulate.Note: "·", simulate.Failed: "✗"}
	}
	w := &text{w: c.OutOrStdout()}
	return func(e simulate.Event) {
		more := ""
		if why := cmp.Or(e.Error, e.Detail); why != "" {
			more = " (" + why + ")"
		}
		w.line("%s %7.2fs  %-9s  %s%s", marks[e.Mark], time.Duration(e.At).Seconds(), e.Step, e.Text, more)
		if e.Error != "" && e.Detail != "" {
			w.line("%s", e.Detail)
		}
	}
}

func describeSimulation(w *text, r *simulate.Result, sandbox string) {
	if r == nil {
		return
	}
	w.line("device    %s, serial %s", r.Device.Name, r.Device.Serial)
	if e := r.Enrolment; e.State != "" {
		w.line("enrolment %s at %s", e.State, e.Directory)
	}
	if sandbox != "" {
		w.line("sandbox   %s", r.Sandbox)
	}
}
