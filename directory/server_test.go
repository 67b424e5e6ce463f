package directory

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// serve lets a directory answer on loopback.
func serve(t *testing.T, d *Directory) api.Directory {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return serveOn(t, d, l)
}

func serveOn(t *testing.T, d *Directory, l net.Listener) api.Directory {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return api.Directory{URL: "https://" + l.Addr().String(), Pin: d.Pin()}
}

// client speaks to a directory, as a device if it has a certificate.
func client(t *testing.T, at api.Directory, own *tls.Certificate) *api.Client {
	t.Helper()
	var certificate func() (*tls.Certificate, error)
	if own != nil {
		certificate = func() (*tls.Certificate, error) { return own, nil }
	}
	c, err := api.NewClient(at, certificate)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func token(t *testing.T, d *Directory, role api.Role) api.Secret {
	t.Helper()
	created, err := d.CreateToken(t.Context(), "system", api.NewToken{Name: string(role), Role: role, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	return created.Secret
}

func TestDeviceOverTLS(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	l := newLaptop(t, "S1")
	key := mint(t, d, api.NewConnectKey{})
	e, err := client(t, at, nil).Enroll(t.Context(), l.request(t, key.Secret))
	if err != nil {
		t.Fatal(err)
	}
	own := &tls.Certificate{Certificate: e.Certificates, PrivateKey: l.key}
	device := client(t, at, own)
	for range 3 {
		if answer, err := device.CheckIn(t.Context(), &api.CheckInRequest{Facts: &l.facts}); err != nil || answer.State != api.DeviceActive || time.Since(answer.Time).Abs() > time.Minute {
			t.Errorf("%+v, %v", answer, err)
		}
	}
	uses, err := d.KeyUses(t.Context(), key.ID)
	if err != nil || len(uses) != 1 || uses[0].Remote != "127.0.0.1" {
		t.Errorf("the ledger is %+v, %v", uses, err)
	}

	foreign := open(t, t.TempDir(), "")
	other := newLaptop(t, "S1")
	abroad := enroll(t, foreign, other, mint(t, foreign, api.NewConnectKey{}).Secret)
	server, err := d.ca.serverCertificate(d.Names)
	if err != nil {
		t.Fatal(err)
	}
	for name, certificate := range map[string]*tls.Certificate{
		"none":             nil,
		"of another":       {Certificate: abroad.Certificates, PrivateKey: other.key},
		"the directory's":  server,
		"of another chain": {Certificate: [][]byte{abroad.Certificates[0], e.Certificates[1]}, PrivateKey: other.key},
	} {
		if _, err := client(t, at, certificate).CheckIn(t.Context(), new(api.CheckInRequest)); !errors.Is(err, api.CodeCertificate) {
			t.Errorf("a certificate %s: %v", name, err)
		}
	}
	if err := d.RemoveDevice(t.Context(), "token:ann", e.DeviceID); err != nil {
		t.Fatal(err)
	}
	if _, err := device.CheckIn(t.Context(), new(api.CheckInRequest)); !errors.Is(err, api.CodeDeviceRemoved) {
		t.Errorf("a removed device's: %v", err)
	}
}

// Each call, and who may make it.
func TestRoles(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.strangers.guesses = newLimit(1000, time.Minute)
	at := serve(t, d)
	e := enroll(t, d, newLaptop(t, "S1"), mint(t, d, api.NewConnectKey{}).Secret)
	some := uuid.NewString()
	device := e.DeviceID.String()
	settings, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for call, test := range map[string]struct {
		in    any
		roles string // who may, by first letters
	}{
		"GET /whoami":                          {nil, "otab"},
		"POST /keys":                           {api.NewConnectKey{}, "otb"},
		"GET /keys":                            {nil, "ota"},
		"GET /keys/" + some + "/uses":          {nil, "ota"},
		"POST /keys/" + some + "/revoke":       {struct{}{}, "ot"},
		"POST /orders":                         {api.NewOrder{PO: "PO-7", Quantity: 1}, "otb"},
		"GET /orders":                          {nil, "ota"},
		"GET /orders/" + some + "/units":       {nil, "ota"},
		"GET /orders/" + some + "/refusals":    {nil, "ota"},
		"POST /orders/" + some + "/close":      {struct{}{}, "otb"},
		"GET /devices":                         {nil, "ota"},
		"GET /devices/" + device:               {nil, "ota"},
		"POST /devices/" + device + "/approve": {struct{}{}, "ot"},
		"POST /devices/" + some + "/remove":    {struct{}{}, "ot"},
		"POST /devices/" + device + "/bind":    {api.BindRequest{User: "nobody"}, "ot"},
		"POST /devices/" + device + "/unbind":  {api.BindRequest{User: "nobody"}, "ot"},
		"POST /devices/" + device + "/reveal":  {api.RevealRequest{Reason: "locked out"}, "ot"},
		"POST /users":                          {api.NewUsers{Users: []api.NewUser{{Name: "ann-" + some}}}, "ot"},
		"GET /users":                           {nil, "ota"},
		"GET /users/nobody":                    {nil, "ota"},
		"POST /users/nobody/disable":           {struct{}{}, "ot"},
		"POST /users/nobody/enable":            {struct{}{}, "ot"},
		"POST /users/nobody/reset":             {struct{}{}, "ot"},
		"GET /settings":                        {nil, "ota"},
		"PUT /settings":                        {settings, "o"},
		"POST /tokens":                         {api.NewToken{Name: "x", Role: api.Owner, Life: 1}, "o"},
		"GET /tokens":                          {nil, "oa"},
		"POST /tokens/" + some + "/revoke":     {struct{}{}, "o"},
		"GET /audit":                           {nil, "oa"},
	} {
		t.Run(call, func(t *testing.T) {
			method, path, _ := strings.Cut(call, " ")
			c := client(t, at, nil)
			for _, role := range api.Roles {
				c.Token = token(t, d, role)
				err := c.Do(t.Context(), method, api.PathAdmin+path, test.in, nil)
				may := strings.Contains(test.roles, string(role[:1]))
				if refused := errors.Is(err, api.CodeForbidden); refused == may {
					t.Errorf("%s: %v", role, err)
				}
				if may && err != nil && !errors.Is(err, api.CodeNotFound) && !errors.Is(err, api.CodeConflict) {
					t.Errorf("%s: %v", role, err)
				}
			}
			for name, secret := range map[string]api.Secret{"nobody": "", "a guess": "fdt_guess"} {
				c.Token = secret
				if err := c.Do(t.Context(), method, api.PathAdmin+path, test.in, nil); !errors.Is(err, api.CodeUnauthorized) {
					t.Errorf("%s: %v", name, err)
				}
			}
		})
	}
}

func TestTokensEnd(t *testing.T) {
	d := open(t, t.TempDir(), "")
	hasOwner := func(want bool) {
		t.Helper()
		if has, err := d.HasOwner(t.Context()); has != want || err != nil {
			t.Errorf("has an owner: %v, %v", has, err)
		}
	}
	hasOwner(false)
	token(t, d, api.Auditor)
	hasOwner(false)
	for name, n := range map[string]api.NewToken{
		"nameless":  {Role: api.Owner, Life: 1},
		"two words": {Name: "a b", Role: api.Owner, Life: 1},
		"no role":   {Name: "a", Life: 1},
		"dead":      {Name: "a", Role: api.Owner},
		"eternal":   {Name: "a", Role: api.Owner, Life: api.Duration(maxTokenLife + 1)},
	} {
		if _, err := d.CreateToken(t.Context(), "system", n); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("%s: %v", name, err)
		}
	}
	created, err := d.CreateToken(t.Context(), "system", api.NewToken{Name: "ann", Role: api.Owner, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if who, err := d.who(t.Context(), created.Secret); err != nil || who.Name != "ann" {
		t.Errorf("%+v, %v", who, err)
	}
	hasOwner(true)
	d.Now = func() time.Time { return time.Now().Add(2 * time.Hour) }
	hasOwner(false)
	if _, err := d.who(t.Context(), created.Secret); !errors.Is(err, api.CodeUnauthorized) {
		t.Errorf("an expired token: %v", err)
	}
	d.Now = nil
	if err := d.RevokeToken(t.Context(), "token:ann", created.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := d.who(t.Context(), created.Secret); !errors.Is(err, api.CodeUnauthorized) {
		t.Errorf("a revoked token: %v", err)
	}
	hasOwner(false)
	if tokens, err := d.Tokens(t.Context()); err != nil || len(tokens) != 2 || tokens[0].RevokedAt.IsZero() {
		t.Errorf("%+v, %v", tokens, err)
	}
}

func TestStrangeRequests(t *testing.T) {
	d := open(t, t.TempDir(), "")
	h := d.Handler()
	for name, test := range map[string]struct {
		method, path, body string
		want               api.Code
	}{
		"no JSON":         {"POST", api.PathEnroll, "x", api.CodeBadRequest},
		"nothing":         {"POST", api.PathEnroll, "", api.CodeBadRequest},
		"null":            {"POST", api.PathEnroll, "null", api.CodeBadRequest},
		"two documents":   {"POST", api.PathEnroll, "{}{}", api.CodeBadRequest},
		"deep":            {"POST", api.PathEnroll, `{"x":` + strings.Repeat("[", 20000), api.CodeBadRequest},
		"too large":       {"POST", api.PathEnroll, `{"connectKey":"` + strings.Repeat("k", api.MaxDeviceMessage), api.CodeTooLarge},
		"another method":  {"GET", api.PathEnroll, "", api.CodeNotFound},
		"no such path":    {"GET", "/v1/../etc/passwd%00", "", api.CodeNotFound},
		"no id":           {"GET", api.PathAdmin + "/devices/x", "", api.CodeUnauthorized},
		"no certificate":  {"POST", api.PathCheckIn, "{}", api.CodeCertificate},
		"a list for text": {"POST", api.PathEnroll, `{"connectKey":["secret"]}`, api.CodeBadRequest},
	} {
		t.Run(name, func(t *testing.T) {
			w := httptest.NewRecorder()
			r := httptest.NewRequest(test.method, "/", strings.NewReader(test.body))
			r.URL.Path = test.path
			h.ServeHTTP(w, r)
			if w.Code >= 300 && w.Code < 400 {
				return // to the path without dots
			}
			var answer struct{ Error *api.Error }
			if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Error == nil || answer.Error.Code != test.want || answer.Error.Request == "" {
				t.Errorf("%d %s, %v", w.Code, w.Body, err)
			}
			if strings.Contains(w.Body.String(), "secret") {
				t.Error("the answer repeats a secret")
			}
			if w.Header().Get("Content-Type") != "application/json" || w.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("the header is %v", w.Header())
			}
		})
	}
}

// A mistake of ours ends one request, and tells nothing of itself.
func TestPanicsAndFaultsAreTold(t *testing.T) {
	d := open(t, t.TempDir(), "")
	for name, f := range map[string]func(*http.Request) (any, error){
		"a panic": func(*http.Request) (any, error) { panic("with a secret") },
		"a fault": func(*http.Request) (any, error) { return nil, errors.New("with a secret") },
	} {
		w := httptest.NewRecorder()
		d.call(1, f)(w, httptest.NewRequest(http.MethodGet, "/", nil))
		if w.Code != http.StatusInternalServerError || !strings.Contains(w.Body.String(), `"internal"`) || strings.Contains(w.Body.String(), "secret") {
			t.Errorf("%s: %d %s", name, w.Code, w.Body)
		}
	}
	if err := d.store.close(); err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	d.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/readyz", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("without a database it is ready: %d", w.Code)
	}
}

// Who waits for news gets an answer when the service ends, at once.
func TestServeEndsWhileDevicesWait(t *testing.T) {
	d := open(t, t.TempDir(), "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Serve(ctx, l) }()
	at := api.Directory{URL: "https://" + l.Addr().String(), Pin: d.Pin()}
	own := newLaptop(t, "S1")
	e := enroll(t, d, own, mint(t, d, api.NewConnectKey{}).Secret)
	answered := make(chan error, 1)
	c := client(t, at, &tls.Certificate{Certificate: e.Certificates, PrivateKey: own.key})
	go func() {
		_, err := c.CheckIn(context.Background(), &api.CheckInRequest{Version: e.CheckIn.Version, Wait: 600})
		answered <- err
	}()
	time.Sleep(100 * time.Millisecond)
	begin := time.Now()
	cancel()
	if err := <-answered; err != nil {
		t.Errorf("who waited got %v", err)
	}
	if err := <-ended; err != nil || time.Since(begin) > 10*time.Second {
		t.Errorf("it ended after %v with %v", time.Since(begin), err)
	}
}

func FuzzEnroll(f *testing.F) {
	d, err := Open(context.Background(), Options{Organisation: "Acme", Database: f.TempDir() + "/fuzz.db", KeyFile: f.TempDir() + "/key"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = d.Close() })
	h := d.Handler()
	l := newLaptop(f, "S1")
	good, err := json.Marshal(l.request(f, "fdk_guess"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add([]byte(`{"facts":{"users":[{}]},"wait":1e999}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		h.ServeHTTP(w, httptest.NewRequest(http.MethodPost, api.PathEnroll, bytes.NewReader(body)))
		if w.Code == http.StatusOK || w.Code >= 500 {
			b, _ := io.ReadAll(w.Body)
			t.Errorf("%d %s", w.Code, fmt.Sprintf("%.300s", b))
		}
	})
}

// Whoever has many keys sees them all, each once, the newest first.
func TestListOfKeysHasPages(t *testing.T) {
	d := open(t, t.TempDir(), "")
	for range KeyPage + 3 {
		mint(t, d, api.NewConnectKey{})
	}
	admin := client(t, serve(t, d), nil)
	admin.Token = token(t, d, api.Auditor)
	keys, err := admin.Keys(t.Context())
	if err != nil || len(keys) != KeyPage+3 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	for i := 1; i < len(keys); i++ {
		if keys[i-1].ID.String() <= keys[i].ID.String() {
			t.Fatalf("key %d is not older than the one before", i)
		}
	}
}
