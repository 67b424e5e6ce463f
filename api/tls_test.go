package api

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// authority is a throw-away CA.
type authority struct {
	t    *testing.T
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	a := &authority{t: t}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "Test CA"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	a.cert, a.key = a.issue(template)
	return a
}

// issue signs with the authority's key, or the new one if it has none yet.
func (a *authority) issue(template *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	if template.NotAfter.IsZero() {
		template.NotBefore, template.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	}
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, signer)
	if err != nil {
		a.t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return cert, key
}

func (a *authority) pin() string { return PinOf(a.cert) }

// serve starts a directory that presents a certificate made from the template
// and the given others.
func (a *authority) serve(template *x509.Certificate, others ...*x509.Certificate) string {
	cert, key := a.issue(template)
	chain := tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key}
	for _, o := range others {
		chain.Certificate = append(chain.Certificate, o.Raw)
	}
	s := httptest.NewUnstartedServer(http.NotFoundHandler())
	s.TLS = &tls.Config{Certificates: []tls.Certificate{chain}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	a.t.Cleanup(s.Close)
	return s.URL
}

func leaf() *x509.Certificate {
	return &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func TestPinning(t *testing.T) {
	ca, other := newAuthority(t), newAuthority(t)
	expired := leaf()
	expired.NotBefore, expired.NotAfter = time.Now().Add(-2*time.Hour), time.Now().Add(-time.Hour)
	elsewhere := leaf()
	elsewhere.IPAddresses = []net.IP{net.IPv4(192, 0, 2, 1)}
	client := leaf()
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	for name, test := range map[string]struct {
		url, pin string
		want     string // part of the error, "" for none
	}{
		"pinned":            {ca.serve(leaf(), ca.cert), ca.pin(), ""},
		"another CA's pin":  {ca.serve(leaf(), ca.cert), other.pin(), "no CA certificate with the pinned key"},
		"CA left out":       {ca.serve(leaf()), ca.pin(), "no CA certificate with the pinned key"},
		"pinned CA beside":  {other.serve(leaf(), ca.cert), ca.pin(), "unknown authority"},
		"expired":           {ca.serve(expired, ca.cert), ca.pin(), "expired"},
		"for another host":  {ca.serve(elsewhere, ca.cert), ca.pin(), "192.0.2.1"},
		"for clients only":  {ca.serve(client, ca.cert), ca.pin(), "incompatible key usage"},
		"unknown, unpinned": {ca.serve(leaf(), ca.cert), "", "unknown authority"},
		"nobody there":      {"https://127.0.0.1:9", ca.pin(), "refused"},
	} {
		t.Run(name, func(t *testing.T) {
			c, err := NewClient(Directory{URL: test.url, Pin: test.pin}, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			err = c.Do(t.Context(), http.MethodGet, "/", nil, nil)
			if test.want == "" {
				test.want = "404" // it is there, and no directory
			}
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// A key that is pinned but belongs to no CA vouches for nobody.
func TestPinnedLeafIsNotEnough(t *testing.T) {
	ca := newAuthority(t)
	cert, _ := ca.issue(leaf())
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert}}
	if err := verifyPinned(state, "127.0.0.1", PinOf(cert), time.Now()); err == nil {
		t.Error("accepted")
	}
}

// An empty battery makes a clock start years ago: the pin still counts, and a
// certificate that ended does not.
func TestPinningWithAWrongClock(t *testing.T) {
	ca := newAuthority(t)
	cert, _ := ca.issue(leaf())
	state := tls.ConnectionState{PeerCertificates: []*x509.Certificate{cert, ca.cert}}
	for name, test := range map[string]struct {
		now  time.Time
		good bool
	}{
		"right":          {time.Now(), true},
		"a day behind":   {time.Now().AddDate(0, 0, -1), true},
		"years behind":   {time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC), true},
		"beyond its end": {time.Now().AddDate(0, 0, 2), false},
	} {
		if err := verifyPinned(state, "127.0.0.1", ca.pin(), test.now); (err == nil) != test.good {
			t.Errorf("%s: %v", name, err)
		}
	}
}
