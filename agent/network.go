package agent

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"firstday.dev/api"
)

// Network is how far the way to the directory is open, step by step.
type Network struct {
	Directory string `json:"directory"` // URL
	Pin       string `json:"pin,omitempty"`
	Proxy     string `json:"proxy,omitempty"` // host and port that the environment names
	Steps     []Step `json:"steps"`
	// ServerTime is the directory's, to the second; Ahead is by how many seconds
	// this device's clock is ahead of it.
	ServerTime *time.Time `json:"serverTime,omitempty"`
	Ahead      *int64     `json:"clockAheadSeconds,omitempty"`
	// Certificates are what the directory presents, its own first.
	Certificates []ServerCertificate `json:"certificates,omitempty"`
}

// Step is one part of reaching the directory.
type Step struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"` // what it came to, or why not
	Millis int64  `json:"milliseconds"`
}

// ServerCertificate is one that the directory presents.
type ServerCertificate struct {
	Subject   string    `json:"subject"`
	Issuer    string    `json:"issuer"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
	Pin       string    `json:"pin,omitempty"` // of a CA
}

// Bounds on the look at the network.
const (
	stepLimit    = 8 * time.Second
	maxAddresses = 4
	maxPresented = 10
	maxAnswer    = 4 << 10 // bytes
	// clockTolerance is the difference from which on a clock is wrong.
	clockTolerance = 5 * time.Minute
)

// tryDirectory looks at the way to the directory. It sends nothing but a request for
// its health, without the device's certificate.
func tryDirectory(ctx context.Context, d api.Directory) (*Network, error) {
	u, err := url.Parse(d.URL)
	if err != nil {
		return nil, err
	}
	n := &Network{Directory: d.URL, Pin: d.Pin}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	if proxy, err := http.ProxyFromEnvironment(&http.Request{URL: u}); err == nil && proxy != nil {
		n.Proxy = proxy.Host
	}
	var addresses []string
	n.step(ctx, "name", func(ctx context.Context) (detail string, err error) {
		addresses, err = resolve(ctx, u.Hostname())
		return fmt.Sprint(addresses), err
	})
	reachable := ""
	for _, a := range addresses[:min(len(addresses), maxAddresses)] {
		at := net.JoinHostPort(a, port)
		if n.step(ctx, "connection", func(ctx context.Context) (string, error) {
			conn, err := new(net.Dialer).DialContext(ctx, "tcp", at)
			if err != nil {
				return "", err
			}
			return at, conn.Close()
		}) && reachable == "" {
			reachable = at
		}
	}
	if reachable != "" {
		n.step(ctx, "tls", func(ctx context.Context) (string, error) { return n.handshake(ctx, d, u.Hostname(), reachable) })
	}
	n.step(ctx, "directory", func(ctx context.Context) (string, error) { return n.ask(ctx, d) })
	return n, nil
}

// step takes one, within its time.
func (n *Network) step(ctx context.Context, name string, take func(context.Context) (string, error)) bool {
	ctx, cancel := context.WithTimeout(ctx, stepLimit)
	defer cancel()
	begun := time.Now()
	detail, err := take(ctx)
	s := Step{Name: name, OK: err == nil, Detail: detail, Millis: time.Since(begun).Milliseconds()}
	if err != nil {
		s.Detail = err.Error()
	}
	n.Steps = append(n.Steps, s)
	return s.OK
}

func resolve(ctx context.Context, host string) ([]string, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []string{a.String()}, nil
	}
	return net.DefaultResolver.LookupHost(ctx, host)
}

// handshake proves that it is the directory that answers, and keeps what it
// presents if not.
func (n *Network) handshake(ctx context.Context, d api.Directory, host, at string) (string, error) {
	config, err := d.DeviceTLS()
	if err != nil {
		return "", err
	}
	config.ServerName = host
	if verify := config.VerifyConnection; verify != nil {
		config.VerifyConnection = func(s tls.ConnectionState) error {
			n.present(s.PeerCertificates)
			return verify(s)
		}
	}
	conn, err := (&tls.Dialer{Config: config}).DialContext(ctx, "tcp", at)
	var unknown *tls.CertificateVerificationError
	if errors.As(err, &unknown) {
		n.present(unknown.UnverifiedCertificates)
	}
	if err != nil {
		return "", err
	}
	s := conn.(*tls.Conn).ConnectionState()
	if d.Pin == "" {
		n.present(s.PeerCertificates)
	}
	known := "the pinned CA"
	if d.Pin == "" {
		known = "the system's roots"
	}
	return fmt.Sprintf("%s, known by %s, protocol %q", tls.VersionName(s.Version), known, s.NegotiatedProtocol), conn.Close()
}

func (n *Network) present(certificates []*x509.Certificate) {
	n.Certificates = nil
	for _, c := range certificates[:min(len(certificates), maxPresented)] {
		p := ServerCertificate{Subject: fact(c.Subject.String()), Issuer: fact(c.Issuer.String()), NotBefore: c.NotBefore, NotAfter: c.NotAfter}
		if c.IsCA {
			p.Pin = api.PinOf(c)
		}
		n.Certificates = append(n.Certificates, p)
	}
}

// ask asks the directory for its health, as the agent would, through a proxy if
// there is one; and learns what time it has.
func (n *Network) ask(ctx context.Context, d api.Directory) (string, error) {
	config, err := d.DeviceTLS()
	if err != nil {
		return "", err
	}
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config, ForceAttemptHTTP2: true, DisableKeepAlives: true}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	address, err := url.JoinPath(d.URL, api.PathHealth)
	if err != nil {
		return "", err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	defer response.Body.Close()
	now := time.Now()
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxAnswer)); err != nil {
		return "", err
	}
	if t, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		ahead := int64(now.Sub(t).Round(time.Second) / time.Second)
		n.ServerTime, n.Ahead = &t, &ahead
	}
	if response.StatusCode != http.StatusOK {
		return "", fmt.Errorf("it answers %q, as no directory would", response.Status)
	}
	return "it is well", nil
}

// problems says in sentences what is between device and directory.
func (n *Network) problems() (list []string) {
	for _, s := range n.Steps {
		if !s.OK {
			list = append(list, fmt.Sprintf("the directory, %s: %s", s.Name, s.Detail))
		}
	}
	if n.Ahead != nil && (time.Duration(*n.Ahead)*time.Second).Abs() > clockTolerance {
		list = append(list, fmt.Sprintf("this device's clock differs from the directory's by %v", time.Duration(*n.Ahead)*time.Second))
	}
	return list
}
