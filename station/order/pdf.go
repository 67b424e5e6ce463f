package order

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"codeberg.org/go-pdf/fpdf"
	"golang.org/x/image/font/gofont/gobold"
	"golang.org/x/image/font/gofont/goregular"
	"golang.org/x/image/font/sfnt"

	templates "firstday.dev/templates/order"
)

// The page, in millimetres. What stands on it fits on US Letter, too, which is
// broader than A4 and 18 mm shorter.
const (
	pageMargin = 15.0
	pageWidth  = 210 - 2*pageMargin
	pageEnd    = 279 - 10.0
	nameWidth  = 32.0
	pageText   = 9.5 // points
	pageLine   = 4.6
)

// The Go fonts: Latin, Greek and Cyrillic, of the licence of Go itself. Texts in
// other scripts show a box for each letter. Of those whose letters are all as broad
// fpdf gets the metrics wrong.
const goFont = "go"

// longest is how much of a text the page has room for, in characters.
const longest = 90

// sheet is a page that is being written.
type sheet struct {
	*fpdf.Fpdf
	covered *sfnt.Font
	missing bool // a character that the fonts do not have
}

// writePDF writes the instructions on one page. The same ones at the same time give
// the same bytes. It tells whether the fonts lack a character of them.
func writePDF(w io.Writer, p *templates.Page, at time.Time) (missing bool, err error) {
	s := &sheet{Fpdf: fpdf.New("P", "mm", "A4", "")}
	if s.covered, err = sfnt.Parse(goregular.TTF); err != nil {
		return false, err
	}
	s.SetCatalogSort(true)
	s.SetCreationDate(at.UTC())
	s.SetModificationDate(at.UTC())
	s.SetProducer("Firstday", false)
	s.SetLang("en")
	s.SetAutoPageBreak(false, 0)
	s.SetMargins(pageMargin, pageMargin, pageMargin)
	// fpdf may write into what it is given.
	s.AddUTF8FontFromBytes(goFont, "", slices.Clone(goregular.TTF))
	s.AddUTF8FontFromBytes(goFont, "B", slices.Clone(gobold.TTF))
	title := s.text(p.Title)
	s.SetTitle(title, true)
	s.AddPage()
	s.heading(title, 16)
	for _, f := range p.Facts {
		s.fact(f)
	}
	for _, step := range p.Steps {
		s.step(step)
	}
	if s.GetY() > pageEnd || s.PageNo() != 1 {
		return s.missing, fmt.Errorf("the instructions are longer than a page: they end at %.0f mm", s.GetY())
	}
	return s.missing, s.Output(w)
}

// text gives what the page can show of a text.
func (s *sheet) text(t string) string {
	if runes := []rune(t); len(runes) > longest {
		t = string(runes[:longest-1]) + "…"
	}
	return s.shown(t)
}

func (s *sheet) shown(t string) string {
	var b sfnt.Buffer
	return strings.Map(func(r rune) rune {
		if glyph, err := s.covered.GlyphIndex(&b, r); err != nil || glyph == 0 {
			s.missing = true
			return '□'
		}
		return r
	}, t)
}

func (s *sheet) heading(text string, size float64) {
	s.SetFont(goFont, "B", size)
	s.MultiCell(pageWidth, size*0.45, text, "", "L", false)
	s.Ln(1.5)
}

func (s *sheet) fact(f templates.Fact) {
	s.SetFont(goFont, "B", pageText)
	s.CellFormat(nameWidth, pageLine, f.Name, "", 0, "L", false, 0, "")
	s.SetFont(goFont, "", pageText)
	s.MultiCell(pageWidth-nameWidth, pageLine, s.text(f.Value), "", "L", false)
}

func (s *sheet) step(t templates.Step) {
	s.Ln(2.5)
	s.heading(fmt.Sprintf("%d. %s", t.Number, t.Title), 11.5)
	s.paragraph(t.Text)
	for _, c := range t.Commands {
		s.SetFont(goFont, "", pageText)
		s.SetX(pageMargin + 4)
		s.MultiCell(pageWidth-4, pageLine, c, "", "L", false)
	}
	if t.After != "" {
		s.paragraph(t.After)
	}
}

func (s *sheet) paragraph(text string) {
	s.SetFont(goFont, "", pageText)
	s.MultiCell(pageWidth, pageLine, s.shown(text), "", "L", false)
	s.Ln(1)
}
