package credprov_test

import (
	"errors"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"

	"firstday.dev/agent/credprov"
	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/internal/testcredprov"
)

func TestWindowsTileFromHiddenToLogon(t *testing.T) {
	h := screen(t)
	must(t, h.KnowNegotiate())
	if h.Tile.Count != 0 || h.Tile.Default != testcredprov.NoDefault {
		t.Errorf("without an agent: %+v", h.Tile)
	}
	t.Logf("without an agent, the longest call took %v", h.Longest)
	d := newDesk(ready)
	d.serve(t)
	showing(t, h, &ready)
	if h.Tile.Default != testcredprov.NoDefault || h.Tile.Logon {
		t.Errorf("the tile is the default one: %+v", h.Tile)
	}
	if diff := cmp.Diff([]string{ready.Title, ready.Message, ready.Title, ready.Title, "Call 4711."}, h.Tile.Shown()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	d.puts(hidden)
	must(t, h.Wait(nothing))
	d.puts(ready)
	showing(t, h, &ready)
	if logon, err := h.Select(); logon || err != nil {
		t.Errorf("chosen: %v, %v", logon, err)
	}
	submits(t, h)
	if a := <-d.acts; a.Name != signin.Start || len(a.Fields) != 0 {
		t.Errorf("pressed %+v", a)
	}

	d.puts(waiting)
	showing(t, h, &waiting)
	if h.Tile.Default != 0 {
		t.Error("the tile that was chosen is left")
	}
	if !h.Tile.Shows(waiting.UserCode) || !h.Tile.Shows(waiting.URI) {
		t.Errorf("it shows %q", h.Tile.Shown())
	}
	picture, err := h.Picture()
	must(t, err)
	if diff := cmp.Diff(local.QRCode(waiting.QR), testcredprov.Modules(picture)); diff != "" {
		t.Errorf("the code (-want +got):\n%s", diff)
	}
	must(t, h.Click("Cancel"))
	if a := <-d.acts; a.Name != signin.Cancel {
		t.Errorf("pressed %+v", a)
	}

	d.puts(number)
	showing(t, h, &number)
	ids := h.Tile.Inputs()
	if len(ids) != 1 || h.Tile.Fields[ids[0]].Type != testcredprov.EditText || h.Tile.Fields[ids[0]].Focus != 3 || h.Tile.Fields[ids[0]].Label != "Number" {
		t.Errorf("the fields are %+v", h.Tile)
	}
	if beside, err := h.Beside(); err != nil || beside != ids[0] {
		t.Errorf("the button stands beside %d, %v", beside, err)
	}
	must(t, h.Type("47"))
	submits(t, h)
	if diff := cmp.Diff(map[string]string{"number": "47"}, (<-d.acts).Fields); diff != "" {
		t.Errorf("typed (-want +got):\n%s", diff)
	}

	d.puts(typing)
	showing(t, h, &typing)
	for _, id := range h.Tile.Inputs() {
		if h.Tile.Fields[id].Type != testcredprov.PasswordText {
			t.Errorf("a password can be read: %+v", h.Tile.Fields[id])
		}
		if h.Tile.Fields[id].Options != testcredprov.Reveal {
			t.Errorf("nobody can look at what they typed: %+v", h.Tile.Fields[id])
		}
	}
	const password = "Grüße von 100 % Acme 😀"
	must(t, h.Type(password, password))
	submits(t, h)
	if diff := cmp.Diff(map[string]string{"password": password, "again": password}, (<-d.acts).Fields); diff != "" {
		t.Errorf("typed (-want +got):\n%s", diff)
	}
	pin := signin.Screen{State: signin.PIN, Title: "Choose a PIN", Message: "Six digits.", Actions: typing.Actions,
		Fields: []signin.Field{{Name: signin.FieldPIN, Label: "PIN", Secret: true, Digits: true}}}
	d.puts(pin)
	showing(t, h, &pin)
	if ids := h.Tile.Inputs(); len(ids) != 1 || h.Tile.Fields[ids[0]].Type != testcredprov.PasswordText || h.Tile.Fields[ids[0]].Options != testcredprov.NumbersOnly {
		t.Errorf("the PIN's field is %+v", h.Tile.Fields)
	}
	must(t, h.Type("482915"))
	submits(t, h)
	if a := <-d.acts; a.Fields["pin"] != "482915" {
		t.Errorf("typed %+v", a)
	}
	d.puts(making)
	showing(t, h, &making)

	ended := done
	ended.CanLogon = true
	d.mu.Lock()
	d.logon = []byte(strings.Repeat("packed\x00\xff", 100))
	d.mu.Unlock()
	d.puts(ended)
	must(t, h.Wait(func(tile *testcredprov.Tile) bool { return tile.Logon }))
	if h.Tile.Default != 0 {
		t.Errorf("another tile is logged on: %+v", h.Tile)
	}
	s, _, err := h.Submit()
	must(t, err)
	clsid, err := windows.GUIDFromString(credprov.CLSID)
	must(t, err)
	want := &testcredprov.Serialization{Package: testcredprov.Negotiate, Provider: clsid, Bytes: []byte(strings.Repeat("packed\x00\xff", 100))}
	if diff := cmp.Diff(want, s); diff != "" {
		t.Errorf("logged on with (-want +got):\n%s", diff)
	}
	d.puts(done)
	must(t, h.Wait(func(tile *testcredprov.Tile) bool { return !tile.Logon }))
	t.Logf("the longest call took %v", h.Longest)
	if a := submitsAt(t, h, d); a.Name != signin.Close {
		t.Errorf("pressed %+v", a)
	}
}

// Who has not typed the password here is not logged on here.
func TestWindowsTileLogsNobodyElseOn(t *testing.T) {
	h := screen(t)
	d := newDesk(typing)
	d.serve(t)
	showing(t, h, &typing)
	ended := done
	ended.CanLogon = true
	d.puts(ended)
	showing(t, h, &done)
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.given != 0 || h.Tile.Logon {
		t.Errorf("it asked %d times, and shows %+v", d.given, h.Tile)
	}
}

// Who has typed the password and gone to another tile is not logged on by whoever
// chooses this one next.
func TestWindowsTileForgetsWhoHasGone(t *testing.T) {
	ended := done
	ended.CanLogon = true
	for name, early := range map[string]bool{"after the logon came": true, "before it came": false} {
		t.Run(name, func(t *testing.T) {
			h := screen(t)
			must(t, h.KnowNegotiate())
			d := newDesk(typing)
			d.logon = []byte("packed")
			d.serve(t)
			showing(t, h, &typing)
			fillIn(t, h)
			submits(t, h)
			<-d.acts
			if early {
				d.puts(ended)
				must(t, h.Wait(func(tile *testcredprov.Tile) bool { return tile.Logon }))
			}
			must(t, h.Deselect())
			time.Sleep(1100 * time.Millisecond) // LogonUI's own looks take less
			must(t, h.Look())
			if logon, err := h.Select(); logon || err != nil {
				t.Errorf("chosen: %v, %v", logon, err)
			}
			if early {
				if s, _, err := h.Submit(); s != nil || err != nil {
					t.Errorf("logged on: %+v, %v", s, err)
				}
				return
			}
			d.puts(ended)
			showing(t, h, &done)
			submitsAt(t, h, d) // it would have asked before
			d.mu.Lock()
			defer d.mu.Unlock()
			if d.given != 0 {
				t.Error("it asked for the logon of who has gone")
			}
		})
	}
}

// Values that do not fit are refused, never sent in part.
func TestWindowsTileRefusesWhatIsTooLong(t *testing.T) {
	h := screen(t)
	d := newDesk(number)
	d.serve(t)
	showing(t, h, &number)
	if err := h.Type(strings.Repeat("x", 700)); err == nil {
		t.Error("700 characters are taken")
	}
	for _, text := range []string{"", strings.Repeat("ß", 599)} {
		if text != "" {
			must(t, h.Type(text))
		}
		if s, told, err := h.Submit(); s != nil || err != nil || told != "What you typed is too long." {
			t.Errorf("%+v, %q, %v", s, told, err)
		}
	}
	must(t, h.Type("47"))
	submits(t, h)
	if diff := cmp.Diff("47", (<-d.acts).Fields["number"]); diff != "" {
		t.Error(diff)
	}
}

// At a locked screen, in a dialogue, for another password: there is no tile, and
// such visits are no crashes.
func TestWindowsTileIsForTheSignInScreenOnly(t *testing.T) {
	newDesk(ready).serve(t)
	for range 2 {
		for scenario := range 8 {
			h := load(t, self)
			if scenario == testcredprov.SignIn {
				h.Drop()
				continue
			}
			if err := h.Begin(scenario); !errors.Is(err, testcredprov.ErrNotImplemented) {
				t.Errorf("scenario %d: %v", scenario, err)
			}
			h.Drop()
		}
	}
}

func TestWindowsTileIsSwitchedOff(t *testing.T) {
	k, _, err := registry.CreateKey(registry.LOCAL_MACHINE, `SOFTWARE\Firstday\CredentialProvider`, registry.SET_VALUE)
	must(t, err)
	defer k.Close()
	must(t, k.SetDWordValue("Disabled", 1))
	if _, err := testcredprov.Load(credprov.CLSID); !errors.Is(err, testcredprov.ErrClassNotAvailable) {
		t.Errorf("switched off: %v", err)
	}
	must(t, k.SetDWordValue("Disabled", 0))
	h, err := testcredprov.Load(credprov.CLSID)
	must(t, err)
	h.Drop()
	must(t, k.DeleteValue("Disabled"))
}

// Three processes that left their byte have crashed.
func TestWindowsTileStaysAwayAfterThreeCrashes(t *testing.T) {
	awaitIdle(t) // the last thread of another test lowers the sentinel
	must(t, os.WriteFile(sentinel, []byte("!!"), 0o600))
	h, err := testcredprov.Load(credprov.CLSID)
	must(t, err)
	if data, err := os.ReadFile(sentinel); err != nil || string(data) != "!!!" {
		t.Errorf("the sentinel is %q, %v", data, err)
	}
	if _, err := testcredprov.Load(credprov.CLSID); !errors.Is(err, testcredprov.ErrClassNotAvailable) {
		t.Errorf("after three: %v", err)
	}
	h.Drop()
	if _, err := os.Stat(sentinel); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a good end is no crash: %v", err)
	}
	// A tile that is selected is one that works.
	h = screen(t)
	newDesk(ready).serve(t)
	showing(t, h, &ready)
	must(t, os.WriteFile(sentinel, []byte("!!"), 0o600))
	_, err = h.Select()
	must(t, err)
	if _, err := os.Stat(sentinel); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("after the selection: %v", err)
	}
}

// idle tells whether the DLL may be unloaded.
func idle(t *testing.T) bool {
	t.Helper()
	dll, err := windows.LoadDLL(strings.TrimSuffix(sentinel, ".starts"))
	must(t, err)
	defer dll.Release() // the process ends
	hr, _, _ := dll.MustFindProc("DllCanUnloadNow").Call()
	return hr == 0
}

func awaitIdle(t *testing.T) {
	t.Helper()
	for begun := time.Now(); !idle(t); time.Sleep(time.Millisecond) {
		if time.Since(begun) > longest {
			t.Fatal("its thread does not end")
		}
	}
}

// The DLL leaves the process, with the thread that it started.
func TestWindowsTileUnloads(t *testing.T) {
	newDesk(ready).serve(t)
	for range 3 {
		h := load(t, self)
		must(t, h.Begin(testcredprov.SignIn))
		showing(t, h, &ready)
		if idle(t) {
			t.Error("it may be unloaded while it shows a tile")
		}
		left, err := h.End()
		if left != 0 || err != nil {
			t.Errorf("%d hold the provider, %v", left, err)
		}
		awaitIdle(t)
	}
}

// Who has chosen the tile stays with it, however fast the screens change while
// LogonUI looks.
func TestWindowsTileStaysChosen(t *testing.T) {
	h := screen(t)
	d := newDesk(ready)
	d.serve(t)
	showing(t, h, &ready)
	_, err := h.Select()
	must(t, err)
	go func() {
		for range 300 {
			for _, s := range []signin.Screen{number, typing, waiting} {
				d.puts(s)
				time.Sleep(100 * time.Microsecond)
			}
		}
		d.puts(failed)
	}()
	looks := 0
	must(t, h.Wait(func(tile *testcredprov.Tile) bool {
		if looks++; looks > 1 && (tile.Count != 1 || tile.Default != 0) {
			t.Errorf("look %d: the default is %#x of %d", looks, tile.Default, tile.Count)
		}
		return tile.Shows(failed.Title)
	}))
	t.Logf("%d looks", looks)
}

// LogonUI looks once for each screen: when it looks, what is being typed is lost.
func TestWindowsTileTellsOnce(t *testing.T) {
	h := screen(t)
	d := newDesk(ready)
	d.serve(t)
	showing(t, h, &ready)
	before := h.Told()
	for range 3 { // these look the same
		d.puts(ready)
		submitsAt(t, h, d)
	}
	if told := h.Told() - before; told != 0 {
		t.Errorf("told %d times of nothing new", told)
	}
	d.puts(number)
	for h.Told() == before {
		time.Sleep(time.Millisecond)
	}
	// The screen that LogonUI shows is there no more: the agent says so, and nothing
	// happens. Enter works again only after that answer.
	for range 3 {
		for told := "One moment, please."; told != ""; time.Sleep(time.Millisecond) {
			_, said, err := h.Submit()
			must(t, err)
			told = said
		}
	}
	d.puts(typing)
	showing(t, h, &typing)
	if told := h.Told() - before; told != 2 {
		t.Errorf("told %d times of two screens", told)
	}
	if len(d.acts) != 0 {
		t.Errorf("the wrong screen got %+v", <-d.acts)
	}
}

// Without anybody to log on with, the person types the password where all do.
func TestWindowsNoLogonShowsTheScreen(t *testing.T) {
	h := screen(t)
	d := newDesk(typing)
	d.serve(t)
	showing(t, h, &typing)
	_, err := h.Select()
	must(t, err)
	must(t, h.Type("hunter22", "hunter22"))
	submits(t, h)
	<-d.acts
	ended := done
	ended.CanLogon = true
	d.mu.Lock()
	d.logon = []byte("packed")
	d.mu.Unlock()
	d.puts(ended)
	showing(t, h, &done)
	d.puts(done) // as the agent does when it was given
	d.puts(failed)
	showing(t, h, &failed)
	if h.Tile.Logon {
		t.Errorf("logged on by nobody: %+v", h.Tile)
	}
}
