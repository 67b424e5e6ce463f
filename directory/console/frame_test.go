package console

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"firstday.dev/api"
	"firstday.dev/directory"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testpasskey"
)

// desk is a console on a directory that answers by TLS.
type desk struct {
	t *testing.T
	*testdirectory.Service
	console *Console
	client  *http.Client
	role    api.Role // who sends requests; empty: nobody
	cookies map[api.Role]*http.Cookie
	header  http.Header
}

// newDesk opens a console where an administrator of each role is signed in.
func newDesk(t *testing.T) *desk {
	t.Helper()
	return newDeskAt(t, nil)
}

// newDeskAt is newDesk with another clock than the system's, and further languages.
func newDeskAt(t *testing.T, now func() time.Time, further ...*language) *desk {
	t.Helper()
	d := newEmptyDesk(t, now, further...)
	for _, role := range api.AdministratorRoles {
		d.cookies[role] = d.hire(string(role), role)
	}
	return d
}

// newEmptyDesk is one where nobody is signed in, and nobody could be.
func newEmptyDesk(t *testing.T, now func() time.Time, further ...*language) *desk {
	t.Helper()
	languages, err := readLanguages()
	if err != nil {
		t.Fatal(err)
	}
	var c *Console
	s := testdirectory.Mounted(t, now, Path, func(d *directory.Directory) http.Handler {
		var err error
		if c, err = newConsole(d, append(languages, further...)); err != nil {
			t.Fatal(err)
		}
		return c
	})
	// Browsers allow passkeys where there is a name.
	s.PagesURL = strings.Replace(s.At.URL, "127.0.0.1", "localhost", 1)
	tls, err := s.At.TLS()
	if err != nil {
		t.Fatal(err)
	}
	transport := &http.Transport{TLSClientConfig: tls}
	t.Cleanup(transport.CloseIdleConnections)
	d := &desk{
		t: t, Service: s, console: c, role: api.Owner, cookies: make(map[api.Role]*http.Cookie), header: make(http.Header),
		client: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
	}
	return d
}

// hire makes an administrator with a passkey, and gives the cookie of their session.
func (d *desk) hire(name string, role api.Role) *http.Cookie {
	d.t.Helper()
	i, err := d.InviteAdministrator(d.t.Context(), "token:ann", api.NewAdministrator{Name: name, FullName: "Ann " + name, Role: role})
	if err != nil {
		d.t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(d.t.Context(), http.MethodPost, d.PagesURL+pathCeremony, http.NoBody)
	cookie, err := d.Begin(request, &directory.Beginning{Purpose: directory.ToJoin, Way: api.WayPasskey, Link: i.Secret})
	if err != nil {
		d.t.Fatal(err)
	}
	request.AddCookie(cookie)
	ceremony, err := d.Ceremony(request)
	if err != nil {
		d.t.Fatal(err)
	}
	held := &testpasskey.Authenticator{TB: d.t, Origin: d.PagesURL}
	out, err := d.TakePasskey(request, hostile[:60], held.Create(ceremony.Options))
	if err != nil {
		d.t.Fatal(err)
	}
	return out.Cookie
}

// codeOf is what an authenticator app shows.
func codeOf(t *testing.T, secret string, at time.Time) string {
	t.Helper()
	code, err := totp.GenerateCode(secret, at)
	if err != nil {
		t.Fatal(err)
	}
	return code
}

// answer is what came of a request.
type answer struct {
	*http.Response
	text string
}

// do sends a form below Path, or asks for a page, as a browser on the console would.
func (d *desk) do(method, path string, form url.Values) answer {
	d.t.Helper()
	if form == nil {
		return d.send(method, path, "", nil)
	}
	return d.send(method, path, "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
}

// send sends a request, with a body if it has a type.
func (d *desk) send(method, path, kind string, body io.Reader) answer {
	d.t.Helper()
	r, err := http.NewRequestWithContext(d.t.Context(), method, d.At.URL+Path+path, body)
	if err != nil {
		d.t.Fatal(err)
	}
	if kind != "" {
		r.Header.Set("Content-Type", kind)
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}
	for name, values := range d.header {
		r.Header[name] = values
	}
	if cookie := d.cookies[d.role]; cookie != nil {
		r.AddCookie(cookie)
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
