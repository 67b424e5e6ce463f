package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent"
	"firstday.dev/api"
)

// lookEvery is how often the agent's report is read.
const lookEvery = 20 * time.Millisecond

// AwaitEnrolment waits until the agent is enrolled and has checked in, so that
// its connect key is erased. The error holds the directory's [api.Code] if that
// refuses the device, and wraps [ErrNotEnrolled] if the time runs out.
//
// A device on which no package has put an agent has nothing to wait for: that is
// an error that wraps [agent.ErrNotInstalled].
func (m *Machine) AwaitEnrolment(ctx context.Context, patience time.Duration) (agent.Enrolment, error) {
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	var last agent.Enrolment
	for {
		status, err := m.agent("").Status(limited)
		switch {
		case err != nil && limited.Err() == nil:
			return last, err
		case err == nil && status.Enrolment != nil && m.reported(status):
			e := *status.Enrolment
			if e.State != last.State && e.State == agent.EnrolmentNoDirectory {
				m.told.note(StepEnrolment, "no directory answers, the agent tries again", e.LastError)
			}
			last = e
			if done, err := m.settled(e); done {
				return e, err
			}
		}
		select {
		case <-tick.C:
		case <-limited.Done():
			return last, m.impatient(ctx, last, patience)
		}
	}
}

// reported tells whether the service that runs now has said something since it
// tried the directory: a report of the boot before this one means nothing.
func (m *Machine) reported(s *agent.Status) bool {
	began, runs := m.since()
	return runs && s.Service.StartedAt != nil && !s.Service.StartedAt.Before(began) && s.Enrolment.Attempts > 0
}

// settled tells whether the agent will get no further by itself, and tells it.
func (m *Machine) settled(e agent.Enrolment) (bool, error) {
	switch {
	case e.State == agent.EnrolmentDone:
		if kept, err := m.enrollment(); err != nil || kept.ConnectKey != "" {
			return false, nil //nolint:nilerr // it is being written
		}
		if e.DeviceState == api.DevicePending {
			m.told.note(StepEnrolment, "enrolled, and waits for approval", "firstday device approve "+e.DeviceID.String())
			return true, nil
		}
		m.told.good(StepEnrolment, "enrolled, and checked in; the connect key is erased", "device "+e.DeviceID.String())
		return true, nil
	case e.State == agent.EnrolmentRefused, e.State == agent.EnrolmentKeyExpired && e.Code != "":
		err := refusal(e)
		problem := api.Explain(e.Code)
		m.told.add(Event{Step: StepEnrolment, Mark: Failed, Text: "the directory refuses this device", Error: err.Error(),
			Detail: fmt.Sprintf("IT: %s %s The employee reads: %s", problem.IT, problem.Remedy, problem.Employee)})
		return true, err
	}
	return false, nil
}

// impatient says why there is nothing to show.
func (m *Machine) impatient(ctx context.Context, last agent.Enrolment, patience time.Duration) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	err := fmt.Errorf("%w, within %v", ErrNotEnrolled, patience)
	switch {
	case last.State == agent.EnrolmentNoDirectory, last.State == agent.EnrolmentKeyExpired:
		err = fmt.Errorf("%w: %w: %s", err, api.ErrUnreachable, last.LastError)
	case last.DeviceID != uuid.Nil:
		err = fmt.Errorf("%w: it did not check in: %s", err, last.LastError)
	}
	m.told.failed(StepEnrolment, "not enrolled", err)
	return err
}

// sumFile gives the SHA-256 of a file.
func sumFile(file string) (string, error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// hasAgent tells whether a package has put an agent on the device.
func (m *Machine) hasAgent() (bool, error) {
	name, err := m.registered()
	return name != "", err
}
