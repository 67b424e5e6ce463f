package directory

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"

	"firstday.dev/api"
)

// The ledger shows the address that a trusted load balancer tells, and nobody
// else can tell one.
func TestProxies(t *testing.T) {
	header := func(version byte) *proxyproto.Header {
		return &proxyproto.Header{
			Version: version, Command: proxyproto.PROXY, TransportProtocol: proxyproto.TCPv4,
			SourceAddr: &net.TCPAddr{IP: net.IPv4(198, 51, 100, 7), Port: 1234}, DestinationAddr: &net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 443},
		}
	}
	for name, test := range map[string]struct {
		networks string
		header   io.WriterTo
		want     string // remote address; empty: it is refused
	}{
		"version 1":              {"127.0.0.0/8", header(1), "198.51.100.7"},
		"version 2":              {"127.0.0.0/8", header(2), "198.51.100.7"},
		"trusted, without":       {"127.0.0.0/8", nil, "127.0.0.1"},
		"another, version 1":     {"192.0.2.0/24", header(1), ""},
		"another, version 2":     {"192.0.2.0/24", header(2), ""},
		"another, without":       {"192.0.2.0/24", nil, "127.0.0.1"},
		"nobody is, version 2":   {"", header(2), ""},
		"nonsense":               {"127.0.0.0/8", strings.NewReader("PROXY TCP4 x y 1 2\r\n"), ""},
		"one more from a client": {"127.0.0.0/8", both{header(1), header(1)}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			d, _ := openWith(t, func(o *Options) {
				if test.networks != "" {
					o.Proxies = []netip.Prefix{netip.MustParsePrefix(test.networks)}
				}
			})
			at := serve(t, d)
			key := mint(t, d, api.NewConnectKey{})
			transport := &http.Transport{
				TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
				DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
					conn, err := new(net.Dialer).DialContext(ctx, network, address)
					if err == nil && test.header != nil {
						_, err = test.header.WriteTo(conn)
					}
					return conn, err
				},
			}
			defer transport.CloseIdleConnections()
			status, err := post(t, transport, at.URL+api.PathEnroll, newLaptop(t, "S1").request(t, key.Secret))
			if test.want == "" {
				if err == nil {
					t.Errorf("it is answered %d", status)
				}
				return
			}
			if err != nil || status != http.StatusOK {
				t.Fatalf("%d, %v", status, err)
			}
			if uses, err := d.KeyUses(t.Context(), key.ID); err != nil || len(uses) != 1 || uses[0].Remote != test.want {
				t.Errorf("the ledger is %+v, %v", uses, err)
			}
		})
	}
}

type both [2]io.WriterTo

func (b both) WriteTo(w io.Writer) (int64, error) {
	_, first := b[0].WriteTo(w)
	_, second := b[1].WriteTo(w)
	return 0, errors.Join(first, second)
}

func post(t *testing.T, transport http.RoundTripper, url string, message any) (status int, err error) {
	t.Helper()
	body, err := json.Marshal(message)
	if err != nil {
		t.Fatal(err)
	}
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, resp.Body.Close()
}
