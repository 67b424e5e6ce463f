package sheet

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"firstday.dev/api"
)

// ErrSerials: a list of serial numbers is of no use as it is.
var ErrSerials = errors.New("the list of serial numbers is not usable")

// maxMistakes bounds how many mistakes of a list are told.
const maxMistakes = 20

// headings are what the column of serial numbers may be called, without spaces and
// punctuation.
var headings = []string{
	"serial", "serials", "serialno", "serialnr", "serialnumber", "serialnumbers", "sn", "deviceserialnumber", "hardwareserialnumber", "servicetag",
	"seriennummer", "seriennummern", "seriennr", "serienummer", "serienr", "serienummers",
	"numérodesérie", "numerodeserie", "nºdesérie", "nodesérie", "nsérie",
	"númerodeserie", "nºdeserie", "nodeserie", "númerodesérie",
	"numerodiserie", "numeroseriale", "ndiserie", "matricola",
	"numerseryjny", "nrseryjny", "sériovéčíslo", "sarjanumero",
}

// Serials reads the list of an order's serial numbers, which is called name in
// errors: CSV or plain text, in UTF-8, in UTF-16 with a byte order mark, or in
// Windows-1252, with commas, semicolons or tabs between columns. The serial numbers
// stand in the column that is called so in the first line, else in the first one.
// Blank lines are skipped. A serial number that is there twice is an error, as
// devices and the directory compare them: without regard to case and to spaces
// around them. Errors wrap [ErrSerials] and name the lines.
func Serials(r io.Reader, name string) ([]string, error) {
	l := &list{name: name, seen: make(map[string]int)}
	text, err := readText(r)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, err, ErrSerials)
	}
	if err := l.read(text); err != nil {
		return nil, err
	}
	return l.serials, l.err()
}

// list is a list that is being read.
type list struct {
	name     string
	serials  []string
	seen     map[string]int // line of each, folded
	mistakes []error
	total    int // of mistakes
}

func (l *list) mistake(line int, format string, args ...any) {
	if l.total++; l.total <= maxMistakes {
		l.mistakes = append(l.mistakes, fmt.Errorf("%s:%d: %s", l.name, line, fmt.Sprintf(format, args...)))
	}
}

func (l *list) err() error {
	switch {
	case l.total > maxMistakes:
		l.mistakes = append(l.mistakes, fmt.Errorf("%s: there are %d mistakes more", l.name, l.total-maxMistakes))
	case l.total == 0 && len(l.serials) == 0:
		l.mistakes = []error{fmt.Errorf("%s holds no serial number", l.name)}
	case l.total == 0:
		return nil
	}
	return fmt.Errorf("%w:\n%w", ErrSerials, errors.Join(l.mistakes...))
}

func (l *list) read(text string) error {
	rows, err := l.rows(text)
	if err != nil || len(rows) == 0 {
		return err
	}
	column := slices.IndexFunc(rows[0].cells, isHeading)
	if column >= 0 {
		rows = rows[1:]
	} else if column = 0; looksLikeHeading(rows) {
		l.mistake(rows[0].line, "no column is called serial number; %.40q looks like the name of another one", rows[0].cells[0])
	}
	if len(rows) > api.MaxOrderQuantity {
		return fmt.Errorf("%s has more than %d serial numbers: %w", l.name, api.MaxOrderQuantity, ErrSerials)
	}
	for _, r := range rows {
		cell := ""
		if column < len(r.cells) {
			cell = strings.TrimSpace(r.cells[column])
		}
		l.add(r.line, cell)
	}
	return nil
}

// rows gives the lines of the list.
func (l *list) rows(text string) ([]row, error) {
	rows, err := readRows(text, api.MaxOrderQuantity+1)
	var wrong *csv.ParseError
	switch {
	case errors.As(err, &wrong):
		return nil, fmt.Errorf("%s:%d: %w: %w", l.name, wrong.Line, wrong.Err, ErrSerials)
	case errors.Is(err, errMany):
		return nil, fmt.Errorf("%s has more than %d serial numbers: %w", l.name, api.MaxOrderQuantity, ErrSerials)
	}
	return rows, err
}

func isHeading(cell string) bool {
	letters := strings.Map(func(r rune) rune {
		if !unicode.IsLetter(r) {
			return -1
		}
		return unicode.ToLower(r)
	}, cell)
	return !hasDigit(cell) && slices.Contains(headings, letters)
}

// looksLikeHeading tells whether the first cell is the name of a column, which we
// do not know: all others have a digit, as serial numbers do, and it has none.
func looksLikeHeading(rows []row) bool {
	return len(rows) > 1 && !hasDigit(rows[0].cells[0]) && !slices.ContainsFunc(rows[1:], func(r row) bool { return !hasDigit(r.cells[0]) })
}

func hasDigit(s string) bool { return strings.ContainsFunc(s, unicode.IsDigit) }

// rounded is how Excel shows long numbers, and saves them.
var rounded = regexp.MustCompile(`^[0-9][.,][0-9]+[eE]\+[0-9]+$`)

func (l *list) add(line int, serial string) {
	folded := api.FoldSerial(serial)
	switch first, twice := l.seen[folded]; {
	case serial == "":
		l.mistake(line, "there is no serial number in this line")
	case rounded.MatchString(serial):
		l.mistake(line, "Excel has rounded %s; format the column as text and enter the serial number again", serial)
	case api.CheckSerial(serial) != nil:
		l.mistake(line, "%v", api.CheckSerial(serial))
	case twice:
		l.mistake(line, "%s stands in line %d already", serial, first)
	default:
		l.seen[folded] = line
		l.serials = append(l.serials, serial)
	}
}
