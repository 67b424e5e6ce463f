package directory

import (
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
)

// fleetOf is some devices of all kinds, by serial number.
type fleetOf struct {
	key, ordered *api.MintedConnectKey
	order        *api.Order
	devices      map[string]uuid.UUID
	pkg          uuid.UUID
}

func newFleet(t *testing.T, d *Directory) *fleetOf {
	t.Helper()
	f := &fleetOf{devices: make(map[string]uuid.UUID), pkg: uuid.New()}
	f.key = mint(t, d, api.NewConnectKey{Batch: "autumn", Tags: []string{"sales", "berlin"}})
	f.order = order(t, d, api.NewOrder{PO: "PO-7", Quantity: 2, Tags: []string{"sales"}})
	f.ordered = mint(t, d, api.NewConnectKey{OrderID: f.order.ID})
	waits := mint(t, d, api.NewConnectKey{Approval: true})
	come := func(l *laptop, name string, key *api.MintedConnectKey, pkg uuid.UUID) {
		l.facts.Name = name
		r := l.request(t, key.Secret)
		r.PackageID = pkg
		e, err := d.Enroll(t.Context(), r, "192.0.2.7")
		if err != nil {
			t.Fatal(err)
		}
		f.devices[l.facts.Serial] = e.DeviceID
	}
	come(newLaptop(t, "S1"), "ACME-ada", f.key, f.pkg)
	come(newLaptop(t, "S2"), "acme-Bob", f.key, uuid.Nil)
	come(mac(t, "M1"), "Carla's Mac", f.ordered, uuid.Nil)
	ill := newLaptop(t, "S3")
	ill.facts.Problems = []string{"the disk is full"}
	come(ill, "ACME-dora", f.ordered, f.pkg)
	come(newLaptop(t, "S4"), "ACME-erik", waits, uuid.Nil)
	if err := signInFully(t, d, f.devices["S2"], newUser(t, d, "bob").ID); err != nil {
		t.Fatal(err)
	}
	if err := d.SetDeviceSSAP(t.Context(), "token:ann", f.devices["S1"], true); err != nil {
		t.Fatal(err)
	}
	return f
}

// serials gives those of the devices that a query finds, in its order, and makes
// sure that it finds the same in pages.
func serials(t *testing.T, d *Directory, q api.DeviceQuery) string {
	t.Helper()
	page, err := d.SearchDevices(t.Context(), q)
	if err != nil {
		t.Fatalf("%+v: %v", q, err)
	}
	var all []string
	for _, v := range page.Items {
		all = append(all, v.Facts.Serial)
	}
	if page.Next != "" || page.Total != len(all) || page.AtLeast {
		t.Errorf("%+v: a total of %d, %v, and %q follows", q, page.Total, page.AtLeast, page.Next)
	}
	for _, limit := range []int{1, 2} {
		q.Limit, q.After = limit, ""
		var pages []string
		for {
			p, err := d.SearchDevices(t.Context(), q)
			if err != nil {
				t.Fatalf("%+v: %v", q, err)
			}
			if len(p.Items) > limit || p.Total != len(all) {
				t.Errorf("%+v: a page of %d, a total of %d", q, len(p.Items), p.Total)
			}
			for _, v := range p.Items {
				pages = append(pages, v.Facts.Serial)
			}
			if q.After = p.Next; q.After == "" {
				break
			}
		}
		if !slices.Equal(pages, all) {
			t.Errorf("%+v: %v in pages, %v at once", q, pages, all)
		}
	}
	return strings.Join(all, " ")
}

func TestSearchDevices(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		f := newFleet(t, first)
		if err := first.Bind(t.Context(), "token:ann", f.devices["M1"], newUser(t, first, "carla").Name); err != nil {
			t.Fatal(err)
		}
		for _, c := range []struct {
			q    api.DeviceQuery
			want string
		}{
			{api.DeviceQuery{}, "S1 S2 S3 S4 M1"},
			{api.DeviceQuery{Descending: true}, "M1 S4 S3 S2 S1"},
			{api.DeviceQuery{Sort: api.SortSerial}, "M1 S1 S2 S3 S4"},
			{api.DeviceQuery{Problem: "the disk is full"}, "S3"},
			{api.DeviceQuery{Problem: "the disk"}, ""},
			{api.DeviceQuery{Happened: api.EventBound, Since: time.Now().Add(-time.Hour)}, "S2"},
			{api.DeviceQuery{Happened: api.EventAssigned, Since: time.Now().Add(time.Hour)}, ""},
			{api.DeviceQuery{Happened: api.EventEnrolled, Since: time.Now().Add(-time.Hour)}, "S1 S2 S3 S4 M1"},
			{api.DeviceQuery{Happened: api.EventEnrolled, Since: time.Now().Add(time.Hour)}, ""},
			{api.DeviceQuery{Sort: api.SortSerial, Descending: true}, "S4 S3 S2 S1 M1"},
			{api.DeviceQuery{Sort: api.SortEnrolled}, "S1 S2 M1 S3 S4"},
			{api.DeviceQuery{Sort: api.SortSeen, Descending: true}, "S4 S3 M1 S2 S1"},
			{api.DeviceQuery{Text: "ACME"}, "S1 S2 S3 S4 M1"}, // carla's address, too
			{api.DeviceQuery{Text: "acme- DOR"}, "S3"},
			{api.DeviceQuery{Text: "la's mac"}, "M1"},
			{api.DeviceQuery{Text: "bob@acme.example"}, "S2"},
			{api.DeviceQuery{Text: "carla ann"}, "M1"}, // an admin gave it to her
			{api.DeviceQuery{Text: "nowhere"}, ""},
			{api.DeviceQuery{Text: f.devices["S3"].String()}, "S3"},
			{api.DeviceQuery{Text: uuid.NewString()}, ""},
			{api.DeviceQuery{Platforms: []api.Platform{api.MacOS}}, "M1"},
			{api.DeviceQuery{Platforms: []api.Platform{api.MacOS, api.Linux, api.Windows}}, "S1 S2 S3 S4 M1"},
			{api.DeviceQuery{States: []api.Standing{api.StandingActive}}, "S1 S2 S3 M1"},
			{api.DeviceQuery{States: []api.Standing{api.StandingPending}}, "S4"},
			{api.DeviceQuery{States: []api.Standing{api.StandingWaiting}}, "S1 S3 M1"},
			{api.DeviceQuery{States: []api.Standing{api.StandingSignedIn}}, "S2"},
			{api.DeviceQuery{States: []api.Standing{api.StandingTrouble}}, "S3"},
			{api.DeviceQuery{States: []api.Standing{api.StandingOff, api.StandingPending}}, "S1 S4"},
			{api.DeviceQuery{Key: f.key.ID}, "S1 S2"},
			{api.DeviceQuery{Order: f.order.ID}, "S3 M1"},
			{api.DeviceQuery{Package: f.pkg}, "S1 S3"},
			{api.DeviceQuery{Batch: "autumn"}, "S1 S2"},
			{api.DeviceQuery{Batch: "PO-7"}, "S3 M1"},
			{api.DeviceQuery{Tag: "sales"}, "S1 S2 S3 M1"},
			{api.DeviceQuery{Tag: "berlin"}, "S1 S2"},
			{api.DeviceQuery{Tag: "ber"}, ""},
			{api.DeviceQuery{Tag: "sales", Platforms: []api.Platform{api.Windows}, States: []api.Standing{api.StandingWaiting}, Text: "acme", Package: f.pkg, Sort: api.SortSeen}, "S1 S3"},
		} {
			if got := serials(t, last, c.q); got != c.want {
				t.Errorf("%+v finds %q, want %q", c.q, got, c.want)
			}
		}
		page, err := last.SearchDevices(t.Context(), api.DeviceQuery{})
		if err != nil || !page.Items[0].SSAPOff || page.Items[1].SSAPOff || len(page.Items[1].Users) != 1 || page.Items[1].Users[0].User.Name != "bob" || page.Items[0].Users != nil {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

// What people type is text, whatever it means to a database.
func TestSearchTextIsTakenLiterally(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		key := mint(t, d, api.NewConnectKey{})
		for _, name := range []string{"plain", `100%_a\b'"`, `x;DROP TABLE fleet;--`, "\u202eevil<script>", "ÄÖÜ-ß", "日本"} {
			l := newLaptop(t, "serial of "+fmt.Sprintf("%x", name))
			l.facts.Name = name
			enroll(t, d, l, key.Secret)
		}
		for text, want := range map[string]int{
			"%": 1, "_": 1, `\`: 1, "'": 1, `"`: 1, "100%": 1, "%_": 1, "_%": 0, `\%`: 0, `a\b'"`: 1, "p%n": 0, "pl_in": 0, "*": 0, "AND": 0, "OR NOT": 0, `NEAR(`: 0, "';--": 0,
			"drop TABLE": 1, "fleet;--": 1, "<script>": 1, "\u202e": 1, "äöü": 1, "日": 1, "  ": 6, "serial": 6, "$1": 0, "?": 0, "plain plain plain": 1,
		} {
			page, err := d.SearchDevices(t.Context(), api.DeviceQuery{Text: text})
			if err != nil || len(page.Items) != want {
				t.Errorf("%q finds %+v, %v", text, page, err)
			}
		}
		for _, q := range []api.DeviceQuery{
			{Text: "\x00"}, {Text: "a\nb"}, {Text: "\xff"}, {Text: strings.Repeat("a", 201)}, {Text: "a a a a a a a a a"}, {Tag: "\x00"}, {Batch: "\xc3("},
			{Platforms: []api.Platform{"beos"}}, {States: []api.Standing{"lost"}}, {Sort: "words; DROP TABLE fleet"}, {Limit: -1}, {Limit: api.MaxDeviceLimit + 1}, {After: strings.Repeat("a", 3000)},
		} {
			if _, err := d.SearchDevices(t.Context(), q); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%+v: %v", q, err)
			}
		}
	})
}

// A place in a list goes through strangers' hands.
func TestForgedCursors(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		newFleet(t, d)
		by := func(sort api.DeviceSort) string {
			page, err := d.SearchDevices(t.Context(), api.DeviceQuery{Sort: sort, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			return page.Next
		}
		forged := func(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }
		id := uuid.NewString()
		for cursor, sort := range map[string]api.DeviceSort{
			by(api.SortName):   api.SortSerial,
			by(api.SortSeen):   api.SortEnrolled,
			by(api.SortSerial): api.SortSeen,
			"!":                api.SortName, "e30": api.SortName, forged("null"): api.SortName, forged("[]"): api.SortName,
			forged(`{"s":"name","v":"a\u0000","i":"` + id + `"}`):                             api.SortName,
			forged(`{"s":"name","v":"a","i":"x"}`):                                            api.SortName,
			forged(`{"s":"name","v":"a","t":-1,"i":"` + id + `"}`):                            api.SortName,
			forged(`{"s":"name","v":"a","t":999999999,"i":"` + id + `"}`):                     api.SortName,
			forged(`{"s":"name","d":true,"v":"a","i":"` + id + `"}`):                          api.SortName,
			forged(`{"s":"seen","v":"99999999999999999999","i":"` + id + `"}`):                api.SortSeen,
			forged(`{"s":"enrolled","v":"1; DROP TABLE fleet","i":"` + id + `"}`):             api.SortEnrolled,
			forged(`{"s":"name","v":"a","i":"` + id + `"}` + strings.Repeat(" ", 100) + `{}`): api.SortName,
		} {
			if _, err := d.SearchDevices(t.Context(), api.DeviceQuery{Sort: sort, After: cursor}); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%s by %s: %v", cursor, sort, err)
			}
		}
		// One that could be ours leads to no more than the list has.
		page, err := d.SearchDevices(t.Context(), api.DeviceQuery{After: forged(`{"s":"name","v":"' OR ''='","i":"` + id + `"}`)})
		if err != nil || len(page.Items) != 5 {
			t.Errorf("%+v, %v", page, err)
		}
	})
}

func FuzzCursor(f *testing.F) {
	f.Add(cursor{Sort: "name", Value: "acme", ID: uuid.New(), Total: 7}.String())
	f.Add("e30")
	f.Add("")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := parseCursor(text)
		if err != nil {
			return
		}
		again, err := parseCursor(c.String())
		if err != nil || *again != *c || !storable(c.Value) || c.Total < 0 {
			t.Errorf("%q: %+v, then %+v, %v", text, c, again, err)
		}
	})
}

// row is one of the fleet's.
type fleetRow struct {
	Device, State, Platform, Key, Package, Name, Serial, Words, Problems string
	People, Trouble, Off                                                 int
	Enrolled                                                             int64
}

func fleetRows(t *testing.T, d *Directory) []fleetRow {
	t.Helper()
	rows, err := readRows(t.Context(), d.store.read, func(row scanner) (r fleetRow, err error) {
		return r, row.Scan(&r.Device, &r.State, &r.Platform, &r.People, &r.Trouble, &r.Off, &r.Key, &r.Package, &r.Name, &r.Serial, &r.Enrolled, &r.Words, &r.Problems)
	}, `SELECT device, state, platform, people, trouble, ssap_off, connect_key, package_id, name, serial, enrolled_at, words,
		COALESCE((SELECT string_agg(problem, ',' ORDER BY problem) FROM device_problems p WHERE p.device = f.device), '') FROM fleet f ORDER BY device`)
	if err != nil {
		t.Fatal(err)
	}
	return rows
}

// sound makes sure that the fleet's rows are what making them anew gives.
func sound(t *testing.T, d *Directory, after string) {
	t.Helper()
	before := fleetRows(t, d)
	if err := d.change(t.Context(), func(tx *transaction) error {
		for _, query := range []string{`DELETE FROM device_problems`, `DELETE FROM fleet`, `DELETE FROM connect_key_tags`} {
			if _, err := tx.exec(query); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.fillFleet(t.Context()); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fleetRows(t, d), before); diff != "" {
		t.Errorf("after %s the list is not what the devices are:\n%s", after, diff)
	}
}

// Whatever happens to devices, lists have it. What an older version left unlisted
// is listed when a directory opens.
func TestFleetFollowsDevices(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		f := newFleet(t, d)
		s1, s2, s3, s4 := f.devices["S1"], f.devices["S2"], f.devices["S3"], f.devices["S4"]
		bob, err := d.FindUser(t.Context(), "bob")
		if err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			what string
			do   func() error
		}{
			{"enrolment", func() error { return nil }},
			{"approval", func() error { return d.ApproveDevice(t.Context(), "token:ann", s4) }},
			{"a gift", func() error { return d.Bind(t.Context(), "token:ann", s4, "bob") }},
			{"a new name", func() error {
				return d.change(t.Context(), func(tx *transaction) error {
					return tx.refresh(&relyingParty{Provider: &api.Provider{}}, bob, api.Person{Email: "robert@acme.example", FullName: "Robert"})
				})
			}},
			{"taking it back", func() error { return d.Unbind(t.Context(), "token:ann", s4, "bob") }},
			{"taking back what was bound", func() error { return d.Unbind(t.Context(), "token:ann", s2, "bob") }},
			{"facts", func() error {
				l := newLaptop(t, "S3")
				l.facts.Name, l.facts.Problems = "Ⱥ"+strings.Repeat("ȺÄ", 60), []string{"a", "a", "b"}
				_, err := d.CheckIn(t.Context(), s3, &api.CheckInRequest{Facts: &l.facts})
				return err
			}},
			{"the switch", func() error { return d.SetDeviceSSAP(t.Context(), "token:ann", s1, false) }},
			{"the same hardware again", func() error {
				_, err := d.Enroll(t.Context(), newLaptop(t, "S1").request(t, f.key.Secret), "")
				return err
			}},
			{"removal", func() error { return d.RemoveDevice(t.Context(), "token:ann", s3) }},
		} {
			if err := step.do(); err != nil {
				t.Errorf("%s: %v", step.what, err)
			}
			sound(t, d, step.what)
		}
		if got := serials(t, d, api.DeviceQuery{}); got != "S2 S4 S1 M1" { // S1's laptop is ACME-S1 now
			t.Errorf("in the end there are %q", got)
		}
		if got := serials(t, d, api.DeviceQuery{Tag: "berlin"}); got != "S2 S1" {
			t.Errorf("with a tag there are %q", got)
		}
	})
}

// Texts of devices are bounded, and as long as they may be they go into every list.
func TestDeviceTextsAtTheirLongest(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		key := mint(t, d, api.NewConnectKey{Batch: strings.Repeat("b", 200), Tags: []string{strings.Repeat("t", 200)}})
		long := strings.Repeat("Ⱥ", 128) // a longer text in lower case
		l := newLaptop(t, strings.Repeat("s", 199))
		l.facts.Name, l.facts.Manufacturer, l.facts.Model, l.facts.OS, l.facts.OSVersion = long, long, long, long, long
		for i := range 50 {
			l.facts.Problems = append(l.facts.Problems, fmt.Sprintf("%02d%s", i, strings.Repeat("p", 250)))
		}
		id := enroll(t, d, l, key.Secret).DeviceID
		if got := serials(t, d, api.DeviceQuery{Text: "ⱥⱥⱥ", Tag: strings.Repeat("t", 200), Batch: strings.Repeat("b", 200)}); got != l.facts.Serial {
			t.Errorf("found %q", got)
		}
		for name, change := range map[string]func(*api.Facts){
			"64 KiB":             func(f *api.Facts) { f.Name = strings.Repeat("a", 64<<10) },
			"control characters": func(f *api.Facts) { f.Name = "a\x1b[2Jb" },
			"a line break":       func(f *api.Facts) { f.Model = "a\nb" },
			"no text":            func(f *api.Facts) { f.Model = "a\xff" },
			"a NUL":              func(f *api.Facts) { f.Problems = []string{"a\x00"} },
			"too many problems":  func(f *api.Facts) { f.Problems = make([]string, 51) },
		} {
			facts := newLaptop(t, "S1").facts
			change(&facts)
			if _, err := d.CheckIn(t.Context(), id, &api.CheckInRequest{Facts: &facts}); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
		sound(t, d, "long texts")
		for _, r := range fleetRows(t, d) {
			if !utf8.ValidString(r.Words) || !utf8.ValidString(r.Name) || len(r.Words) > maxFleetWords || len(r.Name) > maxFleetName {
				t.Errorf("%+v", r)
			}
		}
	})
}
