package directory

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
)

// pebble is Let's Encrypt's own ACME server for tests: it looks for the proof at
// a port of this machine, whatever the name.
type pebble struct {
	acme, management string // URLs
	roots            *x509.CertPool
}

func startPebble(t *testing.T, tlsPort int) *pebble {
	t.Helper()
	pki := testpki.New(t)
	cert, key := webServer(t, 24*time.Hour).WritePEM(t, "")
	listen, management, dns, control := freePort(t), freePort(t), freePort(t), freePort(t)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": listen, "managementListenAddress": management, "certificate": cert, "privateKey": key,
		"httpPort": 1, "tlsPort": tlsPort, "retryAfter": map[string]int{"authz": 1, "order": 1}, "keyAlgorithm": "ecdsa",
		"profiles": map[string]any{"default": map[string]any{"description": "default", "validityPeriod": 90 * 24 * 60 * 60}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "pebble.json")
	if err := os.WriteFile(file, config, 0o600); err != nil {
		t.Fatal(err)
	}
	run(t, testtool.Build(t, pebbleTools, "pebble-challtestsrv"), "-dnsserver", dns, "-management", control, "-defaultIPv6", "", "-http01", "", "-https01", "", "-doh", "", "-tlsalpn01", "")
	run(t, testtool.Build(t, pebbleTools, "pebble"), "-config", file, "-dnsserver", dns)
	p := &pebble{"https://" + listen + "/dir", "https://" + management, pki.Roots()}
	eventually(t, func() bool {
		_, err := p.get(t, p.acme)
		return err == nil
	})
	return p
}

// pebbleTools pins the programs of Pebble.
const pebbleTools = "../tools/pebble/go.mod"

// run lets a program run until the test ends.
func run(t *testing.T, name string, args ...string) {
	t.Helper()
	var out strings.Builder
	c := exec.CommandContext(t.Context(), name, args...)
	c.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	c.Stdout, c.Stderr = &out, &out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Wait() // the test's context has ended it
		if t.Failed() {
			t.Logf("%s: %s", name, &out)
		}
	})
}

// freePort gives an address that nobody listens at now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (p *pebble) get(t *testing.T, url string) ([]byte, error) {
	t.Helper()
	c := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: p.roots}, DisableKeepAlives: true}}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := c.Do(r)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return io.ReadAll(resp.Body)
}

// A browser comes to trust a directory that was certified by a real ACME server
// on its own port; agents go on as before; another replica needs no CA.
func TestACME(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := startPebble(t, l.Addr().(*net.TCPAddr).Port)
	const name = "directory.acme.test"
	dir := t.TempDir()
	options := func(o *Options) {
		o.Database, o.KeyFile = filepath.Join(dir, "directory.db"), filepath.Join(dir, "directory.key")
		o.Names = []string{"127.0.0.1", name}
		o.Web.ACME = &ACME{Directory: p.acme, Email: "it@acme.test", Roots: p.roots}
	}
	d, log := openWith(t, options)
	at := serveOn(t, d, l)
	eventually(t, func() bool { return !d.web.notAfter().IsZero() })

	root, err := p.get(t, p.management+"/roots/0")
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(root) {
		t.Fatalf("no root: %s", root)
	}
	if state, err := browse(t, at.URL, &tls.Config{RootCAs: roots, ServerName: name}); err != nil || state.NegotiatedProtocol != "h2" {
		t.Errorf("a browser: %+v, %v\n%s", state, err, log)
	}
	own, err := client(t, at, nil).Enroll(t.Context(), newLaptop(t, "S1").request(t, "fdk_guess"))
	if err == nil || !strings.Contains(err.Error(), "key_unknown") {
		t.Errorf("an agent: %+v, %v", own, err)
	}
	for other, config := range map[string]*tls.Config{
		"another name":  {RootCAs: roots, ServerName: "other.acme.test"},
		"a forged wish": {RootCAs: roots, ServerName: "other.acme.test", NextProtos: []string{acme.ALPNProto}},
	} {
		if _, err := tls.Dial("tcp", l.Addr().String(), config); err == nil {
			t.Errorf("%s is certified", other)
		}
	}

	// What is kept is sealed, and enough for another replica.
	data, err := os.ReadFile(filepath.Join(dir, "directory.db-wal"))
	if err != nil || !strings.Contains(string(data), acmeSecret+name) || strings.Contains(string(data), "PRIVATE KEY") {
		t.Errorf("the database holds the key as it is, or nothing: %v", err)
	}
	replica, _ := openWith(t, func(o *Options) {
		options(o)
		o.Web.ACME = &ACME{Directory: "https://" + freePort(t) + "/nobody"}
	})
	if wait := replica.web.care(t.Context()); wait != orderCare || !replica.web.notAfter().Equal(d.web.notAfter()) {
		t.Errorf("the replica comes again in %v", wait)
	}
}

// While there is no certificate yet, browsers see the own one, at once; and the
// end does not wait for the CA.
func TestACMEThatDoesNotAnswer(t *testing.T) {
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	d, _ := openWith(t, func(o *Options) {
		o.Names = []string{"directory.acme.test"}
		o.Web.ACME = &ACME{Directory: "https://" + mute.Addr().String()}
	})
	at := serve(t, d)
	if _, err := mute.Accept(); err != nil { // it is being asked
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(d.ca.cert)
	if _, err := browse(t, at.URL, &tls.Config{RootCAs: roots, ServerName: "directory.acme.test"}); err != nil {
		t.Error(err)
	}
	nobody, _ := openWith(t, func(o *Options) {
		o.Names = []string{"directory.acme.test"}
		o.Web.ACME = &ACME{Directory: "https://" + freePort(t)}
	})
	if wait := nobody.web.care(t.Context()); wait < orderPause/2 || wait > 2*orderPause || !nobody.web.notAfter().IsZero() {
		t.Errorf("without a CA it comes again in %v", wait)
	}
}

func TestACMECache(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := acmeCache{replicas[0]}, acmeCache{replicas[len(replicas)-1]}
		if _, err := first.Get(t.Context(), "a"); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("what is not there: %v", err)
		}
		for _, data := range []string{"one", "two"} {
			if err := first.Put(t.Context(), "a", []byte(data)); err != nil {
				t.Fatal(err)
			}
			if got, err := last.Get(t.Context(), "a"); err != nil || string(got) != data {
				t.Errorf("%q, %v, want %q", got, err, data)
			}
		}
		if err := errors.Join(last.Delete(t.Context(), "a"), last.Delete(t.Context(), "a")); err != nil {
			t.Error(err)
		}
		if _, err := first.Get(t.Context(), "a"); !errors.Is(err, autocert.ErrCacheMiss) {
			t.Errorf("what was deleted: %v", err)
		}
	})
}
