package agent

import (
	"errors"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// EnrolmentState is where the device stands with its directory.
type EnrolmentState string

const (
	// EnrolmentPending: nothing is known yet.
	EnrolmentPending EnrolmentState = "pending"
	// EnrolmentNoDirectory: no directory answered. A device that is enrolled
	// lives by what it heard last.
	EnrolmentNoDirectory EnrolmentState = "no-directory"
	// EnrolmentRefused: the directory refuses the device; the code says why.
	EnrolmentRefused EnrolmentState = "refused"
	// EnrolmentKeyWaits: the device's own key, or the TPM for it, cannot be used
	// now. It is tried again.
	EnrolmentKeyWaits EnrolmentState = "key-waits"
	// EnrolmentKeyLost: the device is enrolled and cannot prove it: its own key,
	// or the TPM that holds it, is gone.
	EnrolmentKeyLost EnrolmentState = "key-lost"
	// EnrolmentKeyExpired: by this device's clock the connect key is no longer
	// good. Only a new package helps, or a clock put right.
	EnrolmentKeyExpired EnrolmentState = "key-expired"
	// EnrolmentDone: the device is enrolled, and the directory answers.
	EnrolmentDone EnrolmentState = "enrolled"
)

// Enrolment is what status tells about it.
type Enrolment struct {
	State        EnrolmentState  `json:"state"`
	Directory    string          `json:"directory"`             // URL
	Code         api.Code        `json:"code,omitempty"`        // why it is refused
	Key          *KeyStatus      `json:"key,omitempty"`         // the device's own, once it has one
	DeviceID     uuid.UUID       `json:"deviceId,omitzero"`     // once it is enrolled
	DeviceState  api.DeviceState `json:"deviceState,omitempty"` // what the directory said last
	Version      int64           `json:"version,omitempty"`     // of what it said
	KeyExpiresAt *time.Time      `json:"keyExpiresAt,omitempty"`
	Attempts     int             `json:"attempts"` // since the service started
	LastAttempt  *time.Time      `json:"lastAttempt,omitempty"`
	LastError    string          `json:"lastError,omitempty"`
	NextAttempt  *time.Time      `json:"nextAttempt,omitempty"`
}

// KeyStatus is where the device's own key is.
type KeyStatus struct {
	Storage api.KeyStorage `json:"storage"`
	TPM     *api.TPM       `json:"tpm,omitempty"`    // that holds it, as far as it says
	Reason  string         `json:"reason,omitempty"` // why it is in no TPM
}

// Back-off: the wait doubles from the first to the longest one, and half of
// it is random, so that a delivery of laptops switched on together does not
// knock together.
const (
	firstWait   = 2 * time.Second
	longestWait = 10 * time.Minute
	// settledWait is for what only people can change: an expired key, a device
	// that was removed.
	settledWait = time.Hour
)

// contact is the state machine of reaching the directory. It has no clock, no
// socket and no goroutine: whoever drives it attempts when it says, and tells
// it how that went.
type contact struct {
	Enrolment
	random   func() float64
	failures int // in a row
}

// begin looks at the clock before the first attempt.
func (c *contact) begin(now time.Time) {
	c.State = EnrolmentPending
	if c.expired(now) {
		c.State = EnrolmentKeyExpired
	}
}

// expired is about the connect key, which a device needs until it is enrolled.
func (c *contact) expired(now time.Time) bool {
	return c.DeviceID == uuid.Nil && c.KeyExpiresAt != nil && !now.Before(*c.KeyExpiresAt)
}

// step takes the result of an attempt that ended now, and gives the time to
// wait before the next one: none after a success, of which the next attempt
// waits for news.
func (c *contact) step(now time.Time, result error) time.Duration {
	c.Attempts++
	last := now.UTC().Truncate(time.Millisecond)
	c.LastAttempt, c.LastError, c.Code, c.NextAttempt = &last, "", "", nil
	if result == nil {
		c.State, c.failures = EnrolmentDone, 0
		return 0
	}
	c.LastError = result.Error()
	c.failures++
	var refusal *api.Error
	refused := errors.As(result, &refusal) && !passes(refusal.Code) || errors.Is(result, errNoKey)
	var wait time.Duration
	switch {
	case c.expired(now):
		// The attempts go on: the directory judges by its own clock, and this
		// device's may be wrong.
		c.State, wait = EnrolmentKeyExpired, settledWait
	case errors.As(result, new(keyError)):
		c.State, wait = EnrolmentKeyWaits, backOff(c.failures)
	case refused && refusal != nil && refusal.Code == api.CodeDeviceKey:
		c.State, wait = EnrolmentKeyLost, settledWait
	case refused:
		c.State, wait = EnrolmentRefused, settledWait
	default:
		c.State, wait = EnrolmentNoDirectory, backOff(c.failures)
	}
	if refused && refusal != nil {
		c.Code = refusal.Code
	}
	wait = wait/2 + time.Duration(c.random()*float64(wait/2))
	if refusal != nil {
		wait = max(wait, time.Duration(refusal.RetryAfter)*time.Second)
	}
	// The expiry is a moment of its own: status should speak of it then.
	if c.KeyExpiresAt != nil && c.State != EnrolmentKeyExpired && c.DeviceID == uuid.Nil {
		wait = min(wait, max(c.KeyExpiresAt.Sub(now), firstWait/2))
	}
	next := now.Add(wait).UTC().Truncate(time.Millisecond)
	c.NextAttempt = &next
	return wait
}

// passes tells refusals that go by: another attempt may succeed soon.
func passes(c api.Code) bool {
	switch c {
	case api.CodeTooMany, api.CodeUnavailable, api.CodeInternal, api.CodeConflict:
		return true
	}
	return false
}

// backOff gives the longest wait after that many failures in a row.
func backOff(failures int) time.Duration {
	wait := firstWait
	for range failures - 1 {
		if wait *= 2; wait >= longestWait {
			return longestWait
		}
	}
	return wait
}
