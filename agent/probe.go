package agent

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
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
	u, err := url.Parse(d.URL)
	if err != nil {
		return err
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if d.Pin != "" {
		// The system's roots do not count; verifyPinned takes their place.
		config.InsecureSkipVerify = true
		config.VerifyConnection = func(s tls.ConnectionState) error { return verifyPinned(s, u.Hostname(), d.Pin) }
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

// verifyPinned accepts a server whose certificate was issued, directly or by
// way of others it presents, by the CA whose public key has the pin. The
// server has to present that CA's certificate too. The host is the one that was
// meant: the connection's own ServerName is empty for IP addresses.
func verifyPinned(s tls.ConnectionState, host, pin string) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server presents no certificate")
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range s.PeerCertificates {
		sum := sha256.Sum256(cert.RawSubjectPublicKeyInfo)
		if cert.IsCA && "sha256:"+hex.EncodeToString(sum[:]) == pin {
			roots.AddCert(cert)
			found = true
		} else {
			intermediates.AddCert(cert)
		}
	}
	if !found {
		return fmt.Errorf("the server presents no CA certificate with the pinned key %s", pin)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName:       host,
		Roots:         roots,
		Intermediates: intermediates,
	})
	return err
}
