package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/acme"

	"firstday.dev/api"
)

// Web says how the directory shows itself to those who do not know its pin, such
// as browsers on employees' phones. Zero: by its own CA, too.
type Web struct {
	// CertFile and KeyFile hold a certificate with those above it, and its key,
	// in PEM. They are read again when they change.
	CertFile, KeyFile string
	// ACME, if not nil, is where to get a certificate.
	ACME *ACME
}

// webCertificate is what browsers are shown.
type webCertificate interface {
	// certificate gives nil where there is none (yet).
	certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error)
	// source names where it comes from, in a word.
	source() string
	// notAfter is when what is shown ends; zero: there is none.
	notAfter() time.Time
	// care makes sure that there is one, and gives when to come again.
	care(ctx context.Context) time.Duration
}

func (d *Directory) openWeb() (err error) {
	switch {
	case d.Web.CertFile != "" && d.Web.ACME != nil:
		return errors.New("a certificate is given, and ACME is to get one: choose either")
	case (d.Web.CertFile == "") != (d.Web.KeyFile == ""):
		return errors.New("a given certificate needs both its file and its key's")
	case d.Web.CertFile != "":
		d.web, err = d.openGiven()
	case d.Web.ACME != nil:
		d.web, err = d.openACME()
	}
	return err
}

// TLS is how the directory shows itself: to clients that know its pin with a
// certificate of its own CA, to others with the one that they trust. It asks
// devices for theirs, and leaves it to each call whether there must be one.
func (d *Directory) TLS() *tls.Config {
	protocols := []string{"h2", "http/1.1"}
	if d.Web.ACME != nil {
		protocols = append(protocols, acme.ALPNProto) // the CA asks for proof
	}
	browsers := &tls.Config{
		MinVersion:     tls.VersionTLS13,
		ClientAuth:     tls.RequestClientCert,
		NextProtos:     protocols,
		GetCertificate: d.certificate,
	}
	// A device has one question at a time, which waits: HTTP/2 would give each a
	// third more memory, for nothing.
	devices := browsers.Clone()
	devices.NextProtos = []string{"http/1.1"}
	browsers.GetConfigForClient = func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
		if isDevice(hello) {
			return devices, nil
		}
		return nil, nil // this one
	}
	return browsers
}

// anchors are the CAs by which browsers must know the directory; none: those that
// they know.
func (d *Directory) anchors() [][]byte {
	if d.web != nil {
		return nil
	}
	return [][]byte{d.ca.cert.Raw}
}

// isDevice tells clients that know the pin.
func isDevice(hello *tls.ClientHelloInfo) bool {
	return slices.Contains(hello.SupportedProtos, api.Protocol)
}

func (d *Directory) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if d.web != nil && !isDevice(hello) {
		if cert, err := d.web.certificate(hello); cert != nil || err != nil {
			return cert, err
		}
	}
	return d.ca.serverCertificate(d.Names)
}

// expiryWarning is how long before its end a certificate that nobody renewed is
// told of.
const expiryWarning = 14 * 24 * time.Hour

// keepWeb cares for the certificate that browsers see, and warns of its end.
func (d *Directory) keepWeb(ctx context.Context) {
	for ctx.Err() == nil {
		wait := d.web.care(ctx)
		if end := d.web.notAfter(); !end.IsZero() && d.now().After(end.Add(-expiryWarning)) {
			d.Log.WarnContext(ctx, "the certificate for browsers ends soon, or has ended", "source", d.web.source(), "end", end)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
		}
	}
}
