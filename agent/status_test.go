package agent

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// The JSON of status is a promise to whoever monitors devices.
func TestStatusJSONKeepsItsShape(t *testing.T) {
	at := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	id, code := uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8"), 1603
	s := &Status{
		Schema: StatusSchema, Problems: []string{"a sentence"},
		Service:      ServiceStatus{State: ServiceRunning, AgentVersion: "1.2.3", PID: 4711, StartedAt: &at, UpdatedAt: &at},
		AgentVersion: "1.2.3", Organisation: "Acme", PackageID: &id, PackageName: "Acme laptops", PackageVersion: "1.0",
		Phase: PhasePayloads, PhaseError: "why", RebootNeeded: true,
		Payloads: []PayloadResult{{
			File: "one.msi", SHA256: strings.Repeat("ab", 32), State: PayloadFailed, ExitCode: &code, Attempts: 1,
			StartedAt: &at, EndedAt: &at, Error: "exit code 1603", Process: &ProcessID{PID: 4712, Created: 1},
		}},
		Enrolment: &Enrolment{
			State: EnrolmentNoDirectory, Directory: "https://directory.acme.test", KeyExpiresAt: &at, Attempts: 3,
			LastAttempt: &at, LastError: "refused", NextAttempt: &at,
			Key: &KeyStatus{Storage: api.KeyInTPM, TPM: &api.TPM{Manufacturer: "INTC", Firmware: "600.18.54.0"}, Reason: "why"},
		},
		PIN:  &PINStatus{Ready: true, Reason: "why"},
		Tile: &TileStatus{State: TileOff, File: `C:\x.dll`, By: ByWatchdog, Reason: "why", Since: at, Strikes: 3},
	}
	got, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "status.json")
	if *update {
		if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)+"\n"); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestStatusNamesEveryProblem(t *testing.T) {
	for name, test := range map[string]struct {
		spoil  func(m *machine) error
		want   string
		faulty bool
	}{
		"nothing but the directory": {func(*machine) error { return nil }, "no directory answered: no route to host", false},
		"stopped":                   {func(m *machine) error { m.halt(); return nil }, "the service is stopped", true},
		"no enrollment":             {func(m *machine) error { return os.Remove(m.Layout().Enrollment()) }, "there is no enrollment", true},
		"damaged enrollment":        {func(m *machine) error { return statefile.WriteBytes(m.Layout().Enrollment(), []byte("{")) }, "the enrollment is damaged", true},
		"no state":                  {func(m *machine) error { return os.Remove(m.Layout().State()) }, "has not begun", true},
		"damaged state":             {func(m *machine) error { return statefile.WriteBytes(m.Layout().State(), []byte("{")) }, "record of the installation is damaged", true},
		"later state":               {func(m *machine) error { return statefile.WriteBytes(m.Layout().State(), []byte(`{"schema":2}`)) }, "schema 2", true},
		"no report": {func(m *machine) error {
			m.halt()
			return os.Remove(m.Layout().Report())
		}, "the service has not reported", true},
		"no window": {func(m *machine) error {
			m.halt()
			r, err := readReport(m.Layout().Report())
			if err != nil {
				return err
			}
			r.Window = "no such desktop"
			return statefile.Write(m.Layout().Report(), r)
		}, "the sign-in window could not be shown, only the tile: no such desktop", true},
		"no pages": {func(m *machine) error {
			m.halt()
			r, err := readReport(m.Layout().Report())
			if err != nil {
				return err
			}
			r.Pages = "no runtime"
			return statefile.Write(m.Layout().Report(), r)
		}, "the sign-in window could not show the pages, only a code: no runtime", true},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMachine(t)
			m.mustInstall(deliver(t, sample("1.2.3")))
			eventually(t, "the first attempt", func() bool { return m.status().Enrolment.State == EnrolmentNoDirectory })
			// The service mends what is spoilt, once it has the lock of installations.
			m.lock <- struct{}{}
			defer func() { <-m.lock }()
			if err := test.spoil(m); err != nil {
				t.Fatal(err)
			}
			s := m.status()
			if s.Healthy || s.Faulty() != test.faulty || !strings.Contains(strings.Join(s.Problems, "\n"), test.want) {
				t.Errorf("faulty %v: %q", s.Faulty(), s.Problems)
			}
		})
	}
}

// A damaged state is no reason to stay damaged.
func TestInstallReplacesADamagedState(t *testing.T) {
	m := newMachine(t)
	b := deliver(t, sample("1.2.3"))
	m.mustInstall(b)
	if err := statefile.WriteBytes(m.Layout().State(), []byte("{")); err != nil {
		t.Fatal(err)
	}
	m.mustInstall(b)
	if s := m.status(); s.Phase != PhaseDone {
		t.Errorf("status: %+v", s)
	}
	if _, err := os.Lstat(m.Layout().Payloads()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("payloads: %v", err)
	}
}
