package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firstday.dev/kit"
	"firstday.dev/station"
	"firstday.dev/station/fat32"
)

func newUSBVerify() *cobra.Command {
	from := new(source)
	var all bool
	var kitDir, label string
	c := &cobra.Command{
		Use:   "verify [STICK|IMAGE...]",
		Short: "Compare sticks with a kit, or with what they say themselves",
		Long: `Verify reads every file of a stick, past the cache where the system lets it, and
lists what is missing, changed, not ours, or not complete. It compares with the kit
that --kit names, else with the checksums on the stick, whose signature it checks as
firstday verify does. Nobody signs what lies beside the kit, the scripts for Macs and
README.html: without the kit it checks that the scripts are those that this firstday
writes. Others are noted, and with --root or --require-signature the stick is not good.

STICK is the name of a disk or its port, as firstday usb list shows them, or the
folder where a stick is mounted. IMAGE is a file made by firstday usb image.`,
		Example: `  firstday usb verify --all --root acme-ca.pem
  firstday usb verify /media/ann/FIRSTDAY --kit kit
  firstday usb verify stick.img --json`,
		RunE: func(c *cobra.Command, args []string) (err error) {
			if all == (len(args) > 0) {
				return usageError{errors.New("name sticks or images, or --all sticks")}
			}
			if from.signer != "" && kitDir == "" {
				return usageError{errors.New("--signer is for the bundle that --kit names")}
			}
			o, err := from.options()
			if err != nil {
				return err
			}
			o.RequireSignature = from.strict || len(from.roots) > 0
			var stick *station.Stick
			if kitDir != "" {
				if stick, _, err = from.open(c, kitDir, label); err != nil {
					return err
				}
				defer func() { err = errors.Join(err, stick.Close()) }()
			}
			opened, err := findContents(c.Context(), args)
			if err != nil {
				return err
			}
			return verifySticks(c, opened, stick, o)
		},
	}
	from.flags(c)
	f := c.Flags()
	f.BoolVar(&all, "all", false, "all sticks that are plugged in")
	f.StringVar(&label, "label", station.DefaultLabel, "label that the pages on the stick name, if it was written with one")
	f.StringVar(&kitDir, "kit", "", "kit, or bundle of an order, to compare with")
	_ = c.MarkFlagDirname("kit")
	return c
}

// content is a stick or image that is to be read.
type content struct {
	name string
	open func(context.Context) (*station.Contents, error)
}

func findContents(ctx context.Context, names []string) (list []content, err error) {
	var sticks []string
	for _, name := range names {
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			list = append(list, content{name, func(context.Context) (*station.Contents, error) { return station.OpenImage(name) }})
		} else {
			sticks = append(sticks, name)
		}
	}
	if len(list) > 0 && len(sticks) == 0 {
		return list, nil
	}
	targets, err := findSticks(ctx, sticks, false)
	for _, t := range targets {
		list = append(list, content{t.Name, func(ctx context.Context) (*station.Contents, error) { return station.OpenTarget(ctx, &t) }})
	}
	return list, err
}

// verifySticks compares one after the other; one that cannot be read does not keep
// others from it.
func verifySticks(c *cobra.Command, sticks []content, with *station.Stick, o kit.VerifyOptions) error {
	bars := newProgress(c)
	defer bars.close()
	findings := []*station.Findings{}
	var failures []error
	for _, s := range sticks {
		o.Progress = func(_ string, done, total int64) { bars.step(s.name, done, total) }
		f, err := verifyStick(c.Context(), s, with, o)
		if c.Context().Err() != nil {
			return c.Context().Err()
		}
		if err != nil {
			failures = append(failures, err)
			continue
		}
		findings = append(findings, f)
		if err := f.Err(); err != nil {
			failures = append(failures, stickError{err, s.name})
		}
	}
	bars.close()
	shown := show(c, findings, func(w *text) {
		for _, f := range findings {
			describeFindings(w, f)
		}
	})
	return errors.Join(errors.Join(failures...), shown)
}

func verifyStick(ctx context.Context, s content, with *station.Stick, o kit.VerifyOptions) (_ *station.Findings, err error) {
	contents, err := s.open(ctx)
	if errors.Is(err, fat32.ErrFormat) {
		return nil, withHint(err, "mount it and name the folder; if that cannot be done it was never written to its end: write it again")
	}
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, contents.Close()) }()
	return contents.Verify(ctx, with, o)
}

// stickError says that a stick is not good; why has been printed.
type stickError struct {
	error
	name string
}

func (e stickError) Unwrap() error { return e.error }
func (e stickError) Error() string { return filepath.Clean(e.name) + " is not good" }

func describeFindings(w *text, f *station.Findings) {
	state := "is not good"
	if f.OK {
		state = "is good"
	}
	w.line("%s %s: %d files of kit %s", f.Stick, state, f.Files, short12(f.KitID))
	if f.Organisation != "" {
		w.line("  of %s", f.Organisation)
	}
	if f.Incomplete {
		w.line("  INCOMPLETE: it was not written to its end")
	}
	for _, c := range f.Checks {
		if c.Error != "" {
			w.line("  FAILED    %s: %s: %s", c.File, c.What, c.Error)
		} else {
			w.line("  ok        %s: %s %s", c.File, c.What, c.Detail)
		}
	}
	for _, list := range []struct {
		what  string
		names []string
	}{{"missing", f.Missing}, {"changed", f.Changed}, {"package", f.Packages}, {"not ours", f.Foreign}} {
		for _, name := range list.names {
			w.line("  %-9s %s", list.what, name)
		}
	}
	for _, warning := range f.Warnings {
		w.line("  note      %s", warning)
	}
	if f.ReadBack != "" {
		w.line("  read %s", f.ReadBack)
	}
}

// short12 is enough of an id to tell kits apart.
func short12(id string) string {
	if id == "" {
		return "unknown"
	}
	return fmt.Sprintf("%.12s", id)
}
