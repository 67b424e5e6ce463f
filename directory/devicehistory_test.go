package directory

import (
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/pressly/goose/v3"

	"firstday.dev/api"
)

// story is what a device's history tells, the first first.
func story(t *testing.T, d *Directory, id uuid.UUID) string {
	t.Helper()
	var lines []string
	for before := int64(0); ; {
		page, err := d.DeviceEvents(t.Context(), id, before)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range page {
			before = e.Number
			line := string(e.Kind)
			for _, word := range []string{string(e.Code), e.Detail["user"], e.Detail["problems"]} {
				if word != "" {
					line += " " + word
				}
			}
			lines = append([]string{line}, lines...)
		}
		if len(page) < EventPage {
			return strings.Join(lines, "\n")
		}
	}
}

func TestDeviceHistory(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		change(t, first, func(s *api.Settings) { s.Windows.Domains = []string{"acme.example"} })
		ann := newUser(t, first, "ann")
		l := newLaptop(t, "S1")
		id := enroll(t, first, l, mint(t, first, api.NewConnectKey{Approval: true}).Secret).DeviceID
		do := func(err error) {
			t.Helper()
			if err != nil {
				t.Fatal(err)
			}
		}
		do(first.ApproveDevice(t.Context(), "token:ann", id))

		// Three wrong numbers; then somebody gives up; then it is done.
		started := start(t, first, id)
		approve(t, last, started, ann.ID)
		for range 4 {
			_, _ = first.Token(t.Context(), id, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: "00"})
		}
		started = start(t, first, id)
		number := approve(t, last, started, ann.ID)
		if _, err := first.Token(t.Context(), id, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			do(first.CancelSignIn(t.Context(), id, &api.CancelRequest{DeviceCode: started.DeviceCode}))
		}
		do(signInFully(t, first, id, ann.ID))

		// The device has the settings; it is ill and well again.
		settings, err := first.Settings(t.Context())
		do(err)
		for range 2 {
			_, err = first.CheckIn(t.Context(), id, &api.CheckInRequest{Version: settings.Revision + 100})
			do(err)
			do(first.writeSeen(t.Context()))
		}
		for _, problems := range [][]string{{"no disk"}, {"no disk", "no ink"}, {"no ink"}, nil, nil} {
			l.facts.Problems = problems
			_, err = first.CheckIn(t.Context(), id, &api.CheckInRequest{Facts: &l.facts})
			do(err)
		}
		for range 2 {
			do(first.SetDeviceSSAP(t.Context(), "token:ann", id, true))
		}
		do(first.SetDeviceSSAP(t.Context(), "token:ann", id, false))
		do(first.Unbind(t.Context(), "token:ann", id, "ann"))
		do(first.Bind(t.Context(), "token:ann", id, "ann"))
		do(last.RemoveDevice(t.Context(), "token:ann", id))
		want := "enrolled\napproved\nsign-in number_wrong ann\nsign-in ann\nsign-in access_denied ann\nsign-in ann\nbound ann\nsettings\ntrouble no disk\ntrouble no ink\nwell\noff\non\nunbound ann\nassigned ann\nremoved"
		if got := story(t, last, id); got != want {
			t.Errorf("the story is\n%s\nwant\n%s", got, want)
		}
		if _, err := last.DeviceEvents(t.Context(), uuid.New(), 0); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("of no device: %v", err)
		}
	})
}

// What goes wrong on the pages stands in the device's history, without what was
// typed.
func TestFailedSignInsStandInTheHistory(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		at := serve(t, d)
		d.PagesURL = at.URL
		newUser(t, d, "ann")
		id := newDevice(t, d, "S1")
		started := start(t, d, id)
		b := browserAt(t, d, at.URL)
		for name, password := range map[string]string{"ann": "not this one, either", "my own password 4711": annsPassword} {
			b.open(api.PathPages + "?code=" + started.UserCode)
			b.send(api.PathPages+"/login", "code", started.UserCode, "name", name, "password", password)
		}
		if err := d.SetUserState(t.Context(), "token:ann", "ann", api.UserDisabled); err != nil {
			t.Fatal(err)
		}
		b.send(api.PathPages+"/login", "code", started.UserCode, "name", "ann", "password", annsPassword)
		events, err := d.DeviceEvents(t.Context(), id, 0)
		if err != nil {
			t.Fatal(err)
		}
		told := make(map[string]int)
		for _, e := range events {
			told[fmt.Sprint(e.Kind, e.Code, e.Detail["user"], e.Detail["remote"])]++
			if strings.Contains(fmt.Sprint(e), "4711") {
				t.Errorf("it keeps what was typed: %+v", e)
			}
		}
		if len(events) != 4 || told["sign-inwrong_credentialsann127.0.0.1"] != 1 || told["sign-inwrong_credentials127.0.0.1"] != 1 || told["sign-inuser_disabledann127.0.0.1"] != 1 {
			t.Errorf("%v", told)
		}
	})
}

// Who fills a device's history pushes nothing else out of it; what is old goes.
func TestHistoryIsBounded(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		id := newDevice(t, d, "S1")
		for range 3 * eventsKept {
			d.noteTry(t.Context(), id, nil, "192.0.2.66", api.CodeCredentials)
		}
		got := story(t, d, id)
		if n := strings.Count(got, "sign-in"); n != eventsKept || !strings.HasPrefix(got, "enrolled\n") {
			t.Errorf("%d sign-ins are left, and %.40q", n, got)
		}
		d.Now = func() time.Time { return time.Now().Add(eventLife - time.Hour) }
		if err := d.forgetEvents(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again := story(t, d, id); again != got {
			t.Errorf("too early, it is\n%s", again)
		}
		d.Now = func() time.Time { return time.Now().Add(eventLife + time.Hour) }
		if err := d.forgetEvents(t.Context()); err != nil {
			t.Fatal(err)
		}
		if again := story(t, d, id); again != "" {
			t.Errorf("in the end it is\n%s", again)
		}
	})
}

// The sign-in is off on one device while it waits for news, whatever the settings
// say, and nobody gets in there who began before.
func TestSignInIsOffHere(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		ann := newUser(t, first, "ann")
		key := mint(t, first, api.NewConnectKey{})
		e, other := enroll(t, first, newLaptop(t, "S1"), key.Secret), enroll(t, first, newLaptop(t, "S2"), key.Secret)
		started := start(t, last, e.DeviceID)
		number := approve(t, last, started, ann.ID)
		heard := make(chan *api.CheckInResponse, 1)
		go func() {
			answer, err := last.CheckIn(t.Context(), e.DeviceID, &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 60})
			if err != nil {
				t.Error(err)
			}
			heard <- answer
		}()
		if err := first.SetDeviceSSAP(t.Context(), "token:ann", e.DeviceID, true); err != nil {
			t.Fatal(err)
		}
		if answer := <-heard; answer == nil || answer.Settings.SSAP || answer.Version <= e.CheckIn.Version {
			t.Errorf("it hears %+v", answer)
		}
		if _, err := last.Token(t.Context(), e.DeviceID, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number}); !errors.Is(err, api.CodeSwitchedOff) {
			t.Errorf("who began before: %v", err)
		}
		if _, err := last.StartSignIn(t.Context(), e.DeviceID, new(api.SignInRequest), ""); !errors.Is(err, api.CodeSwitchedOff) {
			t.Errorf("who begins now: %v", err)
		}
		change(t, first, func(s *api.Settings) { s.Windows.Text = "hello" })
		for _, c := range []struct {
			id uuid.UUID
			on bool
		}{{e.DeviceID, false}, {other.DeviceID, true}} {
			eventually(t, func() bool {
				answer, err := last.CheckIn(t.Context(), c.id, new(api.CheckInRequest))
				return err == nil && answer.Settings.Text == "hello" && answer.Settings.SSAP == c.on
			})
		}
		if err := last.SetDeviceSSAP(t.Context(), "token:ann", e.DeviceID, false); err != nil {
			t.Fatal(err)
		}
		eventually(t, func() bool {
			answer, err := first.CheckIn(t.Context(), e.DeviceID, new(api.CheckInRequest))
			return err == nil && answer.Settings.SSAP
		})
		change(t, first, func(s *api.Settings) { s.Windows.SSAP = false })
		eventually(t, func() bool {
			answer, err := last.CheckIn(t.Context(), e.DeviceID, new(api.CheckInRequest))
			return err == nil && !answer.Settings.SSAP
		})
		if err := first.SetDeviceSSAP(t.Context(), "token:ann", uuid.New(), true); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("no device: %v", err)
		}
	})
}

// A database of an older version has its devices listed, searchable and with the
// begin of their history once it is opened.
func TestOlderDatabaseIsListed(t *testing.T) {
	dir := t.TempDir()
	d := open(t, dir, "")
	f := newFleet(t, d)
	before := fleetRows(t, d)
	d = open(t, dir, ofVersion4(t, filepath.Join(dir, DatabaseName)))
	for i := range before {
		before[i].Off = 0
	}
	after := fleetRows(t, d)
	if fmt.Sprint(after) != fmt.Sprint(before) || len(after) != 5 {
		t.Errorf("listed are\n%v\nwant\n%v", after, before)
	}
	if got := serials(t, d, api.DeviceQuery{Tag: "berlin"}); got != "S1 S2" {
		t.Errorf("with a tag there are %q", got)
	}
	if got := story(t, d, f.devices["S1"]); got != "enrolled" {
		t.Errorf("the story is %q", got)
	}
	p, err := d.OrderProgress(t.Context(), f.order.ID, api.ByHour)
	if err != nil || p.Seen != 2 {
		t.Errorf("the order has %+v, %v", p, err)
	}
	if err := d.SetDeviceSSAP(t.Context(), "token:ann", f.devices["S1"], true); err != nil {
		t.Fatal(err)
	}
	if got := story(t, d, f.devices["S1"]); got != "enrolled\noff" {
		t.Errorf("the story is %q", got)
	}
}

// ofVersion4 gives a database that has what another one has, as far as there was a
// place for it in version 4.
func ofVersion4(t *testing.T, database string) (older string) {
	t.Helper()
	older = filepath.Join(t.TempDir(), DatabaseName)
	db, err := sql.Open("sqlite", older)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.UpTo(t.Context(), 4); err != nil {
		t.Fatal(err)
	}
	s := &store{read: db}
	tables, err := readRows(t.Context(), s.read, scanText, `SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'goose%' AND name NOT LIKE 'sqlite%'`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := db.ExecContext(t.Context(), `ATTACH $1 AS newer`, database); err != nil {
		t.Fatal(err)
	}
	for _, table := range tables {
		columns, err := readRows(t.Context(), s.read, scanText, `SELECT group_concat(name, ', ') FROM pragma_table_info($1, 'main')`, table)
		if err != nil {
			t.Fatal(err)
		}
		for _, query := range []string{`DELETE FROM main.` + table, `INSERT INTO main.` + table + ` (` + columns[0] + `) SELECT ` + columns[0] + ` FROM newer.` + table} {
			if _, err := db.ExecContext(t.Context(), query); err != nil {
				t.Fatalf("%s: %v", query, err)
			}
		}
	}
	return older
}
