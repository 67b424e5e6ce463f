package station

import (
	"fmt"
	"strings"
	"time"

	"firstday.dev/kit"
)

// Problem is something that was found before anything was written.
type Problem struct {
	Check  string `json:"check"`
	Fatal  bool   `json:"fatal,omitempty"` // nothing is written
	Reason string `json:"reason"`
	Fix    string `json:"fix,omitempty"`
}

// check is one of those made before anything is written.
type check struct {
	name  string
	fatal bool
	finds string // in general, for the documents
	fix   string
}

// checks is the table of all. What field reports say goes wrong is in
// formats/ppkg.md §11.
var checks = []check{
	{"clock", true, "the clock of this machine is before the time the kit was made", "set the clock: keys and certificates are judged by it"},
	{"key-ended", true, "the connect key in the kit has ended: no device could enrol", "build the kit anew; --force writes it nevertheless"},
	{"key-ends", false, "the connect key ends within seven days", "write the sticks soon, or build the kit anew with a later end"},
	{"certificate", false, "the certificate that signed a package has ended, or does within seven days", "renew it and build the kit anew"},
	{"refused", true, "the disk is no stick, or the system is on it", "use a USB stick or an SD card"},
	{"large", false, "the stick has 128 GB or more: Windows is reported not to look for packages on such", "use a smaller stick"},
	{"sectors", true, "the stick has sectors of another size than 512 bytes", "use another stick"},
	{"read-only", true, "the stick is write-protected", "move its switch, or use another stick"},
	{"file-system", true, "the stick has a file system that Windows or a Mac does not take packages from", "format it: --format"},
	{"no-stick", false, "the folder is on no file system of sticks", "copy what is in it into the root of a stick, or name a stick"},
	{"label", false, "the volume has another label than the page for people with a Mac says", "rename it, or give its name with --label"},
	{"not-root", false, "the folder is on a stick, and not its root, where Windows looks", "name the stick, or the folder where it is mounted"},
	{"no-kit", true, "the stick that is to be repaired has never been written", "make sure that it is the one you mean, then: firstday usb write"},
	{"second-package", true, "there is another .ppkg in the root: Windows would ask which one, and nobody knows", "remove it, or let --clean remove everything that is not ours"},
	{"in-the-way", true, "something else bears the name of one of our files", "remove it, or let --clean do so"},
	{"package-in-folder", false, "there is a .ppkg in a folder, where Windows does not look", "if it is meant to be applied, it belongs into the root of a stick of its own"},
	{"foreign", false, "there are files that are not ours; they stay", "--clean removes them"},
	{"stale", false, "there is another kit of the same organisation, which is replaced", ""},
	{"room", true, "there is too little room", "remove what is not needed, or use a larger stick"},
}

// problem notes that a check found something.
func (j *job) problem(name, reason string) {
	j.count(func(r *Result) { r.Problems = append(r.Problems, found(name, reason)) })
}

func found(name, reason string) Problem {
	for _, c := range checks {
		if c.name == name {
			return Problem{c.name, c.fatal, reason, c.fix}
		}
	}
	panic("no check is called " + name)
}

// preflightError is what speaks against writing.
type preflightError struct {
	reasons []string
	fix     string // of the first
}

func (e *preflightError) Error() string {
	return strings.Join(e.reasons, "; ") + "; " + ErrPreflight.Error()
}

func (e *preflightError) Unwrap() error { return ErrPreflight }

// fatal joins what speaks against writing; nil if nothing does.
func fatal(problems []Problem) error {
	var e preflightError
	for _, p := range problems {
		if p.Fatal {
			if len(e.reasons) == 0 {
				e.fix = p.Fix
			}
			e.reasons = append(e.reasons, p.Reason)
		}
	}
	if len(e.reasons) == 0 {
		return nil
	}
	return &e
}

// soon is how near an end is warned of.
const soon = 7 * 24 * time.Hour

// clockSlack: two machines may differ by so much.
const clockSlack = 5 * time.Minute

// problems looks at the kit.
func (s *Stick) problems(o WriteOptions) (list []Problem) {
	add := func(name, format string, args ...any) { list = append(list, found(name, fmt.Sprintf(format, args...))) }
	now, m := o.now(), s.Manifest
	if now.Add(clockSlack).Before(m.Created) {
		add("clock", "this machine has %s, and the kit was made on %s: its clock is wrong", at(now), at(m.Created))
	}
	if end := m.ExpiresAt; end != nil {
		switch {
		case !now.Before(*end):
			add("key-ended", "the connect key ended on %s: the kit enrols no devices any more", at(*end))
			list[len(list)-1].Fatal = !o.Force
		case now.Add(soon).After(*end):
			add("key-ends", "the connect key ends on %s", at(*end))
		}
	}
	for _, p := range m.Packages {
		// A timestamp keeps a signature good for ever; a throw-away certificate is
		// trusted by nobody anyway.
		if p.Signer == nil || p.Signer.Throwaway || len(p.Signer.Timestamps) > 0 || p.Platform == kit.MacOS {
			continue
		}
		switch end := p.Signer.NotAfter; {
		case !now.Before(end):
			add("certificate", "the certificate that signed %s ended on %s", p.File, at(end))
		case now.Add(soon).After(end):
			add("certificate", "the certificate that signed %s ends on %s", p.File, at(end))
		}
	}
	return list
}

func at(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// tooLarge is the size of sticks that Windows is reported not to look at.
const tooLarge = 128_000_000_000

func (j *job) large(size int64) {
	if size >= tooLarge {
		j.problem("large", fmt.Sprintf("it has %d GB: Windows is reported not to look for packages on sticks of 128 GB and more", size/1e9))
	}
}

// MarkdownOfChecks is the table of what is looked at before anything is written.
func MarkdownOfChecks() string {
	var b strings.Builder
	b.WriteString("| check | what it finds | | what to do |\n|---|---|---|---|\n")
	for _, c := range checks {
		effect := "warning"
		if c.fatal {
			effect = "nothing is written"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", c.name, c.finds, effect, c.fix)
	}
	return b.String()
}
