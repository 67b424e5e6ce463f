package agent

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"firstday.dev/internal/testdirectory"
)

func TestWatchdogJudges(t *testing.T) {
	const dll, hash = `C:\tile.dll`, "aa"
	off := func(by TileAuthority, hash string) *TileSwitch {
		return &TileSwitch{By: by, Reason: "why", SHA256: hash}
	}
	crash := func(ids ...string) (faults []TileFault) {
		for _, id := range ids {
			faults = append(faults, TileFault{ID: id, DLL: `c:\TILE.dll`})
		}
		return faults
	}
	type outcome struct {
		State                    TileState
		By                       TileAuthority
		Reason                   string
		Strikes                  int
		Disable, Enable, Forgive bool
		Fresh, Faults            int
		Disabled                 bool // in the record
	}
	for name, c := range map[string]struct {
		record tileRecord
		see    func(*tileSeen)
		want   outcome
	}{
		"all is well":                {see: func(*tileSeen) {}, want: outcome{State: TileOn}},
		"none is carried":            {see: func(s *tileSeen) { *s = tileSeen{} }, want: outcome{State: TileNone}},
		"started twice":              {see: func(s *tileSeen) { s.starts = 2 }, want: outcome{State: TileOn, Strikes: 2}},
		"started three times":        {see: func(s *tileSeen) { s.starts = 3 }, want: outcome{State: TileOff, By: ByWatchdog, Reason: "LogonUI crashed with it 3 times", Strikes: 3, Disable: true, Disabled: true}},
		"a crash":                    {see: func(s *tileSeen) { s.faults = crash("1") }, want: outcome{State: TileOn, Strikes: 1, Fresh: 1, Faults: 1}},
		"a crash, told twice":        {see: func(s *tileSeen) { s.faults = crash("1", "1") }, want: outcome{State: TileOn, Strikes: 1, Fresh: 1, Faults: 1}},
		"a crash that is known":      {tileRecord{SHA256: hash, Faults: 1, Known: []string{"1"}}, func(s *tileSeen) { s.faults = crash("1") }, outcome{State: TileOn, Strikes: 1, Faults: 1}},
		"a crash of another version": {see: func(s *tileSeen) { s.faults = []TileFault{{ID: "1", DLL: `C:\other.dll`}} }, want: outcome{State: TileOn}},
		"a crash in no known file":   {see: func(s *tileSeen) { s.faults = []TileFault{{ID: "1"}} }, want: outcome{State: TileOn, Strikes: 1, Fresh: 1, Faults: 1}},
		"the third crash": {tileRecord{SHA256: hash, Faults: 2}, func(s *tileSeen) { s.faults = crash("3") },
			outcome{State: TileOff, By: ByWatchdog, Reason: "LogonUI crashed with it 3 times", Strikes: 3, Disable: true, Disabled: true, Fresh: 1, Faults: 3}},
		"two crashes that left their bytes": {tileRecord{SHA256: hash}, func(s *tileSeen) { s.starts, s.faults = 2, crash("1", "2") }, outcome{State: TileOn, Strikes: 2, Fresh: 2, Faults: 2}},
		"three crashes while it is installed": {see: func(s *tileSeen) { s.starts, s.settling = 3, true },
			want: outcome{State: TileOff, By: ByWatchdog, Reason: "LogonUI crashed with it 3 times", Strikes: 3, Disable: true, Disabled: true}},
		"disabled before": {tileRecord{SHA256: hash, Faults: 3, Disabled: true}, func(s *tileSeen) { s.Off = off(ByWatchdog, hash) },
			outcome{State: TileOff, By: ByWatchdog, Reason: "why", Strikes: 3, Disabled: true, Faults: 3}},
		"disabled, what was known is lost":  {see: func(s *tileSeen) { s.Off = off(ByWatchdog, hash) }, want: outcome{State: TileOff, By: ByWatchdog, Reason: "why", Disabled: true}},
		"disabled, and switched on by hand": {tileRecord{SHA256: hash, Faults: 3, Disabled: true}, func(s *tileSeen) { s.starts = 3 }, outcome{State: TileOn, Forgive: true}},
		"disabled, then upgraded":           {tileRecord{SHA256: "bb", Faults: 3, Disabled: true}, func(s *tileSeen) { s.Off = off(ByWatchdog, "bb") }, outcome{State: TileOn, Enable: true}},
		"disabled, being upgraded": {tileRecord{SHA256: "bb", Faults: 3, Disabled: true}, func(s *tileSeen) {
			s.Off, s.DLL, s.settling = off(ByWatchdog, "bb"), `C:\other.dll`, true
		}, outcome{State: TileOff, By: ByWatchdog, Reason: "why", Disabled: true}},
		"upgraded, and as bad": {tileRecord{SHA256: "bb", Faults: 3, Disabled: true}, func(s *tileSeen) { s.Off, s.starts = off(ByWatchdog, "bb"), 3 },
			outcome{State: TileOff, By: ByWatchdog, Reason: "LogonUI crashed with it 3 times", Strikes: 3, Disable: true, Disabled: true}},
		"switched off by an administrator": {see: func(s *tileSeen) { s.Off = off(ByAdministrator, "") }, want: outcome{State: TileOff, By: ByAdministrator, Reason: "why"}},
		"switched off, and it crashed": {tileRecord{SHA256: hash, Faults: 3}, func(s *tileSeen) { s.Off = off(ByAdministrator, "") },
			outcome{State: TileOff, By: ByAdministrator, Reason: "why", Strikes: 3, Faults: 3}},
		"switched off, then upgraded": {tileRecord{SHA256: "bb", Faults: 2}, func(s *tileSeen) { s.Off = off(ByAdministrator, "") }, outcome{State: TileOff, By: ByAdministrator, Reason: "why"}},
		"Windows' own switch":         {see: func(s *tileSeen) { s.Disabled = true }, want: outcome{State: TileOff, By: ByWindows}},
		"a policy":                    {see: func(s *tileSeen) { s.Excluded = true }, want: outcome{State: TileOff, By: ByPolicy}},
		"no file":                     {see: func(s *tileSeen) { s.wrong = "gone" }, want: outcome{State: TileBroken, Reason: "gone"}},
		"not registered":              {see: func(s *tileSeen) { s.TileRegistration = TileRegistration{} }, want: outcome{State: TileBroken, Reason: "it is not registered"}},
		"not in the list":             {see: func(s *tileSeen) { s.Listed = false }, want: outcome{State: TileBroken, Reason: "its registration is incomplete"}},
		"no threading model":          {see: func(s *tileSeen) { s.Complete = false }, want: outcome{State: TileBroken, Reason: "its registration is incomplete"}},
		"another file":                {see: func(s *tileSeen) { s.DLL = `C:\x.dll` }, want: outcome{State: TileBroken, Reason: `another file is registered: C:\x.dll`}},
		"not registered yet":          {see: func(s *tileSeen) { s.TileRegistration, s.settling = TileRegistration{}, true }, want: outcome{State: TilePending}},
	} {
		t.Run(name, func(t *testing.T) {
			seen := tileSeen{TileRegistration: loads(dll), want: dll, sha256: hash, newest: 7}
			c.see(&seen)
			next, v := c.record.judge(seen)
			got := outcome{v.State, v.By, v.Reason, v.Strikes, v.disable, v.enable, v.forgive, len(v.fresh), next.Faults, next.Disabled}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if next.Last != seen.newest || v.disable == v.Since.IsZero() {
				t.Errorf("%+v, %+v", next, v)
			}
			if (v.Problem() == "") != (v.State != TileOff && v.State != TileBroken) || v.Faulty() && v.Problem() == "" {
				t.Errorf("%+v: %q", v.TileStatus, v.Problem())
			}
		})
	}
}

// However many crashes there are, few are remembered.
func TestWatchdogForgetsOldCrashes(t *testing.T) {
	r := new(tileRecord)
	for i := range 3 * maxKnown {
		r.count([]TileFault{{ID: strings.Repeat("x", i)}}, "")
	}
	if len(r.Known) != maxKnown || r.Faults != 3*maxKnown {
		t.Errorf("%d are known, %d were counted", len(r.Known), r.Faults)
	}
}

// watched is a device whose service runs with a tile, enrolled with a directory.
func watched(t *testing.T) (*testdirectory.Service, *machine, string) {
	t.Helper()
	d := testdirectory.New(t)
	m := newMachine(t)
	m.limits.dial, m.limits.tilePause = dialDirectory, 10*time.Millisecond
	e := sample("1.2.3")
	e.Payloads, e.Directory, e.ConnectKey = nil, d.At, d.MustMint(api.NewConnectKey{})
	m.mustInstall(deliver(t, e))
	m.becomes("enrolment", done)
	m.tileBecomes(TileOn, "")
	return d, m, m.Layout().CredentialProvider("1.2.3")
}

// tileBecomes waits until the service says so, and status with it.
func (m *machine) tileBecomes(state TileState, by TileAuthority) (s *TileStatus) {
	m.t.Helper()
	eventually(m.t, "the tile to be "+string(state), func() bool {
		r, err := readReport(m.Layout().Report())
		if err != nil || r.Tile == nil {
			return false
		}
		s = r.Tile
		return s.State == state && s.By == by && cmp.Equal(s, m.status().Tile)
	})
	return s
}

// hears waits until the directory lists a problem of its only device, or none.
func hears(t *testing.T, d *testdirectory.Service, problem string) {
	t.Helper()
	eventually(t, "the directory to hear: "+problem, func() bool {
		p := strings.Join(d.OnlyDevice().Facts.Problems, "; ")
		return problem == "" && p == "" || problem != "" && strings.Contains(p, problem)
	})
}

// loaded has the tile loaded so often, and not found to be good since the last
// time.
func loaded(t *testing.T, dll string, times int, since time.Duration) {
	t.Helper()
	if err := os.WriteFile(sentinel(dll), []byte(strings.Repeat("!", times)), 0o600); err != nil {
		t.Fatal(err)
	}
	last := time.Now().Add(-since)
	if err := os.Chtimes(sentinel(dll), last, last); err != nil {
		t.Fatal(err)
	}
}

// Who has just loaded the tile has not crashed.
func TestStartsThatMayStillBeGood(t *testing.T) {
	dll := t.TempDir() + "/firstday-credprov.dll"
	for name, c := range map[string]struct {
		times int
		since time.Duration
		want  int
	}{
		"once, just now":         {1, 0, 0},
		"three times, just now":  {3, 0, 2},
		"three times, long ago":  {3, time.Hour, 3},
		"often, just now":        {5, 0, strikes},
		"as a file is made":      {0, 0, 0},
		"the clock was set back": {3, -365 * 24 * time.Hour, 3},
	} {
		loaded(t, dll, c.times, c.since)
		if n, err := countStarts(dll); n != c.want || err != nil {
			t.Errorf("%s: %d, %v, want %d", name, n, err, c.want)
		}
	}
}

func TestWatchdogDisablesAfterThreeStarts(t *testing.T) {
	d, m, dll := watched(t)
	loaded(t, dll, 3, time.Hour)
	s := m.tileBecomes(TileOff, ByWatchdog)
	off := m.tile.registration().Off
	want := &TileSwitch{By: ByWatchdog, Reason: "LogonUI crashed with it 3 times", Since: s.Since, SHA256: digest([]byte("tile 1.2.3"))}
	if diff := cmp.Diff(want, off); diff != "" || s.Since.IsZero() {
		t.Errorf("the switch (-want +got):\n%s", diff)
	}
	hears(t, d, "the watchdog has disabled the tile of the sign-in screen: LogonUI crashed with it 3 times")
	if st := m.status(); !st.Faulty() || !strings.Contains(strings.Join(st.Problems, "\n"), "the watchdog has disabled the tile") {
		t.Errorf("status: %q", st.Problems)
	}

	if s := m.mustSwitchTile(true, ""); s.State != TileOn || s.Strikes != 0 {
		t.Errorf("switched on: %+v", s)
	}
	m.tileBecomes(TileOn, "")
	hears(t, d, "")
	if _, err := os.Lstat(sentinel(dll)); err == nil {
		t.Error("the crashes are not forgiven")
	}

	// Another version is another chance.
	loaded(t, dll, 3, time.Hour)
	m.tileBecomes(TileOff, ByWatchdog)
	m.mustInstall(deliver(t, sample("1.3.0")))
	m.tileBecomes(TileOn, "")
	if off := m.tile.registration().Off; off != nil {
		t.Errorf("the switch is %+v", off)
	}
}

// A crash is one however often the log tells of it, and what was read is not read
// again after a restart.
func TestWatchdogReadsTheLog(t *testing.T) {
	d, m, dll := watched(t)
	crash := func(ids ...string) {
		m.tile.change(func(f *fakeTile) {
			for _, id := range ids {
				f.records = append(f.records,
					crashRecord(uint32(len(f.records))+1, "LogonUI.exe", "firstday-credprov.dll", dll, id),
					reportRecord(uint32(len(f.records))+2, "LogonUI.exe", "firstday-credprov.dll", id))
			}
		})
	}
	strikes := func(n int) {
		t.Helper()
		eventually(t, "the strikes", func() bool {
			r, err := readTileRecord(m.Layout().Tile())
			return err == nil && r.Faults == n
		})
	}
	crash("1")
	strikes(1)
	crash("1", "2")
	strikes(2)
	m.restart()
	crash("2", "3")
	m.tileBecomes(TileOff, ByWatchdog)
	hears(t, d, "the watchdog has disabled the tile")
	log, err := os.ReadFile(m.Layout().ServiceLog())
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]int{`"event":113`: 3, `"event":120`: 1, `"event":112`: 0} {
		if n := strings.Count(string(log), text); n != want {
			t.Errorf("%d times %s in\n%s", n, text, log)
		}
	}
}

// What administrators do is told, and left as it is.
func TestWatchdogLeavesAdministratorsAlone(t *testing.T) {
	d, m, dll := watched(t)
	for name, c := range map[string]struct {
		do, undo func(*fakeTile)
		by       TileAuthority
		problem  string
	}{
		"by hand": {func(f *fakeTile) { f.r.Off = &TileSwitch{By: ByAdministrator} }, func(f *fakeTile) { f.r.Off = nil }, ByAdministrator, "an administrator of this device has switched off"},
		"Windows": {func(f *fakeTile) { f.r.Disabled = true }, func(f *fakeTile) { f.r.Disabled = false }, ByWindows, "Windows' own switch"},
		"policy":  {func(f *fakeTile) { f.r.Excluded = true }, func(f *fakeTile) { f.r.Excluded = false }, ByPolicy, "a policy excludes"},
	} {
		m.tile.change(c.do)
		m.tileBecomes(TileOff, c.by)
		hears(t, d, c.problem)
		if s := m.status(); !s.Healthy {
			t.Errorf("%s: that is no fault: %q", name, s.Problems)
		}
		m.tile.change(c.undo)
		m.tileBecomes(TileOn, "")
		hears(t, d, "")
	}

	if s := m.mustSwitchTile(false, "until the update\nof May"); s.State != TileOff || s.Reason != "until the update of May" || s.Since.IsZero() {
		t.Errorf("%+v", s)
	}
	m.tileBecomes(TileOff, ByAdministrator)
	hears(t, d, "until the update of May")
	loaded(t, dll, 3, time.Hour)
	eventually(t, "the strikes", func() bool {
		r, err := readTileRecord(m.Layout().Tile())
		return err == nil && r.Told.Strikes == 3
	})
	if off := m.tile.registration().Off; off == nil || off.By != ByAdministrator {
		t.Errorf("the switch is %+v", off)
	}
	m.mustSwitchTile(true, "")

	// Who removed it has reasons; who asks for it gets it back.
	m.tile.change(func(f *fakeTile) { f.r = TileRegistration{} })
	m.tileBecomes(TileBroken, "")
	hears(t, d, "it is not registered")
	if s := m.mustSwitchTile(true, ""); s.State != TileOn || m.tile.registration() != loads(dll) {
		t.Errorf("%+v", s)
	}
	for problem, spoil := range map[string]func(){
		"is another file": func() { write(t, dll, "another") },
		"is missing":      func() { m.mustRemove(dll) },
		"not trusted":     func() { m.tile.change(func(f *fakeTile) { f.untrusted = errors.New("not trusted") }) },
	} {
		spoil()
		m.tileBecomes(TileBroken, "")
		hears(t, d, problem)
		if r := m.tile.registration(); r != loads(dll) {
			t.Errorf("%s: %+v", problem, r)
		}
		m.tile.change(func(f *fakeTile) { f.untrusted = nil })
		write(t, dll, "tile 1.2.3")
		m.tileBecomes(TileOn, "")
	}
	m.mustRemove(dll)
	if s, err := m.agent("9.9.9").SwitchTile(true, ""); err == nil || !strings.Contains(err.Error(), "is missing or another one") {
		t.Errorf("switched on without a file: %+v, %v", s, err)
	}
	if r := m.tile.registration(); r != loads(dll) && r.DLL != "" {
		t.Errorf("it is registered: %+v", r)
	}
}

func write(t *testing.T, path, data string) {
	t.Helper()
	if err := statefile.WriteBytes(path, []byte(data)); err != nil {
		t.Fatal(err)
	}
}

func (m *machine) mustRemove(path string) {
	m.t.Helper()
	if err := os.Remove(path); err != nil {
		m.t.Fatal(err)
	}
}

// What is lost of the watchdog's memory is no reason to stop watching.
func TestWatchdogBeginsAnewWithADamagedRecord(t *testing.T) {
	_, m, dll := watched(t)
	m.tile.change(func(f *fakeTile) {
		f.records = append(f.records, crashRecord(1, "LogonUI.exe", "firstday-credprov.dll", dll, "1"))
	})
	for _, damage := range []string{"{", `{"schema":99}`} {
		write(t, m.Layout().Tile(), damage)
		eventually(t, "another record", func() bool {
			r, err := readTileRecord(m.Layout().Tile())
			return err == nil && r.Last == 1 && r.SHA256 != ""
		})
	}
	m.tileBecomes(TileOn, "")
}

func TestSystemsWithoutATile(t *testing.T) {
	m := newMachine(t)
	m.tile = nil
	m.mustInstall(deliver(t, sample("1.2.3")))
	if s := m.status(); s.Tile != nil {
		t.Errorf("status: %+v", s.Tile)
	}
	if _, err := m.agent("9.9.9").TileStatus(); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if _, err := m.agent("9.9.9").SwitchTile(true, ""); !errors.Is(err, ErrUnsupported) {
		t.Errorf("got %v", err)
	}
	if _, err := os.Lstat(m.Layout().CredentialProvider("1.2.3")); err == nil {
		t.Error("it was copied")
	}
}

func TestTileIsNotInstalled(t *testing.T) {
	m := newMachine(t)
	if _, err := m.agent("9.9.9").TileStatus(); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got %v", err)
	}
	if _, err := m.agent("9.9.9").SwitchTile(false, ""); !errors.Is(err, ErrNotInstalled) {
		t.Errorf("got %v", err)
	}
	if r := m.tile.registration(); r != (TileRegistration{}) {
		t.Errorf("%+v", r)
	}
}

func TestBundleTellsOfTheTile(t *testing.T) {
	_, m, dll := watched(t)
	_, files := m.diagnose()
	for _, want := range []string{`"state": "on"`, `"listed": true`, `"watchdog": {`, `"sha256": "` + digest([]byte("tile 1.2.3"))} {
		if !strings.Contains(files["tile.json"], want) {
			t.Errorf("%s is not in\n%s", want, files["tile.json"])
		}
	}
	if !strings.Contains(files["files.json"], dll[strings.LastIndex(dll, "firstday-credprov"):]) {
		t.Errorf("the file is not listed:\n%s", files["files.json"])
	}
}
