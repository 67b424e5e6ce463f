package directory

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"sync"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// How long certificates hold. Devices renew theirs after half of the time, by
// the directory's clock; a laptop may lie in a drawer for longer, see grace.
const (
	caLife     = 25 * 365 * 24 * time.Hour
	serverLife = 90 * 24 * time.Hour
	deviceLife = 180 * 24 * time.Hour
	// grace is how long after its end a device's certificate still tells who it
	// is: enough to get a new one. Whether the device may do anything is looked
	// up at each request anyway.
	grace = 2 * 365 * 24 * time.Hour
	// backdate makes room for clocks that are behind.
	backdate = 48 * time.Hour
)

// authority is the directory's CA: it vouches for the directory to devices,
// which know its pin, and for devices to the directory.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	now  func() time.Time

	mu     sync.Mutex
	server *tls.Certificate // issued last
}

const caSecret = "certificate authority"

// openAuthority makes the CA at the first start.
func (d *Directory) openAuthority(ctx context.Context) error {
	bundle, err := d.secret(ctx, caSecret, func() ([]byte, error) { return newAuthority(d.Organisation, d.now()) })
	if err != nil {
		return err
	}
	d.ca, err = parseAuthority(bundle, d.now)
	return err
}

func parseAuthority(bundle []byte, now func() time.Time) (*authority, error) {
	block, rest := pem.Decode(bundle)
	keyBlock, _ := pem.Decode(rest)
	if block == nil || keyBlock == nil {
		return nil, errors.New("the certificate authority in the database is damaged")
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		return nil, err
	}
	key, err := x509.ParseECPrivateKey(keyBlock.Bytes)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key, now: now}, nil
}

func newAuthority(organisation string, now time.Time) ([]byte, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serialNumber(), Subject: pkix.Name{CommonName: "Firstday CA", Organization: []string{organisation}},
		NotBefore: now.Add(-backdate), NotAfter: now.Add(caLife),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	keyDER, err := x509.MarshalECPrivateKey(key)
	if err != nil {
		return nil, err
	}
	return append(
		pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})...), nil
}

func serialNumber() *big.Int {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	b[0] &= 0x7f
	return new(big.Int).SetBytes(b)
}

// issue signs a certificate for a public key.
func (a *authority) issue(template *x509.Certificate, public any, life time.Duration) ([]byte, error) {
	now := a.now()
	template.SerialNumber = serialNumber()
	template.NotBefore, template.NotAfter = now.Add(-backdate), now.Add(life)
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.BasicConstraintsValid = true
	return x509.CreateCertificate(rand.Reader, template, a.cert, public, a.key)
}

// errRequest: a certificate request is no good.
var errRequest = errors.New("the certificate request is malformed, or not by a key on P-256")

// parseRequest gives the public key of a certificate request, which proves that
// its sender has the private one.
func parseRequest(der []byte) (*ecdsa.PublicKey, error) {
	r, err := x509.ParseCertificateRequest(der)
	if err != nil {
		return nil, errRequest
	}
	public, ok := r.PublicKey.(*ecdsa.PublicKey)
	if !ok || public.Curve != elliptic.P256() || r.CheckSignature() != nil {
		return nil, errRequest
	}
	return public, nil
}

// keyHash is how the database knows a device's key.
func keyHash(public *ecdsa.PublicKey) ([]byte, error) {
	der, err := x509.MarshalPKIXPublicKey(public)
	if err != nil {
		return nil, err
	}
	sum := sha256.Sum256(der)
	return sum[:], nil
}

// deviceCertificates issues a certificate for a device, with the CA's after it.
func (a *authority) deviceCertificates(id uuid.UUID, public *ecdsa.PublicKey) ([][]byte, error) {
	urn, err := url.Parse(id.URN())
	if err != nil {
		return nil, err
	}
	der, err := a.issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: id.String()}, URIs: []*url.URL{urn},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}, public, deviceLife)
	if err != nil {
		return nil, err
	}
	return [][]byte{der, a.cert.Raw}, nil
}

// device tells whom a certificate of ours is for.
func (a *authority) device(cert *x509.Certificate) (uuid.UUID, error) {
	now := a.now()
	if now.After(cert.NotAfter.Add(grace)) {
		return uuid.Nil, fmt.Errorf("it ended at %v", cert.NotAfter)
	}
	at := now
	if at.After(cert.NotAfter) {
		at = cert.NotAfter
	}
	roots := x509.NewCertPool()
	roots.AddCert(a.cert)
	if _, err := cert.Verify(x509.VerifyOptions{Roots: roots, CurrentTime: at, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}); err != nil {
		return uuid.Nil, err
	}
	return uuid.Parse(cert.Subject.CommonName)
}

// serverCertificate gives the directory's own certificate for the names, and
// issues the next one in time.
func (a *authority) serverCertificate(names []string) (*tls.Certificate, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.server != nil && a.now().Before(a.server.Leaf.NotAfter.Add(-serverLife/3)) {
		return a.server, nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		Subject:     pkix.Name{CommonName: "Firstday directory"},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	der, err := a.issue(template, key.Public(), serverLife)
	if err != nil {
		return nil, err
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	// Pinned clients want to see the CA, too.
	a.server = &tls.Certificate{Certificate: [][]byte{der, a.cert.Raw}, PrivateKey: key, Leaf: leaf}
	return a.server, nil
}

// Pin is what packages carry, so that devices know this directory.
func (d *Directory) Pin() string { return api.PinOf(d.ca.cert) }
