package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/google/uuid"
)

// The calls of a sign-in (design: "Agent API"). They are those of RFC 8628, over
// mutual TLS: the client is the device. Their fields have the RFC's names.
const (
	PathSignIn   = "/v1/signin"
	PathToken    = "/v1/signin/token"
	PathPassword = "/v1/signin/password"
	PathComplete = "/v1/signin/complete"
	PathCancel   = "/v1/signin/cancel"
	// PathPages is where the pages begin that people see.
	PathPages = "/signin"
)

// How long things of a sign-in hold.
const (
	// SignInLife: from its start until somebody has signed in.
	SignInLife = 10 * time.Minute
	// TicketLife: from then until the account is made. A slot that is claimed
	// returns by itself when it is over.
	TicketLife = 10 * time.Minute
	// PollInterval is for devices that poll without waiting.
	PollInterval = 5 * time.Second
)

// SignInRequest starts a sign-in.
type SignInRequest struct {
	// SameDevice: the page will be shown on the device itself. The directory
	// then asks for no number, if the page is opened from the device's address.
	SameDevice bool `json:"same_device,omitempty"`
}

// SignInResponse is the device authorization response, RFC 8628 §3.2.
type SignInResponse struct {
	DeviceCode              Secret `json:"device_code"`
	UserCode                string `json:"user_code"`
	VerificationURI         string `json:"verification_uri"`
	VerificationURIComplete string `json:"verification_uri_complete"`
	ExpiresIn               int    `json:"expires_in"` // seconds
	Interval                int    `json:"interval"`   // seconds
	// Origins are those of the pages by which people sign in, where the page is to
	// be shown on the device itself: it shows no other.
	Origins []string `json:"origins,omitempty"`
	// Anchors are the CAs, in DER, that the directory's own pages are known by where
	// browsers do not know those: with them its origin is known by nothing else. None:
	// browsers know it.
	Anchors [][]byte `json:"anchors,omitempty"`
}

// Check refuses an answer whose page cannot be shown on the device itself.
func (r *SignInResponse) Check() error {
	if err := checkOrigins(r.Origins); err != nil {
		return fmt.Errorf("origins: %w", err)
	}
	u, err := url.Parse(r.VerificationURIComplete)
	if err != nil || len(r.VerificationURIComplete) > maxURL {
		return errors.New("verification_uri_complete is not a URL")
	}
	if origin, err := OriginOf(u); err != nil || !slices.Contains(r.Origins, origin) {
		return errors.New("verification_uri_complete is of none of the origins")
	}
	return checkAnchors(r.Anchors)
}

// TokenRequest asks who has signed in.
type TokenRequest struct {
	DeviceCode Secret `json:"device_code"`
	// Number is what the employee's other device shows, once it was asked for.
	Number string `json:"number,omitempty"`
	// Wait is how long to wait for an answer other than
	// [CodeAuthorizationPending], in seconds.
	Wait int `json:"wait,omitempty"`
}

// Check refuses a request that cannot be one.
func (r *TokenRequest) Check() error {
	switch {
	case !r.DeviceCode.plausible():
		return errors.New("device_code is missing or too long")
	case len(r.Number) > maxNumber:
		return errors.New("number is too long")
	case r.Wait < 0 || r.Wait > int(MaxWait/time.Second):
		return fmt.Errorf("wait: %d seconds, at most %d are allowed", r.Wait, int(MaxWait/time.Second))
	}
	return nil
}

// TokenResponse says who has signed in, and that the device's slot is theirs
// until the ticket ends.
type TokenResponse struct {
	User Person `json:"user"`
	// Ticket is for this device's password and complete calls. Asking again
	// with the same device code gives another, and ends this one.
	Ticket    Secret `json:"ticket"`
	ExpiresIn int    `json:"expires_in"` // seconds
	// Password is how the account gets its password: users of a provider always
	// choose one.
	Password   PasswordMode `json:"password"`
	Permission Permission   `json:"permission"`
	PIN        PINPolicy    `json:"pin"`
}

// Person is a user of the directory, as far as a device must know them.
type Person struct {
	ID       uuid.UUID `json:"id"`
	Name     string    `json:"name"`
	Email    string    `json:"email,omitempty"`
	FullName string    `json:"fullName,omitempty"`
}

// PasswordRequest confirms the password of the one who has signed in.
type PasswordRequest struct {
	Ticket   Secret `json:"ticket"`
	Password Secret `json:"password"`
}

// Check refuses a request that cannot be one.
func (r *PasswordRequest) Check() error {
	switch {
	case !r.Ticket.plausible():
		return errors.New("ticket is missing or too long")
	case len(r.Password) == 0 || len(r.Password) > MaxPassword:
		return errors.New("password is missing or too long")
	}
	return nil
}

// CompleteRequest tells that the account is made. Repeating it changes nothing.
type CompleteRequest struct {
	Ticket Secret `json:"ticket"`
	// Account is the account's name on the device, AccountID the system's id of
	// it (SID, GeneratedUID, uid).
	Account   string `json:"account"`
	AccountID string `json:"accountId"`
}

// Check refuses a request that cannot be one.
func (r *CompleteRequest) Check() error {
	if !r.Ticket.plausible() {
		return errors.New("ticket is missing or too long")
	}
	if r.Account == "" || !PlainText(r.Account) || !PlainText(r.AccountID) {
		return errors.New("account is missing, too long, or no plain text")
	}
	return nil
}

// CancelRequest ends a sign-in. A slot that it claimed is free at once.
type CancelRequest struct {
	DeviceCode Secret `json:"device_code"`
}

const (
	maxSecret = 256 // bytes
	maxNumber = 16  // bytes
	// MaxPassword bounds passwords, in bytes.
	MaxPassword = 256
)

func (s Secret) plausible() bool { return len(s) > 0 && len(s) <= maxSecret }

// BindingState is where a user stands with a device.
type BindingState string

const (
	// Claimed: the user has signed in, and the device makes the account now.
	Claimed BindingState = "claimed"
	// Awaiting: an admin bound the user; the account waits for them to sign in.
	Awaiting BindingState = "awaiting"
	// Bound: the account is the user's.
	Bound BindingState = "bound"
	// Unbound: no more. The account is disabled.
	Unbound BindingState = "unbound"
)

// Binding is a managed user of a device.
type Binding struct {
	User      Person       `json:"user"`
	State     BindingState `json:"state"`
	Account   string       `json:"account,omitempty"` // on the device, once it is made
	AccountID string       `json:"accountId,omitempty"`
	ChangedAt time.Time    `json:"changedAt"`
	ChangedBy string       `json:"changedBy"`
}

// UserCodeLetters are those of user codes: no vowels, so that no words come
// out, and none that look alike (RFC 8628 §6.1).
const UserCodeLetters = "BCDFGHJKLMNPQRSTVWXZ"

// UserCodeLength is that of user codes, in letters: 20^8 is 34.5 bits.
const UserCodeLength = 8

// ParseUserCode reads a user code as people type it; empty: it is none.
func ParseUserCode(typed string) string {
	code := make([]rune, 0, UserCodeLength)
	for _, r := range typed {
		r = unicode.ToUpper(r)
		switch {
		case len(code) > UserCodeLength:
			return ""
		case strings.ContainsRune(UserCodeLetters, r):
			code = append(code, r)
		case r != '-' && r != ' ':
			return ""
		}
	}
	if len(code) != UserCodeLength {
		return ""
	}
	return string(code)
}

// ShowUserCode writes a user code as people read it.
func ShowUserCode(code string) string {
	if len(code) != UserCodeLength {
		return code
	}
	return code[:UserCodeLength/2] + "-" + code[UserCodeLength/2:]
}
