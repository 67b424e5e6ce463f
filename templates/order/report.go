package order

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
)

// Report is what the page of a report is filled with.
type Report struct {
	PO, Partner, Time, State   string
	Came, Quantity             int
	SignedIn, Missing, Foreign int
	More                       bool // refusals, which are left out
	Columns                    []string
	Rows                       [][]string
}

// Part is one of the bars of the chart.
type Part struct {
	Name        string
	Class       string
	Count       int
	From, Width float64 // in per mille of the chart
}

// Parts are the bars, side by side: together they are the quantity.
func (r *Report) Parts() []Part {
	parts := []Part{
		{Name: "signed in", Class: "signed", Count: r.SignedIn},
		{Name: "came, nobody signed in yet", Class: "came", Count: r.Came - r.SignedIn},
		{Name: "missing", Class: "missing", Count: r.Missing},
	}
	from := 0.0
	for i := range parts {
		p := &parts[i]
		p.From, p.Width = from, 1000*float64(p.Count)/float64(max(r.Quantity, 1))
		from += p.Width
	}
	return parts
}

//go:embed report.html.tmpl
var report string

var reportPage = template.Must(template.New("report").Parse(report))

// Write writes the page.
func (r *Report) Write(w io.Writer) error {
	if err := reportPage.Execute(w, r); err != nil {
		return fmt.Errorf("writing the report: %w", err)
	}
	return nil
}
