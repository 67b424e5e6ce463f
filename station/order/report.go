package order

import (
	"bytes"
	"cmp"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/visible"
	templates "firstday.dev/templates/order"
)

// State is what became of one of an order's devices.
type State string

// The states. A device that came and is none of the others is enrolled.
const (
	NotSeen  State = "not seen"
	Enrolled State = "enrolled"
	SignedIn State = "signed in" // somebody has it
	Waiting  State = "waiting"   // for somebody to approve it
	Removed  State = "removed"   // from the directory
	Replaced State = "replaced"  // the same hardware came again, by another key
	Refused  State = "refused"   // it tried to come, and may not
	Foreign  State = "not in the order"
)

// Row is a line of a report: a device that is expected, came, or wanted to.
type Row struct {
	Serial  string             `json:"serial,omitempty"` // empty: the device does not know it
	State   State              `json:"state"`
	Device  *api.OrderDevice   `json:"device,omitempty"`
	Refused []api.OrderRefusal `json:"refused,omitempty"` // whatever became of it then
}

// Report compares what an order expects with what came.
type Report struct {
	api.Order
	Time time.Time `json:"time"`
	// Came, SignedIn and Missing count devices of the order, and add up with nobody
	// else's: Came and Missing are its quantity. Foreign counts serial numbers that
	// were refused and are not in it.
	Came     int   `json:"came"`
	SignedIn int   `json:"signedIn"`
	Missing  int   `json:"missing"`
	Foreign  int   `json:"foreign"`
	More     bool  `json:"more,omitempty"` // refusals, which are left out
	Rows     []Row `json:"rows"`
}

// NewReport makes a report of what the directory knows.
func NewReport(ctx context.Context, client *api.Client, po string, now time.Time) (*Report, error) {
	o, err := client.OrderOf(ctx, po)
	if err != nil {
		return nil, err
	}
	units, err := client.OrderUnits(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	refusals, err := client.OrderRefusals(ctx, o.ID)
	if err != nil {
		return nil, err
	}
	return compare(o, units, refusals, now), nil
}

func compare(o *api.Order, units []api.OrderUnit, refusals []api.OrderRefusal, now time.Time) *Report {
	r := &Report{Order: *o, Time: now.UTC().Truncate(time.Second), Rows: make([]Row, 0, len(units))}
	refused := make(map[string][]api.OrderRefusal)
	for _, f := range refusals {
		serial := api.FoldSerial(f.Serial)
		refused[serial] = append(refused[serial], f)
	}
	for _, u := range units {
		row := Row{Serial: u.Serial, Device: u.Device}
		if u.Serial != "" {
			folded := api.FoldSerial(u.Serial)
			row.Refused = refused[folded]
			delete(refused, folded)
		}
		row.State = stateOf(&row)
		if u.Device != nil {
			r.Came++
		}
		if row.State == SignedIn {
			r.SignedIn++
		}
		r.Rows = append(r.Rows, row)
	}
	r.Missing, r.More = o.Quantity-r.Came, len(refusals) > api.MaxOrderRefusals
	slices.SortStableFunc(r.Rows, func(a, b Row) int {
		return cmp.Or(cmp.Compare(rank(a.State), rank(b.State)), strings.Compare(a.Serial, b.Serial))
	})
	for _, serial := range slices.Sorted(maps.Keys(refused)) {
		list := refused[serial]
		r.Rows = append(r.Rows, Row{Serial: list[0].Serial, State: Foreign, Refused: list})
		r.Foreign++
	}
	return r
}

func stateOf(r *Row) State {
	switch {
	case r.Device == nil && len(r.Refused) > 0:
		return Refused
	case r.Device == nil:
		return NotSeen
	case r.Device.State == api.DevicePending:
		return Waiting
	case r.Device.State == api.DeviceRemoved:
		return Removed
	case r.Device.State == api.DeviceReplaced:
		return Replaced
	case len(r.Device.Users) > 0:
		return SignedIn
	}
	return Enrolled
}

// rank sorts first what somebody must look at.
func rank(s State) int {
	return slices.Index([]State{Refused, NotSeen, Waiting, Removed, Replaced, Enrolled, SignedIn}, s)
}

// columns are those of a report, what tells most first.
var columns = []string{"Serial number", "State", "Signed in", "Refused", "Last refused", "Enrolled", "Platform", "Name", "Package", "Device"}

// Cells are what a row says, for people, by column.
func (r *Row) Cells() []string {
	cells := []string{r.Serial, string(r.State), "", "", "", "", "", "", "", ""}
	if d := r.Device; d != nil {
		cells[2] = strings.Join(d.Users, ", ")
		copy(cells[5:], []string{moment(d.EnrolledAt), string(d.Platform), d.Name, d.PackageID.String(), d.ID.String()})
	}
	var codes []string
	var last time.Time
	for _, f := range r.Refused {
		codes = append(codes, fmt.Sprintf("%s (%d)", f.Code, f.Count))
		if f.Last.After(last) {
			last = f.Last
		}
	}
	if len(codes) > 0 {
		cells[3], cells[4] = strings.Join(codes, ", "), moment(last)
	}
	return cells
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05Z") }

// WriteCSV writes the rows as spreadsheets read them: UTF-8 with a byte order mark,
// without which Excel takes it for something else, and lines that end as Windows'
// do. What a spreadsheet would run is defused by an apostrophe before it: names and
// serial numbers are whatever devices say.
func (r *Report) WriteCSV(w io.Writer) error {
	var b bytes.Buffer
	b.WriteString("\ufeff")
	c := csv.NewWriter(&b)
	c.UseCRLF = true
	if err := c.Write(columns); err != nil {
		return err
	}
	for i := range r.Rows {
		cells := r.Rows[i].Cells()
		for j := range cells {
			cells[j] = defuse(visible.Line(cells[j]))
		}
		if err := c.Write(cells); err != nil {
			return err
		}
	}
	c.Flush()
	if err := c.Error(); err != nil {
		return err
	}
	_, err := w.Write(b.Bytes())
	return err
}

// defuse makes text of what spreadsheets take for a formula, also behind spaces and
// in the broad letters of East Asia.
func defuse(cell string) string {
	if start := strings.TrimLeft(cell, " \t\u00a0\u3000"); start != "" && strings.ContainsRune("=+-@＝＋－＠|%", []rune(start)[0]) {
		return "'" + cell
	}
	return cell
}

// WriteHTML writes the report as a page that needs nothing else.
func (r *Report) WriteHTML(w io.Writer) error {
	page := &templates.Report{
		PO: r.PO, Partner: r.Partner, Time: moment(r.Time), Came: r.Came, Quantity: r.Quantity, SignedIn: r.SignedIn, Missing: r.Missing, Foreign: r.Foreign, More: r.More,
		State: r.Standing(), Columns: columns,
	}
	for i := range r.Rows {
		cells := r.Rows[i].Cells()
		for j := range cells {
			cells[j] = visible.Line(cells[j])
		}
		page.Rows = append(page.Rows, cells)
	}
	return page.Write(w)
}

// Standing says in a few words how the order is.
func (r *Report) Standing() string { return Standing(&r.Order, r.Time) }

// Standing says in a few words how an order is.
func Standing(o *api.Order, now time.Time) string {
	switch {
	case !o.CompletedAt.IsZero():
		return "complete since " + moment(o.CompletedAt)
	case !o.ClosedAt.IsZero():
		return "closed since " + moment(o.ClosedAt)
	case !now.Before(o.ExpiresAt):
		return "expired since " + moment(o.ExpiresAt)
	}
	return "open until " + moment(o.ExpiresAt)
}
