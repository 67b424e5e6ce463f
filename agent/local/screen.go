package local

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// Screen is what a surface shows.
type Screen struct {
	signin.Screen
	// Modules is the picture of QR: rows of 1 for dark and 0 for light, without
	// a quiet zone. None where there is no picture.
	Modules []string
}

// The kinds of fields, as one word.
var fieldKinds = map[string]signin.Field{
	"text":          {},
	"digits":        {Digits: true},
	"secret":        {Secret: true},
	"secret-digits": {Secret: true, Digits: true},
}

func kindOf(f signin.Field) string {
	for kind, k := range fieldKinds {
		if f.Secret == k.Secret && f.Digits == k.Digits {
			return kind
		}
	}
	return "secret" // not reached: all four are there
}

const (
	primary   = "primary"
	secondary = "secondary"
)

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// screenBlock writes a screen as it is now.
func screenBlock(s *signin.Screen, now time.Time) *block {
	b := newBlock(kindScreen, strconv.FormatInt(s.Serial, 10))
	b.add("state", string(s.State))
	b.add("online", yes(s.Online))
	b.add("why", string(s.Why))
	b.add("code", string(s.Code))
	b.add("title", s.Title)
	b.add("message", s.Message)
	b.add("text", s.Text)
	b.addAddress("help", s.Help)
	for _, f := range s.Fields {
		b.add("field", f.Name+" "+kindOf(f)+" "+f.Label)
	}
	for _, a := range s.Actions {
		rank := secondary
		if a.Primary {
			rank = primary
		}
		b.add("action", string(a.Name)+" "+rank+" "+a.Label)
	}
	b.add("usercode", s.UserCode)
	b.addAddress("uri", s.URI)
	b.addAddress("qrtext", s.QR)
	b.addAddress("page", s.Page)
	for _, origin := range s.Origins {
		b.addAddress("origin", origin)
	}
	anchors := len(b.pairs)
	for _, row := range QRCode(s.QR) {
		b.add("qr", row)
	}
	if !s.Ends.IsZero() {
		b.add("left", strconv.FormatInt(max(0, int64(s.Ends.Sub(now)/time.Second)), 10))
	}
	b.add("account", s.Account)
	if s.CanLogon {
		b.add("logon", yes(true))
	}
	addDevice(b, &s.Device)
	b.pairs = slices.Insert(b.pairs, anchors, anchorPairs(s.Anchors, MaxBlock-len(b.bytes()))...)
	return b
}

// logonBlock writes what is logged on with. Who has sent it wipes it.
func logonBlock(packed []byte) []byte {
	const digits = "0123456789ABCDEF"
	rows := (len(packed) + maxRow - 1) / maxRow
	out := make([]byte, 0, 2*len(packed)+rows*len("blob=\n")+len("ok logon\n\n")) // which never grows, and leaves no copy
	out = append(out, kindOK+" "+verbLogon+"\n"...)
	for row := range slices.Chunk(packed, maxRow) {
		out = append(out, "blob="...)
		for _, b := range row {
			out = append(out, digits[b>>4], digits[b&15])
		}
		out = append(out, '\n')
	}
	return append(out, '\n')
}

// readLogon reads what is logged on with.
func readLogon(b *block) ([]byte, error) {
	var packed []byte
	rows := 0
	for _, p := range b.pairs {
		if p.key != "blob" {
			continue
		}
		if rows++; rows > maxList || p.value == "" || len(p.value)%2 != 0 {
			return nil, malformed("bytes that are none")
		}
		for i := 0; i < len(p.value); i += 2 {
			high, low := digit(p.value[i]), digit(p.value[i+1])
			if high < 0 || low < 0 {
				return nil, malformed("bytes that are none")
			}
			packed = append(packed, byte(high<<4|low))
		}
	}
	if rows == 0 {
		return nil, malformed("no bytes")
	}
	return packed, nil
}

func addDevice(b *block, d *signin.Device) {
	b.add("device.name", d.Name)
	b.add("device.serial", d.Serial)
	b.add("device.model", d.Model)
	b.add("device.os", d.OS)
	b.add("device.organisation", d.Organisation)
	b.add("device.managed", yes(d.Managed))
	if !d.Heard.IsZero() {
		b.add("device.heard", d.Heard.UTC().Format(time.RFC3339))
	}
}

// readScreen reads a screen that arrives now.
func readScreen(b *block, now time.Time) (*Screen, error) {
	s := new(Screen)
	var err error
	if s.Serial, err = readNumber(b.word(1)); err != nil {
		return nil, err
	}
	if s.Anchors, err = readAnchors(b); err != nil {
		return nil, err
	}
	for _, p := range b.pairs {
		if err := s.take(p, now); err != nil {
			return nil, err
		}
	}
	if s.State == "" {
		return nil, malformed("a screen without a state")
	}
	return s, checkModules(s.Modules)
}

// take takes a pair. Keys of later versions are left alone.
func (s *Screen) take(p pair, now time.Time) error {
	if text := s.text(p.key); text != nil {
		*text = p.value
		return nil
	}
	if word := s.word(p.key); word != nil {
		if !isWord(p.value) {
			return malformed("%s is not a word", p.key)
		}
		*word = p.value
		return nil
	}
	var err error
	switch p.key {
	case "online":
		s.Online, err = readYes(p)
	case "logon":
		s.CanLogon, err = readYes(p)
	case "device.managed":
		s.Device.Managed, err = readYes(p)
	case "device.heard":
		s.Device.Heard, _ = time.Parse(time.RFC3339, p.value) // what cannot be read is not shown
	case "left":
		var left int64
		if left, err = readNumber(p.value); err == nil {
			s.Ends = now.Add(time.Duration(min(left, maxLeft)) * time.Second)
		}
	case "field":
		err = s.takeField(p.value)
	case "action":
		err = s.takeAction(p.value)
	case "origin":
		if s.Origins = append(s.Origins, p.value); len(s.Origins) > api.MaxOrigins {
			err = malformed("more than %d origins", api.MaxOrigins)
		}
	case "qr":
		if s.Modules = append(s.Modules, p.value); len(s.Modules) > maxModules {
			err = malformed("a QR code of more than %d rows", maxModules)
		}
	}
	return err
}

// text gives where a text belongs, nil if the key is of none.
func (s *Screen) text(key string) *string {
	switch key {
	case "title":
		return &s.Title
	case "message":
		return &s.Message
	case "text":
		return &s.Text
	case "help":
		return &s.Help
	case "usercode":
		return &s.UserCode
	case "uri":
		return &s.URI
	case "qrtext":
		return &s.QR
	case "page":
		return &s.Page
	case "account":
		return &s.Account
	case "device.name":
		return &s.Device.Name
	case "device.serial":
		return &s.Device.Serial
	case "device.model":
		return &s.Device.Model
	case "device.os":
		return &s.Device.OS
	case "device.organisation":
		return &s.Device.Organisation
	}
	return nil
}

// word is text for single words.
func (s *Screen) word(key string) *string {
	switch key {
	case "state":
		return (*string)(&s.State)
	case "why":
		return (*string)(&s.Why)
	case "code":
		return (*string)(&s.Code)
	}
	return nil
}

func readYes(p pair) (bool, error) {
	if p.value != yes(true) && p.value != yes(false) {
		return false, malformed("%s is neither yes nor no", p.key)
	}
	return p.value == yes(true), nil
}

// named reads a name, a kind and a label.
func named(value string) (name, kind, label string, err error) {
	name, rest, ok := strings.Cut(value, " ")
	kind, label, labelled := strings.Cut(rest, " ")
	if !ok || !labelled || !isWord(name) || !isWord(kind) {
		return "", "", "", malformed("a field or an action without a name, a kind or a label")
	}
	return name, kind, label, nil
}

// maxLeft is more than any screen has, in seconds: a year.
const maxLeft = 365 * 24 * 60 * 60

// takeField takes a field. Of a kind that is not known, it is one nobody may
// see.
func (s *Screen) takeField(value string) error {
	name, kind, label, err := named(value)
	if err != nil {
		return err
	}
	f, ok := fieldKinds[kind]
	f.Name, f.Label, f.Secret = name, label, f.Secret || !ok
	if s.Fields = append(s.Fields, f); len(s.Fields) > maxList {
		return malformed("more than %d fields", maxList)
	}
	return nil
}

func (s *Screen) takeAction(value string) error {
	name, rank, label, err := named(value)
	if err != nil {
		return err
	}
	s.Actions = append(s.Actions, signin.ActionButton{Name: signin.ActionName(name), Label: label, Primary: rank == primary})
	if len(s.Actions) > maxList {
		return malformed("more than %d actions", maxList)
	}
	return nil
}

// RefusedError is what the service says it does not do.
type RefusedError struct {
	Word    string // one of those in docs/local-protocol.md
	Message string
}

func (r *RefusedError) Error() string {
	if r.Message == "" {
		return "the agent's service refuses: " + r.Word
	}
	return "the agent's service refuses: " + r.Message
}

// Refreshed is what came of asking the directory.
type Refreshed struct {
	Code    api.Code // empty: all is well
	Message string
}
