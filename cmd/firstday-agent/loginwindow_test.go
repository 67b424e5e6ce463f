package main

import (
	"bytes"
	"testing"
	"time"

	"firstday.dev/agent"
	"firstday.dev/agent/preflight"
)

func TestLoginWindowIsDescribed(t *testing.T) {
	since := time.Date(2026, 11, 30, 12, 0, 0, 0, time.Local)
	for want, s := range map[string]agent.LoginWindowStatus{
		"login window  ours\nshown by      FirstdayLogin:login\nmacOS         build 24A335\nlast seen     2026-11-30 12:00:00\n": {
			State: agent.LoginWindowOn, Window: "FirstdayLogin:login", Build: "24A335", Hello: since},
		"login window  macOS' own, by the watchdog: why\nfailed        2 times on this build\n":            {State: agent.LoginWindowOff, By: agent.LoginByWatchdog, Reason: "why", Misses: 2},
		"login window  macOS' own: switched off by the administrator\nsince         2026-11-30 12:00:00\n": {State: agent.LoginWindowOff, By: agent.LoginByAdministrator, Since: since},
		"login window  macOS' own for now: somebody may be logging in\n":                                   {State: agent.LoginWindowPending, Reason: "somebody may be logging in"},
		"login window  macOS' own: there is no plug-in of ours on this Mac\n":                              {State: agent.LoginWindowNone},
	} {
		var out bytes.Buffer
		if err := printLoginWindow(&out, &s); err != nil || out.String() != want {
			t.Errorf("%q, want %q, %v", &out, want, err)
		}
	}
	var out bytes.Buffer
	err := printChecks(&out, []preflight.Check{{Name: "files", Passed: true, Detail: "there"}, {Name: "loading", Detail: "it crashed", Remedy: "report it"}})
	if want := "ok      files    there\nFAILED  loading  it crashed\n                 -> report it\n"; err != nil || out.String() != want {
		t.Errorf("%q, want %q, %v", &out, want, err)
	}
}
