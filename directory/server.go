package directory

import (
	"context"
	"crypto/sha256"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

const (
	headerTimeout   = 10 * time.Second
	requestTimeout  = 30 * time.Second // to send or receive a message
	idleTimeout     = 3 * time.Minute
	shutdownTimeout = 20 * time.Second
	maxHeader       = 16 << 10 // bytes
)

// Serve answers on the listener until the context ends, then lets what is under
// way come to its end.
func (d *Directory) Serve(ctx context.Context, l net.Listener) error {
	s := &http.Server{
		Handler:           d.Handler(),
		TLSConfig:         d.TLS(),
		ReadHeaderTimeout: d.times.header,
		IdleTimeout:       d.times.idle,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(d.Log.Handler(), slog.LevelDebug), // of handshakes that strangers begin
	}
	ended := make(chan error, 1)
	stop := context.AfterFunc(ctx, func() {
		d.stop() // who waits for news gets an answer
		patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTimeout)
		defer cancel()
		ended <- s.Shutdown(patience)
	})
	serving, leave := context.WithCancel(ctx)
	defer leave()
	if d.web != nil {
		d.background.Go(func() { d.keepWeb(serving) })
	}
	if len(d.Proxies) > 0 {
		l = behindProxies(l, d.Proxies, d.times.header)
	}
	err := s.ServeTLS(l, "", "")
	if stop() || !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-ended
}

// Mount has something else answer below a path, which ends with a slash. It comes
// before the first call of Handler or Serve.
func (d *Directory) Mount(path string, h http.Handler) {
	if d.mounted == nil {
		d.mounted = make(map[string]http.Handler)
	}
	d.mounted[path] = h
}

// Handler is the whole API, and what is mounted.
func (d *Directory) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+api.PathHealth, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) })
	mux.HandleFunc("GET /readyz", d.ready)
	for _, r := range d.routes() {
		mux.HandleFunc(r.method+" "+r.path, r.handler)
	}
	mux.HandleFunc("GET "+pathOpenAPI, d.serveOpenAPI())
	d.pageCalls(mux)
	for pattern, h := range d.mounted {
		mux.Handle(pattern, h)
	}
	mux.HandleFunc("/", d.call(api.MaxDeviceMessage, func(r *http.Request) (any, error) {
		return nil, api.Refuse(api.CodeNotFound, "there is no %s %.100q", r.Method, r.URL.Path)
	}))
	return d.attend(mux)
}

func (d *Directory) ready(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), headerTimeout)
	defer cancel()
	if err := d.store.read.PingContext(ctx); err != nil || d.closing.Err() != nil {
		w.WriteHeader(http.StatusServiceUnavailable)
	}
}

// remote is the address a request came from.
func remote(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// certificates remember which ones were verified: a device comes again and
// again with the same.
type certificates struct {
	ca    *authority
	mu    sync.Mutex
	known map[[sha256.Size]byte]verified
}

type verified struct {
	id    uuid.UUID
	until time.Time
}

// How many are remembered, and how long.
const (
	maxVerified  = 100_000
	verifiedLife = time.Hour
)

func newCertificates(ca *authority) *certificates {
	return &certificates{ca: ca, known: make(map[[sha256.Size]byte]verified)}
}

// device tells which device has sent a request. TLS has proved that it has the
// private key.
func (c *certificates) device(r *http.Request) (uuid.UUID, error) {
	if r.TLS == nil || len(r.TLS.PeerCertificates) == 0 {
		return uuid.Nil, api.Refuse(api.CodeCertificate, "the request came without one")
	}
	cert := r.TLS.PeerCertificates[0]
	fingerprint := sha256.Sum256(cert.Raw)
	now := c.ca.now()
	c.mu.Lock()
	v, ok := c.known[fingerprint]
	c.mu.Unlock()
	if ok && now.Before(v.until) {
		return v.id, nil
	}
	id, err := c.ca.device(cert)
	if err != nil {
		return uuid.Nil, api.Refuse(api.CodeCertificate, "%v", err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.known) >= maxVerified {
		clear(c.known)
	}
	c.known[fingerprint] = verified{id, now.Add(verifiedLife)}
	return id, nil
}
