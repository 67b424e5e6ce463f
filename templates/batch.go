package templates

import (
	"fmt"
	"html/template"
	"io"
	"time"
)

// BatchReport is what the page about a batch of kits is filled with.
type BatchReport struct {
	Builder                   string
	Started, Ended            time.Time
	Built, Kept, Failed, Open int
	Rows                      []BatchRow
}

// BatchRow is a kit of the batch.
type BatchRow struct {
	Line              int // of the table
	Kit, Organisation string
	Result, Error     string
	Expires, Seconds  string
	Packages          []BatchPackage
}

// BatchPackage is a package of a kit.
type BatchPackage struct{ File, ID, SHA256 string }

var batchPage = template.Must(template.ParseFS(files, "batch.html.tmpl"))

// Write writes the page. It needs no other file, and runs nothing.
func (r BatchReport) Write(w io.Writer) error {
	if err := batchPage.Execute(w, r); err != nil {
		return fmt.Errorf("writing the report of the batch: %w", err)
	}
	return nil
}
