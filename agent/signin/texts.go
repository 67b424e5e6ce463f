package signin

import (
	"cmp"
	"fmt"

	"firstday.dev/api"
)

var (
	cancelButton = ActionButton{Cancel, "Cancel", false}
	submitButton = ActionButton{Submit, "Next", true}
)

// screen is what the state looks like. Serial and Device are the machine's to
// fill in.
func (f *flow) screen() *Screen {
	s := &Screen{State: f.state, Help: f.offer.settings.HelpURL, Text: f.offer.settings.Text, Online: f.online, Code: f.code}
	org := cmp.Or(f.offer.organisation, "your organisation")
	switch f.state {
	case Ready:
		s.Title, s.Message = "Sign in with "+org, "Sign in once, and this device is yours."
		if !f.online {
			s.Message = api.Explain(api.CodeOffline).Employee
		}
		s.Actions = []ActionButton{{Start, s.Title, true}}
	case Starting:
		s.Title, s.Message = "Sign in with "+org, "One moment."
		s.Actions = []ActionButton{cancelButton}
	case Waiting:
		s.Title, s.Message = "Sign in with "+org, "Point the camera of your phone at the picture, or open the address and type the code."
		s.UserCode, s.URI, s.QR = f.started.UserCode, f.started.VerificationURI, f.started.VerificationURIComplete
		s.Actions = []ActionButton{cancelButton}
	case Number:
		s.Title, s.Message = "Almost there", "Type the number that your other device shows."
		s.Fields = []Field{{Name: FieldNumber, Label: "Number", Digits: true}}
		s.Actions = []ActionButton{submitButton, cancelButton}
	case Password:
		f.passwordScreen(s, org)
	case PIN:
		s.Title, s.Message = "Choose a PIN", "Six digits, for this device only."
		s.Fields = []Field{{Name: FieldPIN, Label: "PIN", Secret: true, Digits: true}, {Name: FieldPINAgain, Label: "The same once more", Secret: true, Digits: true}}
		s.Actions = []ActionButton{submitButton, cancelButton}
	case Creating:
		s.Title, s.Message = f.welcome(), "Your account is being made. This takes a moment."
	case Done:
		s.Title, s.Message, s.Account = "Welcome", fmt.Sprintf("Your account %s is ready. Sign in with your password.", f.account), f.account
		s.Actions = []ActionButton{{Close, "Close", true}}
	case Failed:
		s.Title, s.Message = "This did not work", api.Explain(f.code).Employee
		s.Actions = []ActionButton{{Retry, "Try again", true}, {Close, "Close", false}}
	case Hidden:
		return &Screen{State: Hidden, Online: f.online, Why: f.offer.why}
	}
	if f.code != "" && f.state != Failed {
		s.Message = api.Explain(f.code).Employee
	}
	return s
}

func (f *flow) passwordScreen(s *Screen, org string) {
	s.Title = f.welcome()
	s.Fields = []Field{{Name: FieldPassword, Label: "Password", Secret: true}}
	if f.token.Password == api.VerifyPassword {
		s.Message = "Type your " + org + " password once more. It will be that of your account here."
	} else {
		s.Message = "Choose a password for your account on this device."
		s.Fields = append(s.Fields, Field{Name: FieldAgain, Label: "The same once more", Secret: true})
	}
	s.Actions = []ActionButton{submitButton, cancelButton}
}

func (f *flow) welcome() string {
	if f.token == nil {
		return "Welcome"
	}
	return "Welcome, " + cmp.Or(f.token.User.FullName, f.token.User.Name)
}
