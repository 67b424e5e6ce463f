package api

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Client speaks to a directory.
type Client struct {
	base string // without a slash at the end
	http *http.Client
	// Token, if not empty, is sent as a bearer token: who administers.
	Token Secret
	// UserAgent names the program and its version.
	UserAgent string
}

// ErrUnreachable: no directory answers, or something that is none.
var ErrUnreachable = errors.New("the directory cannot be reached")

const (
	dialTimeout     = 30 * time.Second
	responseTimeout = MaxWait + time.Minute // a long poll is an answer that waits
	idleTimeout     = 2 * time.Minute
)

// NewClient makes a client of a directory. certificate gives the device's own
// certificate when the directory asks for one; nil: there is none.
func NewClient(d Directory, certificate func() (*tls.Certificate, error)) (*Client, error) {
	config, err := d.DeviceTLS()
	if err != nil {
		return nil, err
	}
	if certificate != nil {
		config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			own, err := certificate()
			if err != nil || len(own.Certificate) == 0 {
				return own, err
			}
			leaf := *own
			leaf.Certificate = own.Certificate[:1] // the directory knows its CA
			return &leaf, nil
		}
	}
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, err
	}
	for u.Path != "" && u.Path[len(u.Path)-1] == '/' {
		u.Path = u.Path[:len(u.Path)-1]
	}
	return &Client{base: u.String(), http: &http.Client{
		Transport: &http.Transport{
			Proxy:                 http.ProxyFromEnvironment,
			TLSClientConfig:       config,
			TLSHandshakeTimeout:   dialTimeout,
			ResponseHeaderTimeout: responseTimeout,
			IdleConnTimeout:       idleTimeout,
			ForceAttemptHTTP2:     true,
		},
		// A redirection would lead credentials elsewhere.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}, nil
}

// Close lets go of idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Enroll asks the directory to take the device.
func (c *Client) Enroll(ctx context.Context, r *EnrollRequest) (*EnrollResponse, error) {
	out := new(EnrollResponse)
	return out, c.Do(ctx, http.MethodPost, PathEnroll, r, out)
}

// CheckIn reports to the directory and waits for news as long as r says.
func (c *Client) CheckIn(ctx context.Context, r *CheckInRequest) (*CheckInResponse, error) {
	out := new(CheckInResponse)
	return out, c.Do(ctx, http.MethodPost, PathCheckIn, r, out)
}

// SignIn starts a sign-in.
func (c *Client) SignIn(ctx context.Context, r *SignInRequest) (*SignInResponse, error) {
	out := new(SignInResponse)
	return out, c.Do(ctx, http.MethodPost, PathSignIn, r, out)
}

// WhoSignedIn asks who has signed in.
func (c *Client) WhoSignedIn(ctx context.Context, r *TokenRequest) (*TokenResponse, error) {
	out := new(TokenResponse)
	return out, c.Do(ctx, http.MethodPost, PathToken, r, out)
}

// ConfirmPassword confirms the password of the one who has signed in.
func (c *Client) ConfirmPassword(ctx context.Context, r *PasswordRequest) error {
	return c.Do(ctx, http.MethodPost, PathPassword, r, nil)
}

// CompleteSignIn tells that the account is made.
func (c *Client) CompleteSignIn(ctx context.Context, r *CompleteRequest) error {
	return c.Do(ctx, http.MethodPost, PathComplete, r, nil)
}

// CancelSignIn ends a sign-in.
func (c *Client) CancelSignIn(ctx context.Context, r *CancelRequest) error {
	return c.Do(ctx, http.MethodPost, PathCancel, r, nil)
}

// Escrow brings the next password of the break-glass account, or confirms it.
func (c *Client) Escrow(ctx context.Context, r *EscrowRequest) (*EscrowResponse, error) {
	out := new(EscrowResponse)
	return out, c.Do(ctx, http.MethodPost, PathEscrow, r, out)
}

// Do sends in, unless it is nil, and reads the answer into out, unless that is
// nil. Refusals of the directory are of type *[Error].
func (c *Client) Do(ctx context.Context, method, path string, in, out any) error {
	var body io.Reader
	var size int64
	contentType := ""
	if in != nil {
		encoded, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body, size, contentType = bytes.NewReader(encoded), int64(len(encoded)), "application/json"
	}
	resp, err := c.send(ctx, method, path, contentType, body, size)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return c.read(resp, out)
}

// send makes a request with a body of that size, unless it is nil.
func (c *Client) send(ctx context.Context, method, path, contentType string, body io.Reader, size int64) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, err
	}
	if body != nil {
		req.ContentLength = size
		req.Header.Set("Content-Type", contentType)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token.Reveal())
	}
	req.Header.Set("User-Agent", c.UserAgent)
	resp, err := c.http.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it repeats method and address
			err = wrapped.Err
		}
		return nil, fmt.Errorf("%w: %s: %w", ErrUnreachable, c.base, err)
	}
	return resp, nil
}

func (c *Client) read(resp *http.Response, out any) error {
	data, err := io.ReadAll(io.LimitReader(resp.Body, MaxMessage+1))
	if err != nil {
		return fmt.Errorf("%w: reading the answer of %s: %w", ErrUnreachable, c.base, err)
	}
	if len(data) > MaxMessage {
		return fmt.Errorf("%w: the answer of %s is larger than %d bytes", ErrUnreachable, c.base, MaxMessage)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		var refusal struct{ Error *Error }
		if json.Unmarshal(data, &refusal) != nil || refusal.Error == nil || refusal.Error.Code == "" {
			return fmt.Errorf("%w: %s answers %q, as no directory would", ErrUnreachable, c.base, resp.Status)
		}
		return refusal.Error
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%w: %s answers %q, as no directory would", ErrUnreachable, c.base, resp.Status)
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(data, out); err != nil {
		return fmt.Errorf("%w: reading the answer of %s: %w", ErrUnreachable, c.base, err)
	}
	return nil
}
