package signin

import (
	"cmp"
	"fmt"

	"firstday.dev/agent/pin"
	"firstday.dev/api"
)

var (
	cancelButton = ActionButton{Cancel, "Cancel", false}
	submitButton = ActionButton{Submit, "Next", true}
	phoneButton  = ActionButton{Elsewhere, "Use your phone instead", false}
)

// screen is what the state looks like. Serial and Device are the machine's to
// fill in.
func (f *flow) screen() *Screen {
	s := &Screen{State: f.state, Help: f.offer.settings.HelpURL, Text: f.offer.settings.Text, Online: f.online, Code: f.code, Here: f.here, Beside: beside(f.offer.settings.Window)}
	org := cmp.Or(f.offer.organisation, "your organisation")
	switch f.state {
	case Ready:
		s.Title, s.Message = "Sign in with "+org, "Sign in once, and this device is yours."
		if !f.online {
			s.Message = api.Explain(api.CodeOffline).Employee
		}
		s.Actions = []ActionButton{{Start, s.Title, true}}
		if f.returns() {
			s.Actions = append(s.Actions, ActionButton{WithPIN, "Sign in with your PIN", false})
		}
	case Starting:
		s.Title, s.Message = "Sign in with "+org, "One moment."
		s.Actions = []ActionButton{cancelButton}
	case Waiting:
		s.Title, s.Message = "Sign in with "+org, "Point the camera of your phone at the picture, or open the address and type the code."
		s.UserCode, s.URI, s.QR = f.started.UserCode, f.started.VerificationURI, f.started.VerificationURIComplete
		s.Actions = []ActionButton{cancelButton}
		if f.here {
			s.Message, s.UserCode, s.URI, s.QR = "Go on in the window.", "", "", ""
			s.Page, s.Origins, s.Anchors = f.started.VerificationURIComplete, f.started.Origins, f.started.Anchors
		}
	case Number:
		s.Title, s.Message = "Almost there", "Type the number that your other device shows."
		if f.here {
			s.Message = "Type the number that the page shows."
		}
		s.Fields = []Field{{Name: FieldNumber, Label: "Number", Digits: true}}
		s.Actions = []ActionButton{submitButton, cancelButton}
	case Password:
		f.passwordScreen(s, org)
	case PIN:
		s.Title, s.Message, s.Fields = "Choose a PIN", "It is for this device only. "+pin.Rules, newPIN
		s.Actions = []ActionButton{submitButton}
		if f.token.PIN == api.PINOffered {
			s.Actions = append(s.Actions, ActionButton{Skip, "Not now", false})
		}
		s.Actions = append(s.Actions, cancelButton)
	case Creating:
		s.Title, s.Message = f.welcome(), "Your account is being made. This takes a moment."
	case Done:
		s.Title, s.Message, s.Account = "Welcome", fmt.Sprintf("Your account %s is ready. Sign in with your password.", f.account), f.account
		if f.keeps {
			s.Message = fmt.Sprintf("Your account %s is ready. Its password is the one that it had before.", f.account)
		}
		if f.back {
			s.Title, s.Message = "Welcome back", fmt.Sprintf("The account %s is opened.", f.account)
		}
		if f.code != "" {
			s.Message = fmt.Sprintf("Your account %s is ready. %s", f.account, api.Explain(f.code).Employee)
		}
		s.Actions = []ActionButton{{Close, "Close", true}}
	case Unlock, Renew, Opening:
		f.unlockScreen(s)
	case Failed:
		s.Title, s.Message = "This did not work", api.Explain(f.code).Employee
		s.Actions = []ActionButton{{Retry, "Try again", true}, {Close, "Close", false}}
	case Hidden:
		return &Screen{State: Hidden, Online: f.online, Why: f.offer.why, Beside: s.Beside}
	}
	if f.code != "" && f.state != Failed && f.state != Done {
		s.Message = f.refusal()
	}
	if f.canLeaveHere() {
		s.Actions = append(s.Actions, phoneButton)
	}
	return s
}

// beside tells the settings of a Mac by which there is a window beside Apple's.
func beside(w api.SignInWindow) bool { return w == "" || w == api.WindowBeside }

// newPIN is typed twice.
var newPIN = []Field{{Name: FieldPIN, Label: "PIN", Secret: true, Digits: true}, {Name: FieldPINAgain, Label: "The same once more", Secret: true, Digits: true}}

// refusal says what the code says, and what only this device knows of it.
func (f *flow) refusal() string {
	text := api.Explain(f.code).Employee
	switch {
	case f.code == api.CodeAccountPassword && f.refused != "":
		return "Please choose another password. " + f.refused
	case f.code == api.CodePIN && f.weak != nil:
		return "Please choose another PIN. " + f.weak.Error()
	case f.code == api.CodePINWrong && f.left == 1:
		return text + " One try is left."
	case f.code == api.CodePINWrong && f.left > 1:
		return fmt.Sprintf("%s %d tries are left.", text, f.left)
	}
	return text
}

// unlockScreen is for who comes back.
func (f *flow) unlockScreen(s *Screen) {
	s.Title, s.Message = "Sign in with your PIN", "Or use your password, as ever."
	signIn := ActionButton{Submit, "Sign in", true}
	switch f.state {
	case Opening:
		s.Message, s.Actions = "One moment.", []ActionButton{cancelButton}
	case Unlock:
		if len(f.users) > 1 {
			s.Fields = append(s.Fields, Field{Name: FieldAccount, Label: "Account"})
		} else if len(f.users) == 1 {
			s.Title = "Sign in to " + f.users[0].Name
		}
		s.Fields = append(s.Fields, Field{Name: FieldPIN, Label: "PIN", Secret: true, Digits: true})
		s.Actions = []ActionButton{signIn}
		if f.asked {
			s.Actions = append(s.Actions, cancelButton)
		}
	case Renew:
		s.Title, s.Fields = "Sign in to "+f.user.Name, []Field{{Name: FieldPassword, Label: "Password", Secret: true}}
		if f.pin == "" {
			s.Fields = append(s.Fields, newPIN...)
			s.Fields[1].Label = "New PIN"
		}
		s.Actions = []ActionButton{signIn, cancelButton}
	}
}

func (f *flow) passwordScreen(s *Screen, org string) {
	s.Title = f.welcome()
	s.Actions = []ActionButton{submitButton, cancelButton}
	if f.asksOld { // the code says why
		s.Fields = []Field{{Name: FieldOld, Label: "Old password", Secret: true}}
		return
	}
	s.Fields = []Field{{Name: FieldPassword, Label: "Password", Secret: true}}
	if f.token.Password == api.VerifyPassword {
		s.Message = "Type your " + org + " password once more. It will be that of your account here."
	} else {
		s.Message = "Choose a password for your account on this device. " + f.rules.String()
		s.Fields = append(s.Fields, Field{Name: FieldAgain, Label: "The same once more", Secret: true})
	}
}

func (f *flow) welcome() string {
	if f.token == nil {
		return "Welcome"
	}
	return "Welcome, " + cmp.Or(f.token.User.FullName, f.token.User.Name)
}
