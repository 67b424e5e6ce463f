package accounts

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"firstday.dev/agent/securetoken"
)

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
		state, err := s.judge(ctx, m, r)
		errs = append(errs, err)
		states = append(states, AccountToken{Account: r.first(attrName), State: state})
	}
	return states, errors.Join(errs...)
}

// judge asks the second tool, and who else has a token.
func (s macStore) judge(ctx context.Context, m *securetoken.Mac, r macRecord) (securetoken.State, error) {
	told, err := securetoken.Told(ctx, s.tools, r.first(attrName))
	state := m.Judge(r.first(attrGUID), told)
	if err != nil || state != securetoken.Held || m.IsEscrowed() {
		return state, err
	}
	users, err := s.dir.records(macUsers)
	if err != nil {
		return state, err
	}
	admin, err := s.admin()
	if err != nil {
		return state, err
	}
	if !slices.ContainsFunc(users, func(r macRecord) bool {
		has := m.Has(r.first(attrGUID))
		return has != nil && *has && r.account(admin).Administrator
	}) {
		state = securetoken.Alone
	}
	return state, nil
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
	state, err := s.judge(ctx, m, r)
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
