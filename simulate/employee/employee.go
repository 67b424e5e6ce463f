// Package employee signs in on the directory's pages as a person with a browser
// would: it reads the forms that are shown, and fills them in. Simulations and
// tests have one.
package employee

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/pquerna/otp/totp"

	"firstday.dev/api"
)

// Employee is somebody on their first day.
type Employee struct {
	Name     string
	Password string // a temporary one is changed, to NewPassword
	// NewPassword is for pages that want another one.
	NewPassword string
	// Secret is that of the authenticator app, set up by the first sign-in.
	Secret string
	// RecoveryCodes are what the pages gave.
	RecoveryCodes []string
	// Now is the clock of the app; nil: the system's.
	Now func() time.Time
	// Saw is told of each page: its title, and the device it names. May be nil.
	Saw func(title, device string)
}

// PageError is what a page says went wrong.
type PageError struct {
	Code api.Code // empty: the page tells none
	Text string
}

func (r *PageError) Error() string { return "the page says: " + r.Text }

// maxPages bounds a sign-in: a page that comes back again and again is no way on.
const maxPages = 20

// SignIn opens the address that the device shows, and signs in. It gives the
// number to be typed on the device, empty if there is none.
func (e *Employee) SignIn(ctx context.Context, at api.Directory, address string) (number string, err error) {
	b, err := newBrowser(at, address)
	if err != nil {
		return "", err
	}
	defer b.CloseIdleConnections()
	p, err := b.open(ctx, address)
	for range maxPages {
		if err != nil {
			return "", err
		}
		if e.Saw != nil {
			e.Saw(p.title, p.texts["device"])
		}
		if p.alert != "" {
			return "", &PageError{api.Code(p.code), p.alert}
		}
		f := p.form()
		if f == nil {
			return p.texts["number"], nil
		}
		if err := e.fill(p, f); err != nil {
			return "", err
		}
		p, err = b.send(ctx, f)
	}
	return "", errors.New("the pages do not come to an end")
}

// fill types what the form asks for.
func (e *Employee) fill(p *page, f *form) error {
	switch f.values.Get("step") {
	case "":
		f.values.Set("name", e.Name)
		f.values.Set("password", e.Password)
	case "totp":
		return e.code(f)
	case "enrol":
		e.Secret = p.texts["secret"]
		return e.code(f)
	case "recovery":
		e.RecoveryCodes = p.codes
	case "password":
		e.Password = e.NewPassword
		f.values.Set("password", e.Password)
		f.values.Set("again", e.Password)
	case "confirm":
		f.values.Set("answer", "yes")
	default:
		return fmt.Errorf("the page %q asks for what no employee knows", p.title)
	}
	return nil
}

func (e *Employee) code(f *form) error {
	now := time.Now
	if e.Now != nil {
		now = e.Now
	}
	code, err := totp.GenerateCode(e.Secret, now())
	if err != nil {
		return fmt.Errorf("the authenticator app: %w", err)
	}
	f.values.Set("totp", code)
	return nil
}

// browser keeps cookies, and trusts whom the system trusts, and the directory by
// its pin: not every directory has a certificate that browsers know.
type browser struct{ *http.Client }

// pageTimeout bounds the wait for one page.
const pageTimeout = 30 * time.Second

func newBrowser(at api.Directory, address string) (*browser, error) {
	pages, err := url.Parse(address)
	if err != nil {
		return nil, err
	}
	config, err := api.Directory{URL: pages.Scheme + "://" + pages.Host, Pin: at.Pin}.TLS()
	if err != nil {
		return nil, err
	}
	if pinned := config.VerifyConnection; pinned != nil {
		config.VerifyConnection = func(s tls.ConnectionState) error {
			if trusted(s, pages.Hostname()) {
				return nil
			}
			return pinned(s)
		}
	}
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	return &browser{&http.Client{Jar: jar, Timeout: pageTimeout, Transport: &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}}}, nil
}

// trusted tells whether the system's roots vouch for the server.
func trusted(s tls.ConnectionState, host string) bool {
	if len(s.PeerCertificates) == 0 {
		return false
	}
	intermediates := x509.NewCertPool()
	for _, c := range s.PeerCertificates[1:] {
		intermediates.AddCert(c)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: host, Intermediates: intermediates})
	return err == nil
}

func (b *browser) open(ctx context.Context, address string) (*page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	return b.do(r)
}

func (b *browser) send(ctx context.Context, f *form) (*page, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, f.action.String(), strings.NewReader(f.values.Encode()))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Sec-Fetch-Site", "same-origin")
	return b.do(r)
}

func (b *browser) do(r *http.Request) (*page, error) {
	resp, err := b.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return readPage(resp.Request.URL, resp.Body)
}

// form is one that a page shows.
type form struct {
	action *url.URL
	values url.Values
}
