package directory

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
)

func order(t testing.TB, d *Directory, n api.NewOrder) *api.Order {
	t.Helper()
	o, err := d.CreateOrder(t.Context(), "token:ann", n)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// orderNow reads an order again.
func orderNow(t *testing.T, d *Directory, o *api.Order) *api.Order {
	t.Helper()
	list, err := d.Orders(t.Context(), o.PO, uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(other *api.Order) bool { return other.ID == o.ID })
	if i < 0 {
		t.Fatalf("the order %s is not listed", o.PO)
	}
	return list[i]
}

// refuse wants a device refused.
func refuse(t *testing.T, d *Directory, l *laptop, key api.Secret, want api.Code) {
	t.Helper()
	if _, err := d.Enroll(t.Context(), l.request(t, key), "192.0.2.7"); !errors.Is(err, want) {
		t.Errorf("%s: %v, want %s", l.facts.Serial, err, want)
	}
}

func mac(t *testing.T, serial string) *laptop {
	l := newLaptop(t, serial)
	l.facts.Platform, l.facts.OS = api.MacOS, "macOS 15"
	return l
}

// Two keys, one quota; then both are dead.
func TestOrder(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		o := order(t, first, api.NewOrder{PO: "PO-4711", Partner: "Box Ltd", Quantity: 3, Serials: []string{"s1", " S2 ", "Kelvin-3"}, Tags: []string{"sales"}})
		windows := mint(t, first, api.NewConnectKey{OrderID: o.ID, Platforms: []api.Platform{api.Windows}})
		macs := mint(t, last, api.NewConnectKey{OrderID: o.ID, Platforms: []api.Platform{api.MacOS}})
		if windows.MaxUses != 3 || windows.Batch != "PO-4711" || !windows.ExpiresAt.Equal(o.ExpiresAt) || !cmp.Equal(windows.Tags, o.Tags) {
			t.Errorf("the key is %+v", windows)
		}
		e := enroll(t, last, newLaptop(t, "S1"), windows.Secret)
		if v, err := first.Device(t.Context(), e.DeviceID); err != nil || v.Batch != "PO-4711" || !cmp.Equal(v.Tags, o.Tags) {
			t.Errorf("the device is %+v, %v", v, err)
		}
		refuse(t, first, newLaptop(t, "S9"), windows.Secret, api.CodeKeySerial)
		refuse(t, first, newLaptop(t, ""), windows.Secret, api.CodeKeySerial)
		refuse(t, first, newLaptop(t, "S2"), macs.Secret, api.CodeKeyPlatform)
		// A kelvin sign is a k to strings.EqualFold, and so it is here.
		enroll(t, first, mac(t, "\u212aelvin-3"), macs.Secret)
		if now := orderNow(t, last, o); now.Used != 2 || !now.CompletedAt.IsZero() {
			t.Errorf("after two devices it is %+v", now)
		}
		enroll(t, first, newLaptop(t, "S2"), windows.Secret)
		if now := orderNow(t, last, o); now.Used != 3 || now.CompletedAt.IsZero() {
			t.Errorf("after three devices it is %+v", now)
		}
		refuse(t, last, newLaptop(t, "S2"), windows.Secret, api.CodeOrderComplete)
		refuse(t, last, mac(t, "S4"), macs.Secret, api.CodeOrderComplete)
		if _, err := first.Mint(t.Context(), "token:ann", api.NewConnectKey{OrderID: o.ID}); !errors.Is(err, api.CodeOrderComplete) {
			t.Errorf("another key: %v", err)
		}
		keys, err := first.Keys(t.Context(), uuid.Nil)
		if err != nil || keys[0].RevokedAt.IsZero() || keys[1].RevokedAt.IsZero() || keys[0].OrderID != o.ID {
			t.Errorf("the keys are %+v, %v", keys, err)
		}
		checkAudit(t, first)
	})
}

func TestOrderUnits(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		o := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 2, Serials: []string{"abc", "DEF"}})
		key := mint(t, d, api.NewConnectKey{OrderID: o.ID})
		e := enroll(t, d, newLaptop(t, "ABC"), key.Secret)
		change(t, d, func(s *api.Settings) { s.Windows.Users = 0 }) // as many as like
		for _, name := range []string{"bob", "ann", "carl"} {
			if err := d.Bind(t.Context(), "token:ann", e.DeviceID, newUser(t, d, name).Name); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.change(t.Context(), func(tx *transaction) error {
			_, err := tx.exec(`UPDATE bindings SET state = $1 WHERE user_id <> (SELECT id FROM users WHERE name = 'carl')`, api.Bound)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			refuse(t, d, newLaptop(t, "=cmd"), key.Secret, api.CodeKeySerial)
		}
		v, err := d.Device(t.Context(), e.DeviceID)
		if err != nil {
			t.Fatal(err)
		}
		units, err := d.OrderUnits(t.Context(), o.ID, "")
		if err != nil {
			t.Fatal(err)
		}
		want := []*api.OrderUnit{
			{Unit: "ABC", Serial: "abc", Listed: true, Device: &api.OrderDevice{ID: e.DeviceID, State: api.DeviceActive, Platform: api.Windows, Name: "ACME-ABC", EnrolledAt: v.EnrolledAt, Users: []string{"ann", "bob"}}},
			{Unit: "DEF", Serial: "DEF", Listed: true},
		}
		if diff := cmp.Diff(want, units); diff != "" {
			t.Error(diff)
		}
		if rest, err := d.OrderUnits(t.Context(), o.ID, "ABC"); err != nil || len(rest) != 1 || rest[0].Unit != "DEF" {
			t.Errorf("after the first there is %+v, %v", rest, err)
		}
		refusals, err := d.OrderRefusals(t.Context(), o.ID, "", "")
		if err != nil || len(refusals) != 1 || refusals[0].Serial != "=cmd" || refusals[0].Code != api.CodeKeySerial || refusals[0].Count != 2 || refusals[0].Last.IsZero() {
			t.Errorf("refused were %+v, %v", refusals, err)
		}
		if rest, err := d.OrderRefusals(t.Context(), o.ID, "=cmd", string(api.CodeKeySerial)); err != nil || len(rest) != 0 {
			t.Errorf("after the last there is %+v, %v", rest, err)
		}
		if _, err := d.OrderUnits(t.Context(), uuid.New(), ""); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("of what is not there: %v", err)
		}
	})
}

// A laptop that is reset replaces its former self and takes nobody's place; but not
// for ever, and nobody else does.
func TestSameHardwareAgainInAnOrder(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		o := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 2, Serials: []string{"S1", "S2"}})
		key := mint(t, d, api.NewConnectKey{OrderID: o.ID})
		for range maxTimes {
			enroll(t, d, newLaptop(t, "S1"), key.Secret)
		}
		refuse(t, d, newLaptop(t, "S1"), key.Secret, api.CodeOrderTaken)
		refuse(t, d, newLaptop(t, "s1"), key.Secret, api.CodeOrderTaken)
		refuse(t, d, mac(t, "S1"), key.Secret, api.CodeOrderTaken)
		if now := orderNow(t, d, o); now.Used != 1 {
			t.Errorf("it is %+v", now)
		}
		if list, err := d.Devices(t.Context(), "", uuid.Nil); err != nil || len(list) != 1 {
			t.Errorf("%d devices of one are there, %v", len(list), err)
		}
		enroll(t, d, newLaptop(t, "S2"), key.Secret)
		if now := orderNow(t, d, o); now.CompletedAt.IsZero() {
			t.Errorf("it is %+v", now)
		}
	})
}

// Without a list whatever comes counts, with a serial number or without.
func TestOrderWithoutList(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		o := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 3})
		key := mint(t, d, api.NewConnectKey{OrderID: o.ID})
		first := enroll(t, d, newLaptop(t, ""), key.Secret)
		second := enroll(t, d, newLaptop(t, ""), key.Secret)
		enroll(t, d, newLaptop(t, "S1"), key.Secret)
		refuse(t, d, newLaptop(t, "S2"), key.Secret, api.CodeOrderComplete)
		units, err := d.OrderUnits(t.Context(), o.ID, "")
		if err != nil || len(units) != 3 {
			t.Fatalf("%+v, %v", units, err)
		}
		devices := make(map[uuid.UUID]bool)
		for _, u := range units {
			devices[u.Device.ID] = !u.Listed
		}
		if !devices[first.DeviceID] || !devices[second.DeviceID] {
			t.Errorf("there are %v", devices)
		}
	})
}

func TestCloseOrder(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		o := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 2})
		key := mint(t, d, api.NewConnectKey{OrderID: o.ID})
		l := newLaptop(t, "S1")
		e := enroll(t, d, l, key.Secret)
		if _, err := d.CreateOrder(t.Context(), "token:ann", api.NewOrder{PO: "PO-1", Quantity: 1}); !errors.Is(err, api.CodeConflict) {
			t.Errorf("a second order of that number: %v", err)
		}
		for range 2 {
			if err := d.CloseOrder(t.Context(), "token:ann", o.ID); err != nil {
				t.Fatal(err)
			}
		}
		refuse(t, d, newLaptop(t, "S2"), key.Secret, api.CodeOrderClosed)
		if again := enroll(t, d, l, key.Secret); again.DeviceID != e.DeviceID {
			t.Error("the device that came before is another one now")
		}
		if _, err := d.CheckIn(t.Context(), e.DeviceID, new(api.CheckInRequest)); err != nil {
			t.Errorf("the device that came before: %v", err)
		}
		if err := d.CloseOrder(t.Context(), "token:ann", uuid.New()); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("closing what is not there: %v", err)
		}
		next := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 1})
		if list, err := d.Orders(t.Context(), "PO-1", uuid.Nil); err != nil || len(list) != 2 || list[0].ID != next.ID {
			t.Errorf("the newest is not the first: %+v, %v", list, err)
		}
		if rest, err := d.Orders(t.Context(), "", next.ID); err != nil || len(rest) != 1 || rest[0].ID != o.ID {
			t.Errorf("before it there is %+v, %v", rest, err)
		}
	})
}

// Who may only build ends what it made, while nobody came, and nothing else.
func TestBuilderWithdrawsItsOrder(t *testing.T) {
	d := open(t, t.TempDir(), "")
	c := client(t, serve(t, d), nil)
	c.Token = token(t, d, api.Builder)
	who, err := c.Whoami(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	others := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 2})
	own, err := c.CreateOrder(t.Context(), &api.NewOrder{PO: "PO-2", Quantity: 2})
	if err != nil || own.CreatedBy != "token:"+who.Name {
		t.Fatalf("%+v, %v", own, err)
	}
	used, err := c.CreateOrder(t.Context(), &api.NewOrder{PO: "PO-3", Quantity: 2})
	if err != nil {
		t.Fatal(err)
	}
	enroll(t, d, newLaptop(t, "S1"), mint(t, d, api.NewConnectKey{OrderID: used.ID}).Secret)
	for id, want := range map[uuid.UUID]api.Code{others.ID: api.CodeForbidden, used.ID: api.CodeForbidden, own.ID: ""} {
		if err := c.CloseOrder(t.Context(), id); api.CodeOf(err) != want {
			t.Errorf("%v, want %q", err, want)
		}
	}
	if orderNow(t, d, own).ClosedAt.IsZero() || !orderNow(t, d, used).ClosedAt.IsZero() || !orderNow(t, d, others).ClosedAt.IsZero() {
		t.Error("another one was closed")
	}
}

// A key of an order ends as others do: with its time, or because it was revoked.
func TestKeysOfAnOrderAreRefused(t *testing.T) {
	d := open(t, t.TempDir(), "")
	short := order(t, d, api.NewOrder{PO: "PO-1", Quantity: 1, Life: api.Duration(time.Nanosecond)})
	refuse(t, d, newLaptop(t, "S1"), mint(t, d, api.NewConnectKey{OrderID: short.ID}).Secret, api.CodeKeyExpired)
	o := order(t, d, api.NewOrder{PO: "PO-2", Quantity: 1})
	revoked := mint(t, d, api.NewConnectKey{OrderID: o.ID})
	if err := d.RevokeKey(t.Context(), "token:ann", revoked.ID); err != nil {
		t.Fatal(err)
	}
	refuse(t, d, newLaptop(t, "S1"), revoked.Secret, api.CodeKeyRevoked)
	for _, n := range []api.NewConnectKey{{Uses: 2}, {Life: 1}, {Serials: []string{"S1"}}, {Batch: "x"}, {Tags: []string{"x"}}, {Approval: true}} {
		n.OrderID = o.ID
		if _, err := d.Mint(t.Context(), "token:ann", n); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("%+v: %v", n, err)
		}
	}
	if _, err := d.Mint(t.Context(), "token:ann", api.NewConnectKey{OrderID: uuid.New()}); !errors.Is(err, api.CodeNotFound) {
		t.Errorf("of an order that is not there: %v", err)
	}
}

func TestOrdersThatMakeNoSense(t *testing.T) {
	d := open(t, t.TempDir(), "")
	for name, n := range map[string]api.NewOrder{
		"no number":      {Quantity: 1},
		"a long number":  {PO: strings.Repeat("1", 65), Quantity: 1},
		"spaces":         {PO: " PO-1", Quantity: 1},
		"control":        {PO: "PO\n1", Quantity: 1},
		"invisible":      {PO: "PO\u202e1", Quantity: 1},
		"no quantity":    {PO: "PO-1"},
		"too many":       {PO: "PO-1", Quantity: api.MaxOrderQuantity + 1},
		"another number": {PO: "PO-1", Quantity: 2, Serials: []string{"S1"}},
		"twice":          {PO: "PO-1", Quantity: 2, Serials: []string{"S1", "s1 "}},
		"a blank":        {PO: "PO-1", Quantity: 1, Serials: []string{" "}},
		"a long serial":  {PO: "PO-1", Quantity: 1, Serials: []string{strings.Repeat("1", 201)}},
		"an empty tag":   {PO: "PO-1", Quantity: 1, Tags: []string{""}},
		"dead":           {PO: "PO-1", Quantity: 1, Life: -1},
		"eternal":        {PO: "PO-1", Quantity: 1, Life: api.MaxOrderLife + 1},
		"the partner":    {PO: "PO-1", Quantity: 1, Partner: "a\nb"},
	} {
		if _, err := d.CreateOrder(t.Context(), "token:ann", n); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The largest order goes over the wire, and its devices are found in it.
func TestOrderOfAHundredThousand(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		c := client(t, serve(t, d), nil)
		c.Token = token(t, d, api.Owner)
		n := api.NewOrder{PO: "PO-1", Quantity: api.MaxOrderQuantity}
		for i := range api.MaxOrderQuantity {
			n.Serials = append(n.Serials, fmt.Sprintf("5CD%07d", i))
		}
		o, err := c.CreateOrder(t.Context(), &n)
		if err != nil {
			t.Fatal(err)
		}
		key, err := c.MintKey(t.Context(), &api.NewConnectKey{OrderID: o.ID})
		if err != nil {
			t.Fatal(err)
		}
		enroll(t, d, newLaptop(t, "5CD0099999"), key.Secret)
		refuse(t, d, newLaptop(t, "5CD0100000"), key.Secret, api.CodeKeySerial)
		units, err := c.OrderUnits(t.Context(), o.ID)
		if err != nil || len(units) != api.MaxOrderQuantity {
			t.Fatalf("%d of them, %v", len(units), err)
		}
		if lastUnit := units[len(units)-1]; lastUnit.Device == nil || lastUnit.Serial != "5CD0099999" {
			t.Errorf("the last is %+v", lastUnit)
		}
	})
}
