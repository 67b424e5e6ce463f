// Package signin is the sign-in on a device: one state machine for every
// surface that shows it, and the making of the account, which survives being
// killed at any moment.
//
// A surface draws a [Screen] and sends back an [Action]; it decides nothing.
package signin

import (
	"time"

	"firstday.dev/api"
)

// State is where the sign-in stands.
type State string

// The states, in their order. From each there is a way to [Failed], and from
// there back.
const (
	Hidden   State = "hidden"   // nothing is offered: a surface shows nothing at all
	Ready    State = "ready"    // the button is there
	Starting State = "starting" // the directory is asked for a code
	Waiting  State = "waiting"  // for somebody to sign in with the code
	Number   State = "number"   // the number on their other device is asked for
	Password State = "password"
	PIN      State = "pin"
	Creating State = "creating"
	Done     State = "done"
	Failed   State = "failed"
	// Who has a PIN comes back by these, whatever is offered to others.
	Unlock  State = "unlock"  // the PIN is asked for
	Renew   State = "renew"   // the password is, and with it another PIN perhaps
	Opening State = "opening" // it is tried
)

// Screen is all that a surface shows. Texts are plain, of one line each.
type Screen struct {
	// Serial grows with each change.
	Serial  int64
	State   State
	Title   string
	Message string
	Fields  []Field
	Actions []ActionButton
	// UserCode, URI and QR are for who signs in on another device: a code to
	// type at an address, or a picture that holds both. QR is what it says.
	UserCode, URI, QR string
	// Here tells that the pages are to be shown on this device, by the surface that
	// has them: there is no code then. Page is the first one's address, in the state
	// Waiting, and Origins are those that any may have.
	Here    bool
	Page    string
	Origins []string
	// Anchors are CAs, in DER, by which Page's origin, and no other, is known: by them
	// alone. None: by what the system trusts.
	Anchors [][]byte
	// Beside tells that the organisation wants the window beside the Mac's login
	// window.
	Beside bool
	// Code is why the sign-in failed, or why a field was refused, or in the state
	// Done why there is no PIN.
	Code api.Code
	// Why tells, in the state Hidden, why nothing is offered; empty: the
	// directory has not been heard yet.
	Why    api.Code
	Help   string // address of a page; empty: there is none
	Text   string // of the organisation, under the button
	Device Device
	// Online tells whether the directory answers.
	Online bool
	// Account is the name of the one that was made, in the state Done.
	Account string
	// CanLogon tells, in the state Done, that [Machine.Logon] has what that
	// account is logged on with.
	CanLogon bool
	// Ends is when the screen goes by itself, if nobody does anything; zero: it
	// does not.
	Ends time.Time
}

// Field is something to type.
type Field struct {
	Name   string
	Label  string
	Secret bool // shown as dots
	Digits bool // nothing but digits
}

// The names of fields.
const (
	FieldNumber   = "number"
	FieldPassword = "password"
	FieldAgain    = "again"
	FieldOld      = "old" // the password that an account has so far
	FieldPIN      = "pin"
	FieldPINAgain = "pinAgain"
	FieldAccount  = "account" // where several people have a PIN
)

// ActionButton is something to press.
type ActionButton struct {
	Name    ActionName
	Label   string
	Primary bool
}

// ActionName is what is pressed.
type ActionName string

// The actions.
const (
	Start  ActionName = "start"
	Submit ActionName = "submit"
	Cancel ActionName = "cancel"
	Retry  ActionName = "retry"
	Close  ActionName = "close" // the screen of a finished sign-in
	// Skip leaves the PIN out.
	Skip ActionName = "skip"
	// Elsewhere is for who signs in with their phone after all.
	Elsewhere ActionName = "elsewhere"
	// WithPIN is for who has an account here already.
	WithPIN ActionName = "pin"
)

// Action is what a person did. It is ignored where the screen does not offer it.
type Action struct {
	Name   ActionName
	Fields map[string]string
	// SameDevice: the surface shows the pages itself, see [api.SignInRequest].
	SameDevice bool
	// Serial is that of the screen it answers: it has no effect on any other.
	// 0: whichever is shown.
	Serial int64
	// Session is that of the system in which it was done. Empty: surfaces without
	// one have it together.
	Session string
	// Surface tells surfaces apart, see [Machine.Logon]. 0: one that never asks.
	Surface int64
}

// Device is what the surface tells of the device, for the telephone.
type Device struct {
	Name, Serial, Model, OS string
	Organisation            string
	Managed                 bool // enrolled with the organisation's directory
	// Heard is when the directory answered last; zero: never.
	Heard time.Time
}

// offers tells whether the screen has such a button.
func (s *Screen) offers(name ActionName) bool {
	for _, b := range s.Actions {
		if b.Name == name {
			return true
		}
	}
	return false
}
