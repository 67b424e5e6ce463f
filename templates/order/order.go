// Package order holds what lies in the bundle of an order beside the kit: the
// instructions for whoever makes the sticks, and the scripts that say whether the
// bundle is as it was made. It holds the page of an order's report, too.
package order

import (
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"strings"
	"time"
)

// Shell is the script that verifies a bundle with openssl.
//
//go:embed verify.sh
var Shell string

// PowerShell is the same for Windows.
//
//go:embed verify.ps1
var PowerShell string

// Bundle is what the instructions are about.
type Bundle struct {
	PO, Partner, Organisation string
	Quantity                  int
	Listed                    bool // whether for certain serial numbers
	Tags                      []string
	ExpiresAt                 time.Time
	Packages                  []Package
}

// Package is one for Windows or for Macs.
type Package struct {
	System, File, SHA256 string
}

// Page is the instructions, for whatever shows them.
type Page struct {
	Title string
	Facts []Fact
	Steps []Step
}

// Fact is a line of the table at their head.
type Fact struct{ Name, Value string }

// Step is one of what is to be done, in this order.
type Step struct {
	Number   int
	Title    string
	Text     string
	Commands []string
	After    string
}

// Page writes the instructions.
func (b *Bundle) Page() *Page {
	p := &Page{Title: fmt.Sprintf("%s for %s", laptops(b.Quantity), b.Organisation)}
	fact := func(name, value string) {
		if value != "" {
			p.Facts = append(p.Facts, Fact{name, value})
		}
	}
	which := "any"
	if b.Listed {
		which = "those in order.json only"
	}
	fact("Purchase order", b.PO)
	fact("For", b.Partner)
	fact("Quantity", fmt.Sprint(b.Quantity))
	fact("Serial numbers", which)
	fact("Tags", strings.Join(b.Tags, ", "))
	fact("Good until", b.ExpiresAt.UTC().Format("2 January 2006, 15:04 UTC"))
	for _, k := range b.Packages {
		fact(k.System, k.File)
		fact("SHA-256", k.SHA256)
	}
	step := func(s Step) {
		s.Number = len(p.Steps) + 1
		p.Steps = append(p.Steps, s)
	}
	step(Step{
		Title:    "Check the bundle",
		Text:     b.Organisation + " tells you a fingerprint of 64 digits, by telephone or on the purchase order. Do not take it from this bundle. On a Mac or with Linux, then with Windows:",
		Commands: []string{"sh verify.sh FINGERPRINT", "powershell -ExecutionPolicy Bypass -File verify.ps1 FINGERPRINT"},
		After:    "If it says FAILED, do not use the bundle, and tell your customer.",
	})
	step(Step{
		Title: "Make sticks",
		Text:  "Copy all files in the folder kit into the root of an empty USB stick, formatted as FAT32. Do not put them into a folder, and put nothing beside them. With the program firstday you can make an image of a stick for any tool that flashes sticks:",
		Commands: []string{
			"firstday usb image kit -o stick.img",
		},
	})
	step(Step{
		Title: "Set up each laptop",
		Text:  b.setUp(),
		After: fmt.Sprintf("%s may be set up with this bundle; the connect keys in it end with the last one. A laptop that is reset counts once.", laptops(b.Quantity)),
	})
	step(Step{
		Title: "Guard it",
		Text:  "Whoever has the bundle or a stick can enrol a device in place of one of yours. Delete both when you are done. If a laptop is refused, read the code on its screen to your customer.",
	})
	return p
}

func (b *Bundle) setUp() string {
	var how []string
	for _, k := range b.Packages {
		if k.System == "Windows" {
			how = append(how, "A laptop with Windows: at the first page after it is switched on, plug in the stick and wait until the sign-in screen appears (kit/INSTRUCTIONS.md).")
		} else {
			how = append(how, "A Mac: open the package on the stick, or follow kit/INSTRUCTIONS-Mac.md.")
		}
	}
	return strings.Join(how, " ")
}

func laptops(n int) string {
	if n == 1 {
		return "1 laptop"
	}
	return fmt.Sprintf("%d laptops", n)
}

//go:embed instructions.html.tmpl
var instructions string

var page = template.Must(template.New("instructions").Parse(instructions))

// WriteHTML writes the instructions as a page.
func (p *Page) WriteHTML(w io.Writer) error {
	if err := page.Execute(w, p); err != nil {
		return fmt.Errorf("writing the instructions: %w", err)
	}
	return nil
}
