package simulate

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testbrowser"
	"firstday.dev/ppkg"
)

// turnOn simulates a device, shows its screen, and gives the address.
func turnOn(t *testing.T, path string) string {
	t.Helper()
	ctx, off := context.WithCancel(t.Context())
	address, ended := make(chan string, 1), make(chan error, 1)
	w := NewWindow()
	o := Options{Sandbox: filepath.Join(t.TempDir(), "sandbox"), Device: Device{Serial: "5CG1234XYZ"}, Events: w.Tell, Then: func(ctx context.Context, m *Machine) error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		return w.Serve(ctx, m, l, func(at string) { address <- at })
	}}
	go func() {
		_, err := Run(ctx, []string{path}, o)
		ended <- err
	}()
	select {
	case at := <-address:
		t.Cleanup(func() {
			off()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
		return at
	case err := <-ended:
		off()
		t.Fatal(err)
		return ""
	}
}

// A person at a browser sees what an employee sees on the device, up to the
// account that works.
func TestWindow(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	d.Change(func(s *api.Settings) {
		s.Windows.Text, s.Windows.HelpURL = "Use your address.", "https://help.acme.example"
	})
	ann := d.MustHire("ann")
	address := turnOn(t, provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{}))
	b := testbrowser.New(t)
	b.Open(address)
	b.See("Sign in once")
	b.See("Use your address.")
	b.See("the connect key is erased")
	b.Look()
	b.Click(`button[value=start]`)
	b.See("Point the camera")
	b.Look()
	number, err := ann.SignIn(t.Context(), d.At, b.Attribute(`#card a`, "href"))
	if err != nil {
		t.Fatal(err)
	}
	b.See("Type the number")
	b.Write(`[name=number]`, number+"\n")
	b.See("Choose a password")
	b.Write(`[name=password]`, "of this device")
	b.Write(`[name=again]`, "of that device\n")
	b.See(api.Explain(api.CodePasswordsDiffer).Employee)
	b.Look()
	b.Write(`[name=password]`, "of this device")
	b.Write(`[name=again]`, "of this device\n")
	b.See("Your account ann is ready")
	b.Click(`button[value=close]`)
	b.SeeNo(`#card`)
	b.Click(`#accounts button`)
	b.See("as the system itself asks")
	b.Write(`[name=password]`, "wrong\n")
	b.See("The password is incorrect")
	b.Write(`[name=password]`, "of this device\n")
	b.See("The desktop of Example ann")
	b.Look()
	b.Click(`#restart`)
	b.See("boot 2")
	b.Content()
}

// What other pages and other users of the machine may do with a window: nothing.
func TestWindowIsForWhoHasTheAddress(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	address := turnOn(t, provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{}))
	origin, _, _ := strings.Cut(address, "/?")
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Jar: jar}
	ask := func(client *http.Client, method, url, body string, header ...string) int {
		t.Helper()
		r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(header); i += 2 {
			r.Header.Set(header[i], header[i+1])
			if header[i] == "Host" {
				r.Host = header[i+1]
			}
		}
		resp, err := client.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		if csp := resp.Header.Get("Content-Security-Policy"); csp != windowPolicy {
			t.Errorf("%s %s: policy %q", method, url, csp)
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1))
		return resp.StatusCode
	}
	stranger := new(http.Client)
	for _, c := range []struct{ method, path string }{{"GET", "/"}, {"GET", "/state"}, {"GET", "/window.js"}, {"GET", "/?key=guess"}, {"POST", "/act"}, {"POST", "/restart"}} {
		if got := ask(stranger, c.method, origin+c.path, "{}"); got != http.StatusForbidden {
			t.Errorf("a stranger's %s %s: %d", c.method, c.path, got)
		}
	}
	if got := ask(client, "GET", address, ""); got != http.StatusOK {
		t.Fatalf("the address: %d", got)
	}
	if got := ask(client, "GET", origin+"/state", "", "Host", "evil.example"); got != http.StatusMisdirectedRequest {
		t.Errorf("another host's name: %d", got)
	}
	if got := ask(client, "POST", origin+"/restart", "{}", "Sec-Fetch-Site", "cross-site"); got != http.StatusForbidden {
		t.Errorf("another site's page: %d", got)
	}
	if got := ask(client, "POST", origin+"/restart", "{}", "Origin", "https://evil.example"); got != http.StatusForbidden {
		t.Errorf("another site's page in an old browser: %d", got)
	}
	for body, want := range map[string]int{
		`{`:                              http.StatusBadRequest,
		`{"serial": "x"}`:                http.StatusBadRequest,
		strings.Repeat(" ", maxPosted+1): http.StatusBadRequest,
		`{"serial": 0, "name": "start"}`: http.StatusConflict,
	} {
		if got := ask(client, "POST", origin+"/act", body); got != want {
			t.Errorf("%.40q: %d", body, got)
		}
	}
	if got := ask(client, "GET", origin+"/state", ""); got != http.StatusOK {
		t.Errorf("the stream: %d", got)
	}
}

func TestPictureIsTheText(t *testing.T) {
	p := draw("https://directory.acme.example/signin?code=BCDF-GHJK")
	if p.Size < 33 || strings.Count(p.Path, "M") < p.Size*p.Size/5 {
		t.Errorf("%+v", p)
	}
	if none := draw(""); none != nil {
		t.Errorf("%+v", none)
	}
}
