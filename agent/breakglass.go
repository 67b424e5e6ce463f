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
// between, one that it has opens the account.
func (m *member) rotate(ctx context.Context, heard *api.CheckInResponse) error {
	account := m.enrollment.BreakGlass
	if !heard.Rotate || account == "" || time.Since(m.rotated) < settledWait {
		return nil
	}
	m.rotated = time.Now()
	password := breakGlassPassword()
	defer clear(password)
	sealed, err := sealTo(heard.RecoveryKey, password)
	if err != nil {
		return err
	}
	kept, err := m.directory.Escrow(ctx, &api.EscrowRequest{Account: account, Sealed: sealed, RecoveryKey: heard.RecoveryKey})
	if err != nil {
		return err
	}
	if err := m.accounts.Store.SetPassword(ctx, account, password); err != nil {
		return fmt.Errorf("account %s: %w", account, err)
	}
	if _, err := m.directory.Escrow(ctx, &api.EscrowRequest{Confirm: kept.Number}); err != nil {
		return err
	}
	m.log().InfoContext(ctx, "break-glass password changed", "account", account, "escrow", kept.Number)
	m.rotated = time.Time{} // the next one may come at once
	return nil
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
