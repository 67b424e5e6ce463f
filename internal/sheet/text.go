// Package sheet reads what people keep in spreadsheets: lists of serial numbers, and
// of users. They are CSV or plain text as spreadsheets save them: in UTF-8, in UTF-16
// with a byte order mark, or in Windows-1252, with commas, semicolons or tabs between
// columns.
package sheet

import (
	"bytes"
	"encoding/binary"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// maxText bounds a list, in bytes.
const maxText = 64 << 20

// readText reads a whole list.
func readText(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return "", err
	}
	if len(data) > maxText {
		return "", fmt.Errorf("it is larger than %d bytes", maxText)
	}
	return decode(data)
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

// row is a line that is not blank.
type row struct {
	line  int
	cells []string
}

// errMany refuses a list that goes on and on.
var errMany = errors.New("there are too many lines")

// readRows splits a text into cells. Errors of the text are of type
// [*csv.ParseError].
func readRows(text string, most int) (rows []row, err error) {
	text, separator := split(text)
	c := csv.NewReader(strings.NewReader(text))
	c.Comma, c.FieldsPerRecord = separator.rune, -1
	c.TrimLeadingSpace = separator.rune != '\t' // it takes tabs for space
	for {
		cells, err := c.Read()
		if errors.Is(err, io.EOF) {
			return rows, nil
		}
		var wrong *csv.ParseError
		if errors.As(err, &wrong) {
			wrong.Line += separator.line
			wrong.StartLine += separator.line
		}
		if err != nil {
			return nil, err
		}
		if len(rows) >= most {
			return nil, errMany
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
