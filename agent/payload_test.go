package agent

import (
	"context"
	"errors"
	"os"
	"testing"
	"testing/synctest"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"github.com/google/go-cmp/cmp"
)

func TestPayloadResults(t *testing.T) {
	for name, test := range map[string]struct {
		payload api.Payload
		code    int
		want    PayloadState
	}{
		"0":                      {api.Payload{}, 0, PayloadDone},
		"restart":                {api.Payload{}, 3010, PayloadReboot},
		"restart begun":          {api.Payload{}, 1641, PayloadReboot},
		"other":                  {api.Payload{}, 1, PayloadFailed},
		"named success":          {api.Payload{SuccessCodes: []int{0, -7}}, -7, PayloadDone},
		"above 2^31":             {api.Payload{SuccessCodes: []int{2147945410}}, -2147021886, PayloadDone},
		"0 is not named":         {api.Payload{SuccessCodes: []int{5}}, 0, PayloadFailed},
		"named restart":          {api.Payload{RebootCodes: []int{9}}, 9, PayloadReboot},
		"3010 is not named":      {api.Payload{RebootCodes: []int{9}}, 3010, PayloadFailed},
		"busy is an MSI's word":  {api.Payload{Kind: "exe"}, 1618, PayloadFailed},
		"success before restart": {api.Payload{SuccessCodes: []int{3010}}, 3010, PayloadDone},
	} {
		t.Run(name, func(t *testing.T) {
			var r PayloadResult
			if busy := r.end(test.payload, test.code, nil); busy || r.State != test.want || *r.ExitCode != test.code {
				t.Errorf("got %+v, busy %v", r, busy)
			}
		})
	}
}

func TestPayloadCommand(t *testing.T) {
	for _, test := range []struct{ kind, arguments, program, line string }{
		{"exe", `/S /D=C:\My Dir`, `C:\p\a b.exe`, `"C:\p\a b.exe" /S /D=C:\My Dir`},
		{"exe", "", `C:\p\a b.exe`, `"C:\p\a b.exe"`},
		{"msi", `KEY="x y"`, `C:\sys\msiexec.exe`, `"C:\sys\msiexec.exe" /i "C:\p\a b.msi" /qn /norestart KEY="x y"`},
	} {
		program, line := payloadCommand(`C:\sys`, test.kind, `C:\p\a b.`+test.kind, test.arguments)
		if program != test.program || line != test.line {
			t.Errorf("got %s and %s, want %s and %s", program, line, test.program, test.line)
		}
	}
}

func TestFailedPayloadDoesNotKeepTheOthers(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{codes: []int{5, 0}}
	b := deliver(t, sample("1.2.3"))
	if _, err := m.install(b, InstallOptions{}); !errors.Is(err, ErrPayload) {
		t.Fatalf("got %v", err)
	}
	if diff := cmp.Diff([]PayloadState{PayloadFailed, PayloadDone}, m.payloadStates()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if s := m.status(); s.Service.State != ServiceRunning || !s.Faulty() {
		t.Errorf("status: %+v", s)
	}
	if _, err := os.Lstat(m.Layout().Payloads()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the files were kept: %v", err)
	}
	// Who installs again wants another try of what failed, and only of that.
	m.mustInstall(b)
	if diff := cmp.Diff([]string{"one.exe", "two.exe", "one.exe"}, m.started()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestRestartIsAskedForUntilItHappens(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{codes: []int{3010}}
	b := deliver(t, sample("1.2.3"))
	for range 2 {
		if out := m.mustInstall(b); !out.RebootNeeded {
			t.Errorf("outcome: %+v", out)
		}
	}
	m.restart()
	if out := m.mustInstall(b); out.RebootNeeded || out.Changed {
		t.Errorf("after the restart: %+v", out)
	}
}

func TestPayloadThatRestartsIsNotFollowedAtOnce(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{codes: []int{codeRebootBegun}}
	out := m.mustInstall(deliver(t, sample("1.2.3")))
	if !out.Unfinished || !out.RebootNeeded {
		t.Errorf("outcome: %+v", out)
	}
	m.halt() // before the service has a chance
	m.restart()
	eventually(t, "the service goes on", func() bool { return m.status().Phase == PhaseDone })
	if diff := cmp.Diff([]string{"one.exe", "two.exe"}, m.started()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// interruptPayload installs until a payload runs; then the time has run out.
func (m *machine) interruptPayload(b *Bundle) {
	m.t.Helper()
	ctx, cancel := context.WithCancel(m.t.Context())
	a := m.agent("9.9.9")
	a.entered = func(_ Phase, when moment) {
		if when == "running" {
			cancel()
		}
	}
	out, err := a.Install(ctx, b, InstallOptions{})
	if err != nil || !out.Unfinished {
		m.t.Fatalf("outcome %+v, %v", out, err)
	}
}

func TestServiceGoesOnWhenTheTimeRanOut(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{hangs: true}
	m.interruptPayload(deliver(t, sample("1.2.3")))
	if diff := cmp.Diff([]PayloadState{PayloadRunning, PayloadWaiting}, m.payloadStates()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.finish() // the very process the installation started
	eventually(t, "the service goes on", func() bool { return m.status().Phase == PhaseDone })
	if diff := cmp.Diff([]string{"one.exe", "two.exe"}, m.started()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The service that ended one installation ends the next one, too.
func TestServiceGoesOnWithALaterInstallation(t *testing.T) {
	m := newMachine(t)
	m.limits.resumePause = 10 * time.Millisecond
	m.installers["one.exe"] = &installer{codes: []int{1}}
	b := deliver(t, sample("1.2.3"))
	if _, err := m.install(b, InstallOptions{}); !errors.Is(err, ErrPayload) {
		t.Fatalf("got %v", err)
	}
	m.installers["one.exe"] = &installer{hangs: true}
	m.interruptPayload(b)
	m.finish()
	eventually(t, "the service goes on", func() bool { return m.status().Phase == PhaseDone })
}

// A payload that finds no place is not worth a laptop without its agent.
func TestPayloadWithoutRoomLeavesTheAgent(t *testing.T) {
	m := newMachine(t)
	b := deliver(t, sample("1.2.3"))
	if err := errors.Join(os.MkdirAll(m.Layout().Data, 0o700), os.WriteFile(m.Layout().Payloads(), []byte("in the way"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := m.install(b, InstallOptions{}); !errors.Is(err, ErrPayload) {
		t.Fatalf("got %v", err)
	}
	if s := m.status(); s.Service.State != ServiceRunning || s.Payloads[0].State != PayloadFailed || s.Payloads[0].Error == "" {
		t.Errorf("got %+v", s)
	}
	_ = os.Remove(m.Layout().Payloads())
	m.mustInstall(b)
	if diff := cmp.Diff([]PayloadState{PayloadDone, PayloadDone}, m.payloadStates()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestPayloadThatHangsIsEnded(t *testing.T) {
	m := newMachine(t)
	m.limits.PayloadLimit = 50 * time.Millisecond
	m.installers["one.exe"] = &installer{hangs: true}
	if _, err := m.install(deliver(t, sample("1.2.3")), InstallOptions{}); !errors.Is(err, ErrPayload) {
		t.Fatalf("got %v", err)
	}
	s := m.status()
	if r := s.Payloads[0]; r.State != PayloadFailed || r.Error != "did not end within 50ms" {
		t.Errorf("got %+v", r)
	}
	if s.Payloads[1].State != PayloadDone {
		t.Errorf("got %+v", s.Payloads[1])
	}
}

func TestPayloadThatKeepsBeingInterruptedIsGivenUp(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{hangs: true}
	m.interruptPayload(deliver(t, sample("1.2.3")))
	for range maxAttempts - 1 {
		runs := len(m.started())
		m.restart()
		eventually(t, "another attempt", func() bool { return len(m.started()) > runs && m.status().Payloads[0].Process != nil })
	}
	m.restart()
	eventually(t, "the next payload", func() bool { return m.payloadStates()[1] == PayloadDone })
	if r := m.status().Payloads[0]; r.State != PayloadFailed || r.Error != "interrupted 5 times" {
		t.Errorf("got %+v", r)
	}
}

func TestChangedPayloadIsNotRun(t *testing.T) {
	m := newMachine(t)
	a := m.agent("9.9.9")
	a.entered = func(p Phase, when moment) {
		if p == PhasePayloads && when == before {
			if err := statefile.WriteBytes(m.Layout().Payloads()+"/two.exe", []byte("evil")); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := a.Install(context.Background(), deliver(t, sample("1.2.3")), InstallOptions{}); !errors.Is(err, ErrPayload) {
		t.Errorf("got %v", err)
	}
	if diff := cmp.Diff([]string{"one.exe"}, m.started()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Windows Installer does one installation at a time.
func TestBusyInstallerIsWaitedFor(t *testing.T) {
	e := sample("1.2.3")
	e.Payloads[0].File, e.Payloads[0].Kind, e.Payloads[0].SHA256 = "one.msi", "msi", digest([]byte("one.msi"))
	b := deliver(t, e)
	synctest.Test(t, func(t *testing.T) {
		m := newMachine(t)
		m.installers["one.msi"] = &installer{codes: []int{codeInstallerBusy, codeInstallerBusy, 0}}
		begun := time.Now()
		m.mustInstall(b)
		if took := time.Since(begun); took < 2*installerBusyPause {
			t.Errorf("it took %v", took)
		}
		if r := m.status().Payloads[0]; r.State != PayloadDone || r.Attempts != 1 {
			t.Errorf("got %+v", r)
		}
		m.halt()
	})
}

// A new package does not start its installers beside one of the former's.
func TestNewPackageWaitsForTheFormersPayload(t *testing.T) {
	m := newMachine(t)
	m.installers["one.exe"] = &installer{hangs: true}
	m.limits.InstallLimit = 200 * time.Millisecond
	if out, err := m.install(deliver(t, sample("1.2.3")), InstallOptions{}); err != nil || !out.Unfinished {
		t.Fatalf("%+v, %v", out, err)
	}
	m.limits.InstallLimit = 0
	// The service must not wait for it meanwhile.
	if err := (view{machine: m}).StopService(t.Context()); err != nil {
		t.Fatal(err)
	}
	next := sample("1.2.4")
	next.Payloads = next.Payloads[1:]
	b, installed := deliver(t, next), make(chan error)
	go func() {
		_, err := m.install(b, InstallOptions{})
		installed <- err
	}()
	eventually(t, "the agent runs", func() bool { return m.status().Service.AgentVersion == "1.2.4" })
	select {
	case <-installed:
		t.Error("it did not wait")
	case <-time.After(100 * time.Millisecond):
	}
	if diff := cmp.Diff([]string{"one.exe"}, m.started()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	m.finish()
	if err := <-installed; err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]string{"one.exe", "two.exe"}, m.started()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
