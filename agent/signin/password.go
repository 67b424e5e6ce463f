package signin

import (
	"context"
	"fmt"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// minLocalPassword is how long the password of an account is that works on one
// device only, in characters. The system's own policy may want more.
const minLocalPassword = 8

// rules are those of the password of one account. They are told before anything
// is typed, and applied before anything is made.
//
// There is no word on characters outside ASCII: the tile is typed at with the
// layouts that Windows' own sign-in has, so what could be typed once can be typed
// again.
type rules struct {
	accounts.PasswordRules
	account, fullName string
}

// rulesFor asks the system. Where it does not say, it may still refuse a password
// when the account is made.
func (a *Accounts) rulesFor(ctx context.Context, t *api.TokenResponse, template string) rules {
	r := rules{fullName: t.User.FullName}
	if name, err := a.nameOf(t.User, template); err == nil { // Check told if not
		r.account = name
	}
	if teller, ok := a.Store.(accounts.RuleTeller); ok {
		var err error
		if r.PasswordRules, err = teller.PasswordRules(ctx); err != nil {
			a.Log.WarnContext(ctx, "the device does not tell all its password rules", "error", err)
		}
	}
	if t.Password == api.ChoosePassword {
		r.Length = max(r.Length, minLocalPassword)
	}
	return r
}

// refuse tells what a password lacks.
func (r *rules) refuse(password string) string {
	if len(password) > api.MaxPassword {
		return fmt.Sprintf("It must not be longer than %d bytes.", api.MaxPassword)
	}
	return r.Refuses(password, r.account, r.fullName)
}
