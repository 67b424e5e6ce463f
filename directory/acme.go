package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
	"golang.org/x/net/idna"
)

// ACME says where to get a certificate that browsers trust (RFC 8555). It is
// proved on the directory's own port (TLS-ALPN-01, RFC 8737), which the world
// must reach as 443.
type ACME struct {
	// Directory is the URL of the CA's directory; empty: that of Let's Encrypt.
	Directory string
	// Email, if not empty, is whom the CA may write to.
	Email string
	// Roots vouch for the CA's own server; nil: the system's.
	Roots *x509.CertPool
}

// ordered is a certificate that is got by ACME, one for each host name. Nobody
// waits for it in a handshake: it is got beforehand.
type ordered struct {
	names   []string
	log     *slog.Logger
	manager *autocert.Manager

	mu    sync.Mutex
	shown map[string]*tls.Certificate
}

// ErrNoHostName: ACME certifies host names.
var ErrNoHostName = errors.New("ACME needs the directory's name to be a host name with a dot, no address")

const (
	// orderCare is how often it is looked after: autocert renews in time.
	orderCare = time.Hour
	// orderPause is how long no other attempt is made after one that went wrong:
	// CAs count them.
	orderPause   = 20 * time.Minute
	orderTimeout = 30 * time.Second // for each request to the CA
)

func (d *Directory) openACME() (*ordered, error) {
	a := d.Web.ACME
	o := &ordered{log: d.Log, shown: make(map[string]*tls.Certificate)}
	for _, name := range d.Names {
		ascii, err := idna.Lookup.ToASCII(name)
		if err == nil && net.ParseIP(name) == nil && strings.Contains(strings.Trim(name, "."), ".") {
			o.names = append(o.names, ascii)
		}
	}
	if len(o.names) == 0 {
		return nil, ErrNoHostName
	}
	url := a.Directory
	if url == "" {
		url = acme.LetsEncryptURL
	}
	o.manager = &autocert.Manager{
		Prompt: autocert.AcceptTOS, Cache: acmeCache{d}, HostPolicy: autocert.HostWhitelist(o.names...), Email: a.Email,
		Client: &acme.Client{DirectoryURL: url, UserAgent: "firstday", HTTPClient: &http.Client{
			Timeout: orderTimeout,
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, ForceAttemptHTTP2: true, DialContext: d.dialWhileOpen,
				TLSClientConfig: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: a.Roots},
			},
		}},
	}
	return o, nil
}

// dialWhileOpen makes connections that end with the directory: autocert takes
// no context.
func (d *Directory) dialWhileOpen(ctx context.Context, network, address string) (net.Conn, error) {
	if err := d.closing.Err(); err != nil {
		return nil, err
	}
	conn, err := new(net.Dialer).DialContext(ctx, network, address)
	if err == nil {
		context.AfterFunc(d.closing, func() { _ = conn.Close() })
	}
	return conn, err
}

func (o *ordered) source() string { return "acme" }

// notAfter is when the first one ends.
func (o *ordered) notAfter() (first time.Time) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, cert := range o.shown {
		if first.IsZero() || cert.Leaf.NotAfter.Before(first) {
			first = cert.Leaf.NotAfter
		}
	}
	return first
}

func (o *ordered) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	name, err := idna.Lookup.ToASCII(hello.ServerName)
	if err != nil || !slices.Contains(o.names, name) {
		return nil, nil //nolint:nilnil // somebody else's name, or none
	}
	if slices.Equal(hello.SupportedProtos, []string{acme.ALPNProto}) {
		return o.manager.GetCertificate(hello) // the CA asks for its proof
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.shown[name], nil
}

// care gets certificates that are not there yet or were renewed, and gives when
// to come again. Of replicas that all had to, one may have spoilt the other's
// proof: they do not come again together.
func (o *ordered) care(ctx context.Context) time.Duration {
	wait := orderCare
	for _, name := range o.names {
		cert, err := o.manager.GetCertificate(&tls.ClientHelloInfo{
			ServerName: name,
			// Whoever speaks TLS 1.3 knows the elliptic curve; autocert goes by this.
			CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256},
		})
		if ctx.Err() != nil {
			return 0
		}
		if err != nil {
			o.log.WarnContext(ctx, "there is no certificate for browsers from the CA", "name", name, "error", err)
			wait = orderPause/2 + rand.N(orderPause)
			continue
		}
		o.mu.Lock()
		if old := o.shown[name]; old == nil || !old.Leaf.Equal(cert.Leaf) {
			o.log.InfoContext(ctx, "the CA certified the directory for browsers", "name", name, "end", cert.Leaf.NotAfter)
		}
		o.shown[name] = cert
		o.mu.Unlock()
	}
	return wait
}

// acmeCache keeps what autocert must not lose, sealed among the directory's
// secrets: replicas share it.
type acmeCache struct{ d *Directory }

const acmeSecret = "acme: "

// Get reads what has the name.
func (c acmeCache) Get(ctx context.Context, name string) ([]byte, error) {
	var sealed []byte
	err := c.d.store.read.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = $1`, acmeSecret+name).Scan(&sealed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, autocert.ErrCacheMiss
	}
	if err != nil {
		return nil, err
	}
	return c.d.seal.open(acmeSecret+name, sealed)
}

// Put keeps data under the name.
func (c acmeCache) Put(ctx context.Context, name string, data []byte) error {
	return c.exec(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO UPDATE SET value = excluded.value`, acmeSecret+name, c.d.seal.close(acmeSecret+name, data))
}

// Delete forgets what has the name.
func (c acmeCache) Delete(ctx context.Context, name string) error {
	return c.exec(ctx, `DELETE FROM secrets WHERE name = $1`, acmeSecret+name)
}

func (c acmeCache) exec(ctx context.Context, statement string, args ...any) error {
	return c.d.store.update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, statement, args...)
		return err
	})
}

var _ autocert.Cache = acmeCache{}
