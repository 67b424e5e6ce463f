package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/eventid"
	"firstday.dev/api"
)

// Accounts gives managed users their accounts. Whatever interrupts it, at any
// moment: no account is left half made, and nobody gets two.
//
// An account is made, but closed; then the directory binds it; then it is
// opened. Before each step the journal says what comes, see [Accounts.Resume].
type Accounts struct {
	Store    accounts.Store
	Platform api.Platform
	// Folder holds the journal and the ledger. Only the system may look into it.
	Folder string
	Log    *slog.Logger
	// PINs keeps people's PINs; nil: this system has none.
	PINs PINs

	mu sync.Mutex // one thing at a time

	heard atomic.Int64                        // version of the directory's last news
	news  atomic.Pointer[api.CheckInResponse] // what is to be followed yet
}

// order is what account to make, and for whom.
type order struct {
	user          api.Person
	template      string
	administrator bool
	password, pin string
	// old is the password that the account had before, where that was asked for.
	old        string
	ticket     api.Secret
	deviceCode api.Secret
}

// nameOf gives the name that a user's account has on this device.
func (a *Accounts) nameOf(user api.Person, template string) (string, error) {
	email := user.Email
	if email == "" {
		email = user.Name + "@"
	}
	name, err := accounts.NameFor(a.Platform, cmp.Or(template, "{local}"), accounts.User{Email: email, FullName: user.FullName})
	if err != nil {
		return "", api.Refuse(api.CodeAccountName, "%v", err)
	}
	return name, nil
}

// Check tells early what Make would find: that the name is somebody else's, or that
// a home is left of one who had it.
func (a *Accounts) Check(ctx context.Context, user api.Person, template string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	l, err := a.readLedger()
	if err != nil {
		return refusal(err)
	}
	if l.of(user.ID) != nil {
		return nil
	}
	name, err := a.nameOf(user, template)
	if err != nil {
		return err
	}
	if err := a.Store.CheckFree(ctx, name); err != nil {
		return refusal(err)
	}
	return nil
}

// access is an account that is open, and a password that opens it; empty: the
// one that it had before, which is not known here.
type access struct{ account, password string }

// Make makes the account, binds it at the directory and opens it. Refusals are of
// type *[api.Error].
func (a *Accounts) Make(ctx context.Context, d Directory, o order) (*access, error) {
	defer a.catchUp(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.resume(ctx, d); a.hasJournal() {
		return nil, api.Refuse(api.CodeAccount, "what was interrupted before is not at its end")
	}
	j, err := a.prepare(ctx, o)
	if err != nil {
		return nil, refusal(err)
	}
	works, err := a.make(ctx, j, o)
	if err != nil {
		return nil, refusal(err)
	}
	if err := a.finish(ctx, d, j); err != nil {
		return nil, refusal(err)
	}
	works = a.change(ctx, j.Name, works, o)
	a.giveToken(ctx, j.Name, works)
	return &access{j.Name, works}, nil
}

// tokenPatience is how long who signs in waits for the system's tools.
const tokenPatience = 10 * time.Second

// giveToken has the system give an account that stays what unlocks the disk. Without
// it the account works, too; status and the directory tell.
func (a *Accounts) giveToken(ctx context.Context, name, password string) {
	g, ok := a.Store.(accounts.TokenGiver)
	if !ok || password == "" {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, tokenPatience)
	defer cancel()
	text := []byte(password)
	defer clear(text)
	state, err := g.GiveToken(ctx, name, text)
	if err != nil {
		a.Log.WarnContext(ctx, "the account's secure token", "account", name, "state", state, "error", err)
	} else if state != "" {
		a.Log.InfoContext(ctx, "the account's secure token", "account", name, "state", state)
	}
}

// refusal gives an error its code.
func refusal(err error) error {
	var refused *api.Error
	if errors.As(err, &refused) || errors.Is(err, context.Canceled) || errors.Is(err, api.ErrUnreachable) {
		return err
	}
	for _, r := range refusals {
		if errors.Is(err, r.is) {
			return api.Refuse(r.code, "%v", err)
		}
	}
	return api.Refuse(api.CodeAccount, "%v", err)
}

// refusals are the codes of what a system refuses.
var refusals = []struct {
	is   error
	code api.Code
}{
	{accounts.ErrExists, api.CodeAccountExists},
	{accounts.ErrName, api.CodeAccountName},
	{accounts.ErrPassword, api.CodeAccountPassword},
	{accounts.ErrGroup, api.CodeAccountGroup},
	{accounts.ErrDenied, api.CodeAccountDenied},
	{accounts.ErrFull, api.CodeAccountFull},
	{syscall.ENOSPC, api.CodeAccountFull},
	{accounts.ErrLocked, api.CodeAccountLocked},
}

// prepare writes down what will be made. A user who has an account here, which
// an admin's binding made or an earlier one left, gets that one.
func (a *Accounts) prepare(ctx context.Context, o order) (*journal, error) {
	l, err := a.readLedger()
	if err != nil {
		return nil, err
	}
	j := &journal{Stage: making, User: o.user, Ticket: o.ticket, DeviceCode: o.deviceCode, Tag: newTag()}
	if known := l.of(o.user.ID); known != nil {
		found, err := a.Store.Find(ctx, known.Name)
		if err == nil && found.Tag == known.Tag {
			j.Name, j.Tag, j.ID, j.Existing, j.Used = known.Name, known.Tag, found.ID, true, !found.Unused
			return j, a.writeJournal(j)
		}
		if err != nil && !errors.Is(err, accounts.ErrNotFound) {
			return nil, err
		}
	}
	if j.Name, err = a.nameOf(o.user, o.template); err != nil {
		return nil, err
	}
	return j, a.writeJournal(j)
}

func newTag() string { return strings.ToLower(rand.Text()) }

// make makes the account, closed. When it fails, nothing is left of it. It gives
// the password that works.
func (a *Accounts) make(ctx context.Context, j *journal, o order) (works string, err error) {
	password := []byte(o.password)
	defer clear(password)
	works = o.password
	if j.Existing {
		if j.Used {
			works, err = a.theirs(ctx, j.Name, o)
		}
		if err == nil {
			err = errors.Join(a.Store.SetAdministrator(ctx, j.Name, o.administrator), a.Store.SetFullName(ctx, j.Name, o.user.FullName))
		}
		if err == nil && !j.Used {
			err = a.Store.SetPassword(ctx, j.Name, password)
		}
	} else {
		var made *accounts.Account
		made, err = a.Store.Create(ctx, accounts.New{Name: j.Name, FullName: o.user.FullName, Password: password, Administrator: o.administrator, Tag: j.Tag})
		if err == nil {
			j.ID = made.ID
		}
	}
	if ctx.Err() != nil {
		return "", ctx.Err() // the journal knows
	}
	if err != nil {
		return "", errors.Join(err, a.undo(ctx, j))
	}
	j.Stage, j.After = made, a.heard.Load()
	return works, a.writeJournal(j)
}

// theirs finds out which password an account has that its user used before. It is
// never set without the old one, which would lose what that protects. Where the
// system cannot tell, the account keeps the one it has.
func (a *Accounts) theirs(ctx context.Context, name string, o order) (string, error) {
	c, ok := a.Store.(accounts.Changer)
	if !ok {
		return "", nil
	}
	password := cmp.Or(o.old, o.password) // a wrong one counts with the system
	text := []byte(password)
	defer clear(text)
	works, err := c.PasswordWorks(ctx, name, text)
	if err == nil && !works {
		err = api.Refuse(api.CodePasswordOld, "account %s has another password", name)
	}
	return password, err
}

// change gives an account that was used the new password. Where that fails, the
// old one works. It gives the one that does.
func (a *Accounts) change(ctx context.Context, name, works string, o order) string {
	if works == "" || works == o.password {
		return works
	}
	old, password := []byte(works), []byte(o.password)
	defer clear(old)
	defer clear(password)
	if err := a.Store.(accounts.Changer).ChangePassword(ctx, name, old, password); err != nil {
		a.Log.WarnContext(ctx, "the account keeps its old password", "account", name, "error", err)
		return works
	}
	return o.password
}

// finish binds what is made, and opens it.
func (a *Accounts) finish(ctx context.Context, d Directory, j *journal) error {
	if j.Stage == made {
		if err := a.bind(ctx, d, j); err != nil {
			return err
		}
	}
	if err := a.Store.Enable(ctx, j.Name); err != nil {
		return fmt.Errorf("opening the account %s: %w", j.Name, err) // see Settle
	}
	if err := a.changeLedger(func(l *ledger) {
		l.put(entry{User: j.User.ID, Name: j.Name, ID: j.ID, Tag: j.Tag, Open: true, After: j.After})
	}); err != nil {
		return err
	}
	eventid.AccountMade.Log(ctx, a.Log, "account made", "account", j.Name, "id", j.ID, "user", j.User.ID)
	return a.removeJournal()
}

// bind tells the directory until it answers. Where it refuses, the account goes.
func (a *Accounts) bind(ctx context.Context, d Directory, j *journal) error {
	pause := firstPause
	for {
		err := d.CompleteSignIn(ctx, &api.CompleteRequest{Ticket: j.Ticket, Account: j.Name, AccountID: j.ID})
		switch code := codeOf(err); {
		case err == nil:
			j.Stage = bound
			return a.writeJournal(j)
		case code != api.CodeOffline && code != api.CodeUnavailable && code != api.CodeInternal && code != api.CodeTooMany && code != api.CodeConflict:
			return errors.Join(err, a.undo(ctx, j))
		}
		a.Log.WarnContext(ctx, "the directory has not heard of the account yet", "account", j.Name, "error", err)
		select {
		case <-time.After(pause):
			pause = min(2*pause, longPause)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// undo takes back what was made and never opened. An account that was closed before
// is closed: some systems look at its password only while it is open.
func (a *Accounts) undo(ctx context.Context, j *journal) error {
	if j.Existing {
		l, err := a.readLedger()
		if err != nil {
			return err
		}
		if known := l.of(j.User.ID); known != nil && !known.Open {
			if err := a.Store.Disable(ctx, j.Name); err != nil && !errors.Is(err, accounts.ErrNotFound) {
				return fmt.Errorf("closing the account %s again: %w", j.Name, err)
			}
		}
	} else {
		found, err := a.Store.Find(ctx, j.Name)
		switch {
		case errors.Is(err, accounts.ErrNotFound):
		case err != nil:
			return err
		case found.Tag == j.Tag:
			if err := a.Store.Remove(ctx, j.Name); err != nil {
				return fmt.Errorf("taking the account %s back: %w", j.Name, err)
			}
			a.Log.InfoContext(ctx, "account taken back", "account", j.Name)
		}
	}
	return a.removeJournal()
}

// Interrupted tells whether something is to be brought to its end.
func (a *Accounts) Interrupted() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.hasJournal()
}

func (a *Accounts) hasJournal() bool {
	j, err := a.readJournal()
	return j != nil || err != nil
}

// Resume brings to its end what a kill interrupted: an account that was made is
// bound and opened, or taken back; one that was being made is taken back. It
// gives the name of the account that is ready now, empty if there is none.
func (a *Accounts) Resume(ctx context.Context, d Directory) string {
	defer a.catchUp(ctx)
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.resume(ctx, d)
}

// Settle is Resume for what was not killed but failed, because the disk was full
// perhaps: it may come to its end now. While an account is being made it does
// nothing.
func (a *Accounts) Settle(ctx context.Context, d Directory) {
	defer a.catchUp(ctx)
	if a.mu.TryLock() {
		defer a.mu.Unlock()
		a.resume(ctx, d)
	}
}

func (a *Accounts) resume(ctx context.Context, d Directory) string {
	j, err := a.readJournal()
	if err != nil {
		a.Log.ErrorContext(ctx, "what was interrupted is not known any more", "error", err)
		if err := a.setJournalAside(); err != nil {
			a.Log.ErrorContext(ctx, "the journal stays", "error", err)
		}
		return ""
	}
	if j == nil {
		return ""
	}
	a.Log.InfoContext(ctx, "an account was interrupted", "account", j.Name, "stage", j.Stage)
	if j.Stage == making {
		if err := a.undo(ctx, j); err != nil {
			a.Log.ErrorContext(ctx, "what was begun is not taken back", "account", j.Name, "error", err)
			return ""
		}
		if err := d.CancelSignIn(ctx, &api.CancelRequest{DeviceCode: j.DeviceCode}); err != nil {
			a.Log.WarnContext(ctx, "the directory was not told that the sign-in ended", "error", err)
		}
		return ""
	}
	if err := a.finish(ctx, d, j); err != nil {
		a.Log.ErrorContext(ctx, "the account is not ready", "account", j.Name, "error", err)
		return ""
	}
	return j.Name
}

// Follow does as the directory says of its users: who is bound by an admin finds
// an account that waits; of who is unbound the account is closed, never deleted.
// It gives what cannot be done, in plain sentences. While an account is being
// made it waits until that is done. What was said before an account was opened
// does not close it: a device that is offline hears nothing else.
func (a *Accounts) Follow(ctx context.Context, news *api.CheckInResponse) (problems []string) {
	a.heard.Store(news.Version)
	a.news.Store(news)
	return a.catchUp(ctx)
}

// catchUp follows the last news, unless somebody is at work, who does so then.
func (a *Accounts) catchUp(ctx context.Context) (problems []string) {
	for a.news.Load() != nil && a.mu.TryLock() {
		news := a.news.Load()
		if news == nil || a.hasJournal() {
			a.mu.Unlock()
			return problems
		}
		problems = a.follow(ctx, news)
		a.news.CompareAndSwap(news, nil) // or there is newer news by now
		a.mu.Unlock()
	}
	return problems
}

func (a *Accounts) follow(ctx context.Context, news *api.CheckInResponse) (problems []string) {
	for _, b := range news.Users {
		var err error
		switch b.State {
		case api.Awaiting:
			err = a.await(ctx, b.User, &news.Settings)
		case api.Bound:
			err = a.reopen(ctx, b.User.ID, news.Version)
		case api.Unbound:
			err = a.close(ctx, b.User.ID, news.Version)
		}
		if err != nil {
			a.Log.WarnContext(ctx, "a user's account is not as the directory says", "user", b.User.ID, "state", b.State, "error", err)
			problems = append(problems, fmt.Sprintf("user %s is %s, but: %v", b.User.Name, b.State, err))
		}
	}
	return problems
}

// await makes an account that nobody can sign in to until its user has signed
// in.
func (a *Accounts) await(ctx context.Context, user api.Person, settings *api.PlatformSettings) error {
	l, err := a.readLedger()
	if err != nil {
		return err
	}
	e := entry{User: user.ID, Tag: newTag()}
	if known := l.of(user.ID); known != nil {
		e = *known
		found, err := a.Store.Find(ctx, e.Name)
		if err == nil && found.Tag == e.Tag || err != nil && !errors.Is(err, accounts.ErrNotFound) {
			return err
		}
	}
	if e.Name, err = a.nameOf(user, settings.AccountName); err != nil {
		return err
	}
	// Written before: what is made is known to be ours.
	if err := a.changeLedger(func(l *ledger) { l.put(e) }); err != nil {
		return err
	}
	password := []byte(rand.Text() + "-a1") // nobody knows it; every policy takes it
	defer clear(password)
	made, err := a.Store.Create(ctx, accounts.New{Name: e.Name, FullName: user.FullName, Password: password, Administrator: settings.Permission == api.Administrator, Tag: e.Tag})
	if err != nil {
		return errors.Join(err, a.changeLedger(func(l *ledger) { l.drop(user.ID) }))
	}
	e.ID = made.ID
	a.Log.InfoContext(ctx, "account waits for its user", "account", e.Name, "user", user.ID)
	return a.changeLedger(func(l *ledger) { l.put(e) })
}

func (a *Accounts) close(ctx context.Context, user uuid.UUID, version int64) error {
	l, err := a.readLedger()
	if err != nil {
		return err
	}
	known := l.of(user)
	if known == nil || !known.Open || version <= known.After {
		return nil
	}
	err = a.Store.Disable(ctx, known.Name)
	if err != nil && !errors.Is(err, accounts.ErrNotFound) {
		return err
	}
	if a.PINs != nil && known.ID != "" {
		if err := a.PINs.Forget(ctx, known.ID); err != nil {
			return fmt.Errorf("forgetting the PIN of %s: %w", known.Name, err) // and again with the next news
		}
	}
	eventid.AccountClosed.Log(ctx, a.Log, "account closed", "account", known.Name, "user", user)
	return a.changeLedger(func(l *ledger) { l.of(user).Open, l.of(user).After = false, version })
}

// reopen opens an account that was closed, but is its user's after all.
func (a *Accounts) reopen(ctx context.Context, user uuid.UUID, version int64) error {
	l, err := a.readLedger()
	if err != nil {
		return err
	}
	known := l.of(user)
	if known == nil || known.Open || version <= known.After {
		return nil
	}
	found, err := a.Store.Find(ctx, known.Name)
	if err != nil || found.Tag != known.Tag || found.Unused {
		return err // it never had a password that somebody knows
	}
	if err := a.Store.Enable(ctx, known.Name); err != nil {
		return err
	}
	eventid.AccountOpened.Log(ctx, a.Log, "account opened again", "account", known.Name, "user", user)
	return a.changeLedger(func(l *ledger) { l.of(user).Open, l.of(user).After = true, version })
}
