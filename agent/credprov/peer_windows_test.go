package credprov_test

import (
	"strings"
	"testing"
	"time"

	"firstday.dev/agent/signin"
)

// The agents that TestTileKnowsTheAgentUnderWine has put there. All are the same
// program, with the same server and the same screen, and differ from the right one
// in one thing.
const (
	agents = `C:\Program Files\Firstday\Agent\`
	right  = folder + `\firstday-agent.exe`
)

// refuses wants that who serves the pipe gets nothing, and that nothing is shown.
// It waits for a second attempt to connect. How often the tile has asked whose
// process it is tells that it did not fail before.
func refuses(t *testing.T, program string, isSystem bool) {
	t.Helper()
	p := start(t, program, signin.Password)
	asked := make(chan bool, 100)
	h := screenOf(t, func() uint32 {
		asked <- true
		if isSystem {
			return p.id()
		}
		return self()
	})
	for begun := time.Now(); strings.Count(p.words(), connected) < 2 || len(asked) < 2; time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("the tile has asked %d times, and said %q", len(asked), p.words())
		}
	}
	must(t, h.Look())
	if h.Tile.Count != 0 || h.Told() != 0 {
		t.Errorf("LogonUI was told %d times of %q", h.Told(), h.Tile.Shown())
	}
	p.kill()
	if got := strings.ReplaceAll(p.words(), connected, ""); got != "" {
		t.Errorf("the tile says %q", got)
	}
}

// trusts wants that who serves the pipe gets what a person types.
func trusts(t *testing.T, program string) {
	t.Helper()
	p := start(t, program, signin.Password)
	h := screenOf(t, p.id)
	showing(t, h, &typing)
	fillIn(t, h)
	submits(t, h)
	const want = "\nfield password hunter22\nfield again hunter22\nact submit 1\n"
	for begun := time.Now(); !strings.Contains(p.words(), want); time.Sleep(time.Millisecond) {
		if time.Since(begun) > time.Minute {
			t.Fatalf("the tile says %q", p.words())
		}
	}
	p.kill()
	must(t, h.Wait(nothing))
}

// Nobody has made this Windows trust the root yet.
func TestWindowsPeerOfAnUntrustedRoot(t *testing.T) { refuses(t, right, true) }

func TestWindowsPeer(t *testing.T) {
	for name, program := range map[string]string{
		"the agent":                  right,
		"the agent after an update":  agents + `1.10.0\firstday-agent.exe`,
		"the agent in other letters": `c:\PROGRAM FILES\firstday\agent\1.2.3\FIRSTDAY-AGENT.EXE`,
	} {
		t.Run(name, func(t *testing.T) { trusts(t, program) })
	}
	for name, program := range map[string]string{
		"another folder":          `C:\Users\Public\Firstday\Agent\1.2.3\firstday-agent.exe`,
		"a folder below":          folder + `\sub\firstday-agent.exe`,
		"another name":            folder + `\other.exe`,
		"signed by nobody":        agents + `1.2.4\firstday-agent.exe`,
		"signed by somebody else": agents + `1.2.5\firstday-agent.exe`,
		"changed after it was":    agents + `1.2.6\firstday-agent.exe`,
	} {
		t.Run(name, func(t *testing.T) { refuses(t, program, true) })
	}
	t.Run("not SYSTEM", func(t *testing.T) { refuses(t, right, false) })
}
