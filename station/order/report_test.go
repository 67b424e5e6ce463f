package order

import (
	"bytes"
	"encoding/csv"
	"encoding/xml"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
)

// sampleReport is of an order in which all has happened.
func sampleReport() *Report {
	id := uuid.MustParse("019f0000-0000-7000-8000-000000000002")
	device := func(state api.DeviceState, name string, users ...string) *api.OrderDevice {
		return &api.OrderDevice{ID: id, State: state, Platform: api.Windows, Name: name, PackageID: id, EnrolledAt: at, Users: users}
	}
	units := []api.OrderUnit{
		{Unit: "A1", Serial: "A1", Listed: true, Device: device(api.DeviceActive, "=HYPERLINK(\"http://evil\")", "ann", "bob")},
		{Unit: "A2", Serial: "A2", Listed: true, Device: device(api.DeviceActive, "<script>alert(1)</script>")},
		{Unit: "A3", Serial: "A3", Listed: true},
		{Unit: "A4", Serial: "a4", Listed: true},
		{Unit: "A5", Serial: "A5", Listed: true, Device: device(api.DevicePending, "a\u202eb")},
		{Unit: "A6", Serial: "A6", Listed: true, Device: device(api.DeviceRemoved, "x")},
		{Unit: "A7", Serial: "A7", Listed: true, Device: device(api.DeviceReplaced, "x")},
		{Unit: "device x", Device: device(api.DeviceActive, "ACME")},
	}
	refusals := []api.OrderRefusal{
		{Serial: "A4", Code: api.CodeKeyPlatform, Count: 2, Last: at},
		{Serial: "A4 ", Code: api.CodeKeyPackage, Count: 1, Last: at.Add(time.Hour)},
		{Serial: "A1", Code: api.CodeOrderTaken, Count: 1, Last: at},
		{Serial: "+1;x\"y", Code: api.CodeKeySerial, Count: 9, Last: at},
		{Serial: "", Code: api.CodeKeySerial, Count: 1, Last: at},
	}
	return compare(&api.Order{PO: "PO-<4711>", Partner: "Box & Co", Quantity: 10, Used: 6, ExpiresAt: at.Add(90 * 24 * time.Hour)}, units, refusals, at)
}

func TestReport(t *testing.T) {
	r := sampleReport()
	var got []string
	for _, row := range r.Rows {
		got = append(got, row.Serial+": "+string(row.State))
	}
	want := []string{"a4: refused", "A3: not seen", "A5: waiting", "A6: removed", "A7: replaced", ": enrolled", "A2: enrolled", "A1: signed in", ": not in the order", "+1;x\"y: not in the order"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if r.Came != 6 || r.Missing != 4 || r.SignedIn != 1 || r.Foreign != 2 || len(r.Rows[0].Refused) != 2 || len(r.Rows[7].Refused) != 1 || r.More {
		t.Errorf("%+v", r)
	}
	for want, o := range map[string]api.Order{
		"open until 2026-11-30 13:00:00Z":     {ExpiresAt: at.Add(time.Hour)},
		"expired since 2026-11-30 12:00:00Z":  {ExpiresAt: at},
		"closed since 2026-11-30 12:00:00Z":   {ClosedAt: at, ExpiresAt: at.Add(time.Hour)},
		"complete since 2026-11-30 12:00:00Z": {CompletedAt: at, ClosedAt: at.Add(time.Hour), ExpiresAt: at.Add(time.Hour)},
	} {
		if got := Standing(&o, at); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// A spreadsheet reads the rows, and runs none of what devices say.
func TestReportAsCSV(t *testing.T) {
	r := sampleReport()
	var b bytes.Buffer
	if err := r.WriteCSV(&b); err != nil {
		t.Fatal(err)
	}
	text, ok := strings.CutPrefix(b.String(), "\ufeff")
	if !ok || strings.Count(text, "\r\n") != len(r.Rows)+1 || strings.Count(text, "\n") != len(r.Rows)+1 {
		t.Errorf("%q", b.String())
	}
	rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(columns, rows[0]); diff != "" {
		t.Error(diff)
	}
	if got, want := strings.Join(rows[1], "|"), "a4|refused||key_wrong_platform (2), key_wrong_package (1)|2026-11-30 13:00:00Z|||||"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := rows[8]; got[0] != "A1" || got[7] != "'=HYPERLINK(\"http://evil\")" || got[2] != "ann, bob" {
		t.Errorf("%q", got)
	}
	if got := rows[3][7]; got != `a\u202eb` {
		t.Errorf("%q", got)
	}
	if got := rows[10][0]; got != "'+1;x\"y" {
		t.Errorf("%q", got)
	}
}

// No cell begins as a formula does; all others are as they were.
func FuzzDefuse(f *testing.F) {
	for _, s := range []string{"=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "＝1", "5CD1", "", "'=1", "|calc", "%0A=1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, cell string) {
		got := defuse(cell)
		if got != cell && got != "'"+cell {
			t.Errorf("%q becomes %q", cell, got)
		}
		if start := strings.TrimLeft(got, " \t"); start != "" && strings.ContainsRune("=+-@", rune(start[0])) {
			t.Errorf("%q is a formula still: %q", cell, got)
		}
	})
}

// The page is well-formed, shows what devices say as text, and its chart adds up.
func TestReportAsPage(t *testing.T) {
	r := sampleReport()
	var b bytes.Buffer
	if err := r.WriteHTML(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"<h1>Order PO-&lt;4711&gt;, Box &amp; Co: 6 of 10</h1>", "open until 2027-02-28 12:00:00Z",
		`<title id="chart">1 signed in, 5 came, nobody signed in yet, 4 missing</title>`, `role="img" aria-labelledby="chart"`,
		`<rect class="signed" x="0.000" y="0" width="100.000"`, `<rect class="came" x="100.000" y="0" width="500.000"`, `<rect class="missing" x="600.000" y="0" width="400.000"`,
		"&lt;script&gt;alert(1)&lt;/script&gt;", "2 refused that are not in the order", "prefers-color-scheme: dark", `a\u202eb`,
	} {
		if !strings.Contains(page, want) {
			t.Errorf("%s is missing in %s", want, page)
		}
	}
	for _, active := range []string{"<script", "src=", "href=", "url(", "@import", "onload"} {
		if strings.Contains(page, active) {
			t.Errorf("the page asks for something, or runs it: %s", active)
		}
	}
	d := xml.NewDecoder(strings.NewReader(page))
	d.Strict, d.AutoClose, d.Entity = false, xml.HTMLAutoClose, xml.HTMLEntity
	var open []string
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		switch token := token.(type) {
		case xml.StartElement:
			open = append(open, token.Name.Local)
		case xml.EndElement:
			if last := open[len(open)-1]; last != token.Name.Local {
				t.Fatalf("%s ends where %s is open", token.Name.Local, last)
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%v are open at the end", open)
	}
}
