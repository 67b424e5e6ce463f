package config

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"golang.org/x/text/unicode/norm"

	"firstday.dev/api"
)

// Bounds on a sheet.
const (
	MaxSheetSize = 16 << 20 // bytes
	MaxRows      = 10_000

	maxColumns = 100
	maxCell    = 4096 // bytes
	maxTags    = 20   // as the directory has it
	maxTag     = 200  // bytes, likewise
)

// Sheet is a table in a CSV file, of organisations, sites or orders: each row
// makes a configuration of its own out of one firstday.yaml, the template.
//
// The first line names the columns. Folder names the kit of the row; platforms,
// batch and tags may be left out, as in [Row]. Every other column is called like
// the value of firstday.yaml that its cells stand in the place of, the way
// mistakes are told: organisation.name, connectKey.file, windows.wifi[0].ssid.
// An empty cell leaves what the template says. Paths begin in the sheet's folder.
type Sheet struct {
	Rows []Row

	file    string
	name    string // of the template
	root    ast.Node
	lines   []string // of the template
	columns []column
	now     func() time.Time

	text [][]byte // the sheet's lines, while it is read
}

// Row is a line of a sheet.
type Row struct {
	Line      int
	Folder    string   // of the kit, one plain name
	Platforms []string // windows, macos; empty: what the build is for
	Batch     string   // of the connect key that is minted for the row
	Tags      []string // likewise

	cells []sheetCell
}

type sheetCell struct {
	position
	text string
}

// column is a value of the template, or one of the row's own.
type column struct {
	name string
	of   reflect.Type // nil for the row's own
	own  func(r *Row, text string) error
}

// own are the columns that are no values of firstday.yaml.
var own = map[string]func(r *Row, text string) error{
	"folder": func(r *Row, text string) error {
		r.Folder = text
		if err := api.CheckFileName(text); err != nil {
			return err
		}
		if strings.HasPrefix(text, ".") {
			return fmt.Errorf("%q would be hidden", text)
		}
		if strings.HasPrefix(foldName(text), "BATCH.") {
			return errors.New("the report of the batch is called so")
		}
		return nil
	},
	"platforms": func(r *Row, text string) error {
		for _, p := range split(text, " ,;+") {
			if p != "windows" && p != "macos" || slices.Contains(r.Platforms, p) {
				return errors.New(`write windows, macos or both, with a space between`)
			}
			r.Platforms = append(r.Platforms, p)
		}
		return nil
	},
	"batch": func(r *Row, text string) error {
		r.Batch = text
		return checkTag(text)
	},
	"tags": func(r *Row, text string) error {
		r.Tags = split(text, ",;")
		if len(r.Tags) > maxTags {
			return fmt.Errorf("%d tags; at most %d are allowed", len(r.Tags), maxTags)
		}
		for _, tag := range r.Tags {
			if err := checkTag(tag); err != nil {
				return err
			}
		}
		return nil
	},
}

func split(text, breaks string) []string {
	var list []string
	for _, w := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(breaks, c) }) {
		if w = strings.TrimSpace(w); w != "" {
			list = append(list, w)
		}
	}
	return list
}

func checkTag(text string) error {
	if len(text) > maxTag || strings.ContainsFunc(text, func(c rune) bool { return !unicode.IsPrint(c) }) {
		return fmt.Errorf("a batch or tag has at most %d bytes, all of which can be shown", maxTag)
	}
	return nil
}

// LoadSheet reads a sheet and its template. A mistake in either is returned as
// [Errors], but what comes of the two together only [Sheet.Check] tells.
func LoadSheet(template, sheet string) (*Sheet, error) {
	data, err := read(template)
	if err != nil {
		return nil, err
	}
	r := newReport(template, time.Now())
	s := &Sheet{file: sheet, name: template, root: r.document(data), lines: r.lines, now: time.Now}
	if s.root == nil {
		return nil, r.mistakes()
	}
	if data, err = readFile(Path(sheet), MaxSheetSize); errors.Is(err, errUnsuitable) {
		return nil, Errors{{File: sheet, Message: fmt.Sprintf("the table of the batch %v", err)}}
	} else if err != nil {
		return nil, fmt.Errorf("reading the table of the batch: %w", err)
	}
	if errs := s.parse(data); len(errs) > 0 {
		return nil, told(errs)
	}
	return s, nil
}

// told bounds how many mistakes are told.
func told(errs Errors) Errors {
	r := newReport("", time.Time{})
	return r.tell(errs)
}

func (s *Sheet) mistake(at position, hint, format string, args ...any) *Error {
	return &Error{File: s.file, Line: at.line, Column: at.column, Message: fmt.Sprintf(format, args...), Hint: hint}
}

func (s *Sheet) parse(data []byte) (errs Errors) {
	if bytes.HasPrefix(data, []byte{0xff, 0xfe}) || bytes.HasPrefix(data, []byte{0xfe, 0xff}) {
		return Errors{s.mistake(position{}, "save it as CSV in UTF-8", "the table is UTF-16 text")}
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if at, ok := notUTF8(data); !ok {
		return Errors{s.mistake(position{at, 1}, "save it as CSV in UTF-8", "the line is not UTF-8 text")}
	}
	s.text = bytes.Split(data, []byte("\n"))
	defer func() { s.text = nil }()
	r := csv.NewReader(bytes.NewReader(data))
	r.Comma, r.ReuseRecord = separator(data), true
	header, err := r.Read()
	switch {
	case errors.Is(err, io.EOF):
		return Errors{s.mistake(position{}, "the first line names the columns", "the table is empty")}
	case err != nil:
		return Errors{s.broken(err)}
	}
	if errs = s.head(header, r); len(errs) > 0 {
		return errs
	}
	folders := map[string]int{}
	for {
		record, err := r.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return append(errs, s.broken(err))
		}
		if !slices.ContainsFunc(record, func(text string) bool { return text != "" }) {
			continue // spreadsheets leave such lines behind
		}
		if len(s.Rows) == MaxRows {
			line, _ := r.FieldPos(0)
			return Errors{s.mistake(position{line, 1}, "make two tables of it", "the table has more than %d rows", MaxRows)}
		}
		errs = append(errs, s.read(record, r, folders)...)
	}
	if len(s.Rows) == 0 && len(errs) == 0 {
		errs = Errors{s.mistake(position{}, "a row for each kit", "the table has no rows")}
	}
	return errs
}

func notUTF8(data []byte) (line int, ok bool) {
	for text := range bytes.Lines(data) {
		line++
		if !utf8.Valid(text) {
			return line, false
		}
	}
	return 0, true
}

// separator is what stands between the names of the columns, none of which has
// one in it: spreadsheets write semicolons where the comma is part of numbers.
func separator(data []byte) rune {
	head, _, _ := bytes.Cut(data, []byte("\n"))
	for _, c := range ";\t" {
		if bytes.ContainsRune(head, c) {
			return c
		}
	}
	return ','
}

// broken tells what is no CSV.
func (s *Sheet) broken(err error) *Error {
	var p *csv.ParseError
	if !errors.As(err, &p) {
		return s.mistake(position{}, "", "%v", err)
	}
	if errors.Is(err, csv.ErrFieldCount) {
		return s.mistake(position{p.StartLine, 1}, `put a value that holds the separator into "quotes"`, "the line has not as many values as there are columns")
	}
	return s.mistake(position{p.Line, p.Column}, `write " inside of quotes twice`, "the line is not CSV: %v", p.Err)
}

// head reads the names of the columns.
func (s *Sheet) head(header []string, r *csv.Reader) (errs Errors) {
	if len(header) > maxColumns {
		return Errors{s.mistake(position{1, 1}, "", "the table has %d columns; at most %d are allowed", len(header), maxColumns)}
	}
	for i, name := range header {
		name = strings.TrimSpace(name)
		c := column{name: name, own: own[name]}
		var err error
		switch {
		case slices.ContainsFunc(s.columns, func(o column) bool { return o.name == name }):
			err = fmt.Errorf("the column %.60q is there twice", name)
		case c.own == nil:
			c.of, err = columnType(name)
		}
		if err != nil {
			errs = append(errs, s.mistake(s.place(r, i), columnHint(name), "%v", err))
		}
		s.columns = append(s.columns, c)
	}
	if len(errs) == 0 && !slices.ContainsFunc(s.columns, func(c column) bool { return c.name == "folder" }) {
		errs = append(errs, s.mistake(position{1, 1}, "it names the folder of each kit", "the table has no column folder"))
	}
	return errs
}

// place is where a value stands, the column in characters.
func (s *Sheet) place(r *csv.Reader, i int) position {
	line, col := r.FieldPos(i)
	before := s.text[line-1]
	return position{line, utf8.RuneCount(before[:min(col-1, len(before))]) + 1}
}

// read adds a row.
func (s *Sheet) read(record []string, r *csv.Reader, folders map[string]int) (errs Errors) {
	line, _ := r.FieldPos(0)
	row := Row{Line: line, cells: make([]sheetCell, len(record))}
	for i, text := range record {
		at := s.place(r, i)
		row.cells[i] = sheetCell{at, strings.Clone(text)}
		c := s.columns[i]
		switch {
		case len(text) > maxCell:
			errs = append(errs, s.mistake(at, "", "%s has more than %d bytes", c.name, maxCell))
		case c.own != nil && (text != "" || c.name == "folder"):
			if err := c.own(&row, row.cells[i].text); err != nil {
				errs = append(errs, s.mistake(at, "", "%s: %v", c.name, err))
			}
		}
		if c.name != "folder" || len(errs) > 0 {
			continue
		}
		// What is one folder to Windows or macOS is one everywhere.
		name := foldName(norm.NFC.String(row.Folder))
		if other := folders[name]; other > 0 {
			errs = append(errs, s.mistake(at, "", "folder %q is that of line %d, too", row.Folder, other))
		}
		folders[name] = row.Line
	}
	s.Rows = append(s.Rows, row)
	return errs
}

// Config makes the configuration of a row, as [Load] makes that of a file. What
// is wrong with it is told where it stands, in the sheet or the template.
func (s *Sheet) Config(i int) (*Config, error) {
	r := newReport(s.name, s.now())
	c := s.fill(i, r)
	if c != nil {
		c.open(r)
	}
	return r.result(c)
}

// fill makes the configuration of a row without a look at the files it names.
func (s *Sheet) fill(i int, r *report) *Config {
	r.lines = s.lines
	r.row = &row{file: s.file, in: filepath.Dir(s.file), cells: map[string]standIn{}, drop: map[string]bool{}}
	for j, c := range s.Rows[i].cells {
		if col := s.columns[j]; col.of != nil && c.text != "" {
			r.row.set(col.name, c.text, col.of, c.position)
			r.row.exclude(col.name)
		}
	}
	return r.decode(s.root)
}

// At places a mistake about a row as a whole.
func (s *Sheet) At(i int, hint string, err error) *Error {
	e := s.mistake(position{s.Rows[i].Line, 1}, hint, "%v", err)
	e.cause = err
	return e
}

// Check makes every configuration once, and asks also about each. It returns
// the warnings, or every mistake. What is wrong in the template is told once,
// with the first row that shows it if not all do.
func (s *Sheet) Check(also func(i int, c *Config) error) (warnings Errors, err error) {
	type place struct {
		file         string
		line, column int
		message      string
	}
	type seen struct {
		*Error
		row, times int
	}
	found := map[place]*seen{}
	add := func(i int, list Errors) (added Errors) {
		for _, e := range list {
			at := place{e.File, e.Line, e.Column, e.Message}
			if f := found[at]; f != nil {
				f.times++
				continue
			}
			found[at] = &seen{e, i, 1}
			added = append(added, e)
		}
		return added
	}
	var errs Errors
	for i := range s.Rows {
		c, err := s.Config(i)
		if err == nil {
			warnings = append(warnings, add(i, c.Warnings)...)
			err = also(i, c)
		}
		var list Errors
		var one *Error
		switch {
		case err == nil:
		case errors.As(err, &list):
			errs = append(errs, add(i, list)...)
		case errors.As(err, &one):
			errs = append(errs, add(i, Errors{one})...)
		default:
			errs = append(errs, add(i, Errors{s.At(i, "", err)})...)
		}
	}
	if len(errs) == 0 {
		return told(warnings), nil
	}
	for at, f := range found {
		if at.file != s.file && f.times < len(s.Rows) {
			f.Message = fmt.Sprintf("%s (with the row at %s:%d)", f.Message, s.file, s.Rows[f.row].Line)
		}
	}
	return nil, told(errs)
}
