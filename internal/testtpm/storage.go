//go:build unix

package testtpm

import (
	"errors"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// storageKey is where systems keep the key above all others.
const storageKey = tpm2.TPMHandle(0x81000001)

// Keep makes such a key in the storage hierarchy, and keeps it there, as a system
// does that prepares a TPM.
func (t *TPM) Keep(public tpm2.TPMTPublic, password string) {
	t.tb.Helper()
	t.Do(func(c transport.TPM) error {
		made, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHOwner, InPublic: tpm2.New2B(public),
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{UserAuth: tpm2.TPM2BAuth{Buffer: []byte(password)}}},
		}.Execute(c)
		if err != nil {
			return err
		}
		_, err = tpm2.EvictControl{
			Auth: tpm2.TPMRHOwner, PersistentHandle: storageKey,
			ObjectHandle: &tpm2.NamedHandle{Handle: made.ObjectHandle, Name: made.Name},
		}.Execute(c)
		_, flushed := tpm2.FlushContext{FlushHandle: made.ObjectHandle}.Execute(c)
		return errors.Join(err, flushed)
	})
}
