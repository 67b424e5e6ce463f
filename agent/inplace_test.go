package agent

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/api"
	"firstday.dev/templates/macos"
)

// put does what an installer package does: it puts agent, enrollment and
// service into their places, and nothing runs yet.
func (m *machine) put(e *api.Enrollment, version string) {
	m.t.Helper()
	program := m.Layout().Agent(version)
	data, err := json.Marshal(e)
	if err != nil {
		m.t.Fatal(err)
	}
	for path, contents := range map[string][]byte{program: []byte("agent " + version), m.Layout().Enrollment(): data} {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			m.t.Fatal(err)
		}
		if err := os.WriteFile(path, contents, 0o600); err != nil {
			m.t.Fatal(err)
		}
	}
	m.registered = program
}

func TestInstallInPlace(t *testing.T) {
	m := newMachine(t)
	m.tile = nil                                                  // as on Macs
	for _, version := range []string{"1.2.3", "1.3.0", "1.2.9"} { // anew, up, down
		e := sample(version)
		e.Payloads = nil
		m.put(e, version)
		for i := range 2 {
			out, err := m.agent("9.9.9").InstallInPlace(t.Context())
			if err != nil || out.AgentVersion != version || out.Changed != (i == 0) {
				t.Fatalf("%s: %+v, %v", version, out, err)
			}
		}
		s := m.status()
		if s.Phase != PhaseDone || s.Service.AgentVersion != version || *s.PackageID != e.PackageID {
			t.Errorf("%s: %+v", version, s)
		}
		if others, err := os.ReadDir(m.Layout().Program); err != nil || len(others) != 1 {
			t.Errorf("%s: versions %v, %v", version, others, err)
		}
	}
	e := sample("1.4.0")
	m.put(e, "1.4.0")
	if err := os.WriteFile(m.Layout().Agent("1.4.0"), []byte("another"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := m.agent("9.9.9").InstallInPlace(t.Context()); !errors.Is(err, ErrEnrollment) {
		t.Errorf("another agent: %v", err)
	}
}

// The plug-in of the login window is no other than that of the package either.
func TestInstallInPlaceLooksAtTheLoginPlugin(t *testing.T) {
	m := newMachine(t)
	m.tile = nil
	page := filepath.Join(m.Layout().LoginPlugin, "Contents", "Resources", "index.html")
	if err := errors.Join(os.MkdirAll(filepath.Dir(page), 0o755), os.WriteFile(page, []byte("<p>"), 0o600)); err != nil {
		t.Fatal(err)
	}
	digest, err := macos.PluginDigest(os.DirFS(m.Layout().LoginPlugin))
	if err != nil {
		t.Fatal(err)
	}
	e := sample("1.2.3")
	e.Payloads = nil
	for i := range e.Agents {
		e.Agents[i].LoginPlugin = api.CarriedFile{File: macos.Plugin, SHA256: digest}
	}
	m.put(e, "1.2.3")
	if _, err := m.agent("9.9.9").InstallInPlace(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, change := range []func() error{
		func() error { return os.WriteFile(page, []byte("<b>"), 0o600) },
		func() error { return errors.Join(os.Remove(page), os.Symlink("/etc/hosts", page)) },
		func() error { return os.RemoveAll(m.Layout().LoginPlugin) },
	} {
		if err := change(); err != nil {
			t.Fatal(err)
		}
		if _, err := m.agent("9.9.9").InstallInPlace(t.Context()); !errors.Is(err, ErrEnrollment) || !strings.Contains(err.Error(), m.Layout().LoginPlugin) {
			t.Errorf("%v", err)
		}
	}
}

// A package that was installed while another system ran has nobody to finish
// it but the service, at its first start.
func TestServiceTakesUpWhatWasPutInPlace(t *testing.T) {
	m := newMachine(t)
	e := sample("1.2.3")
	e.Payloads = nil
	m.put(e, "1.2.3")
	m.restart()
	eventually(t, "it is done", func() bool { s := m.status(); return s.Phase == PhaseDone && s.Service.AgentVersion != "" })
	if s := m.status(); s.Service.AgentVersion != "1.2.3" || *s.PackageID != e.PackageID {
		t.Errorf("status: %+v", s)
	}
}
