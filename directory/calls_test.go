package directory

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// target is a directory with somebody of each kind that may call it.
type target struct {
	d       *Directory
	handler http.Handler
	routes  []route
	callers []stranger
	ids     []string // that stand in paths
}

// stranger is somebody who calls: with a token, a certificate or neither.
type stranger struct {
	name        string
	token       api.Secret
	certificate *x509.Certificate
}

func newTarget(t testing.TB, d *Directory) *target {
	t.Helper()
	d.stop() // nobody waits for news
	d.strangers.guesses = newLimit(1_000_000, time.Second)
	d.strangers.refusals = newLimit(1_000_000, time.Second)
	for _, l := range []**limit{&d.limits.codes, &d.limits.logins, &d.limits.starts, &d.limits.polls} {
		*l = newLimit(1_000_000, time.Second)
	}
	x := &target{d: d, handler: d.Handler(), routes: d.routes(), callers: []stranger{{name: "nobody"}, {name: "a guess", token: "fdt_guess"}}}
	for _, role := range api.Roles {
		created, err := d.CreateToken(t.Context(), "system", api.NewToken{Name: string(role), Role: role, Life: api.Duration(time.Hour)})
		if err != nil {
			t.Fatal(err)
		}
		x.callers = append(x.callers, stranger{name: string(role), token: created.Secret})
		x.ids = append(x.ids, created.ID.String())
	}
	device := func(name string, key *api.MintedConnectKey) uuid.UUID {
		e := enroll(t, d, newLaptop(t, name), key.Secret)
		leaf, err := x509.ParseCertificate(e.Certificates[0])
		if err != nil {
			t.Fatal(err)
		}
		x.callers = append(x.callers, stranger{name: name, certificate: leaf})
		x.ids = append(x.ids, e.DeviceID.String())
		return e.DeviceID
	}
	key := mint(t, d, api.NewConnectKey{})
	x.ids = append(x.ids, key.ID.String(), order(t, d, api.NewOrder{PO: "PO-0", Quantity: 1}).ID.String(), uuid.NewString(), "x", "")
	device("an active device", key)
	device("a pending device", mint(t, d, api.NewConnectKey{Approval: true}))
	if err := d.RemoveDevice(t.Context(), "system", device("a removed device", key)); err != nil {
		t.Fatal(err)
	}
	foreign, err := x509.ParseCertificate(foreignCertificate(t))
	if err != nil {
		t.Fatal(err)
	}
	x.callers = append(x.callers, stranger{name: "a foreign device", certificate: foreign})
	x.ids = append(x.ids, newUser(t, d, "ann").ID.String(), "ann")
	return x
}

// foreignCertificate is one that another directory gave a device.
func foreignCertificate(t testing.TB) []byte {
	t.Helper()
	other := open(t, t.TempDir(), "")
	return enroll(t, other, newLaptop(t, "S1"), mint(t, other, api.NewConnectKey{}).Secret).Certificates[0]
}

// documented are the codes and statuses that answers may have.
var documented = func() map[api.Code]int {
	codes := make(map[api.Code]int)
	for _, p := range api.Problems {
		codes[p.Code] = p.Status
	}
	return codes
}()

// call makes a call, and makes sure that its answer is one of those that the
// document speaks of.
func (x *target) call(t *testing.T, r *route, who stranger, path, query string, body []byte) int {
	t.Helper()
	request := httptest.NewRequest(r.method, "/", bytes.NewReader(body))
	request.URL = &url.URL{Path: strings.NewReplacer("{id}", path, "{user}", path, "{administrator}", path, "{name}", path).Replace(r.path), RawQuery: query}
	if who.token != "" {
		request.Header.Set("Authorization", "Bearer "+who.token.Reveal())
	}
	if who.certificate != nil {
		request.TLS = &tls.ConnectionState{PeerCertificates: []*x509.Certificate{who.certificate}}
	}
	w := httptest.NewRecorder()
	x.handler.ServeHTTP(w, request)
	what := fmt.Sprintf("%s by %s, %q?%q, %.200q: %d %.300s", r.method+" "+r.path, who.name, path, query, body, w.Code, w.Body)
	switch w.Code {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
		return w.Code // to the path without dots
	case http.StatusOK:
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %s", what)
		}
		return w.Code
	}
	var answer struct{ Error *api.Error }
	if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil || answer.Error == nil || answer.Error.Request == "" {
		t.Errorf("no refusal: %s", what)
		return w.Code
	}
	if status, known := documented[answer.Error.Code]; !known || status != w.Code || w.Code >= http.StatusInternalServerError && answer.Error.Code != api.CodePackagesOff {
		t.Errorf("not documented: %s", what)
	}
	if secret := who.token.Reveal(); secret != "" && strings.Contains(w.Body.String(), secret) {
		t.Errorf("the answer repeats a secret: %s", what)
	}
	return w.Code
}

// good is a body that each call takes, by its path.
func (x *target) good(t testing.TB) map[string]any {
	t.Helper()
	settings, err := x.d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l := newLaptop(t, "S9")
	return map[string]any{
		api.PathEnroll:                         l.request(t, "fdk_guess"),
		api.PathCheckIn:                        api.CheckInRequest{Facts: &l.facts, Wait: 600, CertificateRequest: l.request(t, "").CertificateRequest},
		api.PathEscrow:                         api.EscrowRequest{Account: "rescue", Sealed: []byte("sealed"), RecoveryKey: "age1" + strings.Repeat("q", 58)},
		api.PathSignIn:                         api.SignInRequest{SameDevice: true},
		api.PathToken:                          api.TokenRequest{DeviceCode: "guess", Number: "12", Wait: 600},
		api.PathPassword:                       api.PasswordRequest{Ticket: "guess", Password: "guess"},
		api.PathComplete:                       api.CompleteRequest{Ticket: "guess", Account: "ann", AccountID: "S-1"},
		api.PathCancel:                         api.CancelRequest{DeviceCode: "guess"},
		api.PathAdmin + "/keys":                api.NewConnectKey{Label: "spring", Serials: []string{"S1"}, Tags: []string{"sales"}, Platforms: api.Platforms},
		api.PathAdmin + "/orders":              api.NewOrder{PO: "PO-1", Partner: "Box Ltd", Quantity: 2, Serials: []string{"S1", "S2"}, Tags: []string{"sales"}},
		api.PathAdmin + "/devices/{id}/bind":   api.BindRequest{User: "ann"},
		api.PathAdmin + "/devices/{id}/unbind": api.BindRequest{User: "ann"},
		api.PathAdmin + "/devices/{id}/reveal": api.RevealRequest{Reason: "locked out"},
		api.PathAdmin + "/users":               api.NewUsers{Users: []api.NewUser{{Name: "bob", Email: "bob@acme.example", FullName: "Bob"}}},
		api.PathAdmin + "/settings":            settings,

		api.PathAdmin + "/devices/bulk":      api.BulkRequest{Action: api.BulkSSAPOff, Query: &api.DeviceQuery{Text: "acme", Limit: 1}, Count: 1},
		api.PathAdmin + "/devices/{id}/ssap": api.SSAPRequest{Off: true},
		api.PathAdmin + "/settings/revert":   api.RevertRequest{},
		api.PathAdmin + "/users/check":       api.NewUsers{Users: []api.NewUser{{Name: "bob", Email: "bob@acme.example", FullName: "Bob"}}},

		api.PathAdmin + "/tokens": api.NewToken{Name: "x", Role: api.Builder, Life: api.Duration(time.Hour)},
	}
}

// Every call, by everybody, with what nobody should send.
func TestEveryCallIsAnswered(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		x := newTarget(t, replicas[0])
		good := x.good(t)
		queries := []string{"", "after=%00&afterName=%00", "after=%ff&afterName=%c3%28", "after=-1", "po=%00&serial=%00&code=%00", "po=%ff&serial=%ff", "text=%00", "text=%25_%5c'&tag=%25&batch=%27", "cursor=e30", "cursor=%ff", "state=x", "limit=-1", "sort=words", "step=%00", "before=-9&key=x", "descending=2", "after=99999999999999999999", "after=" + strings.Repeat("9", 4000), "%zz&;"}
		for i := range x.routes {
			r := &x.routes[i]
			whole, err := json.Marshal(good[r.path])
			if err != nil {
				t.Fatal(err)
			}
			bodies := [][]byte{whole, nil, []byte("{}"), []byte("null"), []byte("[]"), []byte(`""`), []byte("{"), []byte("{}{}"), bytes.Repeat([]byte("["), 20_000),
				append(slices.Clone(whole), " "+strings.Repeat(" ", api.MaxDeviceMessage)...)}
			bodies = append(bodies, spoilt(t, whole)...)
			answered := make(map[int]int)
			for _, who := range x.callers {
				for _, body := range bodies {
					answered[x.call(t, r, who, x.ids[len(answered)%len(x.ids)], "", body)]++
				}
				for _, query := range queries {
					answered[x.call(t, r, who, x.ids[0], query, whole)]++
				}
				if !strings.Contains(r.path, "{") {
					continue
				}
				for _, path := range append(x.ids, "%", "..", "a b", "\x00", "\xff", "é", strings.Repeat("a", 4000)) {
					answered[x.call(t, r, who, path, "", whole)]++
				}
			}
			if len(answered) < 2 {
				t.Errorf("%s %s answers everybody %v", r.method, r.path, answered)
			}
		}
		checkAudit(t, x.d)
	})
}

// spoilt gives a message with each of its texts and numbers replaced by what
// does not belong there.
func spoilt(t *testing.T, message []byte) (all [][]byte) {
	t.Helper()
	var v any
	if err := json.Unmarshal(message, &v); err != nil {
		t.Fatal(err)
	}
	strange := []any{"", "\x00", "a\x00b", "a\r\nSet-Cookie: x=y", "\u202e<script>", strings.Repeat("é", 5000), -1, 1e300, 9223372036854775807, true, nil, []any{}, map[string]any{"x": 1}, []any{nil}}
	each(v, func(set func(any), old any) {
		for _, s := range strange {
			set(s)
			b, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, b)
		}
		set(old)
	})
	return all
}

// each visits all values of a document, and lets them be replaced.
func each(v any, f func(set func(any), old any)) {
	switch v := v.(type) {
	case map[string]any:
		for name, old := range v {
			f(func(n any) { v[name] = n }, old)
			each(old, f)
		}
	case []any:
		for i, old := range v {
			f(func(n any) { v[i] = n }, old)
			each(old, f)
		}
	}
}

func FuzzCalls(f *testing.F) {
	d, err := Open(f.Context(), Options{Organisation: "Acme", Database: f.TempDir() + "/fuzz.db", KeyFile: f.TempDir() + "/key"})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = d.Close() })
	x := newTarget(f, d)
	good := x.good(f)
	for i, r := range x.routes {
		whole, err := json.Marshal(good[r.path])
		if err != nil {
			f.Fatal(err)
		}
		for who := range x.callers {
			f.Add(uint8(i), uint8(who), x.ids[i%len(x.ids)], "after=1&afterName=x", whole)
		}
	}
	f.Fuzz(func(t *testing.T, call, who uint8, path, query string, body []byte) {
		x.call(t, &x.routes[int(call)%len(x.routes)], x.callers[int(who)%len(x.callers)], path, query, body)
	})
}
