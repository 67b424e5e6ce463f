package main

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"firstday.dev/simulate"
)

// runFleet enrols many devices.
func (s *simulation) runFleet(c *cobra.Command, args []string, o simulate.Options) error {
	if len(args) != 1 {
		return usageError{errors.New("--count takes one package")}
	}
	if s.count < 1 || s.count > simulate.MaxFleet {
		return usageError{fmt.Errorf("--count is not from 1 to %d", simulate.MaxFleet)}
	}
	bar := newProgress(c)
	bar.counter = countThings
	defer bar.close()
	done := 0
	o.Events = func(e simulate.Event) {
		if e.Step == simulate.StepDevice {
			done++
			bar.step("devices", int64(done), int64(s.count))
		}
	}
	r, err := simulate.Fleet(c.Context(), args[0], simulate.FleetOptions{Options: o, Devices: s.count})
	if r == nil {
		return err
	}
	bar.close()
	return errors.Join(show(c, r, func(w *text) { describeFleet(w, r) }), err, r.Err())
}

func describeFleet(w *text, r *simulate.FleetResult) {
	w.line("%d of %d devices are enrolled, in %v; the median one took %v, the slowest %v", r.Enrolled, r.Devices,
		time.Duration(r.Took), time.Duration(r.Median), time.Duration(r.Slowest))
	if r.Pending > 0 {
		w.line("%d wait for approval", r.Pending)
	}
	for _, code := range slices.Sorted(maps.Keys(r.Refused)) {
		w.line("%d are refused: %s", r.Refused[code], code)
	}
	for _, e := range r.Errors {
		w.line("failed: %s", e)
	}
}
