package accounts

import (
	"context"
	"errors"
	"fmt"
)

// PasswordWorks is a [Changer]'s. Of an account that is disabled, OpenDirectory
// may not look at the password; one of ours is open while it is asked then. Who
// asks closes it again if killed meanwhile.
func (s macStore) PasswordWorks(ctx context.Context, name string, password []byte) (bool, error) {
	r, err := s.change(ctx, name)
	if err != nil {
		return false, err
	}
	if unusable := macPlatform.checkPassword(password); unusable != nil {
		return false, nil //nolint:nilerr // so it is nobody's
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
