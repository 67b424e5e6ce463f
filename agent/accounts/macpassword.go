package accounts

import (
	"context"
	"errors"
	"fmt"

	"firstday.dev/agent/securetoken"
)

// PasswordWorks is a [Changer]'s. Of an account that is disabled, OpenDirectory
// may not look at the password; one of ours is open while it is asked then. Who
// asks closes it again if killed meanwhile.
func (s macStore) PasswordWorks(ctx context.Context, name string, password []byte) (bool, error) {
	r, err := s.change(ctx, name)
	if err != nil {
		return false, err
	}
	if macPlatform.checkPassword(password) != nil {
		return false, nil
	}
	err = s.dir.checkPassword(name, password)
	if errors.Is(err, errShut) && r.isDisabled() && r.first(attrMark) != "" {
		err = s.whileOpen(ctx, name, r, func() error { return s.dir.checkPassword(name, password) })
	}
	switch {
	case err == nil, errors.Is(err, errRightPassword):
		return true, nil
	case errors.Is(err, errWrongPassword):
		return false, nil
	}
	return false, err
}

// whileOpen does something while a disabled account is not.
func (s macStore) whileOpen(ctx context.Context, name string, r macRecord, do func() error) error {
	var enabled []string
	for _, a := range r[attrAuthority] {
		if a != disabledAuthority {
			enabled = append(enabled, a)
		}
	}
	if err := s.reauthorize(name, r[attrAuthority], enabled); err != nil {
		return err
	}
	err := do()
	if shut := s.Disable(context.WithoutCancel(ctx), name); shut != nil {
		return fmt.Errorf("closing account %s again: %w", name, shut) // whatever the password is
	}
	return err
}

// ChangePassword is a [Changer]'s. With the old password the account keeps its
// secure token. The login keychain stays on the old one, as after passwd(1); at the
// next login macOS asks for that once and changes the keychain's: nothing is lost.
func (s macStore) ChangePassword(ctx context.Context, name string, old, password []byte) error {
	r, err := s.change(ctx, name)
	if err != nil {
		return err
	}
	for _, p := range [][]byte{old, password} {
		if err := macPlatform.checkPassword(p); err != nil {
			return err
		}
	}
	if r.isDisabled() {
		return fmt.Errorf("account %s: %w: it is disabled", name, ErrPassword)
	}
	err = s.dir.changePassword(name, old, password)
	if errors.Is(err, errWrongPassword) {
		return fmt.Errorf("%w: the old one is wrong: %w", ErrPassword, err)
	}
	return err
}

// holders tells who has a secure token, as far as the system says.
func (s macStore) holders(ctx context.Context) *securetoken.Mac {
	m, _ := securetoken.Holders(ctx, s.tools) // TokenStates tells why not
	return m
}

// Tokens is a [TokenGiver]'s.
func (s macStore) Tokens(ctx context.Context) (*securetoken.Mac, error) {
	m, err := securetoken.Tokens(ctx, s.tools)
	return m, errors.Join(err, m.Disk(ctx, s.tools))
}

// TokenStates is a [TokenGiver]'s.
func (s macStore) TokenStates(ctx context.Context, names []string) ([]AccountToken, error) {
	m, err := securetoken.Tokens(ctx, s.tools)
	errs := []error{err}
	var states []AccountToken
	for _, name := range names {
		r, err := s.change(ctx, name)
		if errors.Is(err, ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		told, err := securetoken.Told(ctx, s.tools, r.first(attrName))
		errs = append(errs, err)
		states = append(states, AccountToken{Account: r.first(attrName), State: m.Judge(r.first(attrGUID), told)})
	}
	return states, errors.Join(errs...)
}

// GiveToken is a [TokenGiver]'s. Where the MDM's bootstrap token will do it, or
// somebody has a token already, there is nothing to be done here. Else the
// password is set once more: after the tag of Create is gone, "the next password
// change will set the Secure Token" (github.com/aws/ec2-macos-init,
// usermanagement.go). It is the same password, and the account has no token: what
// it protects stays.
func (s macStore) GiveToken(ctx context.Context, name string, password []byte) (securetoken.State, error) {
	r, err := s.change(ctx, name)
	if err != nil {
		return securetoken.Unknown, err
	}
	m, err := securetoken.Tokens(ctx, s.tools)
	if err != nil && m.Holders == nil {
		return securetoken.Unknown, err
	}
	told, err := securetoken.Told(ctx, s.tools, r.first(attrName))
	state := m.Judge(r.first(attrGUID), told)
	if err != nil || state != securetoken.Missing || !m.NobodyHas() || r.isDisabled() {
		return state, err
	}
	works, err := s.PasswordWorks(ctx, name, password)
	if err == nil && !works {
		err = fmt.Errorf("account %s: %w: it is not its own", name, ErrPassword)
	}
	if err == nil {
		err = s.dir.setPassword(name, password)
	}
	if err != nil {
		return state, err
	}
	after, err := s.TokenStates(ctx, []string{name})
	if len(after) != 1 {
		return securetoken.Unknown, err
	}
	return after[0].State, err
}
