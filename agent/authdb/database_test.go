package authdb

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/filelock"
)

var (
	withCrypt = edit("loginwindow:done", swap("Crypt:Check,privileged", "Crypt:CryptGUI", "Crypt:Enablement,privileged", "loginwindow:done"))
	ours      = edit(AppleUI, swap(UI, Guard), "loginwindow:done", swap("Crypt:Check,privileged", "Crypt:CryptGUI", "Crypt:Enablement,privileged", "loginwindow:done"))
)

// ventura is the list of testdata/authorization.plist.
func ventura(t *testing.T) []string { return parseFile(t, "macos-13.plist").Mechanisms() }

func TestEnableAndDisable(t *testing.T) {
	m, d := newMac(t, withCrypt)
	d.now = func() time.Time { return day }
	before := m.text
	on, err := d.Enable(t.Context(), loadable{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(ours, m.list()); diff != "" || !on.Changed || on.Verdict.State != Ours || on.Rebuilt || on.Unsaved != nil {
		t.Errorf("%+v %s", on, diff)
	}
	enabled := m.text
	off, err := d.Disable(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(withCrypt, m.list()); diff != "" || !off.Changed || off.Verdict.State != Apple || off.Differs || off.Rebuilt || off.Unsaved != nil {
		t.Errorf("%+v %s", off, diff)
	}
	if len(m.writes) != 2 {
		t.Fatalf("%d writes", len(m.writes))
	}
	if a, b := m.writes[1], strings.Replace(before, "738007876", "738007877", 1); a != b {
		t.Error(cmp.Diff(a, b))
	}

	if diff := cmp.Diff(before, readBackup(t, d, on)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(enabled, readBackup(t, d, off)); diff != "" {
		t.Error(diff)
	}
	paths, err := d.Backups()
	if err != nil || !slices.Equal(paths, []string{on.Backup, off.Backup}) {
		t.Errorf("%q, %v", paths, err)
	}
	if name := filepath.Base(on.Backup); name != "system.login.console-20261130T191500.123456789Z.plist" {
		t.Error(name)
	}
}

func TestWhatIsDoneIsNotDoneAgain(t *testing.T) {
	for name, c := range map[string]struct {
		list []string
		do   func(*Database) (Outcome, error)
	}{
		"Enable":             {ours, func(d *Database) (Outcome, error) { return d.Enable(t.Context(), loadable{}) }},
		"Disable":            {withCrypt, func(d *Database) (Outcome, error) { return d.Disable(t.Context()) }},
		"Disable, another's": {edit(AppleUI, swap("JamfConnectLogin:LoginUI")), func(d *Database) (Outcome, error) { return d.Disable(t.Context()) }},
		"Disable, damaged":   {edit(AppleUI, swap()), func(d *Database) (Outcome, error) { return d.Disable(t.Context()) }},
		"Repair, Apple's":    {withCrypt, func(d *Database) (Outcome, error) { return d.Repair(t.Context()) }},
		"Repair, ours":       {ours, func(d *Database) (Outcome, error) { return d.Repair(t.Context()) }},
		"Settle, Apple's":    {withCrypt, func(d *Database) (Outcome, error) { return d.Settle(t.Context(), loadable{errors.New("absent")}) }},
		"Settle, ours":       {ours, func(d *Database) (Outcome, error) { return d.Settle(t.Context(), loadable{}) }},
	} {
		m, d := newMac(t, c.list)
		o, err := c.do(d)
		if err != nil || o.Changed || o.Backup != "" || len(m.writes) > 0 || o.Verdict.State == "" {
			t.Errorf("%s: %+v, %v; %d writes", name, o, err, len(m.writes))
		}
		if paths, err := d.Backups(); err != nil || len(paths) > 0 {
			t.Errorf("%s: %q, %v", name, paths, err)
		}
	}
}

func TestNothingIsWrittenUnlessAllIsWell(t *testing.T) {
	absent := errors.New("absent")
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	for name, c := range map[string]struct {
		list []string
		set  func(*mac, *Database)
		ctx  context.Context
		p    Plugin
		want error // nil: any
	}{
		"not vouched for":              {list: withCrypt, p: loadable{absent}, want: absent},
		"there, but not vouched for":   {list: ours, p: loadable{absent}, want: absent},
		"not root":                     {list: withCrypt, set: func(m *mac, _ *Database) { m.user = true }, want: ErrNotRoot},
		"another's":                    {list: edit(AppleUI, swap("JamfConnectLogin:LoginUI")), want: ErrForeign},
		"damaged":                      {list: edit(AppleUI, swap()), want: ErrDamaged},
		"not to be understood":         {list: withCrypt, set: func(m *mac, _ *Database) { m.text = "<html>" }, want: ErrFormat},
		"not to be read":               {list: withCrypt, set: func(m *mac, _ *Database) { m.read = func() error { return statusError(-60005) } }, want: ErrRefused},
		"no place for the backup":      {list: withCrypt, set: func(_ *mac, d *Database) { d.folder = filepath.Join(d.copy, "x") }},
		"a file is where the backup's": {list: withCrypt, set: func(_ *mac, d *Database) { os.WriteFile(d.folder, nil, 0o600) }},
		"the backup fails": {list: withCrypt, set: func(m *mac, d *Database) {
			m.read = func() error { return errors.Join(os.RemoveAll(d.folder), os.WriteFile(d.folder, nil, 0o600)) }
		}},
		"given up before": {list: withCrypt, ctx: cancelled, want: context.Canceled},
	} {
		t.Run(name, func(t *testing.T) {
			m, d := newMac(t, c.list)
			if c.set != nil {
				c.set(m, d)
			}
			if c.p == nil {
				c.p = loadable{}
			}
			if c.ctx == nil {
				c.ctx = t.Context()
			}
			before := m.text
			o, err := d.Enable(c.ctx, c.p)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%v", err)
			}
			if o.Changed || len(m.writes) > 0 || m.text != before {
				t.Errorf("%+v; %q", o, m.writes)
			}
		})
	}
}

func TestAuthdRefusesToWrite(t *testing.T) {
	for _, do := range []func(*Database) (Outcome, error){
		func(d *Database) (Outcome, error) { return d.Repair(t.Context()) },
		func(d *Database) (Outcome, error) { return d.Disable(t.Context()) },
	} {
		m, d := newMac(t, edit(AppleUI, swap(UI)))
		m.written = func(string) (string, error) { return m.text, statusError(-60007) }
		o, err := do(d)
		var status *StatusError
		if !errors.As(err, &status) || status.Status != -60007 || !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "somebody would have to be asked") {
			t.Errorf("%v", err)
		}
		if o.Changed || len(m.writes) != 1 || o.Verdict.State != Damaged {
			t.Errorf("%+v; %d writes", o, len(m.writes))
		}
	}
}

// without takes mechanisms out of what was written.
func without(t *testing.T, text string, is func(string) bool) string {
	t.Helper()
	d := parseText(t, text)
	return string(d.with(slices.DeleteFunc(slices.Clone(d.items), func(i item) bool { return is(i.mechanism) })).Bytes())
}

func TestWhatIsReadBackMustBeWhatWasWritten(t *testing.T) {
	isCrypt := func(m string) bool { return strings.HasPrefix(m, "Crypt:") }
	isWindow := func(m string) bool { return m == UI || m == AppleUI }

	t.Run("others' are lost once", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		m.written = func(text string) (string, error) {
			m.written = nil
			return without(t, text, isCrypt), nil
		}
		o, err := d.Enable(t.Context(), loadable{})
		if !errors.Is(err, ErrMismatch) || errors.Is(err, ErrNotUndone) || !strings.Contains(err.Error(), "is back") {
			t.Error(err)
		}
		if diff := cmp.Diff(withCrypt, m.list()); diff != "" || o.Changed || o.Verdict.State != Apple || o.Backup == "" {
			t.Errorf("%+v %s", o, diff)
		}
	})
	t.Run("nothing was changed", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		m.written = func(string) (string, error) { return m.text, nil }
		o, err := d.Enable(t.Context(), loadable{})
		if !errors.Is(err, ErrMismatch) || errors.Is(err, ErrNotUndone) || o.Changed || len(m.writes) != 1 {
			t.Errorf("%+v, %v; %d writes", o, err, len(m.writes))
		}
	})
	t.Run("others' are lost each time", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		m.written = func(text string) (string, error) { return without(t, text, isCrypt), nil }
		o, err := d.Enable(t.Context(), loadable{})
		if !errors.Is(err, ErrMismatch) || !errors.Is(err, ErrNotUndone) {
			t.Error(err)
		}
		// Somebody can log in, and the backup has the rest.
		if diff := cmp.Diff(sonoma, m.list()); diff != "" || !o.Changed || o.Rebuilt || o.Verdict.State != Apple {
			t.Errorf("%+v %s", o, diff)
		}
	})
	t.Run("the window is lost until macOS's own comes", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		m.written = func(text string) (string, error) {
			if strings.Contains(text, "PSSO") {
				return text, nil
			}
			return without(t, text, isWindow), nil
		}
		o, err := d.Enable(t.Context(), loadable{})
		if !errors.Is(err, ErrMismatch) || !errors.Is(err, ErrNotUndone) {
			t.Error(err)
		}
		if diff := cmp.Diff(ventura(t), m.list()); diff != "" || !o.Rebuilt || o.Verdict.State != Apple {
			t.Errorf("%+v %s", o, diff)
		}
	})
	t.Run("somebody adds in the same moment", func(t *testing.T) {
		m, d := newMac(t, sonoma)
		m.written = func(text string) (string, error) {
			return strings.Replace(text, "<string>loginwindow:done", "<string>Escrow Buddy:Invoke,privileged</string><string>loginwindow:done", 1), nil
		}
		o, err := d.Enable(t.Context(), loadable{})
		if err != nil || o.Verdict.State != Ours || len(m.writes) != 1 || !slices.Contains(m.list(), "Escrow Buddy:Invoke,privileged") {
			t.Errorf("%+v, %v", o, err)
		}
	})
	t.Run("somebody puts a window beside ours", func(t *testing.T) {
		m, d := newMac(t, sonoma)
		m.written = func(text string) (string, error) {
			m.written = nil
			return strings.Replace(text, "<string>FirstdayLogin:login", "<string>loginwindow:login</string><string>FirstdayLogin:login", 1), nil
		}
		o, err := d.Enable(t.Context(), loadable{})
		if !errors.Is(err, ErrMismatch) || o.Verdict.State != Apple {
			t.Errorf("%+v, %v", o, err)
		}
		if diff := cmp.Diff(sonoma, m.list()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestWritingTakesTooLong(t *testing.T) {
	t.Run("and was done", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		m.written = func(text string) (string, error) { return text, context.DeadlineExceeded }
		if o, err := d.Enable(t.Context(), loadable{}); err != nil || o.Verdict.State != Ours {
			t.Errorf("%+v, %v", o, err)
		}
	})
	t.Run("and was not", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		m.written = func(string) (string, error) { return m.text, context.DeadlineExceeded }
		o, err := d.Enable(t.Context(), loadable{})
		if !errors.Is(err, context.DeadlineExceeded) || o.Changed || o.Verdict.State != Apple || len(m.writes) != 1 {
			t.Errorf("%+v, %v", o, err)
		}
	})
	t.Run("and who asked has gone", func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		ctx, cancel := context.WithCancel(t.Context())
		m.written = func(text string) (string, error) {
			cancel()
			return without(t, text, func(s string) bool { return s == Guard }), nil
		}
		_, err := d.Enable(ctx, loadable{})
		if !errors.Is(err, ErrMismatch) || len(m.writes) != 2 {
			t.Errorf("%v", err)
		}
		if diff := cmp.Diff(withCrypt, m.list()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestDisableAsksForNothing(t *testing.T) {
	stubborn := func(t *testing.T, m *mac) {
		m.written = func(text string) (string, error) {
			if strings.Contains(text, "Crypt:") {
				return m.text, nil // YES, and nothing is done
			}
			return text, nil
		}
	}
	for name, c := range map[string]struct {
		list []string
		set  func(*testing.T, *mac, *Database)
		want []string
	}{
		"whatever else is damaged": {list: edit(AppleUI, swap(UI, Guard), authenticate, swap()), want: edit(authenticate, swap())},
		"no place for a backup": {list: ours, want: withCrypt,
			set: func(_ *testing.T, _ *mac, d *Database) { d.folder = filepath.Join(d.copy, "x") }},
		"macOS does not take the list": {list: ours, want: nil, // macOS's own
			set: func(t *testing.T, m *mac, _ *Database) { stubborn(t, m) }},
		"nor has a copy of its own": {list: ours, want: sonoma,
			set: func(t *testing.T, m *mac, d *Database) { stubborn(t, m); d.copy += ".gone" }},
		"or one that is damaged": {list: ours, want: sonoma,
			set: func(t *testing.T, m *mac, d *Database) {
				stubborn(t, m)
				os.WriteFile(d.copy, []byte("<plist>"), 0o600)
			}},
		"or a binary one": {list: ours, want: nil,
			set: func(t *testing.T, m *mac, d *Database) {
				stubborn(t, m)
				m.convert = string(readFile(t, "authorization.plist"))
				os.WriteFile(d.copy, []byte("bplist00…"), 0o600)
			}},
		"what is there cannot be understood": {list: ours, want: nil,
			set: func(t *testing.T, m *mac, _ *Database) { m.text = "<html>" + m.text }},
	} {
		t.Run(name, func(t *testing.T) {
			m, d := newMac(t, c.list)
			if c.set != nil {
				c.set(t, m, d)
			}
			before := m.text
			o, err := d.Disable(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if c.want == nil {
				c.want = ventura(t)
			}
			if diff := cmp.Diff(c.want, m.list()); diff != "" || !o.Changed || o.Verdict.NeedsBundle {
				t.Errorf("%+v %s", o, diff)
			}
			if (o.Unsaved == nil) != (o.Backup != "") {
				t.Errorf("%+v", o)
			}
			if o.Backup != "" && readBackup(t, d, o) != before {
				t.Error("the backup is not what was there before")
			}
		})
	}
}

func TestDisableTellsWhatElseChanged(t *testing.T) {
	for name, written := range map[string]func(string) string{
		"authd leaves something out": func(text string) string {
			return without(t, text, func(m string) bool { return m == "Crypt:CryptGUI" })
		},
		"another product's window comes": func(text string) string { return strings.Replace(text, AppleUI, "JamfConnectLogin:LoginUI", 1) },
	} {
		m, d := newMac(t, ours)
		m.written = func(text string) (string, error) { return written(text), nil }
		o, err := d.Disable(t.Context())
		if err != nil || !o.Differs || o.Rebuilt || o.Verdict.NeedsBundle || o.Verdict.State == Damaged || o.Backup == "" || len(m.writes) != 1 {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
	}
}

func TestDisableFails(t *testing.T) {
	for name, c := range map[string]struct {
		set  func(*mac, *Database)
		want error
	}{
		"it cannot be read": {func(m *mac, _ *Database) { m.read = func() error { return errors.New("fork: no memory") } }, nil},
		"not root":          {func(m *mac, _ *Database) { m.user = true }, ErrNotRoot},
		"nothing is taken":  {func(m *mac, _ *Database) { m.written = func(string) (string, error) { return m.text, nil } }, ErrMismatch},
		"nothing is known of this macOS": {func(m *mac, d *Database) {
			m.written = func(string) (string, error) { return m.text, nil }
			d.copy, m.version = "", "99.0"
		}, ErrVersion},
		"nor which it is": {func(m *mac, d *Database) {
			m.written = func(string) (string, error) { return m.text, nil }
			d.copy, m.version = "", "new"
		}, nil},
	} {
		m, d := newMac(t, ours)
		c.set(m, d)
		if o, err := d.Disable(t.Context()); err == nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %+v, %v", name, o, err)
		}
		if diff := cmp.Diff(ours, m.list()); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestWhatIsNotUnderstoodAndNotOursStays(t *testing.T) {
	m, d := newMac(t, withCrypt)
	m.text = "<html>"
	if _, err := d.Disable(t.Context()); !errors.Is(err, ErrFormat) || len(m.writes) > 0 {
		t.Errorf("%v; %q", err, m.writes)
	}
}

func TestReset(t *testing.T) {
	for name, text := range map[string]string{
		"ours":              string(write(t, ours).Bytes()),
		"nobody's":          document("<key>class</key><string>allow</string>"),
		"not to understand": "<html>",
	} {
		m, d := newMac(t, sonoma)
		m.text = text
		o, err := d.Reset(t.Context())
		if err != nil {
			t.Fatal(name, err)
		}
		if diff := cmp.Diff(ventura(t), m.list()); diff != "" || !o.Changed || !o.Rebuilt || o.Verdict.State != Apple || readBackup(t, d, o) != text {
			t.Errorf("%s: %+v %s", name, o, diff)
		}
	}
	m, d := newMac(t, ours)
	m.read = func() error { m.read = nil; return statusError(-60005) }
	if o, err := d.Reset(t.Context()); err != nil || !errors.Is(o.Unsaved, ErrRefused) || o.Verdict.State != Apple {
		t.Errorf("%+v, %v", o, err)
	}
	m.user = true
	if _, err := d.Reset(t.Context()); !errors.Is(err, ErrNotRoot) {
		t.Error(err)
	}
}

func TestTwoAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m, d := newMac(t, withCrypt)
		if err := d.makeFolder(); err != nil {
			t.Fatal(err)
		}
		other, err := filelock.Open(filepath.Join(d.folder, "lock"))
		if err != nil {
			t.Fatal(err)
		}
		for _, do := range []func() (Outcome, error){
			func() (Outcome, error) { return d.Enable(t.Context(), loadable{}) },
			func() (Outcome, error) { return d.Repair(t.Context()) },
		} {
			if _, err := do(); !errors.Is(err, filelock.ErrBusy) || len(m.writes) > 0 {
				t.Errorf("while another holds the lock: %v", err)
			}
		}
		go func() {
			time.Sleep(patience / 2)
			other.Close()
		}()
		if _, err := d.Enable(t.Context(), loadable{}); err != nil {
			t.Errorf("after the other has ended: %v", err)
		}
		if other, err = filelock.Open(filepath.Join(d.folder, "lock")); err != nil {
			t.Fatal(err)
		}
		defer other.Close()
		if o, err := d.Disable(t.Context()); err != nil || o.Verdict.State != Apple {
			t.Errorf("Disable waits for another: %+v, %v", o, err)
		}
	})
}

func TestBackupsAreBoundedAndPrivate(t *testing.T) {
	m, d := newMac(t, withCrypt)
	var first Outcome
	for i := range 2 * maxBackups {
		d.now = func() time.Time { return day.Add(time.Duration(i/2) * time.Second) } // each twice
		o, err := d.Enable(t.Context(), loadable{})
		if i == 0 {
			first = o
			if err := os.WriteFile(filepath.Join(d.folder, "system.login.console-notes.plist"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Disable(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	paths, err := d.Backups()
	if err != nil || len(paths) != maxBackups || paths[0] != first.Backup {
		t.Errorf("%q, %v", paths, err)
	}
	if len(m.writes) != 4*maxBackups {
		t.Errorf("%d writes", len(m.writes))
	}
	entries, err := os.ReadDir(d.folder)
	if err != nil || len(entries) != maxBackups+2 { // the lock, the notes
		t.Errorf("%q, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %v, %v", e.Name(), info.Mode(), err)
		}
	}
	info, err := os.Stat(d.folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	last, err := os.ReadFile(paths[len(paths)-1])
	if err != nil || !slices.Equal(parseText(t, string(last)).Mechanisms(), ours) {
		t.Errorf("the newest is not what was there last: %v", err)
	}
}
