// Package pin lets people sign in to their accounts with six digits: the
// account's password is kept on the device, under a key that the TPM gives to
// nobody but who knows the PIN.
//
// Two counters stand before a guess. Ours lets nobody try more than five times,
// and is written down before each try; then only the password helps. The TPM's
// own counts the tries of who has a way around ours. It is one for all that the
// TPM guards, Windows' own PINs and BitLocker's among it, so that ours keeps far
// away from its end.
package pin

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
)

// Tries is how many wrong PINs in a row are taken. After that there must be a
// password.
const Tries = 5

// tryPause grows with each wrong PIN: that is the wait before the next is tried.
const tryPause = time.Second

// Errors, beside [WeakError], [WrongError] and those of devicekey: ErrNoTPM and
// ErrLockedOut, which may pass, and ErrUnanswered, whereafter the try counts.
var (
	// ErrNone: the user has no PIN on this device.
	ErrNone = errors.New("there is no PIN")
	// ErrSpent: there were too many wrong PINs. The right one is not tried either.
	ErrSpent = errors.New("there were too many wrong PINs; the password is needed")
	// ErrLost: what was kept could never be used again, and is gone: it was damaged,
	// or another user's or device's, or the TPM was cleared or is another one. The
	// first error wraps what of these it was. It is remembered that the user had a
	// PIN, so that they are asked for another one.
	ErrLost = errors.New("the PIN is lost")
	// ErrUncounted: the try could not be written down, on a disk that is full perhaps,
	// and was not made.
	ErrUncounted = errors.New("the try of the PIN could not be counted")
	// ErrPassword: no account has such a password.
	ErrPassword = errors.New("a password that is empty or too long")
)

// WrongError tells that it is not the user's PIN.
type WrongError struct {
	Left int // tries
}

func (e *WrongError) Error() string {
	return fmt.Sprintf("the PIN is wrong; %d tries are left", e.Left)
}

// User is an account of this device. What is kept is bound to its id, which is
// never another's: a SID on Windows.
type User struct {
	Name string `json:"name"`
	ID   string `json:"id"`
}

// Store keeps the PINs of one device, a file for each user.
type Store struct {
	// Folder is one that only the system may look into.
	Folder string
	// Device is what names the device for ever, the serial number that the
	// firmware tells. What is kept is bound to it.
	Device string
	TPM    *devicekey.TPM
	// Lock keeps other processes away, until unlock.
	Lock func(ctx context.Context) (unlock func() error, err error)
	Log  *slog.Logger

	mu    sync.Mutex
	pause func(context.Context, time.Duration) error // in tests; nil: wait
}

// Ready tells why there can be no PINs on this device, by a trial.
// devicekey.ErrNoTPM: it has no TPM.
func (s *Store) Ready() error { return s.TPM.CanSeal() }

// Set gives a user a PIN, in place of the one they have: for who has just shown
// that the password is theirs. It has worked once when it is kept. The caller
// wipes the password and the digits, here and in Unlock.
func (s *Store) Set(ctx context.Context, u User, password, digits []byte) (err error) {
	if err := Weak(digits, s.Device); err != nil {
		return err
	}
	if len(password) == 0 || len(password) > api.MaxPassword {
		return ErrPassword
	}
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	r, err := s.seal(u, password, digits)
	if err != nil {
		return err
	}
	again, err := s.open(r, u, digits)
	if err != nil {
		return fmt.Errorf("trying the new PIN: %w", err)
	}
	clear(again)
	return s.write(r)
}

// Unlock gives the password of a user who knows the PIN. Each wrong one makes the
// next wait longer. The wait ends with the context, and counts for nothing then.
func (s *Store) Unlock(ctx context.Context, u User, digits []byte) (password []byte, err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	r, err := s.read(u.ID)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, ErrNone
	case errors.Is(err, devicekey.ErrDamaged):
		return nil, s.lose(u, err)
	case err != nil:
		return nil, err
	case r.Lost:
		return nil, ErrLost
	case r.Tries >= Tries:
		return nil, ErrSpent
	case errors.Is(Weak(digits, ""), ErrForm):
		return nil, &WrongError{Tries - r.Tries} // no guess at all
	}
	if err := s.wait(ctx, time.Duration(r.Tries)*tryPause); err != nil {
		return nil, err
	}
	r.Tries++
	if err := s.write(r); err != nil { // before it is tried
		return nil, fmt.Errorf("%w: %w", ErrUncounted, err)
	}
	password, err = s.open(r, u, digits)
	switch {
	case errors.Is(err, devicekey.ErrPassword):
		return nil, &WrongError{Tries - r.Tries}
	case errors.Is(err, devicekey.ErrOtherTPM), errors.Is(err, devicekey.ErrDamaged):
		return nil, s.lose(u, err)
	case errors.Is(err, devicekey.ErrUnanswered):
		return nil, err
	case err == nil:
		r.Tries = 0
	default:
		r.Tries-- // the TPM was not asked
	}
	if err := s.write(r); err != nil {
		s.Log.WarnContext(ctx, "one try of a PIN too many stays counted", "account", r.User.Name, "error", err)
	}
	return password, err
}

// lose takes away what is of no use any more.
func (s *Store) lose(u User, why error) error {
	return errors.Join(fmt.Errorf("%w: %w", ErrLost, why), s.write(&record{User: u, Lost: true}))
}

// Forget takes a user's PIN away. Who has none loses nothing.
func (s *Store) Forget(ctx context.Context, id string) (err error) {
	unlock, err := s.lock(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock()) }()
	return s.remove(id)
}

// Users gives those who have a PIN, or have lost it.
func (s *Store) Users() ([]User, error) {
	files, err := filepath.Glob(filepath.Join(s.Folder, "*"+suffix))
	if err != nil {
		return nil, err
	}
	var users []User
	for _, file := range files {
		r, err := readFile(file)
		switch {
		case err == nil:
			users = append(users, r.User)
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, devicekey.ErrDamaged):
			return nil, err
		}
	}
	return users, nil
}

// lock keeps everybody else away.
func (s *Store) lock(ctx context.Context) (func() error, error) {
	s.mu.Lock()
	unlock, err := s.Lock(ctx)
	if err != nil {
		s.mu.Unlock()
		return nil, fmt.Errorf("locking the PINs: %w", err)
	}
	return func() error {
		defer s.mu.Unlock()
		return unlock()
	}, nil
}

func (s *Store) wait(ctx context.Context, d time.Duration) error {
	if s.pause != nil {
		return s.pause(ctx, d)
	}
	select {
	case <-time.After(d):
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *Store) remove(id string) error {
	err := os.Remove(s.file(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
