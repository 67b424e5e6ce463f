package directory

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testpki"
)

// record keeps what is logged.
type record struct {
	mu   sync.Mutex
	text strings.Builder
}

func (r *record) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.Write(p)
}

func (r *record) String() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.text.String()
}

// openWith opens a directory with options of its own.
func openWith(t *testing.T, change func(*Options)) (*Directory, *record) {
	t.Helper()
	dir := t.TempDir()
	log := new(record)
	o := Options{
		Organisation: "Acme", Database: filepath.Join(dir, "directory.db"), KeyFile: filepath.Join(dir, "directory.key"),
		Names: []string{"127.0.0.1"}, Log: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	change(&o)
	d, err := Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := d.Close(); err != nil {
			t.Error(err)
		}
	})
	return d, log
}

// webServer certifies 127.0.0.1 for so long.
func webServer(t *testing.T, life time.Duration) *testpki.Entity {
	t.Helper()
	e, err := testpki.Issue(&x509.Certificate{
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(life), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, testpki.New(t).Root, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// browse asks for a page like one, and gives what the handshake came to.
func browse(t *testing.T, url string, config *tls.Config) (*tls.ConnectionState, error) {
	t.Helper()
	transport := &http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true}
	t.Cleanup(transport.CloseIdleConnections)
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/healthz", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return resp.TLS, err
}

// On one listener an agent that knows the pin and a browser that knows the
// world's roots each see whom they trust, and both speak HTTP/2.
func TestAgentsAndBrowsersOnOnePort(t *testing.T) {
	pki := testpki.New(t)
	d, _ := openWith(t, func(o *Options) { o.Web.CertFile, o.Web.KeyFile = webServer(t, 90*24*time.Hour).WritePEM(t, "") })
	at := serve(t, d)

	if told := anchorsOf(t, d, true); told != nil {
		t.Errorf("a device is to know the pages by %d CAs, and browsers know them", len(told))
	}
	own := newLaptop(t, "S1")
	e, err := client(t, at, nil).Enroll(t.Context(), own.request(t, mint(t, d, api.NewConnectKey{}).Secret))
	if err != nil {
		t.Fatalf("an agent: %v", err)
	}
	device := client(t, at, &tls.Certificate{Certificate: e.Certificates, PrivateKey: own.key})
	if _, err := device.CheckIn(t.Context(), new(api.CheckInRequest)); err != nil {
		t.Errorf("a device: %v", err)
	}

	if state, err := browse(t, at.URL, &tls.Config{RootCAs: pki.Roots()}); err != nil || state.NegotiatedProtocol != "h2" {
		t.Errorf("a browser: %+v, %v", state, err)
	}
	// One of HTTP/1 too, and one without ALPN.
	for _, protocols := range [][]string{{"http/1.1"}, nil} {
		conn, err := tls.Dial("tcp", strings.TrimPrefix(at.URL, "https://"), &tls.Config{RootCAs: pki.Roots(), NextProtos: protocols})
		if err != nil {
			t.Errorf("with %q: %v", protocols, err)
			continue
		}
		if got := conn.ConnectionState().NegotiatedProtocol; len(protocols) == 1 && got != protocols[0] || len(protocols) == 0 && got != "" {
			t.Errorf("with %q it speaks %q", protocols, got)
		}
		_ = conn.Close()
	}

	// What an agent's handshake comes to.
	config, err := at.TLS()
	if err != nil {
		t.Fatal(err)
	}
	config.NextProtos = []string{"h2", "http/1.1", api.Protocol}
	if state, err := browse(t, at.URL, config); err != nil || state.NegotiatedProtocol != "http/1.1" || state.PeerCertificates[0].Issuer.CommonName != "Firstday CA" {
		t.Errorf("an agent speaks %+v, %v", state, err)
	}
	config.NextProtos = nil
	if _, err := browse(t, at.URL, config); err == nil {
		t.Error("who does not offer the agents' protocol sees the own CA")
	}
}

// anchorsOf gives the CAs that a device is told to know the pages by.
func anchorsOf(t *testing.T, d *Directory, sameDevice bool) [][]byte {
	t.Helper()
	started, err := d.StartSignIn(t.Context(), newDevice(t, d, "S7"), &api.SignInRequest{SameDevice: sameDevice}, "")
	if err != nil {
		t.Fatal(err)
	}
	return started.Anchors
}

// Without any other certificate browsers see the own CA's, and a device that shows the
// pages is told of it; one that shows none need not know.
func TestBrowsersSeeTheOwnCA(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	roots := x509.NewCertPool()
	for _, der := range anchorsOf(t, d, true) {
		ca, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		roots.AddCert(ca)
	}
	if _, err := browse(t, at.URL, &tls.Config{RootCAs: roots}); err != nil {
		t.Error(err)
	}
	if conn, err := tls.Dial("tcp", strings.TrimPrefix(at.URL, "https://"), &tls.Config{RootCAs: roots, NextProtos: []string{"acme-tls/1"}}); err == nil {
		_ = conn.Close()
		t.Error("it speaks acme-tls/1 without ACME")
	}
}

func TestCertificatesThatAreRefused(t *testing.T) {
	good, other := webServer(t, time.Hour), webServer(t, time.Hour)
	cert, key := good.WritePEM(t, "")
	_, foreign := other.WritePEM(t, "")
	_, locked := good.WritePEM(t, "password")
	_, bare := good.WritePEM(t, "")
	if err := os.Chmod(bare, 0o604); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	large := filepath.Join(dir, "large")
	if err := os.WriteFile(large, make([]byte, maxGiven+1), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		web  Web
		want string
	}{
		"key of another":  {Web{CertFile: cert, KeyFile: foreign}, "does not match"},
		"encrypted key":   {Web{CertFile: cert, KeyFile: locked}, locked},
		"key for all":     {Web{CertFile: cert, KeyFile: bare}, ErrKeyOpen.Error()},
		"no key":          {Web{CertFile: cert}, "both"},
		"no certificate":  {Web{KeyFile: key}, "both"},
		"missing":         {Web{CertFile: cert + "x", KeyFile: key}, cert + "x"},
		"a folder":        {Web{CertFile: dir, KeyFile: key}, "no file"},
		"too large":       {Web{CertFile: large, KeyFile: key}, "bytes"},
		"key as cert":     {Web{CertFile: key, KeyFile: key}, key},
		"ACME beside":     {Web{CertFile: cert, KeyFile: key, ACME: new(ACME)}, "choose"},
		"ACME, addresses": {Web{ACME: new(ACME)}, ErrNoHostName.Error()},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			_, err := Open(t.Context(), Options{
				Organisation: "Acme", Database: filepath.Join(dir, "directory.db"), KeyFile: filepath.Join(dir, "directory.key"),
				Names: []string{"127.0.0.1", "localhost", "::1"}, Web: test.web,
			})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// A new pair is shown soon after it is in the files; until both of it are there,
// and if it is broken, the one before stays.
func TestGivenCertificateIsReadAnew(t *testing.T) {
	first, second := webServer(t, 10*24*time.Hour), webServer(t, 80*24*time.Hour)
	var web Web
	web.CertFile, web.KeyFile = first.WritePEM(t, "")
	d, log := openWith(t, func(o *Options) { o.Web, o.Names = web, []string{"127.0.0.1", "directory.acme.example"} })
	g := d.web.(*given)
	shown := func() *x509.Certificate {
		t.Helper()
		g.checked = time.Time{} // long ago
		cert, err := d.certificate(new(tls.ClientHelloInfo))
		if err != nil {
			t.Fatal(err)
		}
		return cert.Leaf
	}
	replace := func(name, by string) {
		t.Helper()
		data, err := os.ReadFile(by)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(name, data, 0o600), os.Chtimes(name, time.Time{}, time.Now().Add(time.Hour))); err != nil {
			t.Fatal(err)
		}
	}
	if !shown().Equal(first.Certificate()) {
		t.Error("it shows another one")
	}
	cert, key := second.WritePEM(t, "")
	replace(web.CertFile, cert)
	for range 3 {
		if !shown().Equal(first.Certificate()) {
			t.Error("it shows half a pair")
		}
	}
	if n := strings.Count(log.String(), "cannot be read anew"); n != 1 {
		t.Errorf("it tells %d times of half a pair", n)
	}
	replace(web.KeyFile, key)
	if !shown().Equal(second.Certificate()) {
		t.Error("it does not show the new one")
	}
	if end := d.web.notAfter(); !end.Equal(second.Certificate().NotAfter) {
		t.Errorf("it ends %v", end)
	}
	if err := os.Remove(web.KeyFile); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if !shown().Equal(second.Certificate()) {
			t.Error("without a key it shows something else")
		}
	}
	if n := strings.Count(log.String(), "cannot be read anew"); n != 2 {
		t.Errorf("it tells %d times:\n%s", n, log)
	}
	if !strings.Contains(log.String(), "will not trust") || !strings.Contains(log.String(), "directory.acme.example") {
		t.Errorf("it does not tell of the name that is missing:\n%s", log)
	}
	// It is looked at now and then, not at each handshake.
	g.checked = time.Now()
	replace(web.KeyFile, key)
	if _, err := d.certificate(new(tls.ClientHelloInfo)); err != nil || g.stamp != [2]stamp{} {
		t.Errorf("it looks at the files each time: %v, %v", g.stamp, err)
	}
}

func TestEndOfCertificateIsToldInTime(t *testing.T) {
	for life, want := range map[time.Duration]bool{13 * 24 * time.Hour: true, 15 * 24 * time.Hour: false} {
		d, log := openWith(t, func(o *Options) { o.Web.CertFile, o.Web.KeyFile = webServer(t, life).WritePEM(t, "") })
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		d.keepWeb(ctx)
		cancel()
		if got := strings.Contains(log.String(), "ends soon"); got != want {
			t.Errorf("%v before: %s", life, log)
		}
	}
}
