package api

import (
	"bytes"
	"encoding/csv"
	"errors"
	"iter"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func each(devices ...*Device) iter.Seq2[*Device, error] {
	return func(yield func(*Device, error) bool) {
		for _, d := range devices {
			if !yield(d, nil) {
				return
			}
		}
	}
}

func TestWriteDevicesCSV(t *testing.T) {
	yes := true
	at := time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)
	d := &Device{
		ID: uuid.MustParse("019f0000-0000-7000-8000-000000000001"), State: DeviceActive, SSAPOff: true, EnrolledAt: at, SeenAt: at.Add(time.Hour),
		KeyID: uuid.MustParse("019f0000-0000-7000-8000-000000000002"), Batch: "PO-9", Tags: []string{"sales", "berlin"},
		Facts: Facts{Platform: Windows, Name: "Ann's, laptop", Serial: "S1", Manufacturer: "Acme", Model: "7\"", OS: "Windows 11 Pro", OSVersion: "10.0.26100",
			AgentVersion: "1.0.0", Encrypted: &yes, Problems: []string{"no disk", "no ink"}},
		Users: []Binding{{User: Person{Name: "ann"}, State: Bound}, {User: Person{Name: "bob"}, State: Unbound}, {User: Person{Name: "carl"}, State: Awaiting}},
	}
	var b bytes.Buffer
	if err := WriteDevicesCSV(&b, each(d)); err != nil {
		t.Fatal(err)
	}
	want := `id,name,platform,state,sign-in,serial,manufacturer,model,os,os version,agent,encrypted,people,batch,tags,connect key,package,enrolled,seen,problems
019f0000-0000-7000-8000-000000000001,"Ann's, laptop",windows,active,off,S1,Acme,"7""",Windows 11 Pro,10.0.26100,1.0.0,yes,"ann, carl",PO-9,"sales, berlin",019f0000-0000-7000-8000-000000000002,00000000-0000-0000-0000-000000000000,2026-03-04T05:06:07Z,2026-03-04T06:06:07Z,no disk; no ink
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}

// No text of a device's is a formula, wherever a spreadsheet parts cells.
func TestFormulasAreText(t *testing.T) {
	for text, want := range map[string]string{
		"":                     "",
		"ACME-1":               "ACME-1",
		"a=b+c@d":              "a=b+c@d",
		"Müller":               "Müller",
		"\xff=":                "\xff=",
		"=1+1":                 "'=1+1",
		"+49 30":               "'+49 30",
		"-1":                   "'-1",
		"@SUM(A1)":             "'@SUM(A1)",
		"|cmd":                 "'|cmd",
		"%0A":                  "'%0A",
		"\t=1":                 "'\t=1",
		"\r=1":                 "'\r=1",
		"  =1":                 "'  =1",
		"\u00a0\u3000\ufeff=1": "'\u00a0\u3000\ufeff=1",
		"＝1":                   "'＝1",
		"＠A1":                  "'＠A1",
		`"=1`:                  `'"=1`,
		"a;=1":                 "a;'=1",
		`a; "=HYPERLINK("x")`:  `a;' "=HYPERLINK("x")`,
		";;@A1;":               ";;'@A1;",
		"a; b":                 "a; b",
	} {
		if got := inert(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
	const bad = "=cmd|'/c calc'!A1"
	d := &Device{Batch: bad, Tags: []string{bad}, State: DeviceState(bad), Users: []Binding{{User: Person{Name: bad}, State: Bound}},
		Facts: Facts{Platform: Platform(bad), Name: bad, Serial: bad, Manufacturer: bad, Model: bad, OS: bad, OSVersion: bad, AgentVersion: bad, Problems: []string{"ill", bad}}}
	for _, comma := range []rune{',', ';'} {
		var b bytes.Buffer
		if err := WriteDevicesCSV(&b, each(d)); err != nil {
			t.Fatal(err)
		}
		r := csv.NewReader(&b)
		r.Comma, r.LazyQuotes, r.FieldsPerRecord = comma, true, -1
		records, err := r.ReadAll()
		if err != nil || len(records) != 2 {
			t.Fatalf("by %c: %q, %v", comma, records, err)
		}
		for _, field := range slices.Concat(records...) {
			if strings.HasPrefix(strings.TrimLeft(field, ` "`), "=") {
				t.Errorf("by %c a cell runs: %q", comma, field)
			}
		}
	}
}

// A list that ends too early is no list.
func TestDevicesCSVTellsWhatWentWrong(t *testing.T) {
	pages := 0
	err := WriteDevicesCSV(new(bytes.Buffer), EachDevice(DeviceQuery{}, func(q *DeviceQuery) (*DevicePage, error) {
		if pages++; q.After == "next" {
			return nil, CodeUnavailable
		}
		return &DevicePage{Items: []*Device{{}}, Next: "next"}, nil
	}))
	if !errors.Is(err, CodeUnavailable) || pages != 2 {
		t.Errorf("%v after %d pages", err, pages)
	}
}
