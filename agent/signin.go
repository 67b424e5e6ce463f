package agent

import (
	"context"
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
	m.signIn = &signin.Machine{Directory: m.directory, Accounts: m.accounts, Device: m.shown, Log: m.log()}
	return nil
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
	heard := &api.CheckInResponse{State: api.DeviceRemoved} // nothing is offered
	r := m.current()
	if code := api.CodeOf(result); r != nil && (result == nil || code == "" || passes(code)) {
		heard = &r.Heard
		if result == nil {
			m.accounts.Settle(ctx, m.directory)
		}
		problems := m.accounts.Follow(ctx, heard)
		if err := m.rotate(ctx, heard); err != nil {
			m.log().WarnContext(ctx, "the break-glass password was not changed", "error", err)
			problems = append(problems, "the break-glass password was not changed: "+err.Error())
		}
		m.note(problems)
	}
	// Both end with the context only.
	_ = m.signIn.Reached(ctx, result == nil)
	_ = m.signIn.Heard(ctx, heard)
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
