//go:build unix

package testtpm

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/google/go-tpm/tpm2"
	"github.com/google/go-tpm/tpm2/transport"
)

// What Windows sets: so many wrong passwords until the TPM locks itself, one of
// which it forgets in so much time.
const (
	WindowsTries    = 32
	WindowsRecovery = 10 * time.Minute
)

// Tolerate sets how many wrong passwords the TPM bears, as the system does that
// owns it. The library has no TPM2_DictionaryAttackParameters.
func (t *TPM) Tolerate(tries uint32, recovery time.Duration) {
	t.tb.Helper()
	command := []byte{
		0x80, 2, 0, 0, 0, 0, 0, 0, 1, 0x3a, 0x40, 0, 0, 0x0a, // sessions, TPM_CC_DictionaryAttackParameters, TPM_RH_LOCKOUT
		0, 0, 0, 9, 0x40, 0, 0, 9, 0, 0, 0, 0, 0, // an empty password
	}
	command = binary.BigEndian.AppendUint32(command, tries)
	command = binary.BigEndian.AppendUint32(command, uint32(recovery/time.Second))
	command = binary.BigEndian.AppendUint32(command, uint32(WindowsRecovery/time.Second)) // after a wrong password of the lockout itself
	binary.BigEndian.PutUint32(command[2:], uint32(len(command)))
	t.Do(func(c transport.TPM) error {
		answer, err := c.Send(command)
		if err == nil && (len(answer) < 10 || binary.BigEndian.Uint32(answer[6:]) != 0) {
			err = fmt.Errorf("setting the tries it bears: % x", answer)
		}
		return err
	})
}

// Guesses is how many wrong passwords the TPM remembers.
func (t *TPM) Guesses() (n uint32) {
	t.tb.Helper()
	t.Do(func(c transport.TPM) error {
		answer, err := tpm2.GetCapability{Capability: tpm2.TPMCapTPMProperties, Property: uint32(tpm2.TPMPTLockoutCounter), PropertyCount: 1}.Execute(c)
		if err != nil {
			return err
		}
		list, err := answer.CapabilityData.Data.TPMProperties()
		if err == nil {
			n = list.TPMProperty[0].Value
		}
		return err
	})
	return n
}

// Guess makes wrong guesses at something of somebody else's in the TPM.
func (t *TPM) Guess(times int) {
	t.tb.Helper()
	t.Do(func(c transport.TPM) error {
		root, err := tpm2.CreatePrimary{
			PrimaryHandle: tpm2.TPMRHOwner,
			InSensitive: tpm2.TPM2BSensitiveCreate{Sensitive: &tpm2.TPMSSensitiveCreate{
				UserAuth: tpm2.TPM2BAuth{Buffer: []byte("of somebody else")},
				Data:     tpm2.NewTPMUSensitiveCreate(&tpm2.TPM2BSensitiveData{Buffer: []byte("theirs")}),
			}},
			InPublic: tpm2.New2B(tpm2.TPMTPublic{
				Type: tpm2.TPMAlgKeyedHash, NameAlg: tpm2.TPMAlgSHA256,
				ObjectAttributes: tpm2.TPMAObject{FixedTPM: true, FixedParent: true, UserWithAuth: true},
			}),
		}.Execute(c)
		if err != nil {
			return err
		}
		for range times {
			_, err := tpm2.Unseal{ItemHandle: tpm2.AuthHandle{Handle: root.ObjectHandle, Name: root.Name, Auth: tpm2.PasswordAuth([]byte("a guess"))}}.Execute(c)
			if !errors.Is(err, tpm2.TPMRCAuthFail) && !errors.Is(err, tpm2.TPMRCLockout) {
				return fmt.Errorf("a wrong guess: %w", err)
			}
		}
		_, err = tpm2.FlushContext{FlushHandle: root.ObjectHandle}.Execute(c)
		return err
	})
}
