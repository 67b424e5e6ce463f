package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// offerSignIn makes the sign-in of this device. It shows nothing before the
// directory was heard.
func (m *member) offerSignIn() error {
	store, err := m.System.Accounts()
	if err != nil {
		return fmt.Errorf("this device's accounts: %w", err)
	}
	if m.facts, err = m.System.Facts(); err != nil {
		return fmt.Errorf("this device's facts: %w", err)
	}
	m.accounts = &signin.Accounts{Store: store, Platform: m.facts.Platform, Folder: m.System.Layout().Data, Log: m.log()}
	pack := m.Pack
	if pack == nil {
		pack = packLogon
	}
	if m.pins, err = m.keepPINs(pack != nil); err != nil {
		return fmt.Errorf("this device's PINs: %w", err)
	}
	if m.pins != nil {
		m.accounts.PINs = m.pins // not a nil *pin.Store in an interface
	}
	m.signIn = &signin.Machine{Directory: binding{m.directory, m}, Accounts: m.accounts, Device: m.shown, Log: m.log(), Pack: pack}
	return nil
}

// binding is the directory as this device knows it. It notes what a completed sign-in
// means: who switches the device off before it hears of that finds no sign-in offered
// that the directory would refuse.
type binding struct {
	signin.Directory
	member *member
}

// SignIn starts one. Of the CAs that pages of the directory are said to be known by,
// those count by which this agent knows it.
func (b binding) SignIn(ctx context.Context, r *api.SignInRequest) (*api.SignInResponse, error) {
	answer, err := b.Directory.SignIn(ctx, r)
	if err == nil {
		answer.Anchors = b.member.enrollment.Directory.Known(answer)
	}
	return answer, err
}

func (b binding) CompleteSignIn(ctx context.Context, r *api.CompleteRequest) error {
	if err := b.Directory.CompleteSignIn(ctx, r); err != nil {
		return err
	}
	if err := b.member.takeSlot(); err != nil {
		b.member.log().WarnContext(ctx, "that the device has a user was not kept", "error", err)
	}
	return nil
}

// signInWindow is what the directory wants to stand beside the tile; before it was
// heard, nothing starts a sign-in.
func (m *member) signInWindow() api.SignInWindow {
	if r := m.current(); r != nil {
		return r.Heard.Settings.Window
	}
	return ""
}

// shown is what surfaces tell of this device.
func (m *member) shown() signin.Device {
	m.mu.Lock()
	defer m.mu.Unlock()
	f := &m.facts
	d := signin.Device{Name: f.Name, Serial: f.Serial, Model: fact(f.Manufacturer + " " + f.Model), OS: fact(f.OS + " " + f.OSVersion), Organisation: m.enrollment.Organisation}
	if m.record != nil {
		d.Managed, d.Heard = true, m.record.Heard.Time
	}
	return d
}

// passOn tells the sign-in what came of an attempt to reach the directory. As
// long as nobody answers, what it said last holds.
func (m *member) passOn(ctx context.Context, result error) {
	// All that the sign-in is told ends with the context only. Who sees that the
	// directory answers sees what it said, too.
	defer func() { _ = m.signIn.Reached(ctx, result == nil) }()
	r := m.current()
	if code := codeOf(result); r == nil || settled(code) {
		_ = m.signIn.Withdraw(ctx, code)
		return
	}
	if result == nil {
		m.accounts.Settle(ctx, m.directory)
	}
	problems := m.accounts.Follow(ctx, &r.Heard)
	if err := m.rotate(ctx, &r.Heard); err != nil {
		m.log().WarnContext(ctx, "the break-glass password was not changed", "error", err)
		problems = append(problems, "the break-glass password was not changed: "+err.Error())
	}
	m.note(problems)
	_ = m.signIn.Heard(ctx, &r.Heard)
}

// codeOf says what came of an attempt to reach the directory, empty if all is
// well or nothing is known.
func codeOf(result error) api.Code {
	switch code := api.CodeOf(result); {
	case code != "" || result == nil || errors.Is(result, errNotTried):
		return code
	case errors.Is(result, errNoKey):
		return api.CodeDeviceRemoved
	case errors.Is(result, api.ErrUnreachable):
		return api.CodeOffline
	default:
		return api.CodeInternal
	}
}

// settled tells refusals that only people can change.
func settled(code api.Code) bool {
	return code != "" && code != api.CodeOffline && !passes(code)
}

// note keeps what is wrong with users' accounts, for the next report.
func (m *member) note(problems []string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.problems = problems
}

// localUsers lists the accounts of people on this device.
func (m *member) localUsers(ctx context.Context) ([]api.LocalUser, error) {
	list, err := m.accounts.Store.List(ctx)
	if err != nil {
		return nil, err
	}
	managed, err := m.accounts.Managed()
	if err != nil {
		return nil, err
	}
	var users []api.LocalUser
	for _, a := range list[:min(len(list), maxLocalUsers)] {
		users = append(users, api.LocalUser{
			Name: fact(a.Name), FullName: fact(a.FullName), Administrator: a.Administrator, Disabled: a.Disabled, Managed: slices.Contains(managed, a.Name),
		})
	}
	return users, nil
}

// maxLocalUsers is how many the directory takes.
const maxLocalUsers = 500
