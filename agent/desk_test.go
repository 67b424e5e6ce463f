package agent

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/local"
	"firstday.dev/agent/reach"
	"firstday.dev/agent/wifi"
	"firstday.dev/api"
)

// fakeConsole is a Mac's, whose plutil gives what is in the file.
type fakeConsole struct {
	seats Seats
	fails error
	ran   []string
}

func (f *fakeConsole) Root() bool { return true }

func (f *fakeConsole) Seats() (Seats, error) { return f.seats, f.fails }

func (f *fakeConsole) Run(_ context.Context, _ []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	f.ran = append(f.ran, path+" "+strings.Join(args, " "))
	if f.fails != nil {
		return nil, []byte("it did not"), f.fails
	}
	if path == plutil {
		stdout, err = os.ReadFile(args[len(args)-1])
	}
	return stdout, nil, err
}

// sitting is a desk of a Mac on which several people have accounts.
func sitting(t *testing.T) (*loginDesk, *fakeConsole, *api.CheckInResponse) {
	t.Helper()
	m := newMachine(t)
	store, heard, console := accounts.Memory(api.MacOS), new(api.CheckInResponse), new(fakeConsole)
	for _, a := range []accounts.Account{
		{Name: "zoe", FullName: "Ann Ähre"}, {Name: "bob"}, {Name: "rescue", FullName: "Rescue", Administrator: true},
		{Name: "gone", Disabled: true}, {Name: "agents", Hidden: true},
	} {
		if err := store.Add(a, "of "+a.Name); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Create(t.Context(), accounts.New{Name: "waits", Password: []byte("of waits"), Tag: "t"}); err != nil {
		t.Fatal(err)
	}
	return &loginDesk{
		Agent: m.agent("1.2.3"), store: store, console: console, policies: []string{filepath.Join(t.TempDir(), "managed.plist"), filepath.Join(t.TempDir(), "own.plist")},
		managed: func() ([]string, error) { return []string{"zoe", "gone"}, nil },
		heard:   func() api.CheckInResponse { return *heard },
		airs:    func() (air, error) { return nil, errors.ErrUnsupported },
		reaches: func() (reachability, error) { return new(fakeReach), nil },
	}, console, heard
}

// plist is a property list with these lines.
func plist(lines string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>` + lines + `</dict></plist>`
}

func TestDeskShowsPeople(t *testing.T) {
	everybody := []string{"zoe", "bob", "rescue"}
	for name, test := range map[string]struct {
		managed, own string // settings of macOS
		list         api.UserList
		want         []string // nil: there is no list
	}{
		"no settings":              {"", "", "", everybody},
		"the organisation: names":  {"", "", api.ListNames, everybody},
		"the organisation: fields": {"", "", api.ListFields, nil},
		"name and password":        {"", plist("<key>SHOWFULLNAME</key><true/>"), "", nil},
		"as defaults writes it":    {"", plist("<key>SHOWFULLNAME</key><integer>1</integer>"), "", nil},
		"as a text":                {"", plist("<key>SHOWFULLNAME</key><string>YES</string>"), "", nil},
		"a profile is stronger":    {plist("<key>SHOWFULLNAME</key><false/>"), plist("<key>SHOWFULLNAME</key><true/>"), "", everybody},
		"no local accounts":        {plist("<key>HideLocalUsers</key><true/>"), "", "", nil},
		"no administrators":        {plist("<key>HideAdminUsers</key><true/>"), "", "", []string{"zoe", "bob"}},
		"hidden":                   {"", plist("<key>HiddenUsersList</key><array><string>BOB</string><integer>1</integer></array>"), "", []string{"zoe", "rescue"}},
		"other kinds":              {"", plist("<key>HiddenUsersList</key><string>bob</string><key>SHOWFULLNAME</key><array/>"), "", everybody},
		"binary":                   {"", "bplist00", "", nil},
		"garbage":                  {"<plist", "", "", nil},
		"no dictionary":            {"", `<plist version="1.0"><array/></plist>`, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			d, _, heard := sitting(t)
			heard.Settings.UserList = test.list
			for i, text := range []string{test.managed, test.own} {
				if text == "" {
					continue
				}
				if err := os.WriteFile(d.policies[i], []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			u, err := d.Users(t.Context())
			if err != nil || u.List != (test.want != nil) {
				t.Fatalf("%+v, %v", u, err)
			}
			var names []string
			for _, user := range u.All {
				names = append(names, user.Name)
				if user.Managed != (user.Name == "zoe") {
					t.Errorf("%+v", user)
				}
			}
			if diff := cmp.Diff(test.want, names); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// A system that does not answer is asked once, and is not waited for.
func TestDeskDoesNotWait(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var l latest[int]
		var asked atomic.Int64
		answer := make(chan int)
		ask := func(ctx context.Context) (int, error) {
			asked.Add(1)
			select {
			case n := <-answer:
				return n, nil
			case <-ctx.Done():
				return 0, ctx.Err()
			}
		}
		get := func() (int, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			return l.get(ctx, ask)
		}
		if n, err := get(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%d, %v", n, err)
		}
		answer <- 7
		synctest.Wait()
		for range 2 { // what is known, while nobody answers
			if n, err := get(); n != 7 || err != nil {
				t.Errorf("%d, %v", n, err)
			}
		}
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times", n)
		}
		time.Sleep(latestTime)
		synctest.Wait()
		go func() { answer <- 8 }()
		if n, err := get(); n != 8 || err != nil || asked.Load() != 3 {
			t.Errorf("%d, %v, asked %d times", n, err, asked.Load())
		}
	})
}

// Of several who wait for one answer that fails, nobody takes it for an empty one,
// though others ask again at once.
func TestDeskTellsAllWhoWaitOfAFailure(t *testing.T) {
	var l latest[int]
	var group sync.WaitGroup
	failed := errors.New("no")
	for range 8 {
		group.Go(func() {
			for range 1000 {
				if n, err := l.get(t.Context(), func(context.Context) (int, error) { return 0, failed }); !errors.Is(err, failed) {
					t.Errorf("%d, %v", n, err)
					return
				}
			}
		})
	}
	group.Wait()
}

// slowFacts is a system that says what it is when it is let.
type slowFacts struct {
	System

	let chan struct{}
}

func (s slowFacts) Facts() (api.Facts, error) {
	<-s.let
	return s.System.Facts()
}

func TestDeskDoesNotWaitForFacts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d, _, _ := sitting(t)
		s := slowFacts{System: d.System, let: make(chan struct{})}
		d.System = s
		info := func() (local.Info, error) {
			ctx, cancel := context.WithTimeout(t.Context(), 4*time.Second)
			defer cancel()
			return d.Info(ctx)
		}
		if i, err := info(); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%+v, %v", i, err)
		}
		s.let <- struct{}{}
		synctest.Wait()
		if i, err := info(); err != nil || i.Serial == "" { // what is known
			t.Errorf("%+v, %v", i, err)
		}
		close(s.let)
		synctest.Wait()
	})
}

func TestDeskShowsNoOtherLogo(t *testing.T) {
	d, _, heard := sitting(t)
	picture := func(side int) []byte {
		var b bytes.Buffer
		if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, side, side))); err != nil {
			t.Fatal(err)
		}
		return b.Bytes()
	}
	good := picture(16)
	for name, test := range map[string]struct{ logo, want []byte }{
		"none":           {nil, nil},
		"a picture":      {good, good},
		"cut off":        {good[:len(good)-20], nil},
		"other bytes":    {[]byte("<svg onload='x'/>"), nil},
		"too many bytes": {append(bytes.Clone(good), make([]byte, api.MaxLogo)...), nil},
		"too wide":       {picture(1025), nil},
	} {
		heard.Logo = test.logo
		if got, err := d.Logo(t.Context()); err != nil || !bytes.Equal(got, test.want) {
			t.Errorf("%s: %d bytes, %v", name, len(got), err)
		}
	}
}

func TestDeskEndsTheSystem(t *testing.T) {
	d, console, _ := sitting(t)
	console.seats.People = 1
	for _, p := range []local.Power{local.Restart, local.Shutdown} {
		if err := d.Power(t.Context(), p); !errors.Is(err, local.ErrOthers) {
			t.Errorf("%s, with somebody logged in: %v", p, err)
		}
	}
	console.seats.People = 0
	for _, p := range []local.Power{local.Restart, local.Shutdown} {
		if err := d.Power(t.Context(), p); err != nil {
			t.Errorf("%s: %v", p, err)
		}
	}
	if diff := cmp.Diff([]string{"/sbin/shutdown -r now", "/sbin/shutdown -h now"}, console.ran); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	console.fails = errors.New("no")
	if err := d.Power(t.Context(), local.Restart); !errors.Is(err, console.fails) {
		t.Errorf("it is not known who is logged in: %v", err)
	}
	d.console = nil
	if err := d.Power(t.Context(), local.Restart); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("elsewhere: %v", err)
	}
}

// fakeAir is Wi-Fi.
type fakeAir struct {
	status wifi.Status
	joins  []wifi.Join
	did    []string
	fails  error
}

func (f *fakeAir) Network(context.Context) wifi.Status { return f.status }

func (f *fakeAir) Scan() { f.did = append(f.did, "scan") }

func (f *fakeAir) Join(j wifi.Join) error {
	j.Password = bytes.Clone(j.Password)
	f.joins = append(f.joins, j)
	return f.fails
}

func (f *fakeAir) SetPower(_ context.Context, on bool) error {
	f.did = append(f.did, map[bool]string{true: "on", false: "off"}[on])
	return f.fails
}

func (f *fakeAir) Close() { f.did = append(f.did, "close") }

type fakeReach struct {
	state  reach.State
	looked int
	closed bool
}

func (f *fakeReach) State(context.Context) reach.State { return f.state }

func (f *fakeReach) Refresh() { f.looked++ }

func (f *fakeReach) Close() { f.closed = true }

func TestDeskTellsTheNetwork(t *testing.T) {
	d, _, _ := sitting(t)
	seen := time.Now()
	radio := &fakeAir{status: wifi.Status{
		Link: wifi.LinkWiFi, Power: wifi.PowerOn, Name: "Café 1", Withheld: wifi.WithheldLocation, Scanning: true, Scanned: seen,
		Networks:   []wifi.Network{{Name: "Acme", Security: wifi.SecurityEnterprise, Saved: true, Strength: 3}},
		Identities: []wifi.Identity{{ID: "1f", Label: "Acme device"}},
		Join:       wifi.JoinFailed, JoinCode: wifi.CodePassword, JoinName: "Guests",
	}}
	out := &fakeReach{state: reach.State{Internet: reach.Captive, Directory: reach.No, Portal: "http://portal.example/"}}
	d.airs = func() (air, error) { return radio, nil }
	d.reaches = func() (reachability, error) { return out, nil }
	want := local.Network{
		Link: local.LinkWiFi, Internet: local.ReachCaptive, Directory: local.ReachNo, Portal: "http://portal.example/", WiFi: local.WiFiOn, Name: "Café 1",
		Withheld: "location", Scanning: true, Scanned: seen,
		Networks:   []local.WiFiNetwork{{Security: local.Enterprise, Saved: true, Strength: 3, Name: "Acme"}},
		Identities: []local.Identity{{ID: "1f", Label: "Acme device"}},
		Join:       local.JoinFailed, JoinCode: "password", JoinName: "Guests",
	}
	if got, err := d.Network(t.Context()); err != nil || !cmp.Equal(want, got) {
		t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
	}

	// Once a network is joined, it is looked at anew what it leads to.
	radio.status.Join = wifi.JoinDone
	for range 2 {
		if _, err := d.Network(t.Context()); err != nil || out.looked != 1 {
			t.Errorf("looked %d times, %v", out.looked, err)
		}
	}

	if err := errors.Join(d.Scan(t.Context()), d.SetWiFi(t.Context(), true), d.SetWiFi(t.Context(), false)); err != nil {
		t.Error(err)
	}
	radio.fails = wifi.ErrNone
	if err := d.SetWiFi(t.Context(), true); !errors.Is(err, wifi.ErrNone) {
		t.Error(err)
	}
	if err := d.Join(t.Context(), local.Join{Name: "Guests", Password: "geheim", Hidden: true, Identity: "1f"}); !errors.Is(err, wifi.ErrNone) {
		t.Error(err)
	}
	if diff := cmp.Diff([]wifi.Join{{Name: "Guests", Password: []byte("geheim"), Hidden: true, Identity: "1f"}}, radio.joins); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d.Close()
	if _, err := d.Network(t.Context()); !errors.Is(err, errClosed) {
		t.Errorf("after the end: %v", err)
	}
	if diff := cmp.Diff([]string{"scan", "on", "off", "on", "close"}, radio.did); diff != "" || !out.closed {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where Wi-Fi is not ours to join, there is still a network.
func TestDeskWithoutWiFi(t *testing.T) {
	d, _, _ := sitting(t)
	defer d.Close()
	n, err := d.Network(t.Context())
	if err != nil || n.WiFi != local.WiFiNone || n.Link == "" {
		t.Errorf("%+v, %v", n, err)
	}
	for what, err := range map[string]error{"scan": d.Scan(t.Context()), "join": d.Join(t.Context(), local.Join{Name: "x"}), "wifi": d.SetWiFi(t.Context(), true)} {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// A Mac's Wi-Fi is called as its cables are: it is the radio that knows it.
func TestDeskTellsWhichCardIsWiFi(t *testing.T) {
	d, _, _ := sitting(t)
	plain, err := d.Info(t.Context())
	if err != nil || plain.Agent != "1.2.3" {
		t.Fatalf("%+v, %v", plain, err)
	}
	if len(plain.Addresses) == 0 {
		t.Log("this machine has no address but its own")
		return
	}
	card := plain.Addresses[0].Interface
	d.airs = func() (air, error) { return &fakeAir{status: wifi.Status{Device: card}}, nil }
	i, err := d.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range i.Addresses {
		if a.Interface == card && a.Kind != "wifi" {
			t.Errorf("%+v", a)
		}
	}
}

// Whatever is in the files of macOS' settings, nobody is hidden but by name, or as an
// administrator.
func FuzzLoginPolicy(f *testing.F) {
	f.Add([]byte(plist("<key>SHOWFULLNAME</key><true/>")), []byte(plist("<key>HiddenUsersList</key><array><string>bob</string></array>")))
	f.Add([]byte("bplist00"), []byte(`<plist version="1.0"><array/></plist>`))
	f.Fuzz(func(t *testing.T, managed, own []byte) {
		settings := make(map[string]any)
		for _, xml := range [][]byte{managed, own} {
			if err := addSettings(settings, xml); err != nil {
				return
			}
		}
		p := readPolicy(settings)
		if len(p.hidden) > maxHiddenNames || len(p.hidden) == 0 && p.hides(accounts.Account{Name: "zoe", Administrator: !p.admins}) {
			t.Errorf("%+v", p)
		}
	})
}
