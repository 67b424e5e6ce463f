package agent

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"time"

	"firstday.dev/api"
)

const probeTimeout = 30 * time.Second

// probe asks whether anything trustworthy answers at the directory's address.
// Any HTTP answer over a verified TLS connection will do; nothing about the
// device is sent.
func probe(ctx context.Context, d api.Directory) error {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	config, err := d.TLS()
	if err != nil {
		return err
	}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		TLSClientConfig:   config,
		ForceAttemptHTTP2: true,
		DisableKeepAlives: true,
	}
	defer transport.CloseIdleConnections()
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodHead, d.URL, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // it repeats method and address
			err = wrapped.Err
		}
		return err
	}
	return resp.Body.Close()
}
