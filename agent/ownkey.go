package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
)

// maxMissed is how often in a row a TPM may fail before the device does without
// it: one that wakes up late is not broken. With the wait between, that is half
// a minute at most.
const maxMissed = 5

// keyError: the device's own key cannot be used now. It will be tried again.
type keyError struct{ error }

func (e keyError) Error() string { return "the device's key: " + e.error.Error() }

func (e keyError) Unwrap() error { return e.error }

// openKey reads the device's own key. Where there is none, or it is damaged, the
// device has none yet; what that means depends on whether it is enrolled.
func (m *member) openKey() error {
	m.tpm = devicekey.NewTPM(m.System.OpenTPM)
	key, err := devicekey.Read(m.System.Layout().DeviceKey(), m.tpm)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, devicekey.ErrDamaged):
		m.keyless = err
		return nil
	case err != nil:
		return fmt.Errorf("the device's key: %w", err)
	}
	m.key = key
	return nil
}

// makeKey makes the device's own key. A TPM that does not work must not keep the
// device from its directory; one that is not ready yet, as in the first minutes
// of a new laptop, is waited for: the key stays where it is made.
func (m *member) makeKey(ctx context.Context) error {
	path := m.System.Layout().DeviceKey()
	key, err := devicekey.MakeInTPM(path, m.tpm)
	if err != nil {
		if m.missed++; m.missed < maxMissed && !errors.Is(err, devicekey.ErrNoTPM) {
			return keyError{err}
		}
		key, err = devicekey.MakeInFile(path, err)
	}
	if err != nil {
		return keyError{err}
	}
	if key.TPMFailed() {
		m.log().WarnContext(ctx, "the TPM cannot be used; the device's key is in a file", "reason", key.Reason())
	} else {
		m.log().InfoContext(ctx, "the device's key was made", "storage", key.Storage())
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.key, m.keyless, m.missed = key, nil, 0
	return nil
}

// keyRequest asks for a certificate of the device's key, and makes the key where
// there is none. No directory waits for a key that was never enrolled: one that
// does not work any more gives way to another.
func (m *member) keyRequest(ctx context.Context) ([]byte, error) {
	if m.key != nil {
		request, err := certificateRequest(m.key)
		if err == nil {
			m.missed = 0
			return request, nil
		}
		if m.missed++; !lostKey(err) && m.missed < maxMissed {
			return nil, keyError{err}
		}
		m.log().WarnContext(ctx, "the device's key is replaced", "error", err)
	}
	if err := m.makeKey(ctx); err != nil {
		return nil, err
	}
	return certificateRequest(m.key)
}

// lostKey tells errors after which a key will never work again.
func lostKey(err error) bool {
	return errors.Is(err, devicekey.ErrOtherTPM) || errors.Is(err, devicekey.ErrDamaged)
}

// keyTrouble tells whether a call failed by the device's own key, whose errors
// TLS does not pass on. One that is lost has the code CodeDeviceKey.
func (m *member) keyTrouble(err error) error {
	if m.key == nil {
		return api.Refuse(api.CodeDeviceKey, "%v", m.keyless)
	}
	trouble := m.key.Trouble()
	if trouble == nil {
		return err
	}
	if errors.Is(trouble, devicekey.ErrNoTPM) {
		m.missed++
	}
	if lostKey(trouble) || m.missed >= maxMissed {
		return api.Refuse(api.CodeDeviceKey, "%v", trouble)
	}
	return keyError{trouble}
}

// addKey says where the key is.
func (m *member) addKey(f *api.Facts) {
	k := m.keyStatus()
	if k == nil {
		k = &KeyStatus{Storage: api.KeyInFile}
	}
	f.KeyStorage, f.TPM = k.Storage, k.TPM
	if m.key != nil && m.key.TPMFailed() {
		f.Problems = append(f.Problems, fact("the device's key is in a file, as its TPM could not be used: "+k.Reason))
	}
}

// keyStatus gives nil if the device has no key.
func (m *member) keyStatus() *KeyStatus {
	m.mu.Lock()
	key := m.key
	m.mu.Unlock()
	if key == nil {
		return nil
	}
	k := &KeyStatus{Storage: key.Storage(), Reason: key.Reason()}
	if k.Storage == api.KeyInTPM {
		k.TPM = m.tpm.Identity()
	}
	return k
}
