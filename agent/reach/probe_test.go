package reach

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

const applePage = "<HTML><HEAD><TITLE>Success</TITLE></HEAD><BODY>Success</BODY></HTML>\n"

// probeOf asks a server of the test in Apple's place.
func probeOf(t *testing.T, d api.Directory, internet string) *Probe {
	t.Helper()
	p, err := NewProbe(d)
	if err != nil {
		t.Fatal(err)
	}
	p.internet = internet
	return p
}

func TestInternet(t *testing.T) {
	page := func(code int, location, body string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			if location != "" {
				w.Header().Set("Location", location)
			}
			w.WriteHeader(code)
			io.WriteString(w, body)
		}
	}
	const self = "(asked)"
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		want   Answer
		portal string
	}{
		"success":                {page(200, "", applePage), Yes, ""},
		"success, older":         {page(200, "", "<!DOCTYPE HTML PUBLIC \"-//W3C//DTD HTML 3.2//EN\">\n<HTML>\n<HEAD>\n\t<TITLE>Success</TITLE>\n</HEAD>\n<BODY>\nSuccess\n</BODY>\n</HTML>"), Yes, ""},
		"other text":             {page(200, "", "<html><body>Welcome to Hotel Success</body></html>"), Captive, self},
		"success and more":       {page(200, "", applePage+"<script>top.location='http://portal.example'</script>"), Captive, self},
		"nothing":                {page(200, "", ""), Captive, self},
		"redirect":               {page(302, "https://portal.example/login?mac=1", ""), Captive, "https://portal.example/login?mac=1"},
		"redirect, relative":     {page(307, "/login", ""), Captive, self + "/login"},
		"redirect to nothing":    {page(302, "", ""), Captive, self},
		"redirect to a file":     {page(302, "file:///etc/passwd", ""), Captive, self},
		"redirect to a script":   {page(302, "javascript:alert(1)", ""), Captive, self},
		"redirect with password": {page(302, "https://apple.com@portal.example/", ""), Captive, self},
		"redirect, endless":      {page(302, "https://portal.example/"+strings.Repeat("a", maxPortal), ""), Captive, self},
		"authentication":         {page(511, "", "log in"), Captive, self},
		"not modified":           {page(304, "", ""), Unknown, ""},
		"server error":           {page(503, "", applePage), Unknown, ""},
		"not there":              {page(404, "", applePage), Unknown, ""},
		"huge": {func(w http.ResponseWriter, _ *http.Request) {
			io.WriteString(w, strings.Repeat(" ", maxBody)+applePage)
		}, Captive, self},
		"reset": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.(*net.TCPConn).SetLinger(0)
				conn.Close()
			}
		}, No, ""},
		"cut off": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			io.WriteString(w, applePage)
		}, No, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var asked atomic.Int32
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				asked.Add(1)
				test.answer(w, r)
			}))
			defer server.Close()
			got := probeOf(t, api.Directory{}, server.URL).Look(t.Context())
			want := State{Internet: test.want, Directory: Unknown, Portal: strings.ReplaceAll(test.portal, self, server.URL)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if test.want == Captive && asked.Load() != 1 {
				t.Errorf("asked %d times: a redirect was followed", asked.Load())
			}
		})
	}
}

// Everything hangs: the answer, its body, the connection.
func TestLookEndsAfterPatience(t *testing.T) {
	for name, answer := range map[string]func(net.Conn){
		"nothing":   func(net.Conn) {},
		"no header": func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nX") },
		"no body":   func(c net.Conn) { io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<HTML>") },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := probeOf(t, api.Directory{URL: "https://directory.example"}, "http://captive.example/")
				dial := func(_ context.Context, _, _ string) (net.Conn, error) {
					near, far := net.Pipe()
					go func() {
						far.Read(make([]byte, 64<<10)) // the request
						answer(far)
						io.Copy(io.Discard, far)
					}()
					return near, nil
				}
				p.plain.Transport.(*http.Transport).DialContext = dial
				p.known.Transport.(*http.Transport).DialContext = dial
				begun := time.Now()
				got := p.Look(t.Context())
				if want := (State{Internet: No, Directory: No}); got != want || time.Since(begun) != patience {
					t.Errorf("%+v after %v", got, time.Since(begun))
				}
			})
		})
	}
}

// The directory is known by its pin: nobody else is believed, least of all a
// portal that answers everything.
func TestDirectoryIsItself(t *testing.T) {
	known := testdirectory.New(t).At
	internet := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, applePage) }))
	defer internet.Close()
	portal := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {}))
	defer portal.Close()
	for name, test := range map[string]struct {
		directory api.Directory
		want      Answer
	}{
		"itself":        {known, Yes},
		"another":       {api.Directory{URL: portal.URL, Pin: known.Pin}, No},
		"no pin":        {api.Directory{URL: known.URL}, No},
		"nobody":        {api.Directory{URL: "https://127.0.0.1:1", Pin: known.Pin}, No},
		"has none":      {api.Directory{}, Unknown},
		"no health":     {api.Directory{URL: known.URL + "/elsewhere", Pin: known.Pin}, No},
		"trailing path": {api.Directory{URL: known.URL + "/", Pin: known.Pin}, Yes},
	} {
		t.Run(name, func(t *testing.T) {
			got := probeOf(t, test.directory, internet.URL).Look(t.Context())
			if diff := cmp.Diff(State{Internet: Yes, Directory: test.want}, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestProbeAsksApple(t *testing.T) {
	p, err := NewProbe(api.Directory{})
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(p.internet)
	if err != nil || u.Scheme != "http" || u.Host != "captive.apple.com" { // over TLS no portal could answer
		t.Error(p.internet, err)
	}
	if _, err := NewProbe(api.Directory{URL: "https://d.example:port"}); err == nil {
		t.Error("an address that is none passed")
	}
}

func FuzzPortal(f *testing.F) {
	for _, seed := range []string{"", "/", "https://portal.example/?a=b#c", "HTTP://p", "//p/x", "http://", "http:p", "javascript:1", "http://a@b/", "http://p/\u202e", "http://p/%00", "http://[::1%25en0]/", "data:text/html,x"} {
		f.Add(seed)
	}
	asked, _ := url.Parse(success)
	p := &Probe{internet: success}
	f.Fuzz(func(t *testing.T, location string) {
		response := &http.Response{Header: http.Header{"Location": {location}}, Request: &http.Request{URL: asked}}
		portal := p.portal(response)
		u, err := url.Parse(portal)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || len(portal) > maxPortal ||
			strings.ContainsFunc(portal, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
			t.Errorf("%q leads to %q, %v", location, portal, err)
		}
	})
}
