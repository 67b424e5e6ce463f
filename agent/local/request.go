package local

import (
	"bytes"
	"slices"
	"strconv"
	"strings"

	"firstday.dev/agent/signin"
)

// The verbs of requests, each of which is a line.
const (
	verbHello   = "hello"   // VERSION SURFACE [SESSION]
	verbWatch   = "watch"   // SERIAL
	verbField   = "field"   // NAME VALUE
	verbAct     = "act"     // NAME SERIAL [same-device]
	verbLogon   = "logon"   // SERIAL
	verbRefresh = "refresh" // asks the directory
	verbShown   = "shown"   // the page is there, which the service started a window for
	verbBye     = "bye"
	// verbFileVault asks whether who has unlocked the disk is logged on.
	verbFileVault = "filevault"

	// What the desk answers.
	verbUsers   = "users"
	verbNetwork = "network"
	verbScan    = "scan"
	verbJoin    = "join"
	verbWiFi    = "wifi" // on|off
	verbInfo    = "info"
	verbPower   = "power" // restart|shutdown
	verbLogo    = "logo"
)

// deskVerbs are the verbs of the desk, and the words of which each takes one.
var deskVerbs = map[string][]string{
	verbUsers: nil, verbNetwork: nil, verbScan: nil, verbJoin: nil, verbInfo: nil, verbLogo: nil,
	verbWiFi: {on, off}, verbPower: {string(Restart), string(Shutdown)},
}

const (
	on  = "on"
	off = "off"
)

// The fields of join.
const (
	joinName     = "name"
	joinPassword = "password"
	joinHidden   = "hidden"
	joinIdentity = "identity"
)

const sameDevice = "same-device"

// request is a line that a surface sends.
type request struct {
	verb    string
	name    string // of the surface, the field or the action; or the word of the desk's verb
	number  int64  // the version, or the serial number of the screen
	value   string // of the field
	session string // of the system, in which the surface is; empty: it does not say
	sameDev bool
}

// readRequest reads a line. Verbs of later versions come back as they are.
func readRequest(line []byte) (*request, error) {
	verb, rest, _ := bytes.Cut(line, []byte(" "))
	r := &request{verb: string(verb)}
	if !isWord(r.verb) {
		return nil, malformed("a verb that is none")
	}
	if r.verb == verbField {
		return r, r.readField(rest)
	}
	var words []string
	if len(verb) < len(line) {
		var err error
		if words, err = readWords(rest); err != nil {
			return nil, err
		}
	}
	return r, r.readWords(words)
}

// readField reads a name and a value, which may be a secret.
func (r *request) readField(rest []byte) error {
	name, value, ok := bytes.Cut(rest, []byte(" "))
	if r.name = string(name); !ok || !isWord(r.name) {
		return malformed("a field without a name or a value")
	}
	value, err := unescape(value)
	r.value = string(value)
	return err
}

func (r *request) readWords(words []string) (err error) {
	switch r.verb {
	case verbHello: // words of later versions may follow
		if len(words) < 2 {
			return malformed("hello without a version and a surface")
		}
		r.name = words[1]
		if len(words) > 2 {
			r.session = words[2]
		}
		r.number, err = readNumber(words[0])
	case verbWatch, verbLogon:
		if len(words) != 1 {
			return malformed("%s without a serial number", r.verb)
		}
		r.number, err = readNumber(words[0])
	case verbAct:
		if len(words) != 2 && (len(words) != 3 || words[2] != sameDevice) {
			return malformed("act without a name and a serial number")
		}
		r.name, r.sameDev = words[0], len(words) == 3
		if r.number, err = readNumber(words[1]); err == nil && r.number == 0 {
			err = malformed("an action on no screen")
		}
	case verbRefresh, verbShown, verbFileVault, verbBye:
		if len(words) > 0 {
			return malformed("%s takes no words", r.verb)
		}
	default:
		return r.readDesk(words)
	}
	return err
}

// readDesk reads the word of a verb of the desk. Those of verbs that are not known
// are left alone.
func (r *request) readDesk(words []string) error {
	takes, known := deskVerbs[r.verb]
	switch {
	case !known:
		return nil
	case takes == nil && len(words) > 0:
		return malformed("%s takes no words", r.verb)
	case takes != nil && (len(words) != 1 || !slices.Contains(takes, words[0])):
		return malformed("%s takes one of %s", r.verb, strings.Join(takes, ", "))
	case takes != nil:
		r.name = words[0]
	}
	return nil
}

// typed is what a surface has sent of an action that is still to come.
type typed map[string]string

func (t typed) put(r *request) error {
	if _, ok := t[r.name]; ok || len(t) == maxList {
		return malformed("a field twice, or more than %d", maxList)
	}
	t[r.name] = r.value
	return nil
}

// writeAction writes an action as a surface sends it. Who has sent it wipes the
// bytes.
func writeAction(a *signin.Action) ([]byte, error) {
	if !isWord(string(a.Name)) {
		return nil, malformed("an action without a name")
	}
	words := []string{verbAct, string(a.Name), strconv.FormatInt(a.Serial, 10)}
	if a.SameDevice {
		words = append(words, sameDevice)
	}
	return writeFields(a.Fields, words...)
}

// writeJoin is writeAction for a network to join.
func writeJoin(j *Join) ([]byte, error) {
	fields := map[string]string{joinName: j.Name}
	if j.Password != "" {
		fields[joinPassword] = j.Password
	}
	if j.Hidden {
		fields[joinHidden] = yes(true)
	}
	if j.Identity != "" {
		fields[joinIdentity] = j.Identity
	}
	return writeFields(fields, verbJoin)
}

// writeFields writes fields, and the words of the request that they belong to.
func writeFields(fields map[string]string, words ...string) ([]byte, error) {
	if len(fields) > maxList {
		return nil, malformed("more than %d fields", maxList)
	}
	lines := make([]byte, 0, MaxLine*(len(fields)+1)) // which never grows, and leaves no copy
	for name, value := range fields {
		text := escape(value)
		if !isWord(name) || len(verbField)+len(name)+len(text)+len("  \n") > MaxLine {
			return nil, malformed("a field without a name, or of more than a line")
		}
		lines = append(lines, verbField+" "+name+" "...)
		lines = append(lines, text...)
		lines = append(lines, '\n')
	}
	return append(lines, strings.Join(words, " ")+"\n"...), nil
}
