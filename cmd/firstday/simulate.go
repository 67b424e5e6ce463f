package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"firstday.dev/simulate"
)

func newSimulate() *cobra.Command {
	s := new(simulation)
	c := &cobra.Command{
		Use:   "simulate PACKAGE|IMAGE",
		Short: "Try a package on a simulated device, with the real agent",
		Long: `Simulate applies a provisioning package as Windows would at its first screen, or
an installer package as macOS's Installer would, to a device that is a folder,
and checks and tells each step. Then the real agent enrols the device with the
package's directory, whose devices it is among from then on: a connect key of
its own is best (firstday build --mint), and firstday device remove afterwards.

With --screen the device stays on, and its sign-in screen is shown to a browser on
this machine, as employees will see it, until Ctrl-C. With --script people sign in
by themselves, as a YAML file says:

  - account: carl                          # somebody made this account by hand
  - signIn:
      name: ann                            # a user of the directory
      password: {file: ann.password}
      newPassword: {file: ann.new}         # if the pages ask for another one
      authenticator: ann.totp              # secret of the app; kept there if the pages set it up
      devicePassword: {file: ann.device}   # if the device asks for one of its own
    expect: done                           # or hidden, or a code such as account_exists
  - restart: true

With --count a whole fleet enrols, with serial numbers of its own.

Of the image of a stick (firstday usb image) each platform takes what it would take
from the stick: first a laptop with Windows, then a Mac; --device platform=macos
and the like for one of them.

Nothing in the package is run but the agent, whose code is that of this program;
what else a device would run is told, and taken to succeed.

The device is gone when it is done, unless its folder is named with --sandbox.
The same folder again is the same device, switched on once more: what was
interrupted goes on, and without a package its agent just runs.`,
		Example: `  firstday simulate kit/Acme.ppkg
  firstday simulate kit/Acme.ppkg --device serial=5CG1234XYZ,arch=arm64 --screen
  firstday simulate kit/Acme.pkg --sandbox mac --root acme-ca.pem --require-signed
  firstday simulate kit/Acme.pkg --script first-day.yaml
  firstday simulate kit/Acme.ppkg --count 500 --json
  firstday simulate stick.img --device platform=windows
  firstday simulate --sandbox mac --screen=127.0.0.1:8080`,
		Args: cobra.ArbitraryArgs, // of several packages simulate tells what a stick with them does
		RunE: s.run,
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"ppkg", "pkg", "img"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	s.trust.flags(c)
	f := c.Flags()
	f.StringVar(&s.device, "device", "", "what the device is, such as serial=5CG1234XYZ,model=Latitude 7450; also\nplatform, manufacturer, name, arch (amd64 or arm64), os and osVersion")
	f.StringVar(&s.sandbox, "sandbox", "", "folder of the device; made if there is none, and kept")
	f.BoolVar(&s.strict, "require-signed", false, "refuse a package without a trusted signature; --root asks for it, too")
	f.BoolVar(&s.untrusted, "allow-untrusted", false, "take an installer package whose signer is not trusted, as installer -allowUntrusted does")
	f.DurationVar(&s.patience, "timeout", time.Minute, "how long the agent may take to enrol, and people for each scene of a script")
	f.StringVar(&s.script, "script", "", "file that says who signs in, and what must come of it")
	f.StringVar(&s.screen, "screen", "", "show the device's screen to browsers on this machine, at an address of it")
	f.Lookup("screen").NoOptDefVal = "127.0.0.1:0"
	f.IntVar(&s.count, "count", 0, "enrol so many devices, eight at once")
	_ = c.MarkFlagDirname("sandbox")
	_ = c.MarkFlagFilename("script", "yaml", "yml")
	c.MarkFlagsMutuallyExclusive("count", "screen")
	c.MarkFlagsMutuallyExclusive("count", "script")
	return c
}

// simulation is what the flags say.
type simulation struct {
	trust             trust
	device, sandbox   string
	strict, untrusted bool
	patience          time.Duration
	script, screen    string
	count             int
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
	if len(args) == 1 && simulate.IsStick(args[0]) {
		return s.runStick(c, args[0], o)
	}
	if c.Flags().Changed("count") {
		return s.runFleet(c, args, o)
	}
	out, failure, err := s.runOne(c, args, o)
	if err != nil {
		return err
	}
	err = show(c, out, func(w *text) { describeSimulation(w, out.Result, s.sandbox) })
	return errors.Join(failure, err)
}

// runOne plays one device. The failure is the device's.
func (s *simulation) runOne(c *cobra.Command, args []string, o simulate.Options) (out *simulated, failure, err error) {
	out = &simulated{Events: []simulate.Event{}}
	quiet, _ := c.Flags().GetBool("quiet")
	line := timeline(c)
	window := simulate.NewWindow()
	o.Events = func(e simulate.Event) {
		out.Events = append(out.Events, e)
		window.Tell(e)
		if !quiet && !asJSON(c) {
			line(e)
		}
	}
	if o.Then, err = s.then(c, window); err != nil {
		return nil, nil, err
	}
	out.Result, failure = simulate.Run(c.Context(), args, o)
	out.OK = failure == nil
	return out, failure, nil
}

// then is what happens once the device is enrolled.
func (s *simulation) then(c *cobra.Command, window *simulate.Window) (func(context.Context, *simulate.Machine) error, error) {
	var script *simulate.Script
	var err error
	if s.script != "" {
		if script, err = simulate.ReadScript(s.script); err != nil {
			return nil, err
		}
	}
	return func(ctx context.Context, m *simulate.Machine) error {
		if script != nil {
			if err := m.Play(ctx, script, s.patience); err != nil {
				return err
			}
		}
		if s.screen == "" {
			return nil
		}
		l, err := net.Listen("tcp", s.screen)
		if err != nil {
			return err
		}
		return window.Serve(ctx, m, l, func(address string) {
			fmt.Fprintf(c.ErrOrStderr(), "the device's screen: %s (Ctrl-C switches it off)\n", address)
		})
	}, nil
}

// options are those of simulate.
func (s *simulation) options(args []string) (o simulate.Options, err error) {
	if len(args) == 0 && s.sandbox == "" {
		return o, usageError{errors.New("name a package, or with --sandbox a device that has one")}
	}
	if err := onlyHere(s.screen); err != nil {
		return o, usageError{err}
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

// onlyHere refuses addresses that others reach: what is typed on the screen is
// not encrypted.
func onlyHere(address string) error {
	if address == "" {
		return nil
	}
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return fmt.Errorf("--screen: %w", err)
	}
	if ip := net.ParseIP(host); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("--screen %s: only addresses of this machine alone will do, such as 127.0.0.1:8080", address)
	}
	return nil
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
