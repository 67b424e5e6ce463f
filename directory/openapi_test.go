package directory

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"flag"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/jsonschema-go/jsonschema"
	"github.com/google/uuid"

	"firstday.dev/api"
)

var update = flag.Bool("update", false, "write the golden files")

const documentFile = "../docs/openapi.json"

// The document in docs is the one that is served, and describes every call.
func TestOpenAPI(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	b := browserAt(t, d, at.URL)
	b.open(pathOpenAPI)
	if *update {
		if err := os.WriteFile(documentFile, []byte(b.page), 0o644); err != nil { //nolint:gosec // documentation
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	if b.page != string(want) {
		t.Errorf("%s is not what is served; run go test ./directory -run OpenAPI -update", documentFile)
	}
	var doc openAPI
	if err := json.Unmarshal([]byte(b.page), &doc); err != nil {
		t.Fatal(err)
	}
	for _, r := range d.routes() {
		o := doc.Paths[r.path][strings.ToLower(r.method)]
		if o == nil || o.Summary == "" || o.Responses["200"] == nil || o.Responses["default"] == nil {
			t.Errorf("%s %s is not described", r.method, r.path)
		}
	}
	for name, s := range doc.Components.Schemas {
		if _, err := s.Resolve(nil); err != nil || strings.ContainsAny(name, "[]./*") {
			t.Errorf("the schema %q: %v", name, err)
		}
	}
}

// checker is a transport that holds each answer against the document.
type checker struct {
	http.RoundTripper
	t      *testing.T
	doc    *openAPI
	routes *http.ServeMux
	seen   map[string]bool
}

func newChecker(t *testing.T, d *Directory, inner http.RoundTripper) *checker {
	t.Helper()
	doc, err := document(d.routes())
	if err != nil {
		t.Fatal(err)
	}
	c := &checker{inner, t, doc, http.NewServeMux(), make(map[string]bool)}
	for _, r := range d.routes() {
		c.routes.HandleFunc(r.method+" "+r.path, func(http.ResponseWriter, *http.Request) {})
	}
	return c
}

func (c *checker) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := c.RoundTripper.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	resp.Body = io.NopCloser(bytes.NewReader(body))
	_, pattern := c.routes.Handler(r)
	method, path, _ := strings.Cut(pattern, " ")
	answer := c.doc.Paths[path][strings.ToLower(method)].Responses["default"]
	if resp.StatusCode == http.StatusOK {
		c.seen[pattern] = true
		answer = c.doc.Paths[path][strings.ToLower(method)].Responses["200"]
	}
	name := strings.TrimPrefix(answer.Content["application/json"]["schema"].Ref, "#/components/schemas/")
	resolved, err := c.doc.Components.Schemas[name].Resolve(&jsonschema.ResolveOptions{})
	if err != nil {
		return nil, err
	}
	var value any
	if err := json.Unmarshal(body, &value); err != nil {
		return nil, err
	}
	if err := resolved.Validate(value); err != nil {
		c.t.Errorf("%s answers what is no %s: %v\n%s", pattern, name, err, body)
	}
	return resp, nil
}

// Every call's answers are what the document says.
func TestAnswersAreAsDescribed(t *testing.T) {
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	l := newLaptop(t, "S1")
	key := mint(t, d, api.NewConnectKey{Batch: "PO-7", Tags: []string{"sales"}})
	e := enroll(t, d, l, key.Secret)
	config, err := at.TLS()
	if err != nil {
		t.Fatal(err)
	}
	config.Certificates = []tls.Certificate{{Certificate: e.Certificates, PrivateKey: l.key}}
	transport := &http.Transport{TLSClientConfig: config}
	t.Cleanup(transport.CloseIdleConnections)
	c := newChecker(t, d, transport)
	secret := token(t, d, api.Owner)
	call := func(method, path string, in any) map[string]any {
		t.Helper()
		body, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, at.URL+path, bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+secret.Reveal())
		resp, err := c.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var out map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&out); err != nil {
			t.Fatal(err)
		}
		return out
	}
	admin := func(method, path string, in any) map[string]any {
		t.Helper()
		return call(method, api.PathAdmin+path, in)
	}

	call("POST", api.PathEnroll, l.request(t, key.Secret))
	call("POST", api.PathEnroll, api.EnrollRequest{}) // refused
	identity, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	settings := admin("GET", "/settings", nil)
	settings["recoveryKey"], settings["secondFactor"] = identity.Recipient().String(), false
	admin("PUT", "/settings", settings)
	call("POST", api.PathCheckIn, api.CheckInRequest{Facts: &l.facts})
	call("POST", api.PathEscrow, api.EscrowRequest{Account: "rescue", Sealed: []byte("x"), RecoveryKey: identity.Recipient().String()})
	admin("POST", "/users", api.NewUsers{Users: []api.NewUser{{Name: "bob", FullName: "Bob"}}})
	newUser(t, d, "ann")
	started := call("POST", api.PathSignIn, api.SignInRequest{})
	approve(t, d, &api.SignInResponse{UserCode: started["user_code"].(string)}, must(d.FindUser(t.Context(), "ann")).ID)
	ask := api.TokenRequest{DeviceCode: api.Secret(started["device_code"].(string))}
	call("POST", api.PathToken, ask) // the number
	ask.Number = numberOf(t, d)
	ticket := api.Secret(call("POST", api.PathToken, ask)["ticket"].(string))
	call("POST", api.PathPassword, api.PasswordRequest{Ticket: ticket, Password: annsPassword})
	call("POST", api.PathComplete, api.CompleteRequest{Ticket: ticket, Account: "ann", AccountID: "S-1"})
	call("POST", api.PathCancel, api.CancelRequest{DeviceCode: ask.DeviceCode})
	call("POST", api.PathCheckIn, api.CheckInRequest{})

	admin("GET", "/whoami", nil)
	minted := admin("POST", "/keys", api.NewConnectKey{Platforms: api.Platforms})
	admin("GET", "/keys", nil)
	admin("GET", "/keys/"+key.ID.String()+"/uses", nil)
	admin("POST", "/keys/"+minted["id"].(string)+"/revoke", nil)
	ordered := "/orders/" + admin("POST", "/orders", api.NewOrder{PO: "PO-1", Partner: "Box Ltd", Quantity: 2, Serials: []string{"S8", "S9"}, Tags: []string{"sales"}})["id"].(string)
	bound := admin("POST", "/keys", api.NewConnectKey{OrderID: uuid.MustParse(ordered[len("/orders/"):])})
	call("POST", api.PathEnroll, newLaptop(t, "S8").request(t, api.Secret(bound["secret"].(string))))
	call("POST", api.PathEnroll, newLaptop(t, "S7").request(t, api.Secret(bound["secret"].(string)))) // refused
	admin("GET", "/orders?po=PO-1", nil)
	admin("GET", ordered+"/units", nil)
	admin("GET", ordered+"/refusals", nil)
	admin("GET", ordered+"/progress?step=hour", nil)
	admin("GET", "/refusals", nil)
	admin("GET", "/overview", nil)
	admin("POST", ordered+"/close", nil)
	admin("GET", "/devices?after=&afterName=", nil)
	device := "/devices/" + e.DeviceID.String()
	admin("GET", device, nil)
	admin("POST", device+"/approve", nil)
	admin("POST", device+"/bind", api.BindRequest{User: "bob"})
	admin("POST", device+"/unbind", api.BindRequest{User: "bob"})
	admin("POST", device+"/reveal", api.RevealRequest{Reason: "test"})
	admin("GET", device+"/events", nil)
	admin("POST", device+"/ssap", api.SSAPRequest{Off: true})
	admin("POST", "/devices/bulk", api.BulkRequest{Action: api.BulkSSAPOn, IDs: []uuid.UUID{e.DeviceID}})
	admin("GET", "/users?after=", nil)
	admin("GET", "/users/ann", nil)
	admin("GET", "/users/ann/devices", nil)
	admin("GET", "/users/ann/sign-ins", nil)
	admin("POST", "/users/ann/reset-factors", nil)
	admin("POST", "/users/check", api.NewUsers{Users: []api.NewUser{{Name: "bob"}, {Name: "eve"}}})
	admin("POST", "/users/ann/disable", nil)
	admin("POST", "/users/ann/enable", nil)
	admin("POST", "/users/ann/reset", nil)
	liar := newLiar(t)
	admin("POST", "/providers", liar.config("liar"))
	admin("GET", "/providers", nil)
	admin("GET", "/providers/liar", nil)
	admin("POST", "/providers/liar/test", nil)
	admin("POST", "/users/bob/link", api.UserLink{Provider: "liar", Subject: "bob-1"})
	admin("POST", "/users/bob/unlink", nil)
	admin("POST", "/providers/liar/remove", nil)
	other := admin("POST", "/tokens", api.NewToken{Name: "ci", Role: api.Builder, Life: api.Duration(time.Hour)})
	admin("GET", "/tokens", nil)
	admin("POST", "/tokens/"+other["id"].(string)+"/revoke", nil)
	admin("POST", "/administrators", api.NewAdministrator{Name: "eve", Role: api.Auditor})
	admin("GET", "/administrators", nil)
	eve := "/administrators/eve"
	admin("GET", eve, nil)
	admin("POST", eve+"/role", api.NewRole{Role: api.Technician})
	admin("GET", eve+"/sessions", nil)
	admin("POST", eve+"/sign-out", nil)
	admin("POST", eve+"/reset", nil)
	admin("POST", eve+"/disable", nil)
	if _, err := d.store.write.ExecContext(t.Context(), `UPDATE administrators SET state = $1`, api.AdministratorActive); err != nil { // as who has chosen a way in
		t.Fatal(err)
	}
	admin("POST", eve+"/enable", nil)
	now := int64(admin("GET", "/settings", nil)["revision"].(float64))
	admin("GET", "/settings/history", nil)
	admin("POST", "/settings/revert", api.RevertRequest{To: now, Revision: now})
	admin("GET", "/audit?after=0", nil)
	admin("POST", device+"/remove", nil)
	admin("GET", "/devices/x", nil) // refused
	for _, r := range d.routes() {
		if !c.seen[r.method+" "+r.path] && !strings.HasPrefix(r.path, api.PathAdmin+"/packages") { // those are called where kits are built: directory/packages
			t.Errorf("%s %s was never answered well", r.method, r.path)
		}
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

// numberOf gives the number of the only sign-in.
func numberOf(t *testing.T, d *Directory) (number string) {
	t.Helper()
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT number FROM sign_ins`).Scan(&number); err != nil {
		t.Fatal(err)
	}
	return number
}
