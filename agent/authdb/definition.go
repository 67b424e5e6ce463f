package authdb

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"firstday.dev/internal/propertylist"
)

// ErrFormat: what should be a definition is none that authd writes.
var ErrFormat = errors.New("not a definition of a right")

const (
	maxSize       = 1 << 20 // of a definition; macOS's have 2 KiB
	maxMechanisms = 256     // macOS's have 18
	maxMechanism  = 256     // bytes
)

// Definition is what the database holds of the right. It never changes: a
// transform gives another one.
type Definition struct {
	text     []byte         // the property list
	from, to int            // where in text the items lie
	items    []item         // the mechanisms, in order
	values   map[string]any // everything else
}

// item is a mechanism, and how it stands in the property list.
type item struct {
	mechanism string
	lead      string // what stands before it: white space, perhaps a comment
	text      string // the element
}

// Parse reads a property list as "security authorizationdb read" writes it. The
// line "YES (0)" may stand before or after it, as in a file to which both streams
// went. The error wraps [ErrFormat].
func Parse(data []byte) (*Definition, error) {
	d, err := parse(data)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrFormat, err)
	}
	return d, nil
}

func parse(data []byte) (*Definition, error) {
	if len(data) > maxSize {
		return nil, fmt.Errorf("more than %d bytes", maxSize)
	}
	d := &Definition{text: bytes.Clone(withoutStatus(data))}
	if err := propertylist.Unmarshal(d.text, &d.values); err != nil {
		return nil, err
	}
	if err := d.locate(); err != nil {
		return nil, err
	}
	// The library has read it, too: the two must agree.
	var mechanisms []string
	if list, ok := d.values["mechanisms"].([]any); ok {
		for _, m := range list {
			s, _ := m.(string)
			mechanisms = append(mechanisms, s)
		}
	}
	if !slices.Equal(mechanisms, d.Mechanisms()) {
		return nil, errors.New("its mechanisms can be read in two ways")
	}
	delete(d.values, "mechanisms")
	return d, d.check()
}

func (d *Definition) check() error {
	if len(d.items) > maxMechanisms {
		return fmt.Errorf("%d mechanisms", len(d.items))
	}
	for _, i := range d.items {
		if len(i.mechanism) > maxMechanism || !isNormal(i.mechanism) {
			return fmt.Errorf("a mechanism %.100q", i.mechanism)
		}
	}
	return nil
}

var statusLine = regexp.MustCompile(`^(YES|NO) \((-?[0-9]{1,10})\)\r?$`)

func withoutStatus(data []byte) []byte {
	if line, rest, ok := bytes.Cut(data, []byte("\n")); ok && statusLine.Match(line) {
		data = rest
	}
	end := bytes.TrimRight(data, "\r\n")
	if i := bytes.LastIndexByte(end, '\n'); statusLine.Match(end[i+1:]) {
		data = data[:i+1]
	}
	return data
}

// locate finds the mechanisms in the text, and refuses keys that are there
// twice.
func (d *Definition) locate() error {
	r := newReader(d.text)
	keys := map[string]bool{}
	err := r.document(func(key string) error {
		if keys[key] {
			return fmt.Errorf("the key %.100q twice", key)
		}
		keys[key] = true
		if key != "mechanisms" {
			return r.skipValue()
		}
		return d.locateItems(r)
	})
	if err == nil && d.from == 0 { // nowhere
		d.from, d.to = len(d.text), len(d.text)
	}
	return err
}

func (d *Definition) locateItems(r *reader) error {
	if err := r.start("array"); err != nil {
		return err
	}
	d.from, d.to = r.end, r.end
	for {
		more, err := r.startOrEnd("string")
		if err != nil || !more {
			return err
		}
		begin := r.begin
		s, err := r.chars()
		if err != nil {
			return err
		}
		d.items = append(d.items, item{mechanism: s, lead: string(d.text[d.to:begin]), text: string(d.text[begin:r.end])})
		d.to = r.end
	}
}

// Bytes are the property list, as macOS wrote it but for what was changed.
func (d *Definition) Bytes() []byte { return bytes.Clone(d.text) }

// Mechanisms are in the order in which authd runs them.
func (d *Definition) Mechanisms() []string {
	list := make([]string, 0, len(d.items))
	for _, i := range d.items {
		list = append(list, i.mechanism)
	}
	return list
}

// with gives the definition with other items.
func (d *Definition) with(items []item) *Definition {
	var text bytes.Buffer
	text.Grow(len(d.text) + 128)
	text.Write(d.text[:d.from])
	for _, i := range items {
		text.WriteString(i.lead)
		text.WriteString(i.text)
	}
	to := text.Len()
	text.Write(d.text[d.to:])
	return &Definition{text: text.Bytes(), from: d.from, to: to, items: items, values: d.values}
}

// renamed gives another mechanism in an item's place.
func (i item) renamed(mechanism string) item {
	return item{mechanism: mechanism, lead: i.lead, text: element(mechanism)}
}

// beside gives a mechanism that is to stand next to the item.
func (i item) beside(mechanism string) item {
	lead := i.lead
	if strings.TrimSpace(lead) != "" { // a comment is not ours to repeat
		lead = "\n\t\t"
	}
	return item{mechanism: mechanism, lead: lead, text: element(mechanism)}
}

func element(mechanism string) string { return "<string>" + mechanism + "</string>" }

// Keys that authd sets, whatever is written, and those that it adds.
var (
	authdSets = []string{"created", "modified", "identifier", "requirement"}
	authdAdds = []string{"shared", "tries", "version"}
)

// holds tells whether a definition that was read back is the one that was
// written. More mechanisms than that are somebody else's, who was at work in the
// same moment; fewer, or in another order, are not what was written.
func (d *Definition) holds(written *Definition) bool {
	rest := d.Mechanisms()
	for _, m := range written.Mechanisms() {
		i := slices.Index(rest, m)
		if i < 0 {
			return false
		}
		rest = rest[i+1:]
	}
	got, want := maps.Clone(d.values), maps.Clone(written.values)
	for _, key := range authdSets {
		delete(got, key)
		delete(want, key)
	}
	for _, key := range authdAdds {
		if _, ok := want[key]; !ok {
			delete(got, key)
		}
	}
	return reflect.DeepEqual(got, want)
}
