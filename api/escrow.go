package api

import (
	"errors"
	"fmt"
	"time"
)

// PathEscrow takes the passwords of break-glass accounts.
const PathEscrow = "/v1/device/escrow"

// EscrowRequest brings the next password of a device's break-glass account
// before the account has it, or confirms that it has.
type EscrowRequest struct {
	Account string `json:"account,omitempty"`
	// Sealed is the password, encrypted by age to the recovery key.
	Sealed []byte `json:"sealed,omitempty"`
	// RecoveryKey is the recipient it is sealed to.
	RecoveryKey string `json:"recoveryKey,omitempty"`
	// Confirm is the number of the one that the account has now.
	Confirm int64 `json:"confirm,omitempty"`
}

// EscrowResponse gives the number by which it is to be confirmed.
type EscrowResponse struct {
	Number int64 `json:"number"`
}

// maxSealed bounds a sealed password, in bytes.
const maxSealed = 4096

// Check refuses a request that cannot be one.
func (r *EscrowRequest) Check() error {
	switch {
	case r.Confirm < 0:
		return fmt.Errorf("confirm: %d", r.Confirm)
	case r.Confirm > 0:
		return nil
	case r.Account == "" || !PlainText(r.Account):
		return errors.New("account is missing, too long, or no plain text")
	case len(r.Sealed) == 0 || len(r.Sealed) > maxSealed:
		return errors.New("sealed is missing or too long")
	case !recoveryKey.MatchString(r.RecoveryKey):
		return errors.New("recoveryKey is none")
	}
	return nil
}

// RevealRequest asks for a device's break-glass password.
type RevealRequest struct {
	Reason string `json:"reason"` // for the audit log
}

// Escrow is a password as the directory has it.
type Escrow struct {
	Account     string    `json:"account"`
	Sealed      []byte    `json:"sealed"`
	RecoveryKey string    `json:"recoveryKey"`
	CreatedAt   time.Time `json:"createdAt"`
	// Confirmed: the account had it. One that is not was on its way when the
	// device was heard of last: the account has that one, or the one before.
	Confirmed bool `json:"confirmed"`
}
