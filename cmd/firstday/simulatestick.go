package main

import (
	"errors"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"firstday.dev/api"
	"firstday.dev/simulate"
)

// simulatedStick is what became of the devices that a stick was plugged into, as
// JSON.
type simulatedStick struct {
	OK      bool         `json:"ok"`
	Devices []*simulated `json:"devices"`
}

// runStick plays the platforms that an image of a stick is for, one after the
// other.
func (s *simulation) runStick(c *cobra.Command, image string, o simulate.Options) (err error) {
	stick, err := simulate.OpenStick(image)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, stick.Close()) }()
	platforms := stick.Platforms()
	if o.Device.Platform != "" {
		platforms = []api.Platform{o.Device.Platform}
	}
	several := len(platforms) > 1
	switch {
	case len(platforms) == 0:
		return withHint(simulate.ErrNoPackage, "a package must lie in the root of the stick, not in a folder")
	case several && (s.sandbox != "" || s.screen != "" || c.Flags().Changed("count")):
		return usageError{errors.New("the stick is for two platforms: name one with --device platform=windows or platform=macos")}
	}
	taken, err := os.MkdirTemp("", "firstday-stick-*")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(taken)) }()
	all := simulatedStick{OK: true, Devices: []*simulated{}}
	var failures []error
	for _, p := range platforms {
		mine := o
		mine.Device.Platform = p
		if several {
			mine.Sandbox = filepath.Join(o.Sandbox, string(p))
		}
		path, err := stick.Take(c.Context(), p, taken)
		if err != nil { // the other platform may find what it needs
			all.OK, failures = false, append(failures, err)
			continue
		}
		if c.Flags().Changed("count") {
			return s.runFleet(c, []string{path}, mine)
		}
		out, failure, err := s.runOne(c, []string{path}, mine)
		if err != nil {
			return err
		}
		all.OK, all.Devices = all.OK && failure == nil, append(all.Devices, out)
		failures = append(failures, failure)
	}
	err = show(c, all, func(w *text) {
		for _, out := range all.Devices {
			describeSimulation(w, out.Result, s.sandbox)
		}
	})
	return errors.Join(errors.Join(failures...), err)
}
