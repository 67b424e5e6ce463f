package agent

import (
	"context"
	"errors"
	"fmt"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/securetoken"
	"firstday.dev/agent/signin"
)

// Bounds on asking for secure tokens: each account costs a program of macOS that
// is run.
const (
	maxTokens     = 20
	tokenPatience = 30 * time.Second
)

// tokensOf tells how the accounts of people who are let in stand with what unlocks
// the disk; nothing where accounts have no such thing.
func tokensOf(ctx context.Context, a *signin.Accounts) ([]accounts.AccountToken, error) {
	g, ok := a.Store.(accounts.TokenGiver)
	if !ok {
		return nil, nil
	}
	names, err := a.Open()
	if err != nil || len(names) == 0 {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	return g.TokenStates(ctx, names[:min(len(names), maxTokens)])
}

// tokenProblems are for the directory, in plain sentences.
func (m *member) tokenProblems(ctx context.Context) (problems []string) {
	tokens, err := tokensOf(ctx, m.accounts)
	if err != nil {
		m.log().WarnContext(ctx, "the accounts' secure tokens are not all known", "error", err)
	}
	if err != nil && tokens == nil {
		return []string{"the accounts' secure tokens are not known: " + err.Error()}
	}
	for _, t := range tokens {
		if p := t.State.Problem(t.Account); p != "" {
			problems = append(problems, p)
		}
	}
	return problems
}

func (s *Status) addTokens(ctx context.Context, a *Agent) {
	store, err := a.System.Accounts()
	if errors.Is(err, errors.ErrUnsupported) { // of a system that does not run
		return
	}
	if err == nil {
		s.Tokens, err = tokensOf(ctx, &signin.Accounts{Store: store, Folder: a.System.Layout().Data})
	}
	if err != nil {
		s.fault("the accounts' secure tokens are not all known: %v", err)
	}
	for _, t := range s.Tokens {
		if p := t.State.Problem(t.Account); p != "" {
			s.fault("%s", p)
		}
	}
}

// tokenReport is all there is to know about secure tokens.
type tokenReport struct {
	*securetoken.Mac
	Accounts []accounts.AccountToken `json:"accounts"`
	Error    string                  `json:"error,omitempty"` // what is not known, and why
}

var errNoTokens = errors.New("accounts of this system have no secure tokens")

func (c *collection) tokens(ctx context.Context) (*tokenReport, error) {
	store, err := c.System.Accounts()
	if err != nil {
		return nil, err
	}
	g, ok := store.(accounts.TokenGiver)
	if !ok {
		return nil, errNoTokens
	}
	r := new(tokenReport)
	r.Mac, err = g.Tokens(ctx)
	if r.Mac == nil {
		return nil, errors.Join(errNoTokens, err)
	}
	var unread error
	if r.Accounts, unread = tokensOf(ctx, &signin.Accounts{Store: store, Folder: c.layout.Data}); unread != nil || err != nil {
		r.Error = fmt.Sprint(errors.Join(err, unread))
	}
	return r, nil
}
