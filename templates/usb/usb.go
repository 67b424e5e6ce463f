// Package usb holds what the station puts onto a USB stick beside a kit: the
// script that a Mac's owner runs, what that leaves on the Mac, and the page for
// the person with the stick.
package usb

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"time"

	"firstday.dev/internal/visible"
)

// Run is the script in the root of the stick, for Macs.
//
//go:embed run
var Run string

// FirstBootInstall is the script that installs the package when a Mac starts.
//
//go:embed install
var FirstBootInstall string

// FirstBootDaemon is the property list that lets launchd run it.
//
//go:embed dev.firstday.firstboot.plist
var FirstBootDaemon string

// Where these are on the stick. The script knows the names, too.
const (
	RunFile              = "run"
	FirstBootInstallFile = "first-boot/install"
	FirstBootDaemonFile  = "first-boot/dev.firstday.firstboot.plist"
	ReadmeFile           = "README.html"
	LogsFolder           = "logs"
	// SumsFile lists the checksums of what the station adds to a kit.
	SumsFile = "STICK.SHA256SUMS"
)

// Readme is what the page is filled with.
type Readme struct {
	Organisation string
	Label        string // of the stick's volume
	Package      string // file name of the one for Macs
	Untrusted    bool   // nobody trusts who signed it
	// The instructions for each system, as HTML that is safe; empty if there is no
	// package for it.
	Windows, Mac template.HTML
}

//go:embed readme.html.tmpl
var readme string

var page = template.Must(template.New(ReadmeFile).Parse(readme))

// Write writes the page.
func (r Readme) Write(w io.Writer) error {
	if err := page.Execute(w, r); err != nil {
		return fmt.Errorf("writing %s: %w", ReadmeFile, err)
	}
	return nil
}

//go:embed report.html.tmpl
var report string

// Report is the page that says what was done to sticks in one go. It is filled
// with a station's run, whose texts may be anybody's.
var Report = template.Must(template.New("report").Funcs(template.FuncMap{
	"line": visible.Line,
	"at":   func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
}).Parse(report))
