package api

import (
	"crypto/tls"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// Who knows the pin says so in the handshake, after what it speaks: HTTP/2. Who
// does not, says nothing.
func TestProtocolIsOffered(t *testing.T) {
	ca := newAuthority(t)
	cert, key := ca.issue(leaf())
	var offered []string
	var spoken string
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		spoken = r.Proto
		_, _ = w.Write([]byte("{}"))
	}))
	s.EnableHTTP2 = true
	s.TLS = &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{cert.Raw, ca.cert.Raw}, PrivateKey: key}},
		GetConfigForClient: func(hello *tls.ClientHelloInfo) (*tls.Config, error) {
			offered = hello.SupportedProtos
			return nil, nil //nolint:nilnil // as it is
		},
	}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	for pin, want := range map[string][]string{ca.pin(): {"h2", "http/1.1", Protocol}, "": {"h2", "http/1.1"}} {
		c, err := NewClient(Directory{URL: s.URL, Pin: pin}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Do(t.Context(), http.MethodGet, "/", nil, nil); (err == nil) != (pin != "") {
			t.Errorf("with pin %q: %v", pin, err)
		}
		c.Close()
		if !slices.Equal(offered, want) {
			t.Errorf("with pin %q it offers %q, want %q", pin, offered, want)
		}
	}
	if spoken != "HTTP/2.0" {
		t.Errorf("it speaks %s", spoken)
	}
}
