//go:build linux

package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/simulate/employee"
)

// approvals are how many sign-ins are timed; more would meet the limit of
// logins from one address.
const approvals = 15

// maxApproval is how long an account may take from the last word on the page,
// without what the system's tools take.
const maxApproval = 150 * time.Millisecond

// confirmTitle is that of the page on which people approve.
const confirmTitle = "Is this your new device?"

// timedStore counts the time that the system's accounts take.
type timedStore struct {
	accounts.Store
	took time.Duration
}

func (s *timedStore) Create(ctx context.Context, n accounts.New) (*accounts.Account, error) {
	defer s.count(time.Now())
	return s.Store.Create(ctx, n)
}

func (s *timedStore) Enable(ctx context.Context, name string) error {
	defer s.count(time.Now())
	return s.Store.Enable(ctx, name)
}

func (s *timedStore) count(begin time.Time) { s.took += time.Since(begin) }

// approve times sign-ins from the approval on the page to the account.
func (b *bench) approve(ctx context.Context, d *directories) error {
	s, err := b.startService(ctx, "approvals", "")
	if err != nil {
		return err
	}
	defer s.stop() //nolint:errcheck // the figures are there
	owner, err := s.owner()
	if err != nil {
		return err
	}
	settings, err := owner.Settings(ctx)
	if err != nil {
		return err
	}
	settings.SecondFactor = false // a code is good once in half a minute
	if _, err := owner.SetSettings(ctx, settings); err != nil {
		return err
	}
	for i := range approvals {
		fmt.Fprintf(os.Stderr, "\rsign-in %d of %d", i+1, approvals)
		took, err := s.signIn(ctx, owner, i, filepath.Join(b.dir, fmt.Sprint("desk-", i)))
		if err != nil {
			return fmt.Errorf("sign-in %d: %w", i+1, err)
		}
		d.approvals = append(d.approvals, took)
	}
	fmt.Fprintln(os.Stderr)
	return nil
}

// signIn lets somebody sign in on a device of their own, and gives how long the
// account took beyond the system's part in it.
func (s *running) signIn(ctx context.Context, owner *api.Client, number int, folder string) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	name := fmt.Sprint("user", number)
	hired, err := owner.CreateUsers(ctx, []api.NewUser{{Name: name}})
	if err != nil {
		return 0, err
	}
	l, err := s.enroll(ctx, number)
	if err != nil {
		return 0, err
	}
	if err := os.Mkdir(folder, 0o700); err != nil {
		return 0, err
	}
	store := &timedStore{Store: accounts.Memory(api.Windows)}
	log := slog.New(slog.DiscardHandler)
	m := &signin.Machine{Directory: l.Client, Log: log, Accounts: &signin.Accounts{Store: store, Platform: api.Windows, Folder: folder, Log: log}}
	var group sync.WaitGroup
	defer group.Wait()
	running, end := context.WithCancel(ctx)
	defer end()
	group.Go(func() { m.Run(running) })
	answer, err := l.CheckIn(ctx, new(api.CheckInRequest))
	if err != nil {
		return 0, err
	}
	if err := m.Heard(ctx, answer); err != nil {
		return 0, err
	}
	var approved time.Time
	who := &employee.Employee{Name: name, Password: hired[0].Password.Reveal(), NewPassword: "correct horse battery"}
	who.Saw = func(title, _ string) {
		if title == confirmTitle {
			approved = time.Now()
		}
	}
	for screen := m.Screen(); ; {
		switch screen.State {
		case signin.Ready:
			err = m.Act(ctx, signin.Action{Name: signin.Start, SameDevice: true})
		case signin.Waiting:
			address := screen.Page
			group.Go(func() {
				if _, err := who.SignIn(ctx, s.At, address); err != nil {
					fail(err)
				}
			})
		case signin.Password:
			err = m.Act(ctx, signin.Action{Name: signin.Submit, Fields: map[string]string{signin.FieldPassword: "of this device", signin.FieldAgain: "of this device"}})
		case signin.Done:
			if approved.IsZero() {
				return 0, errors.New("there was no page " + confirmTitle)
			}
			return time.Since(approved) - store.took, nil
		case signin.Failed, signin.Number:
			return 0, errors.New(string(screen.State) + " " + string(screen.Code))
		}
		if err == nil {
			screen, err = m.Next(ctx, screen.Serial)
		}
		if err != nil {
			return 0, cmp.Or(context.Cause(ctx), err)
		}
	}
}
