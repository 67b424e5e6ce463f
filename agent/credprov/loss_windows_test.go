package credprov_test

import (
	"os"
	"regexp"
	"testing"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/internal/testcredprov"
)

var watches = regexp.MustCompile(`(?m)^watch [1-9]`)

// awaits waits until a screen of the sign-in is there, or hidden.
func awaits(t *testing.T, h *testcredprov.Host, p *process, s *signin.Screen) {
	t.Helper()
	if s.State != signin.Hidden {
		showing(t, h, s)
		return
	}
	for begun := time.Now(); !watches.MatchString(p.words()); time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("the tile says %q", p.words())
		}
	}
	must(t, h.Look())
	if h.Tile.Count != 0 {
		t.Errorf("it shows %q", h.Tile.Shown())
	}
}

// fillIn is a person who chooses the tile, if it is there, and types.
func fillIn(t *testing.T, h *testcredprov.Host) {
	t.Helper()
	if h.Tile.Count == 0 {
		return
	}
	_, err := h.Select()
	must(t, err)
	texts := make([]string, len(h.Tile.Inputs()))
	for i := range texts {
		texts[i] = "hunter22"
	}
	must(t, h.Type(texts...))
}

// press is Enter, whatever comes of it but a logon.
func press(t *testing.T, h *testcredprov.Host) {
	t.Helper()
	if h.Tile.Count == 0 {
		return
	}
	if s, _, err := h.Submit(); s != nil || err != nil {
		t.Errorf("%+v, %v", s, err)
	}
}

// The agent is killed in each state: the tile goes, LogonUI is told, and with the
// next agent it is there again.
func TestWindowsLossOfAKilledAgent(t *testing.T) {
	var agent agent
	h := screenOf(t, agent.id.Load)
	for _, s := range screens {
		p := agent.starts(t, s.State)
		awaits(t, h, p, &s)
		fillIn(t, h)
		told := h.Told()
		p.kill()
		press(t, h) // before LogonUI looks again
		must(t, h.Wait(nothing))
		if s.State != signin.Hidden && h.Told() == told {
			t.Errorf("%s: LogonUI was not told", s.State)
		}
	}
	agent.starts(t, signin.Ready)
	showing(t, h, &ready)
}

// The agent hangs in each state: LogonUI does not, the tile goes when an answer is
// too late, and is there again with the next agent.
func TestWindowsLossOfAHungAgent(t *testing.T) {
	var agent agent
	var states []signin.State
	for _, s := range screens {
		states = append(states, s.State)
	}
	p := agent.starts(t, states...)
	var hosts []*testcredprov.Host
	for _, s := range screens {
		h := screenOf(t, agent.id.Load)
		awaits(t, h, p, &s)
		hosts = append(hosts, h)
		must(t, os.Remove(sentinel)) // it stands for another process than the next one
	}
	p.hang()
	for _, h := range hosts {
		fillIn(t, h)
		press(t, h)
		press(t, h)
		must(t, h.Look())
	}
	for _, h := range hosts {
		must(t, h.Wait(nothing))
		press(t, h)
	}
	p.kill()
	agent.starts(t, signin.Ready)
	for _, h := range hosts {
		showing(t, h, &ready)
	}
}
