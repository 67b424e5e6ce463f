package wifi

import (
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
)

// finish waits for the join, and gives how it went and how long that took.
func finish(t *testing.T, r *Radio, j Join) (Status, time.Duration) {
	t.Helper()
	begun := time.Now()
	if err := r.Join(j); err != nil {
		t.Fatal(err)
	}
	for range 3 * int(joinTime/time.Second) {
		if s := r.Network(t.Context()); s.Join != JoinRunning {
			return s, time.Since(begun)
		}
		time.Sleep(500 * time.Millisecond)
	}
	t.Fatal("the join goes on")
	return Status{}, 0
}

func TestJoin(t *testing.T) {
	type test struct {
		join  Join
		setup func(m *mac, c *core)
		code  Code // empty: it is joined
	}
	right, wrong := []byte("correct horse"), []byte("wrong horse")
	is := func(change func(*mac)) func(*mac, *core) { return func(m *mac, _ *core) { change(m) } }
	for name, test := range map[string]test{
		"password":         {Join{Name: "Acme", Password: right}, nil, ""},
		"wrong password":   {Join{Name: "Acme", Password: wrong}, nil, CodePassword},
		"no password":      {Join{Name: "Acme"}, nil, CodePassword},
		"open":             {Join{Name: "Hotel"}, nil, ""},
		"saved":            {Join{Name: "Home"}, nil, ""},
		"saved, retyped":   {Join{Name: "Home", Password: []byte("at home")}, nil, ""},
		"hidden":           {Join{Name: "Secret", Password: right, Hidden: true}, nil, ""},
		"not there":        {Join{Name: "Gone", Password: right}, nil, CodeNotFound},
		"joined, then not": {Join{Name: "Drops", Hidden: true}, nil, CodeTimeout},
		"an evil twin":     {Join{Name: "Hotel", Password: right}, nil, CodeNotFound},
		"no address":       {Join{Name: "Nothing"}, nil, CodeNoAddress},
		"switched off":     {Join{Name: "Acme", Password: right}, is(func(m *mac) { m.on = false }), ""},
		"from another":     {Join{Name: "Acme", Password: right}, is(func(m *mac) { m.joined("Hotel") }), ""},
		"no Wi-Fi":         {Join{Name: "Acme", Password: right}, is(func(m *mac) { m.noWiFi = true }), CodeFailed},
		"switch does nothing": {Join{Name: "Acme"}, is(func(m *mac) {
			m.on = false
			m.broken["-setairportpower"] = errExit
			m.stuck["-setairportpower"] = false
		}), CodeFailed},
		"no list of ports": {Join{Name: "Acme"}, is(func(m *mac) { m.broken["-listallhardwareports"] = errExit }), CodeFailed},
		"other words":      {Join{Name: "Gone", Password: right}, is(func(m *mac) { m.says = "Netzwerk nicht gefunden" }), CodeFailed},
		"garbage":          {Join{Name: "Gone", Password: right}, is(func(m *mac) { m.says = "\x00\xff" + strings.Repeat("x", 1<<20) }), CodeFailed},
		// It fails in words, and is joined all the same.
		"better than said": {Join{Name: "Hotel"}, is(func(m *mac) { m.joined("Hotel"); m.says = "Failed to join network Hotel.\nError: -3905  x" }), ""},
	} {
		for _, version := range []int{13, 14, 15} { // 26 tells of no name: see below
			t.Run(name+"/"+string(rune('0'+version/10))+string(rune('0'+version%10)), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := acme(t, version)
					c := &core{m: m, takes: time.Second}
					if test.setup != nil {
						test.setup(m, c)
					}
					r := m.radio()
					if version == 13 {
						r.air = c
					}
					defer r.Close()
					s, took := finish(t, r, test.join)
					want := JoinDone
					if test.code != "" {
						want = JoinFailed
					}
					// CoreWLAN does not see what is not there, nor what is hidden, by itself.
					if s.Join != want || s.JoinCode != test.code || s.JoinName != test.join.Name {
						t.Errorf("%+v after %v; ran %q", s, took, m.ran)
					}
					if want == JoinDone && (s.Name != test.join.Name || s.Link != LinkWiFi || s.Power != PowerOn) {
						t.Errorf("%+v", s)
					}
					if took > joinTime+time.Second {
						t.Errorf("after %v", took)
					}
					m.secretly()
				})
			})
		}
	}
}

// Where macOS tells of no name, that nothing went wrong, and an address, have to do.
func TestJoinWhereNamesAreWithheld(t *testing.T) {
	for name, test := range map[string]struct {
		join Join
		code Code
	}{
		"password":       {Join{Name: "Acme", Password: []byte("correct horse")}, ""},
		"wrong password": {Join{Name: "Acme", Password: []byte("wrong horse")}, CodePassword},
		"not there":      {Join{Name: "Gone"}, CodeNotFound},
		"no address":     {Join{Name: "Nothing"}, CodeNoAddress},
		"an evil twin":   {Join{Name: "Hotel", Password: []byte("correct horse")}, CodeNotFound},
	} {
		for _, first := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := acme(t, 26)
					m.joined("Hotel")
					r := m.radio()
					r.savedFirst = first
					r.air = &core{m: m}
					defer r.Close()
					s, _ := finish(t, r, test.join)
					if s.JoinCode != test.code || (s.Join == JoinDone) != (test.code == "") {
						t.Errorf("%+v; ran %q", s, m.ran)
					}
					if s.Join == JoinDone && s.Name != test.join.Name {
						t.Errorf("joined, and named %q", s.Name)
					}
					m.secretly()
					if s.Join != JoinDone {
						return
					}
					// It is called so as long as nothing happens to it.
					m.mu.Lock()
					m.current = ""
					m.mu.Unlock()
					time.Sleep(time.Minute)
					r.Network(t.Context())
					time.Sleep(time.Minute)
					if s := r.Network(t.Context()); s.Name != "" || s.Link != LinkNone {
						t.Errorf("%+v", s)
					}
				})
			})
		}
	}
}

func TestWhoJoins(t *testing.T) {
	right := []byte("correct horse")
	for name, test := range map[string]struct {
		version int
		refuses int
		join    Join
		asked   string // of CoreWLAN, then of networksetup
		code    Code
	}{
		"CoreWLAN":                  {13, 0, Join{Name: "Acme", Password: right}, "yes no", ""},
		"the keychain":              {13, 0, Join{Name: "Home"}, "no yes", ""},
		"CoreWLAN with a new one":   {13, 0, Join{Name: "Home", Password: []byte("at home")}, "yes no", ""},
		"not after a wrong one":     {13, 0, Join{Name: "Acme", Password: []byte("wrong horse")}, "yes no", CodePassword},
		"who is told names":         {14, 0, Join{Name: "Acme", Password: right}, "yes yes", ""},
		"who is permitted to":       {13, coreNotPermitted, Join{Name: "Acme", Password: right}, "yes yes", ""},
		"who is there":              {13, coreIPC, Join{Name: "Acme", Password: right}, "yes yes", ""},
		"nobody that it refuses":    {13, -3913, Join{Name: "Acme", Password: right}, "yes no", CodeRefused},
		"with an identity":          {13, 0, Join{Name: "Corp", Identity: "0123"}, "yes no", ""},
		"with another identity":     {13, 0, Join{Name: "Corp", Identity: "4567"}, "yes no", CodeIdentity},
		"with one that is gone":     {13, 0, Join{Name: "Corp", Identity: "89ab"}, "yes no", CodeIdentity},
		"802.1X without one":        {13, 0, Join{Name: "Corp"}, "yes no", CodeIdentity},
		"an identity, names gone":   {14, 0, Join{Name: "Corp", Identity: "0123"}, "yes no", CodeNotFound},
		"an identity, no permit":    {13, coreNotPermitted, Join{Name: "Corp", Identity: "0123"}, "yes no", CodeRefused},
		"an evil twin gets nothing": {13, 0, Join{Name: "Hotel", Password: right}, "yes no", CodeNotFound},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := acme(t, test.version)
				c := &core{m: m, refuses: test.refuses, takes: time.Second}
				r := m.radio()
				r.air = c
				r.identities = func() ([]Identity, error) { return []Identity{{"0123", "ACME-1"}, {"4567", "Other"}}, nil }
				defer r.Close()
				s, _ := finish(t, r, test.join)
				asked := "no"
				if slices.Contains(c.calls, "associate") {
					asked = "yes"
				}
				if slices.ContainsFunc(m.ran, func(line string) bool { return strings.Contains(line, "-setairportnetwork") }) {
					asked += " yes"
				} else {
					asked += " no"
				}
				if asked != test.asked || s.JoinCode != test.code {
					t.Errorf("%s; %+v", asked, s)
				}
				m.secretly()
			})
		})
	}
}

// networksetup saves what it joins, CoreWLAN nothing.
func TestWhatCoreWLANJoinsIsSaved(t *testing.T) {
	for name, test := range map[string]struct {
		join Join
		want []string
	}{
		"password": {Join{Name: "Acme", Password: []byte("correct horse")}, []string{"Acme 0 WPA2 - < correct horse"}},
		"retyped":  {Join{Name: "Home", Password: []byte("at home")}, []string{"Home 0 WPA2 - < at home"}},
		"open":     {Join{Name: "Hotel"}, nil}, // anybody can have that name
		"wrong":    {Join{Name: "Acme", Password: []byte("wrong horse")}, nil},
		"identity": {Join{Name: "Corp", Identity: "0123"}, nil}, // the profile has it
		"saved":    {Join{Name: "Home"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := acme(t, 13)
				r := m.radio()
				r.air = &core{m: m, takes: time.Second}
				defer r.Close()
				finish(t, r, test.join)
				if diff := cmp.Diff(test.want, m.remembered); diff != "" {
					t.Error(diff)
				}
				m.secretly()
			})
		})
	}
	synctest.Test(t, func(t *testing.T) { // it is joined all the same
		m := acme(t, 13)
		right := []byte("correct horse")
		m.broken["-addpreferredwirelessnetworkatindex"] = errExit
		r := m.radio()
		r.air = &core{m: m}
		defer r.Close()
		if s, _ := finish(t, r, Join{Name: "Acme", Password: right}); s.Join != JoinDone || s.JoinCode != "" {
			t.Errorf("%+v", s)
		}
	})
}

// Whoever stands at a login window must not have the Mac prefer a network for ever that
// anybody can set up. networksetup saves what it is told to join.
func TestNetworksWithoutAPasswordAreNotSaved(t *testing.T) {
	for name, test := range map[string]struct {
		join   Join
		change func(*mac)
		code   Code
		saved  bool // afterwards
	}{
		"joined":                      {Join{Name: "Hotel"}, nil, "", false},
		"it gives no address":         {Join{Name: "Hotel"}, func(m *mac) { m.networks["Hotel"].noAddress = true }, CodeNoAddress, false},
		"saved before":                {Join{Name: "Hotel"}, func(m *mac) { m.saved = append(m.saved, "Hotel") }, "", true},
		"nobody knows what was saved": {Join{Name: "Hotel"}, func(m *mac) { m.broken["-listpreferredwirelessnetworks"] = errExit }, "", true},
		"the Mac would leave it":      {Join{Name: "Hotel"}, func(m *mac) { m.leaves = true }, "", true},
		"with a password":             {Join{Name: "Acme", Password: []byte("correct horse")}, nil, "", true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := acme(t, 14)
				if test.change != nil {
					test.change(m)
				}
				r := m.radio() // without CoreWLAN, as where names are withheld
				defer r.Close()
				s, _ := finish(t, r, test.join)
				if s.JoinCode != test.code {
					t.Errorf("%+v", s)
				}
				m.mu.Lock()
				defer m.mu.Unlock()
				if slices.Contains(m.saved, test.join.Name) != test.saved || test.code == "" && m.current != test.join.Name {
					t.Errorf("saved: %q; on %q", m.saved, m.current)
				}
			})
		})
	}
}

func TestJoinHasItsTime(t *testing.T) {
	for name, change := range map[string]func(*mac, *Radio){
		"networksetup hangs":    func(m *mac, _ *Radio) { m.stuck["-setairportnetwork"] = true },
		"nothing comes of it":   func(m *mac, _ *Radio) { m.networks["Acme"].silent = true },
		"CoreWLAN hangs":        func(m *mac, r *Radio) { m.version = 13; r.air = &core{m: m, takes: time.Hour} },
		"the survey hangs":      func(m *mac, _ *Radio) { m.stuck["-getairportpower"] = true; m.stuck["getsummary"] = true },
		"everything is unknown": func(m *mac, _ *Radio) { m.networks["Acme"].silent = true; m.broken["getsummary"] = errExit },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := acme(t, 15)
				r := m.radio()
				change(m, r)
				s, took := finish(t, r, Join{Name: "Acme", Password: []byte("correct horse")})
				if s.Join != JoinFailed || s.JoinCode != CodeTimeout && s.JoinCode != CodeFailed || took > joinTime+time.Second {
					t.Errorf("%+v after %v", s, took)
				}
				if name != "the survey hangs" && s.JoinCode != CodeTimeout {
					t.Errorf("%+v", s)
				}
				r.Close()
				time.Sleep(2 * time.Hour) // what hangs ends by itself
			})
		})
	}
}

func TestNewerJoinTakesThePlaceOfAnOlder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		m.stuck["-setairportnetwork"] = true
		r := m.radio()
		defer r.Close()
		if err := r.Join(Join{Name: "Hotel"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(5 * time.Second)
		m.mu.Lock()
		m.stuck["-setairportnetwork"] = false
		m.mu.Unlock()
		s, took := finish(t, r, Join{Name: "Acme", Password: []byte("correct horse")})
		if s.Join != JoinDone || s.JoinName != "Acme" || s.Name != "Acme" || took > 10*time.Second {
			t.Errorf("%+v after %v", s, took)
		}
		time.Sleep(time.Minute)
		if s := r.Network(t.Context()); s.Join != JoinDone || s.JoinName != "Acme" {
			t.Errorf("the older one came after it: %+v", s)
		}
		for range 20 { // an impatient person
			r.Join(Join{Name: "Hotel"})
		}
		if s, _ := finish(t, r, Join{Name: "Acme", Password: []byte("correct horse")}); s.Join != JoinDone || s.Name != "Acme" {
			t.Errorf("%+v", s)
		}
	})
}

// What CoreWLAN does for a join that was given up does not come after the newer one.
func TestJoinsOnAirAreInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 13)
		r := m.radio()
		r.air = &core{m: m, takes: 6 * time.Second}
		defer r.Close()
		r.Join(Join{Name: "Hotel"})
		time.Sleep(3 * time.Second)
		for _, j := range []Join{{Name: "Acme", Password: []byte("correct horse")}, {Name: "Home"}} {
			s, _ := finish(t, r, j)
			time.Sleep(time.Minute)
			if now := r.Network(t.Context()); s.Join != JoinDone || now.Name != j.Name {
				t.Errorf("%+v, then %+v", s, now)
			}
		}
	})
}

func TestPasswordOfTheCallerIsCopied(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := acme(t, 15)
		r := m.radio()
		defer r.Close()
		password := []byte("correct horse")
		if err := r.Join(Join{Name: "Acme", Password: password}); err != nil {
			t.Fatal(err)
		}
		clear(password)
		time.Sleep(20 * time.Second)
		if s := r.Network(t.Context()); s.Join != JoinDone {
			t.Errorf("%+v", s)
		}
	})
}
