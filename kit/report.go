package kit

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/templates"
)

// ReportVersion is the version of the report this build writes.
const ReportVersion = 1

// The report of a batch, in its folder: for programs, spreadsheets and people.
const (
	ReportFile     = "batch.json"
	ReportCSVFile  = "batch.csv"
	ReportHTMLFile = "batch.html"
)

// Result is what became of a kit.
type Result string

// The results.
const (
	Built  Result = "built"
	Kept   Result = "kept" // it was there
	Failed Result = "failed"
	Open   Result = "open" // the run ended before it was its turn
)

// Report says what a run of a batch made.
type Report struct {
	Version int           `json:"version"`
	Builder string        `json:"builder"`
	Started time.Time     `json:"started"`
	Ended   time.Time     `json:"ended"`
	Built   int           `json:"built"`
	Kept    int           `json:"kept"`
	Failed  int           `json:"failed"`
	Open    int           `json:"open"`
	Kits    []ReportedKit `json:"kits"`
}

// ReportedKit is a row of the report.
type ReportedKit struct {
	Line         int               `json:"line,omitempty"` // of the table
	Kit          string            `json:"kit,omitempty"`  // its folder
	Organisation string            `json:"organisation,omitempty"`
	Result       Result            `json:"result"`
	Error        string            `json:"error,omitempty"`
	Created      *time.Time        `json:"created,omitempty"`
	ExpiresAt    *time.Time        `json:"expiresAt,omitempty"`
	Seconds      float64           `json:"seconds"`
	Packages     []ReportedPackage `json:"packages,omitempty"`
}

// ReportedPackage is a package of a kit.
type ReportedPackage struct {
	File     string    `json:"file"`
	Platform Platform  `json:"platform"`
	ID       uuid.UUID `json:"id"`
	SHA256   string    `json:"sha256"`
}

func (k *ReportedKit) describe(m *Manifest) {
	k.Created, k.ExpiresAt = &m.Created, m.ExpiresAt
	for _, p := range m.Packages {
		k.Packages = append(k.Packages, ReportedPackage{p.File, p.Platform, p.ID, p.SHA256})
	}
}

func (r *Report) finish() {
	r.Ended = time.Now().UTC().Truncate(time.Second)
	for _, k := range r.Kits {
		switch k.Result {
		case Built:
			r.Built++
		case Kept:
			r.Kept++
		case Failed:
			r.Failed++
		case Open:
			r.Open++
		}
	}
}

// write writes the report in all its forms.
func (r *Report) write(dir string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	table, err := r.csv()
	if err != nil {
		return err
	}
	var page bytes.Buffer
	if err := r.page().Write(&page); err != nil {
		return err
	}
	for name, content := range map[string][]byte{
		ReportFile: append(data, '\n'), ReportCSVFile: table, ReportHTMLFile: page.Bytes(),
	} {
		if err := atomicfile.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// csv has a line for each package, and one for a kit that has none.
func (r *Report) csv() ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	lines := [][]string{{"line", "kit", "organisation", "result", "file", "platform", "id", "sha256", "expires", "seconds", "error"}}
	for _, k := range r.Kits {
		packages := k.Packages
		if len(packages) == 0 {
			packages = []ReportedPackage{{}}
		}
		for _, p := range packages {
			id := ""
			if p.File != "" {
				id = p.ID.String()
			}
			lines = append(lines, []string{
				strconv.Itoa(k.Line), k.Kit, k.Organisation, string(k.Result), p.File, string(p.Platform), id, p.SHA256,
				timeText(k.ExpiresAt), strconv.FormatFloat(k.Seconds, 'f', 3, 64), k.Error,
			})
		}
	}
	for _, line := range lines {
		for i := range line {
			line[i] = noFormula(line[i])
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// noFormula keeps a spreadsheet from computing what it is shown.
func noFormula(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r", rune(s[0])) {
		return "'" + s
	}
	return s
}

func timeText(t *time.Time) string {
	if t == nil {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}

func (r *Report) page() templates.BatchReport {
	page := templates.BatchReport{
		Builder: r.Builder, Started: r.Started, Ended: r.Ended,
		Built: r.Built, Kept: r.Kept, Failed: r.Failed, Open: r.Open,
	}
	for _, k := range r.Kits {
		row := templates.BatchRow{
			Line: k.Line, Kit: k.Kit, Organisation: k.Organisation, Result: string(k.Result), Error: k.Error,
			Expires: timeText(k.ExpiresAt), Seconds: fmt.Sprintf("%.2f", k.Seconds),
		}
		for _, p := range k.Packages {
			row.Packages = append(row.Packages, templates.BatchPackage{File: p.File, ID: p.ID.String(), SHA256: p.SHA256})
		}
		page.Rows = append(page.Rows, row)
	}
	return page
}
