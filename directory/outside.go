package directory

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"firstday.dev/api"
)

const (
	// providerTimeout bounds each request to a provider.
	providerTimeout = 10 * time.Second
	// maxProviderAnswer bounds what a provider answers, in bytes: keys above all.
	maxProviderAnswer = 512 << 10
	// maxProviderHops is how often an address may lead to another one.
	maxProviderHops = 3
)

// newOutside makes the client for all that providers are asked. Whatever they
// answer, it takes little time and memory.
func newOutside(timeout time.Duration) *http.Client {
	transport := &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: timeout}).DialContext,
		ForceAttemptHTTP2:      true,
		TLSHandshakeTimeout:    timeout,
		MaxResponseHeaderBytes: maxHeader,
		MaxIdleConnsPerHost:    4,
		IdleConnTimeout:        time.Minute,
	}
	return &http.Client{Transport: bounding{transport}, Timeout: timeout, CheckRedirect: checkRedirect}
}

// bounding is a transport of answers that end.
type bounding struct{ *http.Transport }

// RoundTrip bounds the answer's body.
func (b bounding) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := b.Transport.RoundTrip(r)
	if err == nil {
		resp.Body = &bounded{resp.Body, maxProviderAnswer}
	}
	return resp, err
}

// bounded is a body of so many bytes at most.
type bounded struct {
	io.ReadCloser
	left int
}

var errTooLong = fmt.Errorf("the answer is longer than %d bytes", maxProviderAnswer)

func (b *bounded) Read(p []byte) (int, error) {
	if b.left == 0 {
		var one [1]byte
		if n, err := b.ReadCloser.Read(one[:]); n == 0 {
			return 0, err
		}
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// errRedirect: an address leads where a secret, or the truth, could get lost.
var errRedirect = errors.New("the address leads elsewhere")

// checkRedirect follows only who asks without a secret, and only over TLS.
func checkRedirect(r *http.Request, via []*http.Request) error {
	first := via[0]
	switch {
	case first.Method != http.MethodGet || first.Header.Get("Authorization") != "":
		return fmt.Errorf("%w, to %.100q, and would take a secret along", errRedirect, r.URL.Redacted())
	case len(via) > maxProviderHops:
		return fmt.Errorf("%w again and again", errRedirect)
	case !api.SecureURL(r.URL, api.OnLoopback(first.URL)):
		return fmt.Errorf("%w, to %.100q, which is no https:// address", errRedirect, r.URL.Redacted())
	}
	return nil
}
