package page

import (
	"bytes"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"firstday.dev/agent/local"
)

// Wish is what a page wants of its host beyond a word with the service.
type Wish int

// The wishes.
const (
	Nothing   Wish = iota
	Ready          // it can be told things
	Show           // to see the page that the screen names, in another web view
	Portal         // to see where the network wants people to sign in
	Shut           // to see neither any more
	Malformed      // what it said means nothing
)

// maxSaid is how much a page says at once, in bytes.
const maxSaid = 12 * local.MaxLine

// verbs are what a page may ask of the service.
var verbs = []string{"users", "network", "scan", "join", "wifi", "info", "power", "logo"}

// said takes what the page says, lines:
//
//	field NAME VALUE        as in the local protocol, before one of the next two
//	act NAME SERIAL         as there
//	ask VERB [WORDS]        a request that is answered with pairs
//	wlan scan|join          for a host that is in the login window of macOS
//	refresh
//	login                   then two more: a name and a password, as values
//	apple                   the person wants Apple's login window
//	ready, show, portal, shut
//
// The text is wiped.
func (t *talk) said(text []byte, now time.Time) (Wish, error) {
	defer clear(text)
	lines := splitLines(text)
	if lines == nil {
		return Malformed, nil
	}
	if string(lines[0]) == "login" {
		return t.logsOn(lines[1:])
	}
	last, fields := string(lines[len(lines)-1]), lines[:len(lines)-1]
	verb, rest, words := strings.Cut(last, " ")
	takesFields := verb == "act" || last == "ask join" || last == "wlan join"
	if len(fields) > 0 && !takesFields || slices.ContainsFunc(fields, isNoField) {
		return Malformed, nil
	}
	switch {
	case !words:
	case verb == "act":
		return t.act(lines, now), nil
	case verb == "ask":
		return t.ask(fields, rest, now), nil
	case verb == "wlan":
		t.note(refusalJSON("wlan", "unknown", ""))
		return Nothing, nil
	}
	switch last {
	case "ready":
		return Ready, nil
	case "show":
		if t.address != "" {
			return Show, nil
		}
	case "portal":
		if t.portal != "" {
			return Portal, nil
		}
	case "shut":
		return Shut, nil
	case "refresh":
		if t.greeted && !t.refreshing {
			t.refreshing, t.refreshedAt = true, now
			t.send(last)
			return Nothing, nil
		}
	case "apple":
		return Nothing, ErrApple
	}
	return Malformed, nil
}

// splitLines gives lines of the protocol, of which the last one may lack its end. nil:
// there are none, or they are too many, or none of the protocol's.
func splitLines(text []byte) [][]byte {
	if len(text) == 0 || len(text) >= maxSaid || !utf8.Valid(text) {
		return nil
	}
	lines := bytes.Split(bytes.TrimSuffix(text, []byte("\n")), []byte("\n"))
	for _, line := range lines {
		if len(line) >= local.MaxLine || bytes.ContainsFunc(line, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			return nil
		}
	}
	return lines
}

func isNoField(line []byte) bool { return !bytes.HasPrefix(line, []byte("field ")) }

// act passes an action on, with its fields.
func (t *talk) act(lines [][]byte, now time.Time) Wish {
	if !t.shown {
		return Malformed
	}
	t.out = appendLines(t.out, lines)
	t.typed = t.typed || len(lines) > 1
	if t.acts++; t.acts == 1 {
		t.actedAt = now
	}
	return Nothing
}

// appendLines adds lines without leaving a copy behind.
func appendLines(out []byte, lines [][]byte) []byte {
	size := len(lines)
	for _, line := range lines {
		size += len(line)
	}
	out = grow(out, size)
	for _, line := range lines {
		out = append(append(out, line...), '\n')
	}
	return out
}

// grow makes room for more, and leaves no copy behind.
func grow(out []byte, more int) []byte {
	if len(out)+more <= cap(out) {
		return out
	}
	grown := append(make([]byte, 0, 2*len(out)+more), out...)
	clear(out)
	return grown
}

// ask passes a request on, one of each verb at a time.
func (t *talk) ask(fields [][]byte, request string, now time.Time) Wish {
	verb, _, _ := strings.Cut(request, " ")
	switch {
	case !slices.Contains(verbs, verb), slices.Contains(strings.Split(request, " "), ""):
		return Malformed
	case !t.greeted:
		t.note(refusalJSON(verb, "lost", ""))
	case slices.ContainsFunc(t.asks, func(a ask) bool { return a.verb == verb }):
		t.note(refusalJSON(verb, "busy", ""))
	default:
		t.asks = append(t.asks, ask{verb, appendLines(nil, append(slices.Clone(fields), []byte(request)))})
		if len(t.asks) == 1 {
			t.sendAsk(now)
		}
	}
	return Nothing
}

// logsOn is for who has an account here: the system says whether the password is
// right. There is no need of a service.
func (t *talk) logsOn(lines [][]byte) (Wish, error) {
	if len(lines) == 1 {
		lines = append(lines, nil) // an empty password
	}
	if len(lines) != 2 {
		return Malformed, nil
	}
	name, nameOK := local.Unescape(lines[0])
	password, passwordOK := local.Unescape(lines[1])
	if !nameOK || !passwordOK || t.logon != nil {
		return Malformed, nil
	}
	if t.logon = newLogon(name, password); t.logon == nil {
		return Malformed, nil
	}
	return Nothing, nil
}
