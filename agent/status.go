package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// StatusSchema is the version of [Status] as JSON. Fields may be added under
// the same number; none changes its meaning or goes.
const StatusSchema = 1

// Status is how the agent on this device is doing.
type Status struct {
	Schema         int             `json:"schema"`
	Healthy        bool            `json:"healthy"`
	Problems       []string        `json:"problems"` // plain sentences, none when healthy
	Service        ServiceStatus   `json:"service"`
	AgentVersion   string          `json:"agentVersion,omitempty"` // installed
	Organisation   string          `json:"organisation,omitempty"`
	PackageID      *uuid.UUID      `json:"packageId,omitempty"`
	PackageName    string          `json:"packageName,omitempty"`
	PackageVersion string          `json:"packageVersion,omitempty"`
	Phase          Phase           `json:"phase,omitempty"`
	PhaseError     string          `json:"phaseError,omitempty"`
	Payloads       []PayloadResult `json:"payloads"`
	RebootNeeded   bool            `json:"rebootNeeded"`
	Enrolment      *Enrolment      `json:"enrolment,omitempty"`
	PIN            *PINStatus      `json:"pin,omitempty"`
	Tile           *TileStatus     `json:"tile,omitempty"` // nil: the system's sign-in screen has none
	// Tokens are the secure tokens of people's accounts, on a Mac.
	Tokens []accounts.AccountToken `json:"tokens,omitempty"`

	faulty bool
}

// ServiceStatus is what the service manager and the service itself say.
type ServiceStatus struct {
	State        ServiceState `json:"state"`
	AgentVersion string       `json:"agentVersion,omitempty"` // running
	PID          int          `json:"pid,omitempty"`
	StartedAt    *time.Time   `json:"startedAt,omitempty"`
	UpdatedAt    *time.Time   `json:"updatedAt,omitempty"`
}

// Faulty tells that something is wrong on the device itself, not just that no
// directory has taken it yet.
func (s *Status) Faulty() bool { return s.faulty }

// Status looks at the device. Only who may read the data folder can ask:
// administrators. It returns ErrNotInstalled when there is no trace of an
// agent.
func (a *Agent) Status(ctx context.Context) (*Status, error) {
	layout := a.System.Layout()
	service, err := a.System.ServiceState(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := os.Lstat(layout.Data); errors.Is(err, fs.ErrNotExist) && (service == ServiceMissing || service == ServiceOffline) {
		return nil, ErrNotInstalled
	}
	s := &Status{Schema: StatusSchema, Problems: []string{}, Payloads: []PayloadResult{}, Service: ServiceStatus{State: service}}
	if service != ServiceRunning {
		s.fault("the service is %s", service)
	}
	if err := s.addEnrollment(layout); err != nil {
		return nil, err
	}
	if err := s.addInstallation(layout, a.System.BootID()); err != nil {
		return nil, err
	}
	if err := s.addReport(layout); err != nil {
		return nil, err
	}
	s.addTile(a)
	s.addTokens(ctx, a)
	s.Healthy = len(s.Problems) == 0
	return s, nil
}

func (s *Status) fault(format string, args ...any) {
	s.faulty = true
	s.Problems = append(s.Problems, fmt.Sprintf(format, args...))
}

func (s *Status) addEnrollment(layout Layout) error {
	raw, err := os.ReadFile(layout.Enrollment())
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		s.fault("there is no enrollment: %v", err)
		return nil
	}
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil {
		s.fault("the enrollment is damaged: %v", err)
		return nil
	}
	s.Organisation, s.PackageID = e.Organisation, &e.PackageID
	s.PackageName, s.PackageVersion = e.PackageName, e.PackageVer
	return nil
}

func (s *Status) addInstallation(layout Layout, boot string) error {
	st, err := readState(layout.State())
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		s.fault("the record of the installation is damaged: %v", err)
		return nil
	}
	if st == nil {
		s.fault("the installation has not begun")
		return nil
	}
	s.AgentVersion, s.Phase, s.PhaseError = st.AgentVersion, st.Phase, st.Error
	switch {
	case st.Phase != PhaseDone && st.Error != "":
		s.fault("the installation ended early, in phase %q: %s", st.Phase, st.Error)
	case st.Phase != PhaseDone:
		s.fault("the installation is unfinished, in phase %q", st.Phase)
	}
	for _, r := range st.Payloads {
		s.Payloads = append(s.Payloads, r)
		if r.State == PayloadFailed {
			s.fault("payload %s did not succeed: %s", r.File, r.Error)
		}
	}
	s.RebootNeeded = rebootNeeded(st.Payloads, boot)
	return nil
}

func (s *Status) addTile(a *Agent) {
	if a.System.Tile() == nil {
		return
	}
	file, err := a.installedFile()
	if err != nil {
		return // that the enrollment is damaged or missing was said
	}
	if s.Tile, err = a.lookAtTile(file); err != nil {
		s.fault("the tile of the sign-in screen cannot be looked at: %v", err)
	} else if s.Tile.Faulty() {
		s.fault("%s", s.Tile.Problem())
	}
}

func (s *Status) addReport(layout Layout) error {
	r, err := readReport(layout.Report())
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	if err != nil {
		s.fault("the service has not reported: %v", err)
		return nil
	}
	s.Service.AgentVersion, s.Service.StartedAt, s.Service.UpdatedAt = r.AgentVersion, &r.StartedAt, &r.UpdatedAt
	if s.Service.State == ServiceRunning {
		s.Service.PID = r.PID
	}
	if r.Error != "" {
		s.fault("%s", r.Error)
		return nil
	}
	if r.Surfaces != "" {
		s.fault("the sign-in cannot be shown: %s", r.Surfaces)
	}
	if r.Window != "" {
		s.fault("the sign-in window could not be shown, only the tile: %s", r.Window)
	}
	if r.Pages != "" {
		s.fault("the sign-in window could not show the pages, only a code: %s", r.Pages)
	}
	s.Enrolment, s.PIN = &r.Enrolment, r.PIN
	if p := r.Enrolment.problem(); p != "" {
		s.Problems = append(s.Problems, p)
	}
	return nil
}

// problem says in one sentence why the device is not enrolled, or what else is
// between it and the directory; nothing if all is well.
func (e Enrolment) problem() string {
	enrolled := e.DeviceID != uuid.Nil
	switch {
	case e.State == EnrolmentDone && e.DeviceState == api.DevicePending:
		return "enrolled, and waits for approval"
	case e.State == EnrolmentDone:
		return ""
	case e.State == EnrolmentPending && enrolled:
		return "the directory has not been tried yet since the service started"
	case e.State == EnrolmentPending:
		return "not enrolled: the directory has not been tried yet"
	case e.State == EnrolmentNoDirectory && enrolled:
		return "enrolled, but no directory answers: " + e.LastError
	case e.State == EnrolmentNoDirectory:
		return "not enrolled: no directory answered: " + e.LastError
	case e.State == EnrolmentRefused && e.Code == "":
		return "not enrolled: " + e.LastError
	case e.State == EnrolmentRefused:
		return fmt.Sprintf("the directory refuses this device: %s %s", api.Explain(e.Code).IT, api.Explain(e.Code).Remedy)
	case e.State == EnrolmentKeyWaits && enrolled:
		return "enrolled, but cannot prove it now: " + e.LastError
	case e.State == EnrolmentKeyWaits:
		return "not enrolled: " + e.LastError
	case e.State == EnrolmentKeyLost:
		p := api.Explain(e.Code)
		return fmt.Sprintf("%s %s (%s)", p.IT, p.Remedy, e.LastError)
	case e.State == EnrolmentKeyExpired:
		return fmt.Sprintf("not enrolled: by this device's clock the connect key expired at %v", e.KeyExpiresAt)
	default:
		return fmt.Sprintf("not enrolled: %s", e.State)
	}
}
