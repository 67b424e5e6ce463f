package wifi

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

func names(s Status) string {
	var list []string
	for _, n := range s.Networks {
		list = append(list, n.Name)
	}
	return strings.Join(list, ",")
}

func TestScan(t *testing.T) {
	for name, test := range map[string]struct {
		version  int
		change   func(*mac, *core)
		networks string
		withheld Withheld
		seen     bool
	}{
		"by CoreWLAN":              {13, nil, "Home,Acme,Hotel,Nothing,Silent,Corp", "", true},
		"by system_profiler":       {14, nil, "Home,Acme,Hotel,Nothing,Silent,Corp", "", true},
		"without CoreWLAN's leave": {15, func(_ *mac, c *core) { c.refuses = coreNotPermitted }, "Home,Acme,Hotel,Nothing,Silent,Corp", "", true},
		"withheld":                 {26, nil, "Home", WithheldLocation, true},
		"nothing in reach":         {26, func(m *mac, _ *core) { m.networks = nil }, "", "", true},
		"switched off":             {15, func(m *mac, _ *core) { m.on = false }, "", WithheldOff, true},
		"no Wi-Fi":                 {15, func(m *mac, _ *core) { m.noWiFi = true }, "", "", true},
		"nobody answers": {15, func(m *mac, c *core) {
			m.broken["-json"], c.refuses = errExit, coreIPC
		}, "Home", WithheldFailed, false},
		"system_profiler hangs": {26, func(m *mac, _ *core) { m.stuck["-json"] = true }, "Home", WithheldLocation, true},
		"CoreWLAN hangs":        {14, func(_ *mac, c *core) { c.takes = time.Hour }, "Home,Acme,Hotel,Nothing,Silent,Corp", "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := acme(t, test.version)
				c := &core{m: m, takes: 2 * time.Second}
				if test.change != nil {
					test.change(m, c)
				}
				r := m.radio()
				r.air = c
				r.Network(t.Context())
				r.Scan()
				if s := r.Network(t.Context()); !s.Scanning {
					t.Error("no scan is begun")
				}
				for range 100 {
					if !r.Network(t.Context()).Scanning {
						break
					}
					time.Sleep(500 * time.Millisecond)
				}
				s := r.Network(t.Context())
				if names(s) != test.networks || s.Withheld != test.withheld || s.Scanned.IsZero() == test.seen || s.Scanning {
					t.Errorf("%+v", s)
				}
				r.Close()
				time.Sleep(2 * time.Hour) // what hangs ends by itself
			})
		})
	}
}

// A scan that fails takes away nothing that was seen.
func TestFailedScanKeepsTheList(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		r := m.radio()
		defer r.Close()
		r.Scan()
		time.Sleep(10 * time.Second)
		before := r.Network(t.Context())
		m.mu.Lock()
		m.broken["-json"] = errExit
		m.mu.Unlock()
		r.Scan()
		time.Sleep(10 * time.Second)
		after := r.Network(t.Context())
		if after.Withheld != WithheldFailed || !after.Scanned.Equal(before.Scanned) {
			t.Errorf("%+v", after)
		}
		if diff := cmp.Diff(before.Networks, after.Networks); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOneThingAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 13)
		c := &core{m: m, takes: 5 * time.Second}
		r := m.radio()
		r.air = c
		defer r.Close()
		for range 5 {
			r.Scan()
		}
		time.Sleep(time.Second)
		if err := r.Join(Join{Name: "Acme", Password: []byte("correct horse")}); err != nil {
			t.Fatal(err)
		}
		if s := r.Network(t.Context()); s.Scanning || s.Join != JoinRunning {
			t.Errorf("the scan goes on: %+v", s)
		}
		r.Scan() // waits for the join
		time.Sleep(time.Second)
		if s := r.Network(t.Context()); !s.Scanning {
			t.Errorf("%+v", s)
		}
		time.Sleep(30 * time.Second)
		s := r.Network(t.Context())
		if s.Scanning || s.Join != JoinDone || s.Name != "Acme" || len(s.Networks) != 6 {
			t.Errorf("%+v", s)
		}
		if diff := cmp.Diff([]string{"scan", "associate", "scan"}, c.calls); diff != "" {
			t.Error(diff)
		}
	})
}

// A call to CoreWLAN that never ends costs CoreWLAN, and nothing else.
func TestHungCoreWLANIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 14)
		c := &core{m: m, takes: time.Hour}
		r := m.radio()
		r.air = c
		for range 3 {
			r.Scan()
			time.Sleep(scanTime)
		}
		if s := r.Network(t.Context()); len(s.Networks) != 6 || len(c.calls) != 1 {
			t.Errorf("%+v, CoreWLAN asked for %q", s, c.calls)
		}
		if s, took := finish(t, r, Join{Name: "Acme", Password: []byte("correct horse")}); s.Join != JoinDone || took > joinTime {
			t.Errorf("%+v after %v", s, took)
		}
		r.Close()
		time.Sleep(2 * time.Hour)
	})
}

func TestNetworkIsImmediate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		for _, word := range []string{"-listallhardwareports", "-getairportpower", "getsummary", "-json"} {
			m.stuck[word] = true
		}
		r := m.radio()
		defer r.Close()
		begun := time.Now()
		if s := r.Network(t.Context()); time.Since(begun) > firstTime || s.Link != LinkNone || s.Power != PowerNone {
			t.Errorf("%+v after %v", s, time.Since(begun))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		begun = time.Now()
		if r.Network(ctx); time.Since(begun) > time.Second {
			t.Errorf("after %v", time.Since(begun))
		}
		m.mu.Lock()
		clear(m.stuck)
		m.joined("Home")
		m.mu.Unlock()
		time.Sleep(surveyTime)
		r.Network(t.Context())
		time.Sleep(time.Second)
		for range 20 {
			begun := time.Now()
			if s := r.Network(t.Context()); s.Name != "Home" || s.Link != LinkWiFi || time.Since(begun) != 0 {
				t.Errorf("%+v after %v", s, time.Since(begun))
			}
			time.Sleep(time.Second)
		}
		m.mu.Lock()
		ran := len(m.ran)
		m.mu.Unlock()
		time.Sleep(time.Hour)
		if len(m.ran) != ran {
			t.Errorf("%d programs ran while nobody asked", len(m.ran)-ran)
		}
	})
}

func TestLink(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		r := m.radio()
		defer r.Close()
		link := func() Link {
			time.Sleep(2 * freshTime)
			r.Network(t.Context())
			time.Sleep(freshTime - time.Second)
			return r.Network(t.Context()).Link
		}
		if l := link(); l != LinkNone {
			t.Error(l)
		}
		m.joined("Home")
		if l := link(); l != LinkWiFi {
			t.Error(l)
		}
		m.cable = true // to nowhere
		if l := link(); l != LinkWiFi {
			t.Error(l)
		}
		m.wired = true // first
		if l := link(); l != LinkEthernet {
			t.Error(l)
		}
		m.wired, m.on, m.current = false, false, ""
		if l := link(); l != LinkEthernet {
			t.Error(l)
		}
		m.cable = false
		m.on = true
		m.joined("Nothing")
		if l := link(); l != LinkWiFi {
			t.Error(l)
		}
	})
}

func TestSwitch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		m.joined("Home")
		r := m.radio()
		defer r.Close()
		r.Join(Join{Name: "Silent"})
		r.Scan()
		time.Sleep(3 * time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		if err := r.SetPower(ctx, false); err != nil {
			t.Fatal(err)
		}
		s := r.Network(t.Context())
		if s.Power != PowerOff || s.Withheld != WithheldOff || s.Join != JoinFailed || s.JoinCode != CodeFailed || s.Scanning || s.Name != "" {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		if err := r.SetPower(t.Context(), true); err != nil {
			t.Fatal(err)
		}
		if s := r.Network(t.Context()); s.Power != PowerOn || !s.Scanning {
			t.Errorf("%+v", s)
		}
		time.Sleep(time.Minute)
		if s := r.Network(t.Context()); len(s.Networks) != 6 {
			t.Errorf("%+v", s)
		}
		m.mu.Lock()
		m.broken["-setairportpower"] = errExit
		m.mu.Unlock()
		if err := r.SetPower(t.Context(), false); !errors.Is(err, errExit) {
			t.Error(err)
		}
		if s := r.Network(t.Context()); s.Power != PowerOn {
			t.Errorf("%+v", s)
		}
		m.noWiFi = true
		if err := r.SetPower(t.Context(), false); !errors.Is(err, ErrNone) {
			t.Error(err)
		}
	})
}

// What was seen before a switch is not shown after it.
func TestLateSurveyIsNotBelieved(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		m.joined("Home")
		r := m.radio()
		defer r.Close()
		r.Network(t.Context())
		time.Sleep(2 * freshTime)
		m.mu.Lock()
		m.stuck["getsummary"] = true
		m.mu.Unlock()
		r.Network(t.Context()) // begins a survey
		time.Sleep(time.Second)
		if err := r.SetPower(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		for range 60 {
			if s := r.Network(t.Context()); s.Power != PowerOff {
				t.Fatalf("%+v", s)
			}
			time.Sleep(500 * time.Millisecond)
		}
	})
}

func TestIdentitiesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		r := m.radio()
		r.identities = func() ([]Identity, error) { return slices.Repeat([]Identity{{"0123", "ACME-1"}}, 1000), nil }
		if s := r.Network(t.Context()); len(s.Identities) != maxIDs {
			t.Error(len(s.Identities))
		}
		r.Close()
		r = m.radio() // a keychain that asks somebody
		r.identities = func() ([]Identity, error) { time.Sleep(time.Hour); return nil, nil }
		for range 3 {
			if s := r.Network(t.Context()); s.Power != PowerOn {
				t.Errorf("%+v", s)
			}
			time.Sleep(time.Minute)
		}
		r.Close()
		time.Sleep(2 * time.Hour)
	})
}

func TestCloseEndsWhatGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		m.stuck["-json"] = true
		r := m.radio()
		r.Scan()
		r.Join(Join{Name: "Silent"})
		r.Scan()
		time.Sleep(time.Second)
		begun := time.Now()
		r.Close()
		if time.Since(begun) > time.Second {
			t.Errorf("after %v", time.Since(begun))
		}
		ran := len(m.ran)
		r.Scan()
		if err := r.Join(Join{Name: "Acme"}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		r.Network(t.Context())
		time.Sleep(time.Minute)
		if len(m.ran) != ran {
			t.Error("programs run after the end")
		}
	})
}
