package api

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"time"
)

// PinOf gives the pin of a CA, as [Directory] holds it.
func PinOf(ca *x509.Certificate) string {
	sum := sha256.Sum256(ca.RawSubjectPublicKeyInfo)
	return "sha256:" + hex.EncodeToString(sum[:])
}

// TLS says how to recognise the directory: by the pinned CA alone, else by the
// system's roots.
func (d Directory) TLS() (*tls.Config, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, err
	}
	c := &tls.Config{MinVersion: tls.VersionTLS13}
	if d.Pin != "" {
		// The system's roots do not count; verifyPinned takes their place.
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(s tls.ConnectionState) error { return verifyPinned(s, u.Hostname(), d.Pin, time.Now()) }
	}
	return c, nil
}

// DeviceTLS is TLS for those who know the directory's pin: it asks for the
// certificate of the directory's own CA, see [Protocol].
func (d Directory) DeviceTLS() (*tls.Config, error) {
	c, err := d.TLS()
	if err == nil && d.Pin != "" {
		c.NextProtos = []string{"h2", "http/1.1", Protocol}
	}
	return c, err
}

// verifyPinned accepts a server whose certificate was issued, directly or by
// way of others it presents, by the CA whose public key has the pin. The
// server has to present that CA's certificate too. The host is the one that was
// meant: the connection's own ServerName is empty for IP addresses.
//
// A clock that is behind the certificate proves nothing about it: laptops lie
// in stores until their batteries are empty, and wake up years ago.
func verifyPinned(s tls.ConnectionState, host, pin string, now time.Time) error {
	if len(s.PeerCertificates) == 0 {
		return errors.New("the server presents no certificate")
	}
	roots, intermediates := x509.NewCertPool(), x509.NewCertPool()
	found := false
	for _, cert := range s.PeerCertificates {
		if cert.IsCA && PinOf(cert) == pin {
			roots.AddCert(cert)
			found = true
		} else {
			intermediates.AddCert(cert)
		}
		if now.Before(cert.NotBefore) {
			now = cert.NotBefore
		}
	}
	if !found {
		return fmt.Errorf("the server presents no CA certificate with the pinned key %s", pin)
	}
	_, err := s.PeerCertificates[0].Verify(x509.VerifyOptions{
		DNSName: host, Roots: roots, Intermediates: intermediates, CurrentTime: now,
	})
	return err
}
