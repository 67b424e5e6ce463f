package api

import (
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
)

// Bounds on the anchors of an answer.
const (
	MaxAnchors     = 4
	MaxAnchorBytes = 16 << 10 // of all of them together
)

// checkAnchors refuses a list with something in it that is no CA's certificate.
func checkAnchors(list [][]byte) error {
	size := 0
	for _, der := range list {
		size += len(der)
	}
	if len(list) > MaxAnchors || size > MaxAnchorBytes {
		return fmt.Errorf("anchors: %d of %d bytes, at most %d of %d are allowed", len(list), size, MaxAnchors, MaxAnchorBytes)
	}
	for _, der := range list {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("anchors: %w", err)
		}
		if !cert.IsCA {
			return errors.New("anchors: a certificate is not a CA's")
		}
	}
	return nil
}

// Known gives those anchors of an answer by which its page may be known: of the
// pinned CA, as the directory itself is, and only where the page lies at the very
// host and port at which that is known. None: by what the system trusts.
func (d Directory) Known(r *SignInResponse) (known [][]byte) {
	if d.Pin == "" || checkAnchors(r.Anchors) != nil || !sameOrigin(d.URL, r.VerificationURIComplete) {
		return nil
	}
	for _, der := range r.Anchors {
		if cert, err := x509.ParseCertificate(der); err == nil && PinOf(cert) == d.Pin {
			known = append(known, der)
		}
	}
	return known
}

// sameOrigin tells whether two addresses are at one host and port.
func sameOrigin(a, b string) bool {
	first, err := originOf(a)
	if err != nil {
		return false
	}
	second, err := originOf(b)
	return err == nil && first == second
}

func originOf(address string) (string, error) {
	u, err := url.Parse(address)
	if err != nil {
		return "", err
	}
	return OriginOf(u)
}
