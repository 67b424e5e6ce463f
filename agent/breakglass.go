package agent

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"

	"firstday.dev/api"
)

// rotate changes the password of the break-glass account where the directory
// asks for it. The directory has it before the account does: whatever dies in
// between, one that it has opens the account. What went wrong is wrong until it is
// tried again.
func (m *member) rotate(ctx context.Context, heard *api.CheckInResponse) error {
	account := m.enrollment.BreakGlass
	if !heard.Rotate || account == "" {
		m.unrotated = nil
		return nil
	}
	if time.Since(m.rotated) < settledWait {
		return m.unrotated
	}
	m.rotated = time.Now()
	m.unrotated = m.changeBreakGlass(ctx, account, heard.RecoveryKey)
	return m.unrotated
}

func (m *member) changeBreakGlass(ctx context.Context, account, recoveryKey string) error {
	id, err := m.rescueID(ctx, account)
	if err != nil {
		return err
	}
	password := breakGlassPassword()
	defer clear(password)
	sealed, err := sealTo(recoveryKey, password)
	if err != nil {
		return err
	}
	kept, err := m.directory.Escrow(ctx, &api.EscrowRequest{Account: account, Sealed: sealed, RecoveryKey: recoveryKey})
	if err != nil {
		return err
	}
	if err := m.accounts.Store.ResetPassword(ctx, account, id, password); err != nil {
		return err
	}
	if _, err := m.directory.Escrow(ctx, &api.EscrowRequest{Confirm: kept.Number}); err != nil {
		return err
	}
	m.log().InfoContext(ctx, "break-glass password changed", "account", account, "escrow", kept.Number)
	m.rotated = time.Time{} // the next one may come at once
	return nil
}

// rescueID gives the ID of the break-glass account, as it was when the directory
// first asked for its password: whoever has the name later is somebody else.
func (m *member) rescueID(ctx context.Context, account string) (string, error) {
	r := m.current()
	if r.Rescue.Name == account {
		return r.Rescue.ID, nil
	}
	found, err := m.accounts.Store.Find(ctx, account)
	if err != nil {
		return "", err
	}
	next := *r
	next.Rescue = rescue{account, found.ID}
	return found.ID, m.keep(&next)
}

// breakGlassPassword has 100 random bits, and a character of each kind that
// policies ask for. It is to be read out on the telephone.
func breakGlassPassword() []byte {
	letters := strings.ToLower(rand.Text())[:20]
	return []byte("Fd1-" + letters[:5] + "-" + letters[5:10] + "-" + letters[10:15] + "-" + letters[15:])
}

func sealTo(recoveryKey string, secret []byte) ([]byte, error) {
	recipient, err := age.ParseX25519Recipient(recoveryKey)
	if err != nil {
		return nil, fmt.Errorf("the recovery key: %w", err)
	}
	var sealed bytes.Buffer
	w, err := age.Encrypt(&sealed, recipient)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(secret); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return sealed.Bytes(), nil
}
