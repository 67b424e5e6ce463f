package order

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"firstday.dev/api"
)

// ErrSerials: a list of serial numbers is of no use as it is.
var ErrSerials = errors.New("the list of serial numbers is not usable")

// maxList bounds a list of serial numbers, in bytes.
const maxList = 64 << 20

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

// ReadSerials reads the list of an order's serial numbers, which is called name in
// errors: CSV or plain text, in UTF-8, in UTF-16 with a byte order mark, or in
// Windows-1252, with commas, semicolons or tabs between columns. The serial numbers
// stand in the column that is called so in the first line, else in the first one.
// Blank lines are skipped. A serial number that is there twice is an error, as
// devices and the directory compare them: without regard to case and to spaces
// around them. Errors wrap [ErrSerials] and name the lines.
func ReadSerials(r io.Reader, name string) ([]string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxList+1))
	if err != nil {
		return nil, err
	}
	l := &list{name: name, seen: make(map[string]int)}
	if len(data) > maxList {
		return nil, fmt.Errorf("%s is larger than %d bytes: %w", name, maxList, ErrSerials)
	}
	text, err := decode(data)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", name, err, ErrSerials)
	}
	if err := l.read(text); err != nil {
		return nil, err
	}
	return l.serials, l.err()
}

// decode gives the text of a file as spreadsheets write it.
func decode(data []byte) (string, error) {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(data, []byte("\xff\xfe")):
		order = binary.LittleEndian
	case bytes.HasPrefix(data, []byte("\xfe\xff")):
		order = binary.BigEndian
	}
	var text string
	switch {
	case order != nil && len(data)%2 != 0:
		return "", errors.New("it is UTF-16, and ends in the middle of a character")
	case order != nil:
		units := make([]uint16, len(data)/2-1)
		for i := range units {
			units[i] = order.Uint16(data[2*i+2:])
		}
		text = string(utf16.Decode(units))
	case utf8.Valid(data):
		text = strings.TrimPrefix(string(data), "\ufeff")
	default:
		decoded, err := charmap.Windows1252.NewDecoder().Bytes(data)
		if err != nil {
			return "", err
		}
		text = string(decoded)
	}
	if strings.Contains(text, "\x00") {
		return "", errors.New("it is no text; save the list as CSV")
	}
	if !strings.Contains(text, "\n") { // as old Macs end lines
		text = strings.ReplaceAll(text, "\r", "\n")
	}
	return text, nil
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

// row is a line of the list that is not blank.
type row struct {
	line  int
	cells []string
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

// rows splits the text into cells.
func (l *list) rows(text string) (rows []row, err error) {
	text, separator := split(text)
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.FieldsPerRecord, c.ReuseRecord = separator.rune, -1, false
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			return nil, fmt.Errorf("%s:%d: %w: %w", l.name, wrong.Line+separator.line, wrong.Err, ErrSerials)
		}
		if err != nil {
			return nil, err
		}
		if len(rows) > api.MaxOrderQuantity {
			return nil, fmt.Errorf("%s has more than %d serial numbers: %w", l.name, api.MaxOrderQuantity, ErrSerials)
		}
		line, _ := c.FieldPos(0)
		if slices.ContainsFunc(cells, func(s string) bool { return strings.TrimSpace(s) != "" }) {
			rows = append(rows, row{line + separator.line, cells})
		}
	}
}

// separator is what stands between columns.
type separator struct {
	rune rune
	line int // how many lines were taken off that say so
}

// split finds out the separator: Excel may say it in a line of its own, else the
// first line that is not blank has it most often. With none there is one column.
func split(text string) (string, separator) {
	if rest, ok := strings.CutPrefix(text, "sep="); ok && len(rest) > 0 && strings.ContainsRune(",;\t", rune(rest[0])) {
		if line, after, _ := strings.Cut(rest[1:], "\n"); strings.TrimSpace(line) == "" {
			return after, separator{rune(rest[0]), 1}
		}
	}
	first := ""
	for line := range strings.Lines(text) {
		if first = strings.TrimRight(line, "\r\n"); strings.TrimSpace(first) != "" {
			break
		}
	}
	best, most := ',', 0
	for _, r := range ",;\t" {
		quoted, n := false, 0
		for _, c := range first {
			switch {
			case c == '"':
				quoted = !quoted
			case c == r && !quoted:
				n++
			}
		}
		if n > most {
			best, most = r, n
		}
	}
	return text, separator{best, 0}
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
