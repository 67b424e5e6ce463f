package credprov_test

import (
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/credprov"
	"firstday.dev/agent/signin"
	"firstday.dev/internal/testcredprov"
)

// These run under Wine only, where newDevice has installed the DLL.

const (
	folder   = `C:\Program Files\Firstday\Agent\1.2.3`
	sentinel = folder + `\` + testcredprov.File + `.starts`
)

// longest is what LogonUI may have to wait for at most.
const longest = 2 * time.Second

// self is the process of these tests, which serves the pipe itself in most.
func self() uint32 { return windows.GetCurrentProcessId() }

// load makes the provider, on a Windows where one process is SYSTEM.
func load(t *testing.T, system func() uint32) *testcredprov.Host {
	t.Helper()
	h, err := testcredprov.Load(credprov.CLSID)
	must(t, err)
	must(t, h.RunAsSystem(system))
	return h
}

// screen is a sign-in screen that ends with the test.
func screen(t *testing.T) *testcredprov.Host {
	t.Helper()
	return screenOf(t, self)
}

func screenOf(t *testing.T, system func() uint32) *testcredprov.Host {
	t.Helper()
	h := load(t, system)
	must(t, h.Begin(testcredprov.SignIn))
	t.Cleanup(func() {
		left, err := h.End()
		if err != nil || left != 0 {
			t.Errorf("in the end %d hold the provider, %v", left, err)
		}
		if h.Longest > longest {
			t.Errorf("a call took %v", h.Longest)
		}
		if _, err := os.Stat(sentinel); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("the sentinel is still there: %v", err)
		}
	})
	return h
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func nothing(tile *testcredprov.Tile) bool { return tile.Count == 0 }

// showing waits for a screen of the sign-in.
func showing(t *testing.T, h *testcredprov.Host, s *signin.Screen) {
	t.Helper()
	must(t, h.Wait(func(tile *testcredprov.Tile) bool {
		return tile.Count == 1 && tile.Shows(s.Title) && tile.Shows(s.Message)
	}))
}

// submits presses Enter, which does not end anything yet.
func submits(t *testing.T, h *testcredprov.Host) {
	t.Helper()
	if s, told, err := h.Submit(); s != nil || told != "" || err != nil {
		t.Fatalf("%+v, %q, %v", s, told, err)
	}
}

// submitsAt presses Enter until the agent takes it, on the newest screen.
func submitsAt(t *testing.T, h *testcredprov.Host, d *desk) signin.Action {
	t.Helper()
	for {
		if _, _, err := h.Submit(); err != nil {
			t.Fatal(err)
		}
		select {
		case a := <-d.acts:
			return a
		case <-time.After(10 * time.Millisecond): // it was on its way to the one before
		}
	}
}
