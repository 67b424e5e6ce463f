// Package notary has packages notarised by Apple: it submits them to the notary
// service, waits for the verdict, reads the log, and fetches the ticket that is
// stapled to a package (formats/macos-pkg.md §5).
//
// No Mac is needed for it, but a team key of App Store Connect. The key and what
// the service hands out for the upload are secrets; neither stands in any error.
package notary

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"time"
)

var (
	// ErrKey: the key is not one of App Store Connect.
	ErrKey = errors.New("notary: not a key of App Store Connect")
	// ErrCredentials: the service refuses the key, or what it handed out for the
	// upload has expired.
	ErrCredentials = errors.New("notary: credentials are refused")
	// ErrThrottled: too many requests, also after some patience.
	ErrThrottled = errors.New("notary: too many requests")
	// ErrService: the service failed, or answered what makes no sense.
	ErrService = errors.New("notary: the service failed")
	// ErrRejected: Apple does not notarise the package; see [RejectedError].
	ErrRejected = errors.New("notary: rejected")
	// ErrNoTicket: there is no ticket for the package.
	ErrNoTicket = errors.New("notary: no ticket")
	// ErrChanged: the file is not the one whose upload had begun.
	ErrChanged = errors.New("notary: the file changed")
)

// The services' addresses.
const (
	DefaultURL       = "https://appstoreconnect.apple.com/notary/v2"
	DefaultTicketURL = "https://api.apple-cloudkit.com/database/1/com.apple.gk.ticket-delivery/production/public/records/lookup"
)

// Client speaks to the notary service. Only Key is needed, and not for tickets.
type Client struct {
	Key       *Key
	URL       string       // empty: DefaultURL
	TicketURL string       // empty: DefaultTicketURL
	S3URL     string       // of the uploads; empty: that of the bucket at Amazon
	HTTP      *http.Client // nil: one of our own
	PartSize  int64        // bytes of an upload that are sent at once; 0: 32 MiB
	// Progress, if set, is told how many bytes are uploaded.
	Progress func(done, total int64)

	// Now and Sleep take the place of the clock in tests.
	Now   func() time.Time
	Sleep func(ctx context.Context, d time.Duration) error

	token token
}

const defaultPartSize = 32 << 20

func (c *Client) now() time.Time {
	if c.Now != nil {
		return c.Now()
	}
	return time.Now()
}

func (c *Client) sleep(ctx context.Context, d time.Duration) error {
	if c.Sleep != nil {
		return c.Sleep(ctx, d)
	}
	select {
	case <-time.After(d):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// ownHTTP follows no redirects: a token, or a signed request, is for one host.
var ownHTTP = &http.Client{
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	Transport: func() http.RoundTripper {
		t := http.DefaultTransport.(*http.Transport).Clone()
		t.ResponseHeaderTimeout = 2 * time.Minute
		return t
	}(),
}

func (c *Client) http() *http.Client {
	if c.HTTP != nil {
		return c.HTTP
	}
	return ownHTTP
}

// Tries of one request, and the pause before the second, which doubles.
const (
	maxTries   = 7
	firstPause = time.Second
	maxPause   = time.Minute
)

// try repeats a request until it succeeds, fails for good, or has been tried
// often enough.
func (c *Client) try(ctx context.Context, request func() error) error {
	pause := firstPause
	for n := 1; ; n++ {
		err := request()
		var later *laterError
		if err == nil || n == maxTries || ctx.Err() != nil || !errors.As(err, &later) {
			return err
		}
		wait := max(later.after, pause/2+time.Duration(rand.Int64N(int64(pause))))
		if err := c.sleep(ctx, min(wait, maxPause)); err != nil {
			return err
		}
		pause *= 2
	}
}

// laterError is a failure that may pass.
type laterError struct {
	error
	after time.Duration // as the server asks for
}

func (e *laterError) Unwrap() error { return e.error }

// transient makes a failed exchange worth another try, unless it was us who
// gave up.
func transient(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return &laterError{error: fmt.Errorf("%w: %w", ErrService, err)}
}
