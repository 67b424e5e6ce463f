package directory

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
)

// impatient serves a directory that waits for nobody longer than a moment.
func impatient(t *testing.T, idle time.Duration) (*Directory, api.Directory) {
	t.Helper()
	d := open(t, t.TempDir(), "")
	d.times = times{header: moment, request: moment, idle: idle}
	return d, serve(t, d)
}

const moment = 300 * time.Millisecond

func dial(t *testing.T, at api.Directory, protocols ...string) *tls.Conn {
	t.Helper()
	conn, err := tls.Dial("tcp", strings.TrimPrefix(at.URL, "https://"), &tls.Config{InsecureSkipVerify: true, NextProtos: protocols})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// Whoever sends a byte now and then is cut off, whatever he sends.
func TestSlowClientsAreCutOff(t *testing.T) {
	_, at := impatient(t, moment)
	for name, begin := range map[string]string{
		"nothing":                    "",
		"a header":                   "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: ",
		"a body":                     "POST " + api.PathEnroll + " HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n{\"connectKey\":\"",
		"a body in chunks":           "POST " + api.PathEnroll + " HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff0\r\n\"",
		"a body nobody asked for":    "GET /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
		"a body without permission":  "POST " + api.PathCheckIn + " HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
		"a body to nowhere":          "POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n",
		"a body in chunks, unwanted": "GET /healthz HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfff0\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conn := dial(t, at, "http/1.1")
			if _, err := io.WriteString(conn, begin); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				for ctx.Err() == nil {
					_, _ = io.WriteString(conn, "x")
					time.Sleep(50 * time.Millisecond)
				}
			}()
			if begin == "" {
				cancel()
			}
			start := time.Now()
			answer, err := io.ReadAll(conn)
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("it holds for %v: %v\n%s", took, err, answer)
			}
			if strings.Contains(begin, api.PathEnroll) && !strings.Contains(string(answer), "did not arrive in time") {
				t.Errorf("it is told %q", answer)
			}
		})
	}
}

// A slow handshake, and HTTP/2 that says nothing more, end too.
func TestSlowHandshakesAreCutOff(t *testing.T) {
	_, at := impatient(t, moment)
	start := time.Now()
	raw, err := net.Dial("tcp", strings.TrimPrefix(at.URL, "https://"))
	if err != nil {
		t.Fatal(err)
	}
	defer raw.Close()
	if _, err := io.WriteString(raw, "\x16\x03\x01"); err != nil {
		t.Fatal(err)
	}
	_ = raw.SetDeadline(start.Add(20 * time.Second))
	_, _ = io.Copy(io.Discard, raw)
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("half a handshake holds for %v", took)
	}
	conn := dial(t, at, "h2")
	start = time.Now()
	if _, err := io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, conn)
	if took := time.Since(start); took > 15*time.Second {
		t.Errorf("HTTP/2 without a word holds for %v", took)
	}
}

// A body that is too large is refused before it is here, and in words.
func TestHugeBodies(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	endless := func() io.Reader { return io.MultiReader(strings.NewReader(`{"connectKey":"`), endlessKs{}) }
	for name, protocol := range map[string]bool{"HTTP/1": false, "HTTP/2": true} {
		transport := &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, ForceAttemptHTTP2: protocol}
		if !protocol {
			transport.TLSClientConfig.NextProtos = []string{"http/1.1"}
		}
		defer transport.CloseIdleConnections()
		for path, limit := range map[string]int64{api.PathEnroll: api.MaxDeviceMessage, api.PathAdmin + "/keys": api.MaxMessage} {
			r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.URL+path, io.LimitReader(endless(), 10*limit))
			if err != nil {
				t.Fatal(err)
			}
			r.Header.Set("Authorization", "Bearer "+token(t, d, api.Owner).Reveal())
			resp, err := transport.RoundTrip(r)
			if err != nil {
				t.Errorf("%s over %s: %v", path, name, err)
				continue
			}
			body, _ := io.ReadAll(resp.Body)
			_ = resp.Body.Close()
			if resp.StatusCode != http.StatusRequestEntityTooLarge || !strings.Contains(string(body), string(api.CodeTooLarge)) {
				t.Errorf("%s over %s: %s %s", path, name, resp.Status, body)
			}
		}
	}
	conn := dial(t, at, "http/1.1")
	_, _ = fmt.Fprintf(conn, "GET /healthz HTTP/1.1\r\nHost: x\r\nX: %s\r\n\r\n", strings.Repeat("x", 1<<20))
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("a huge header: %s", resp.Status)
	}
}

type endlessKs struct{}

func (endlessKs) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'k'
	}
	return len(p), nil
}

// A thousand connections that say nothing stop nobody, and go.
func TestIdleConnectionsStopNobody(t *testing.T) {
	d, at := impatient(t, time.Minute)
	conns := make([]*tls.Conn, 1000)
	for i := range conns {
		conns[i] = dial(t, at, "http/1.1")
		if i%2 == 0 { // half of them were of use once
			_, _ = io.WriteString(conns[i], "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
		}
	}
	begin := time.Now()
	key := mint(t, d, api.NewConnectKey{})
	for i := range 10 {
		if _, err := client(t, at, nil).Enroll(t.Context(), newLaptop(t, fmt.Sprint("S", i)).request(t, key.Secret)); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("ten enrolments took %v", took)
	}
	// Who never asked for anything is gone by now, or soon.
	if _, err := io.Copy(io.Discard, conns[1]); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("who never asked is still there")
	}
}

// A device may wait over HTTP/1 for longer than a request may take to arrive.
func TestWaitingOverHTTP1(t *testing.T) {
	d, at := impatient(t, moment)
	own := newLaptop(t, "S1")
	e := enroll(t, d, own, mint(t, d, api.NewConnectKey{}).Secret)
	transport := &http.Transport{TLSClientConfig: &tls.Config{
		InsecureSkipVerify: true, NextProtos: []string{"http/1.1"},
		Certificates: []tls.Certificate{{Certificate: e.Certificates, PrivateKey: own.key}},
	}}
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, at.URL+api.PathCheckIn, strings.NewReader(fmt.Sprintf(`{"version":%d,"wait":1}`, e.CheckIn.Version)))
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	resp, err := transport.RoundTrip(r)
	if err != nil || resp.StatusCode != http.StatusOK || time.Since(begin) < time.Second {
		t.Fatalf("after %v: %+v, %v", time.Since(begin), resp, err)
	}
	if body, err := io.ReadAll(resp.Body); err != nil || !strings.Contains(string(body), `"state"`) || resp.ProtoMajor != 1 {
		t.Errorf("%s, %v", body, err)
	}
	_ = resp.Body.Close()
}
