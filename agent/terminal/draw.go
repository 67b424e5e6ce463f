package terminal

import (
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/internal/visible"
)

// textWidth is how wide text is set at most, in columns.
const textWidth = 76

const (
	bold  = "\x1b[1m"
	plain = "\x1b[0m"
	// paper is black on white whatever the terminal's own colours: 16 and 231
	// are the corners of the fixed cube.
	paper = "\x1b[38;5;16;48;5;231m"
)

// draw gives all of a screen but its last line.
func draw(s *local.Screen, look Look) string {
	var b strings.Builder
	width := min(look.Width-1, textWidth)
	paragraph := func(text string) {
		if text != "" {
			b.WriteString(wrap(visible.Line(text), width) + "\n")
		}
	}
	b.WriteString("\n" + heading(visible.Line(s.Title), look) + "\n\n")
	paragraph(s.Message)
	if s.Code != "" && s.State == signin.Failed {
		fmt.Fprintf(&b, "(%s)\n", visible.Line(string(s.Code)))
	}
	if len(s.Modules) > 0 {
		b.WriteString("\n" + picture(s.Modules, look.Colour) + "\n")
	}
	if s.URI != "" {
		fmt.Fprintf(&b, "Address:  %s\n", visible.Line(s.URI))
	}
	if s.UserCode != "" {
		fmt.Fprintf(&b, "Code:     %s\n", heading(spaced(visible.Line(s.UserCode)), look))
	}
	paragraph(s.Text)
	if s.Help != "" && s.Code != "" {
		fmt.Fprintf(&b, "Help: %s\n", visible.Line(s.Help))
	}
	if len(s.Fields) > 0 {
		fmt.Fprintf(&b, "(Enter: next   Tab: %s)\n", strings.ToLower(visible.Line(labels(s.Actions))))
	}
	return b.String()
}

func heading(text string, look Look) string {
	if !look.Colour {
		return text
	}
	return bold + text + plain
}

// spaced writes a code that is read letter by letter.
func spaced(code string) string { return strings.Join(strings.Split(code, ""), " ") }

func labels(actions []signin.ActionButton) string {
	var all []string
	for _, a := range actions {
		if !a.Primary {
			all = append(all, a.Label)
		}
	}
	return strings.Join(all, ", ")
}

// status is what may change at any moment.
func status(s *local.Screen, now time.Time) string {
	var parts []string
	if !s.Ends.IsZero() && s.State != signin.Done {
		left := max(0, s.Ends.Sub(now).Round(time.Second))
		parts = append(parts, fmt.Sprintf("%d:%02d left", left/time.Minute, left%time.Minute/time.Second))
	}
	if !s.Online {
		parts = append(parts, "no connection")
	}
	if len(parts) == 0 {
		return ""
	}
	return "[" + strings.Join(parts, ", ") + "] "
}

// wrap breaks a line between words.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, word := range strings.Fields(text) {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
		case column+1+n > width:
			b.WriteByte('\n')
			column = 0
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += n
	}
	return b.String()
}

// quiet is the zone that a picture needs around it, in modules.
const quiet = 4

// picture draws a QR code, two rows of modules in a line of half blocks. In
// colour it is black on white; without, light modules are drawn, as on a dark
// terminal.
func picture(modules []string, colour bool) string {
	dark := func(x, y int) bool {
		return y >= 0 && y < len(modules) && x >= 0 && x < len(modules[y]) && modules[y][x] == '1'
	}
	blocks := []string{" ", "▄", "▀", "█"}
	var b strings.Builder
	for y := -quiet; y < len(modules)+quiet; y += 2 {
		if colour {
			b.WriteString(paper)
		}
		for x := -quiet; x < len(modules)+quiet; x++ {
			// Below the last row of an odd number there is paper, too.
			inked := 0
			if dark(x, y) == colour {
				inked |= 2
			}
			if dark(x, y+1) == colour {
				inked |= 1
			}
			b.WriteString(blocks[inked])
		}
		if colour {
			b.WriteString(plain)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

// line is a terminal whose last line is written over and over.
type line struct {
	w     io.Writer
	width int
	last  string
}

// print writes lines that stay, and begins a new last one.
func (l *line) print(text string) {
	l.write("")
	// The terminal does not return the carriage by itself.
	fmt.Fprint(l.w, "\r", strings.ReplaceAll(text, "\n", "\r\n"))
}

// write writes the last line anew, if it is another one. Of one that is too long
// the end is shown, which is where the person types.
func (l *line) write(text string) {
	if n := utf8.RuneCountInString(text); n >= l.width {
		runes := []rune(text)
		text = "…" + string(runes[n-l.width+2:])
	}
	if text == l.last {
		return
	}
	blank := strings.Repeat(" ", max(0, utf8.RuneCountInString(l.last)-utf8.RuneCountInString(text)))
	fmt.Fprint(l.w, "\r", text, blank)
	if blank != "" {
		fmt.Fprint(l.w, "\r", text)
	}
	l.last = text
}

// end leaves the last line.
func (l *line) end() {
	if l.last != "" {
		fmt.Fprint(l.w, "\r\n")
	}
}
