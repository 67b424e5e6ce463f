package api

import (
	"encoding/csv"
	"io"
	"iter"
	"strings"
	"time"
	"unicode/utf8"
)

// deviceColumns are those of an exported list.
var deviceColumns = []string{"id", "name", "platform", "state", "sign-in", "serial", "manufacturer", "model", "os", "os version", "agent", "encrypted",
	"people", "batch", "tags", "connect key", "package", "enrolled", "seen", "problems"}

// WriteDevicesCSV writes devices as CSV, with the names of the columns first. What
// a spreadsheet would take for a formula it takes for text.
func WriteDevicesCSV(w io.Writer, devices iter.Seq2[*Device, error]) error {
	out := csv.NewWriter(w)
	if err := out.Write(deviceColumns); err != nil {
		return err
	}
	for d, err := range devices {
		if err != nil {
			return err
		}
		record := deviceRecord(d)
		for i := range record {
			record[i] = inert(record[i])
		}
		if err := out.Write(record); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func deviceRecord(d *Device) []string {
	f := &d.Facts
	var people []string
	for _, b := range d.Users {
		if b.State == Bound || b.State == Awaiting {
			people = append(people, b.User.Name)
		}
	}
	signIn, encrypted := "", ""
	if d.SSAPOff {
		signIn = "off"
	}
	if f.Encrypted != nil {
		encrypted = "no"
		if *f.Encrypted {
			encrypted = "yes"
		}
	}
	return []string{d.ID.String(), f.Name, string(f.Platform), string(d.State), signIn, f.Serial, f.Manufacturer, f.Model, f.OS, f.OSVersion, f.AgentVersion, encrypted,
		strings.Join(people, ", "), d.Batch, strings.Join(d.Tags, ", "), d.KeyID.String(), d.PackageID.String(),
		d.EnrolledAt.Format(time.RFC3339), d.SeenAt.Format(time.RFC3339), strings.Join(f.Problems, "; ")}
}

// inert puts an apostrophe before what spreadsheets run: they show it as text then.
// Where people write 1,5 for one and a half, a semicolon begins another cell.
func inert(text string) string {
	cells := strings.Split(text, ";")
	for i, cell := range cells {
		if runs(cell) {
			cells[i] = "'" + cell
		}
	}
	return strings.Join(cells, ";")
}

// runs tells whether a spreadsheet may take a cell for a formula. They skip spaces,
// and quotes that stand around a cell, and take the signs of full width for the
// others.
func runs(cell string) bool {
	first, _ := utf8.DecodeRuneInString(strings.TrimLeft(cell, " \u00a0\u3000\ufeff\""))
	return strings.ContainsRune("=+-@\t\r\n|%＝＋－＠", first)
}

// EachDevice reads all pages of a query, and gives their devices.
func EachDevice(q DeviceQuery, page func(*DeviceQuery) (*DevicePage, error)) iter.Seq2[*Device, error] {
	return func(yield func(*Device, error) bool) {
		for {
			p, err := page(&q)
			if err != nil {
				yield(nil, err)
				return
			}
			for _, d := range p.Items {
				if !yield(d, nil) {
					return
				}
			}
			if p.Next == "" {
				return
			}
			q.After = p.Next
		}
	}
}
