//go:build unix

package agent

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// surfacesOf gives the machine a socket for surfaces.
func surfacesOf(t *testing.T, m *machine) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "firstday") // names of sockets are short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	m.surfaces = filepath.Join(dir, "run", "agent.sock")
	return m.surfaces
}

// surface connects as soon as the service listens.
func surface(t *testing.T, address string) *local.Client { return namedSurface(t, address, "test") }

func namedSurface(t *testing.T, address, name string) *local.Client {
	t.Helper()
	var c *local.Client
	eventually(t, "the service to listen", func() bool {
		var err error
		c, err = local.Dial(t.Context(), address, name)
		return err == nil
	})
	t.Cleanup(func() { c.Close() })
	return c
}

// untilShown waits until a surface shows a state.
func untilShown(t *testing.T, c *local.Client, state signin.State) *local.Screen {
	t.Helper()
	for serial := int64(0); ; {
		s, err := c.Next(t.Context(), serial)
		if err != nil {
			t.Fatalf("waiting for %s: %v", state, err)
		}
		if s.State == state {
			return s
		}
		serial = s.Serial
	}
}

// The service offers the sign-in to surfaces in other processes. What they see
// changes when somebody refreshes, though the directory has nothing to tell.
func TestSurfacesOfTheService(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	address := surfacesOf(t, m)
	end := m.run()
	c := surface(t, address)
	ready := untilShown(t, c, signin.Ready)
	if c.Agent != "1.2.3" || ready.Title != "Sign in with Acme" || ready.Device.Serial != "SN-1" {
		t.Errorf("agent %s shows %+v", c.Agent, ready)
	}
	for range 2 {
		if r, err := c.Refresh(t.Context()); err != nil || r.Code != "" {
			t.Errorf("%+v, %v", r, err)
		}
	}
	if err := c.Act(t.Context(), signin.Action{Name: signin.Start, Serial: ready.Serial}); err != nil {
		t.Error(err)
	}
	if waiting := untilShown(t, c, signin.Waiting); len(waiting.Modules) == 0 || waiting.UserCode == "" || waiting.Ends.IsZero() {
		t.Errorf("%+v", waiting)
	}
	d.Stop()
	if r, err := c.Refresh(t.Context()); err != nil || r.Code != api.CodeOffline {
		t.Errorf("%+v, %v", r, err)
	}
	eventually(t, "the loss of the connection", func() bool {
		s, err := c.Next(t.Context(), 0)
		return err == nil && !s.Online
	})
	d.Serve()
	if r, err := c.Refresh(t.Context()); err != nil || r.Code != "" {
		t.Errorf("%+v, %v", r, err)
	}
	end()
	if _, err := c.Next(t.Context(), 1<<40); !errors.Is(err, local.ErrClosed) {
		t.Errorf("after the end of the service: %v", err)
	}
	if _, err := os.Stat(filepath.Dir(address)); !os.IsNotExist(err) {
		t.Errorf("it leaves its socket: %v", err)
	}
}

// A service that surfaces cannot reach says so, enrols all the same, and tries
// again.
func TestServiceThatCannotListen(t *testing.T) {
	d := testdirectory.New(t)
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	address := surfacesOf(t, m)
	if err := os.WriteFile(filepath.Dir(address), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	defer m.run()()
	m.becomes("enrolment", done)
	problem := func() string {
		r, err := readReport(m.Layout().Report())
		if err != nil {
			t.Fatal(err)
		}
		return r.Surfaces
	}
	eventually(t, "the problem", func() bool { return strings.Contains(problem(), "is not a folder of ours") })
	s, err := m.agent("1.2.3").Status(t.Context())
	if err != nil || !s.Faulty() || !strings.Contains(strings.Join(s.Problems, "\n"), "the sign-in cannot be shown") {
		t.Errorf("%+v, %v", s, err)
	}
	if err := os.Remove(filepath.Dir(address)); err != nil {
		t.Fatal(err)
	}
	surface(t, address)
	eventually(t, "the problem to go", func() bool { return problem() == "" })
}

// Why nothing is offered is told to surfaces.
func TestSurfacesLearnWhy(t *testing.T) {
	d := testdirectory.New(t)
	key := d.MustMint(api.NewConnectKey{})
	keys, err := d.Keys(t.Context(), uuid.Nil)
	if err != nil || len(keys) != 1 {
		t.Fatal(keys, err)
	}
	if err := d.RevokeKey(t.Context(), "token:ann", keys[0].ID); err != nil {
		t.Fatal(err)
	}
	m := joining(t, d.At, key)
	address := surfacesOf(t, m)
	t.Cleanup(m.run())
	c := surface(t, address)
	eventually(t, "the reason", func() bool {
		s, err := c.Next(t.Context(), 0)
		return err == nil && s.State == signin.Hidden && s.Why == api.CodeKeyRevoked
	})
	if r, err := c.Refresh(t.Context()); err != nil || r.Code != api.CodeKeyRevoked {
		t.Errorf("%+v, %v", r, err)
	}
}
