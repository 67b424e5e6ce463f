package authdb

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// State says whose login window the Mac shows.
type State string

// The states. In the first three, somebody can log in.
const (
	Apple   State = "apple"   // macOS's own, and nothing of ours
	Ours    State = "ours"    // ours and its guard
	Foreign State = "foreign" // another product's
	Damaged State = "damaged" // see the faults
)

// Kind is what may be wrong with a list.
type Kind string

// The kinds of faults.
const (
	BadClass         Kind = "class"        // the right is no list of mechanisms
	StepMissing      Kind = "step missing" // of what every macOS has
	StepRepeated     Kind = "step repeated"
	StepMisplaced    Kind = "step misplaced"
	WindowMissing    Kind = "window missing"   // nothing shows a login window
	WindowRepeated   Kind = "window repeated"  // more than one does
	WindowMisplaced  Kind = "window misplaced" // after the check of the password
	GuardMissing     Kind = "guard missing"    // after our window
	GuardRepeated    Kind = "guard repeated"
	GuardMisplaced   Kind = "guard misplaced"   // not directly after our window
	GuardStray       Kind = "guard stray"       // without our window
	UnknownMechanism Kind = "unknown mechanism" // of our plug-in, in another version perhaps
)

// Fault is one thing that is wrong.
type Fault struct {
	Kind Kind
	What string // the mechanism, or the class
}

func (f Fault) String() string {
	if f.What == "" {
		return string(f.Kind)
	}
	return fmt.Sprintf("%s: %s", f.Kind, f.What)
}

// Verdict is what is to be thought of a definition.
type Verdict struct {
	State State
	// Window is the mechanism that shows the login window; empty if damaged.
	Window string
	// NeedsBundle: the list names our plug-in, so its bundle must not go away.
	NeedsBundle bool
	// Faults make a list damaged. Another product's may have some, too: what it
	// left out, or what was left of ours.
	Faults []Fault
}

var (
	// ErrForeign: another product has replaced macOS's login window.
	ErrForeign = errors.New("another product shows the login window")
	// ErrDamaged: the list is not one that we would build upon.
	ErrDamaged = errors.New("the list of login mechanisms is damaged")
)

// ForeignError names the mechanism.
type ForeignError struct{ Mechanism string }

func (e *ForeignError) Error() string { return fmt.Sprintf("%v: %s", ErrForeign, e.Mechanism) }

// Unwrap makes it an [ErrForeign].
func (e *ForeignError) Unwrap() error { return ErrForeign }

// DamagedError tells why.
type DamagedError struct{ Faults []Fault }

func (e *DamagedError) Error() string {
	if len(e.Faults) == 0 {
		return ErrDamaged.Error()
	}
	var why []string
	for _, f := range e.Faults {
		why = append(why, f.String())
	}
	return fmt.Sprintf("%v: %s", ErrDamaged, strings.Join(why, ", "))
}

// Unwrap makes it an [ErrDamaged].
func (e *DamagedError) Unwrap() error { return ErrDamaged }

// refusal is why nothing is built upon a list.
func (v Verdict) refusal() error {
	if v.State == Foreign {
		return &ForeignError{v.Window}
	}
	return &DamagedError{v.Faults}
}

// Judge says whose login window a definition shows, and what is wrong with it.
func (d *Definition) Judge() Verdict {
	list := d.Mechanisms()
	v := Verdict{NeedsBundle: slices.ContainsFunc(list, isOurs)}
	if class, _ := d.values["class"].(string); class != "evaluate-mechanisms" {
		v.Faults = []Fault{{BadClass, class}}
	}
	v.Faults = append(v.Faults, stepFaults(list)...)
	if v.Window = foreignWindow(list); v.Window != "" {
		v.State = Foreign
		if v.NeedsBundle {
			v.Faults = append(v.Faults, Fault{WindowRepeated, list[slices.IndexFunc(list, isOurs)]})
		}
		return v
	}
	v.Faults = append(v.Faults, windowFaults(list)...)
	v.Faults = append(v.Faults, guardFaults(list)...)
	switch {
	case len(v.Faults) > 0:
		v.State = Damaged
	case v.NeedsBundle:
		v.State, v.Window = Ours, UI
	default:
		v.State, v.Window = Apple, AppleUI
	}
	return v
}

// foreignWindow finds what another product shows instead of AppleUI. It is one
// that is known, or, where no other window is left, the first that may draw one.
func foreignWindow(list []string) string {
	for _, m := range list {
		if slices.Contains(windows, m) {
			return m
		}
	}
	if slices.Contains(list, AppleUI) || slices.ContainsFunc(list, isOurs) {
		return ""
	}
	for _, m := range list[:passwordCheck(list)] {
		if !isPrivileged(m) && !slices.Contains(applePlugins, pluginOf(m)) {
			return m
		}
	}
	return ""
}

// passwordCheck is where the password is checked; a window after it is too late.
func passwordCheck(list []string) int {
	if i := slices.Index(list, authenticate); i >= 0 {
		return i
	}
	return len(list)
}

func stepFaults(list []string) []Fault {
	var faults []Fault
	last := -1
	for _, step := range steps {
		i := slices.Index(list, step)
		switch {
		case i < 0:
			faults = append(faults, Fault{StepMissing, step})
		case slices.Contains(list[i+1:], step):
			faults = append(faults, Fault{StepRepeated, step})
		case i < last:
			faults = append(faults, Fault{StepMisplaced, step})
		default:
			last = i
		}
	}
	return faults
}

func windowFaults(list []string) []Fault {
	var at []int
	for i, m := range list {
		if m == AppleUI || m == UI {
			at = append(at, i)
		}
	}
	switch {
	case len(at) == 0:
		return []Fault{{Kind: WindowMissing}}
	case len(at) > 1:
		return []Fault{{WindowRepeated, list[at[1]]}}
	case at[0] > passwordCheck(list):
		return []Fault{{WindowMisplaced, list[at[0]]}}
	}
	return nil
}

func guardFaults(list []string) []Fault {
	var faults []Fault
	var guards []int
	for i, m := range list {
		switch {
		case m == Guard:
			guards = append(guards, i)
		case isOurs(m) && m != UI:
			faults = append(faults, Fault{UnknownMechanism, m})
		}
	}
	switch window := slices.Index(list, UI); {
	case window < 0 && len(guards) > 0:
		faults = append(faults, Fault{Kind: GuardStray})
	case window >= 0 && len(guards) == 0:
		faults = append(faults, Fault{Kind: GuardMissing})
	case len(guards) > 1:
		faults = append(faults, Fault{Kind: GuardRepeated})
	case window >= 0 && guards[0] != window+1:
		faults = append(faults, Fault{Kind: GuardMisplaced})
	}
	return faults
}
