package agent

import (
	"time"
)

// EnrolmentState is where the device stands with its directory.
type EnrolmentState string

const (
	// EnrolmentPending: nothing is known yet.
	EnrolmentPending EnrolmentState = "pending"
	// EnrolmentNoDirectory: no directory answered.
	EnrolmentNoDirectory EnrolmentState = "no-directory"
	// EnrolmentUnsupported: something trustworthy answers at the directory's
	// address, but this version of the agent cannot enrol.
	EnrolmentUnsupported EnrolmentState = "unsupported"
	// EnrolmentKeyExpired: by this device's clock the connect key is no longer
	// good. Only a new package helps, or a clock put right.
	EnrolmentKeyExpired EnrolmentState = "key-expired"
)

// Enrolment is what status tells about it.
type Enrolment struct {
	State        EnrolmentState `json:"state"`
	Directory    string         `json:"directory"` // URL
	KeyExpiresAt *time.Time     `json:"keyExpiresAt,omitempty"`
	Attempts     int            `json:"attempts"` // since the service started
	LastAttempt  *time.Time     `json:"lastAttempt,omitempty"`
	LastError    string         `json:"lastError,omitempty"`
	NextAttempt  *time.Time     `json:"nextAttempt,omitempty"`
}

// Back-off: the wait doubles from the first to the longest one, and half of
// it is random, so that a delivery of laptops switched on together does not
// knock together.
const (
	firstWait   = 2 * time.Second
	longestWait = 10 * time.Minute
	// settledWait is for what only people can change: an expired key, a
	// directory this version cannot talk to.
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

func (c *contact) expired(now time.Time) bool {
	return c.KeyExpiresAt != nil && !now.Before(*c.KeyExpiresAt)
}

// step takes the result of an attempt that ended now, and gives the time to
// wait before the next one.
func (c *contact) step(now time.Time, result error) time.Duration {
	c.Attempts++
	last := now.UTC().Truncate(time.Millisecond)
	c.LastAttempt, c.LastError = &last, ""
	if result != nil {
		c.LastError = result.Error()
		c.failures++
	} else {
		c.failures = 0
	}
	var wait time.Duration
	switch {
	case c.expired(now):
		// The attempts go on: the directory judges by its own clock, and this
		// device's may be wrong.
		c.State, wait = EnrolmentKeyExpired, settledWait
	case result == nil:
		c.State, wait = EnrolmentUnsupported, settledWait
	default:
		c.State, wait = EnrolmentNoDirectory, backOff(c.failures)
	}
	wait = wait/2 + time.Duration(c.random()*float64(wait/2))
	// The expiry is a moment of its own: status should speak of it then.
	if c.KeyExpiresAt != nil && c.State != EnrolmentKeyExpired {
		wait = min(wait, max(c.KeyExpiresAt.Sub(now), firstWait/2))
	}
	next := now.Add(wait).UTC().Truncate(time.Millisecond)
	c.NextAttempt = &next
	return wait
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
