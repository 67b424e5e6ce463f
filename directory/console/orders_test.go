package console

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

func TestOrderIsMade(t *testing.T) {
	d := newDesk(t)
	d.role = api.Technician
	for name, a := range map[string]answer{
		"PO-1": d.upload("orders", "file", "Gerät;Seriennummer\nx;S1\ny;S2\n", "po", "PO-1", "partner", "Box Ltd", "days", "30", "tags", "a, b"),
		"PO-2": d.post("orders", "po", "PO-2", "serials", "S1\r\nS2\r\n", "days", "1"),
		"PO-3": d.post("orders", "po", "PO-3", "quantity", "2", "days", "90"),
	} {
		list, err := d.Orders(t.Context(), name, uuid.Nil)
		if err != nil || len(list) != 1 {
			t.Fatalf("%s: %d, %v\n%s", name, len(list), err, a.text)
		}
		o := list[0]
		if a.Header.Get("Location") != "/console/orders/"+o.ID.String() || o.Quantity != 2 || o.Listed != (name != "PO-3") || o.CreatedBy != "admin:technician" {
			t.Errorf("%s: %q, %+v", name, a.Header.Get("Location"), o)
		}
	}
	for name, test := range map[string]struct {
		a    answer
		want int
	}{
		"no number":        {d.post("orders", "po", "", "quantity", "1", "days", "1"), http.StatusBadRequest},
		"no quantity":      {d.post("orders", "po", "PO-4", "days", "1"), http.StatusUnprocessableEntity},
		"no days":          {d.post("orders", "po", "PO-4", "quantity", "1", "days", "367"), http.StatusUnprocessableEntity},
		"a serial twice":   {d.post("orders", "po", "PO-4", "serials", "S1\ns1", "days", "1"), http.StatusBadRequest},
		"another quantity": {d.post("orders", "po", "PO-4", "serials", "S1", "quantity", "2", "days", "1"), http.StatusBadRequest},
		"a number twice":   {d.post("orders", "po", "PO-1", "quantity", "1", "days", "1"), http.StatusConflict},
	} {
		if test.a.StatusCode != test.want {
			t.Errorf("%s: %d, not %d", name, test.a.StatusCode, test.want)
		}
	}
	if list, err := d.Orders(t.Context(), "", uuid.Nil); err != nil || len(list) != 3 {
		t.Errorf("%d orders, %v", len(list), err)
	}
}

// The page of an order tells what is expected and what came, in a picture and in
// figures, and what was refused and why.
func TestOrderPage(t *testing.T) {
	d := newDesk(t)
	o, err := d.CreateOrder(t.Context(), "token:ann", api.NewOrder{PO: "PO 1", Partner: "Box's", Quantity: 3, Serials: []string{"S1", "S2", "S3"}, Tags: []string{"sales"}})
	if err != nil {
		t.Fatal(err)
	}
	key := d.mint(api.NewConnectKey{OrderID: o.ID})
	path := "orders/" + o.ID.String()
	if a := d.get(path); !strings.Contains(a.text, "0 of 3 devices") || strings.Contains(a.text, "The same in figures") {
		t.Errorf("before any came:\n%s", a.text)
	}
	d.enroll(key.Secret, laptop("S2"))
	if _, err := d.Enroll(t.Context(), request(t, key.Secret, laptop("S9")), "192.0.2.1"); err == nil {
		t.Fatal("S9 is in")
	}
	a := d.get(path)
	for _, want := range []string{"1 of 3 devices", "LAPTOP-S2", "The same in figures", "key_wrong_serial", "S9", `<path class="line" d="M0 200H0.0L600.0 134.7H600"`,
		`value="firstday order create --po &#39;PO 1&#39; --partner &#39;Box&#39;\&#39;&#39;s&#39; --serials list.csv --tags sales -o bundle"`} {
		if !strings.Contains(a.text, want) {
			t.Errorf("the page does not say %q:\n%s", want, a.text)
		}
	}
	if k := d.get("keys/" + key.ID.String()); !strings.Contains(k.text, `href="/console/`+path+`"`) {
		t.Errorf("its key does not lead to it:\n%s", k.text)
	}
	a = d.get(path + "?show=missing")
	if strings.Contains(a.text, "LAPTOP-S2") || !strings.Contains(a.text, "<bdi>S1</bdi>") || !strings.Contains(a.text, "<bdi>S3</bdi>") {
		t.Errorf("what is missing:\n%s", a.text)
	}
	if a := d.post(path + "/close"); a.Header.Get("Location") != "/console/"+path {
		t.Errorf("closing: %d", a.StatusCode)
	}
	if now, err := d.Order(t.Context(), o.ID); err != nil || now.ClosedAt.IsZero() {
		t.Errorf("it is open: %v", err)
	}
	if a := d.get(path); strings.Contains(a.text, path+"/close") {
		t.Error("it can be closed once more")
	}
}

// A long list is turned over page by page.
func TestOrderUnitsPages(t *testing.T) {
	d := newDesk(t)
	serials := make([]string, orderPage+1)
	for i := range serials {
		serials[i] = "S" + uuid.NewString()
	}
	o, err := d.CreateOrder(t.Context(), "token:ann", api.NewOrder{PO: "PO-1", Quantity: len(serials), Serials: serials})
	if err != nil {
		t.Fatal(err)
	}
	rows := 0
	for path := "orders/" + o.ID.String() + "?show=missing"; path != ""; {
		a := d.get(path)
		rows += strings.Count(a.text, "<bdi>S")
		_, next, found := strings.Cut(a.text, `<a class="button second" href="/console/`)
		for path = ""; found && path == ""; _, next, found = strings.Cut(next, `<a class="button second" href="/console/`) {
			if link, rest, _ := strings.Cut(next, `">`); strings.HasPrefix(rest, "Next page") {
				path = strings.ReplaceAll(link, "&amp;", "&")
			}
		}
	}
	if rows != len(serials) {
		t.Errorf("%d of %d serial numbers are shown", rows, len(serials))
	}
}

func TestChart(t *testing.T) {
	from := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	day := func(n int) time.Time { return from.AddDate(0, 0, n) }
	progress := &api.OrderProgress{Expected: 4, Seen: 3, From: from, Until: day(90), Step: api.ByDay, Points: []api.OrderedCount{{Time: day(2), Seen: 1}, {Time: day(5), Seen: 3}}}
	for name, test := range map[string]struct {
		p         *api.OrderProgress
		now       time.Time
		line, top string
	}{
		"while it lasts":    {progress, day(10), "M0 200H109.1L163.6 151.0H272.7L327.3 53.0H600", "M0 4.0H600"},
		"after its end":     {progress, day(100), "M0 200H13.2L19.8 151.0H33.0L39.6 53.0H600", "M0 4.0H600"},
		"none came":         {&api.OrderProgress{Expected: 1, From: from, Until: day(1)}, from, "M0 200H600", "M0 4.0H600"},
		"a clock set back":  {progress, day(-3), "M0 200H200.0L300.0 151.0H500.0L600.0 53.0H600", "M0 4.0H600"},
		"nothing is wanted": {&api.OrderProgress{From: from, Until: from}, from, "M0 200H600", "M0 200.0H600"},
	} {
		c := newChart(test.p, test.now)
		if c.Line() != test.line || c.Top() != test.top || c.Area() != test.line+"V200H0Z" {
			t.Errorf("%s: %q, %q", name, c.Line(), c.Top())
		}
	}
}
