package signin

import (
	"errors"
	"strings"
	"time"

	"firstday.dev/api"
)

// flow is the state machine. It has no clock, no socket and no goroutine: step
// takes what happened, and gives what is to be done.
type flow struct {
	state  State
	code   api.Code // why it failed, or why the fields are asked for again
	offer  offer
	pins   bool // whether this system has PINs, and somebody takes who unlocks with one
	online bool

	session  string // of the system, in which it was begun
	owned    bool   // session is known
	here     bool   // the pages are shown on this device
	started  *api.SignInResponse
	token    *api.TokenResponse
	password string
	typist   int64 // the surface where it was typed, or the PIN; nobody's if others helped
	account  string
	serial   string // of the device
	noPIN    bool   // though the settings want one: the device cannot keep it
	rules    rules  // of passwords
	refused  string // what a password lacks
	returning

	unlocking
}

// returning is for who has an account here already, which has another password.
type returning struct {
	asksOld bool   // that password is asked for
	newPIN  string // that they chose before
	keeps   bool   // the account kept the password it had
}

// offer is what the directory says about signing in here.
type offer struct {
	organisation string
	settings     api.PlatformSettings
	open         bool     // somebody may sign in
	why          api.Code // nobody may; empty: not known
}

// What can happen.
type (
	event interface{ event() }

	heard      struct{ offer } // from the directory
	connection struct{ online bool }
	pressed    struct{ Action }
	startedAs  struct { // the directory's answers, and what became of the account
		answer *api.SignInResponse
		err    error
	}
	signedIn struct {
		answer *api.TokenResponse
		err    error
		noPIN  error // why there can be none
		rules  rules
	}
	confirmed struct{ err error }
	created   struct {
		access
		typed bool // the password was, just now
		err   error
		noPIN error // why it has none
	}
	resumed struct { // after a restart
		account string // empty: nothing was made
	}
	pagesLost struct{} // the device cannot show them
	timeUp    struct{}
)

func (heard) event()      {}
func (connection) event() {}
func (pressed) event()    {}
func (startedAs) event()  {}
func (signedIn) event()   {}
func (confirmed) event()  {}
func (created) event()    {}
func (resumed) event()    {}
func (pagesLost) event()  {}
func (timeUp) event()     {}

// What is to be done. Whatever was being done for the state before ends.
type (
	effect interface{ effect() }

	askStart   struct{ sameDevice bool }
	askToken   struct{ number string }
	askConfirm struct{ password string }
	askCancel  struct{ deviceCode api.Secret }
	makeIt     struct{ order }
	setAlarm   struct{ after time.Duration }
)

func (askStart) effect()   {}
func (askToken) effect()   {}
func (askConfirm) effect() {}
func (askCancel) effect()  {}
func (makeIt) effect()     {}
func (setAlarm) effect()   {}

// doneLife is how long a finished sign-in is shown when nobody closes it.
const doneLife = 2 * time.Minute

// step takes an event that fits the state, and ignores any other.
func (f *flow) step(e event) []effect {
	switch e := e.(type) {
	case heard:
		f.offer = e.offer
		return f.follow()
	case connection:
		f.online = e.online
	case timeUp:
		return f.late()
	case pagesLost:
		return f.elsewhere()
	case pressed:
		return f.press(e.Action)
	case startedAs:
		if f.state == Starting {
			return f.begin(e)
		}
	case signedIn:
		if f.state == Waiting || f.state == Number {
			return f.signedIn(e)
		}
	case confirmed:
		if f.state == Password {
			return f.confirmed(e.err)
		}
	case created:
		if f.state == Creating {
			return f.created(e)
		}
	case opened:
		if f.state == Opening {
			return f.opened(e)
		}
	case resumed:
		if e.account != "" {
			return f.created(created{access: access{account: e.account}})
		}
		f.state = Hidden
		return f.follow()
	}
	return nil
}

// follow does as the directory says: the switch works at any moment, but for an
// account that is just being made.
func (f *flow) follow() []effect {
	switch f.state {
	case Creating, Done, Opening:
		return nil
	case Unlock, Renew:
		if f.stays() {
			return nil
		}
		return f.leave(Ready)
	case Hidden, Failed:
		if f.state == Hidden {
			f.state = f.rest()
		}
		if f.state == Failed && !f.offer.open && !f.offer.settings.SSAP {
			f.state = f.rest()
		}
		return nil
	}
	if f.offer.open {
		return nil
	}
	return f.leave(Hidden)
}

// leave ends what is under way, here and at the directory.
func (f *flow) leave(to State) []effect {
	var todo []effect
	if f.started != nil && f.state != Done {
		todo = append(todo, askCancel{f.started.DeviceCode})
	}
	f.state, f.here, f.started, f.token, f.password, f.code, f.noPIN, f.returning = to, false, nil, nil, "", "", false, returning{}
	f.forget()
	if to == Ready || to == Hidden {
		f.state = f.rest()
	}
	return todo
}

// fail ends the sign-in with a reason.
func (f *flow) fail(code api.Code) []effect {
	todo := f.leave(Failed)
	f.code = code
	return todo
}

// late is when nobody did anything for too long.
func (f *flow) late() []effect {
	switch f.state {
	case Done:
		return f.leave(Ready)
	case Waiting, Number:
		return f.fail(api.CodeExpiredToken)
	case Password, PIN:
		return f.fail(api.CodeTicket)
	case Unlock, Renew:
		return f.leave(Ready)
	}
	return nil
}

func (f *flow) press(a Action) []effect {
	if !f.screenFor(a.Session).offers(a.Name) {
		return nil
	}
	f.claim(a.Session)
	switch a.Name {
	case Start, Retry:
		todo := f.leave(Ready) // another session's, perhaps
		if f.state != Ready {
			return todo
		}
		f.state, f.here = Starting, a.SameDevice
		return append(todo, askStart{a.SameDevice})
	case Cancel, Close:
		return f.leave(Ready)
	case Elsewhere:
		return f.elsewhere()
	case WithPIN:
		f.state, f.asked = Unlock, true
		return []effect{setAlarm{unlockLife}}
	case Skip:
		return f.create("")
	case Submit:
		return f.submit(&a)
	}
	return nil
}

func (f *flow) begin(e startedAs) []effect {
	if e.err != nil {
		return f.fail(codeOf(e.err))
	}
	f.state, f.started = Waiting, e.answer
	if f.here && e.answer.Check() != nil { // a directory of an earlier version, or one that lies
		return f.elsewhere()
	}
	return []effect{askToken{}, setAlarm{seconds(e.answer.ExpiresIn)}}
}

// canLeaveHere tells whether the sign-in depends on pages that this device shows.
func (f *flow) canLeaveHere() bool {
	return f.here && (f.state == Starting || f.state == Waiting || f.state == Number)
}

// elsewhere starts again for another device. The code of a sign-in on this device
// is never shown: for it the directory asks for no number where the page is opened
// from the device's own address, which is that of everybody behind the same
// router. Who has photographed it there could sign in on this device, and nothing
// would show the person at it that somebody else did. A new code has the number.
// One that was shown already, beside a page that is lost, is lost with it.
func (f *flow) elsewhere() []effect {
	if !f.canLeaveHere() {
		return nil
	}
	todo := f.leave(Starting)
	return append(todo, askStart{})
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// codeOf gives the code of an error, as employees may read of it.
func codeOf(err error) api.Code {
	if errors.Is(err, api.ErrUnreachable) {
		return api.CodeOffline
	}
	if code := api.CodeOf(err); code != "" {
		return code
	}
	return api.CodeInternal
}

func (f *flow) signedIn(e signedIn) []effect {
	switch code := codeOf(e.err); {
	case e.err == nil:
		f.token, f.state, f.code, f.noPIN, f.rules = e.answer, Password, "", e.noPIN != nil, e.rules
		return []effect{setAlarm{seconds(e.answer.ExpiresIn)}}
	case code == api.CodeNumberRequired:
		f.state, f.code = Number, ""
	case code == api.CodeNumberWrong:
		f.state, f.code = Number, code
	default:
		return f.fail(code)
	}
	return nil
}

// nobody is no surface.
const nobody = -1

func (f *flow) submit(a *Action) []effect {
	fields := a.Fields
	f.code = ""
	f.noteTypist(a)
	switch f.state {
	case Number:
		if number := strings.TrimSpace(fields[FieldNumber]); number != "" {
			return []effect{askToken{number}}
		}
	case Password:
		if f.asksOld {
			return f.takeOld(fields[FieldOld])
		}
		return f.takePassword(fields[FieldPassword], fields[FieldAgain])
	case PIN:
		if f.goodPIN(fields) {
			return f.create(fields[FieldPIN])
		}
	case Unlock:
		return f.takePIN(fields)
	case Renew:
		return f.takeRenewal(fields)
	}
	return nil
}

// noteTypist keeps which surface may ask for what is logged on with: the one
// where the password was typed, if the rest was typed there, too.
func (f *flow) noteTypist(a *Action) {
	first := f.state == Password && !f.asksOld && a.Fields[FieldPassword] != "" || f.state == Unlock || f.state == Renew && a.Fields[FieldPassword] != ""
	switch {
	case first:
		f.typist = a.Surface
	case f.state != Number && a.Surface != f.typist:
		f.typist = nobody
	}
}

func (f *flow) takePassword(password, again string) []effect {
	if password == "" {
		return nil
	}
	f.password = password
	if f.token.Password == api.VerifyPassword {
		return []effect{askConfirm{password}}
	}
	f.refused = f.rules.refuse(password)
	switch {
	case f.refused != "":
		f.code = api.CodeAccountPassword
	case password != again:
		f.code = api.CodePasswordsDiffer
	default:
		return f.afterPassword()
	}
	return nil
}

// takeOld goes on with the password that the account has so far.
func (f *flow) takeOld(old string) []effect {
	if old == "" {
		f.code = api.CodePasswordOld
		return nil
	}
	todo := f.create(f.newPIN)
	order := todo[0].(makeIt)
	order.old = old
	return []effect{order}
}

func (f *flow) confirmed(err error) []effect {
	switch code := codeOf(err); {
	case err == nil && f.rules.refuse(f.password) != "":
		return f.fail(api.CodeAccountPassword) // it is the directory's: nobody can choose another here
	case err == nil:
		return f.afterPassword()
	case code == api.CodeCredentials, code == api.CodeUserLocked, code == api.CodeTooMany, code == api.CodeOffline:
		f.code = code
		return nil
	default:
		return f.fail(code)
	}
}

func (f *flow) afterPassword() []effect {
	if f.wantsPIN() && !f.noPIN {
		f.state = PIN
		return nil
	}
	return f.create("")
}

func (f *flow) create(pin string) []effect {
	f.state, f.newPIN = Creating, pin
	return []effect{makeIt{order{
		user: f.token.User, administrator: f.token.Permission == api.Administrator, template: f.offer.settings.AccountName,
		password: f.password, pin: pin, ticket: f.token.Ticket, deviceCode: f.started.DeviceCode,
	}}}
}

func (f *flow) created(e created) []effect {
	switch code := codeOf(e.err); {
	case e.err == nil:
		f.forget()
		f.state, f.account, f.noPIN = Done, e.account, f.noPIN || e.noPIN != nil
		f.returning = returning{keeps: e.typed && e.password != f.password}
		f.password = e.password // the one to log on with
		if f.noPIN {
			f.code = api.CodePINUnavailable
		}
		f.offer.open, f.offer.why = false, api.CodeSlotTaken // until the directory says otherwise
		return []effect{setAlarm{doneLife}}
	case code == api.CodePasswordOld:
		f.state, f.code, f.asksOld = Password, code, true
		return nil
	case code == api.CodeAccountPassword && f.token.Password == api.ChoosePassword:
		f.state, f.code, f.refused = Password, code, "" // another one may do
		return nil
	default:
		return f.fail(code)
	}
}

// wantsPIN tells whether who signs in is to have one.
func (f *flow) wantsPIN() bool {
	return f.pins && f.token != nil && (f.token.PIN == api.PINOffered || f.token.PIN == api.PINRequired)
}
