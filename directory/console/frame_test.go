package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/internal/testdirectory"
)

// cookieName is that of the session's cookie.
const cookieName = "__Host-firstday-console"

// signedIn are sessions whose cookie says the role, and nothing else: nobody signs
// in here.
type signedIn struct{ provedAt func() time.Time }

func (s signedIn) ConsoleSession(r *http.Request) (*session, error) {
	cookie, err := r.Cookie(cookieName)
	if err != nil || !api.Role(cookie.Value).Known() {
		return nil, api.Refuse(api.CodeUnauthorized, "no session")
	}
	return &session{
		ID: uuid.UUID{1}, ProvedAt: s.provedAt(),
		Administrator: &administrator{Name: cookie.Value, FullName: "Ann " + cookie.Value, Role: api.Role(cookie.Value)},
	}, nil
}

// desk is a console on a directory that answers by TLS.
type desk struct {
	t *testing.T
	*testdirectory.Service
	console *Console
	client  *http.Client
	role    api.Role // who sends requests; empty: nobody
	header  http.Header
}

// newDesk opens a console.
func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskOf(t, time.Now)
}

// newDeskOf is newDesk with another time of the last proof, and further languages.
func newDeskOf(t *testing.T, provedAt func() time.Time, further ...*language) *desk {
	t.Helper()
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	var c *Console
	s := testdirectory.Mounted(t, Path, func(d *directory.Directory) http.Handler {
		var err error
		if c, err = newConsole(d, signedIn{provedAt}, append(languages, further...)); err != nil {
			t.Fatal(err)
		}
		return c
	})
	tls, err := s.At.TLS()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: tls}
	t.Cleanup(transport.CloseIdleConnections)
	return &desk{t, s, c, &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}, api.Owner, make(http.Header)}
}

// answer is what came of a request.
type answer struct {
	*http.Response
	text string
}

// do sends a request below Path, as a browser on the console would.
func (d *desk) do(method, path string, form url.Values) answer {
	d.t.Helper()
	var body io.Reader
	if form != nil {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.At.URL+Path+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	return d.send(r)
}

// send sends a request as who is signed in.
func (d *desk) send(r *http.Request) answer {
	d.t.Helper()
	for name, values := range d.header {
		r.Header[name] = values
	}
	if d.role != "" {
		r.AddCookie(&http.Cookie{Name: cookieName, Value: string(d.role)})
	}
	response, err := d.client.Do(r)
	if err != nil {
		d.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		d.t.Fatal(err)
	}
	return answer{response, string(text)}
}

func (d *desk) get(path string) answer { d.t.Helper(); return d.do(http.MethodGet, path, nil) }

// post sends a form: names and values.
func (d *desk) post(path string, pairs ...string) answer {
	d.t.Helper()
	form := make(url.Values)
	for i := 0; i+1 < len(pairs); i += 2 {
		form.Add(pairs[i], pairs[i+1])
	}
	return d.do(http.MethodPost, path, form)
}

// mint makes a connect key.
func (d *desk) mint(n api.NewConnectKey) *api.MintedConnectKey {
	d.t.Helper()
	k, err := d.Mint(d.t.Context(), "token:ann", n)
	if err != nil {
		d.t.Fatal(err)
	}
	return k
}

// enroll has a device come with a key.
func (d *desk) enroll(key api.Secret, f api.Facts) *api.EnrollResponse {
	d.t.Helper()
	answer, err := d.Enroll(context.Background(), request(d.t, key, f), "192.0.2.1")
	if err != nil {
		d.t.Fatal(err)
	}
	return answer
}

// request is that of a new device to enrol.
func request(t *testing.T, key api.Secret, f api.Facts) *api.EnrollRequest {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.CreateCertificateRequest(rand.Reader, &x509.CertificateRequest{}, private)
	if err != nil {
		t.Fatal(err)
	}
	return &api.EnrollRequest{ConnectKey: key, CertificateRequest: der, Facts: f}
}

// laptop are the facts of a device.
func laptop(serial string) api.Facts {
	return api.Facts{Platform: api.Windows, Serial: serial, Name: "LAPTOP-" + serial, OS: "Windows 11 Pro", OSVersion: "10.0.26100", Arch: "amd64", AgentVersion: "1.0.0", KeyStorage: api.KeyInFile}
}
