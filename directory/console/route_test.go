package console

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"firstday.dev/api"
)

// open are the routes that whoever comes may use. A route without roles that is not
// here is a mistake.
var open = []string{"POST language", "GET sign-in", "POST sign-in", "GET welcome/{secret}", "POST welcome/{secret}", "GET ceremony", "POST ceremony", "POST sign-out"}

// Each page and each form is for the roles that it names, and for nobody else: not
// for others, nor for strangers, nor for forms of other sites.
func TestRoles(t *testing.T) {
	d := newDesk(t)
	everyone := append([]api.Role{""}, api.AdministratorRoles...)
	for _, r := range d.console.routes() {
		if r.path == "sign-out" || r.path == "account/sessions/end" {
			continue // they end what others here need, see TestSignOut
		}
		name := r.method + " " + r.path
		if (len(r.roles) == 0) != slices.Contains(open, name) {
			t.Errorf("%s is for %v", name, r.roles)
			continue
		}
		path := strings.NewReplacer("{$}", "", "{id}", "0198c0de-0000-7000-8000-000000000000", "{session}", "0198c0de-0000-7000-8000-000000000001").Replace(r.path)
		for _, role := range everyone {
			d.role = role
			var a answer
			if r.method == http.MethodPost {
				d.header = http.Header{"Sec-Fetch-Site": {"cross-site"}, "Origin": {"https://evil.example"}}
				if a = d.post(path); a.StatusCode != http.StatusForbidden {
					t.Errorf("%s by %q from another site: %d", name, role, a.StatusCode)
				}
				d.header = make(http.Header)
				a = d.post(path)
			} else {
				a = d.get(path)
			}
			protected(t, name, a)
			may, forbidden := slices.Contains(r.roles, role), a.StatusCode == http.StatusForbidden
			toSignIn := strings.HasPrefix(a.Header.Get("Location"), pathSignIn)
			switch {
			case len(r.roles) == 0:
			case role == "" && !toSignIn:
				t.Errorf("%s: a stranger gets %d", name, a.StatusCode)
			case role != "" && (may == forbidden || toSignIn):
				t.Errorf("%s by %q: %d", name, role, a.StatusCode)
			}
			if a.StatusCode >= 500 {
				t.Errorf("%s by %q: %d\n%s", name, role, a.StatusCode, a.text)
			}
		}
	}
}

// Forms that change something need somebody who may, but for one's own account; a form of the navigation that
// auditors see leads nowhere else.
func TestFormsAreOfKeepers(t *testing.T) {
	d := newDesk(t)
	for _, r := range d.console.routes() {
		own := strings.HasPrefix(r.path, "account/") || r.path == "prove"
		if r.method == http.MethodPost && slices.Contains(r.roles, api.Auditor) && !own {
			t.Errorf("an auditor changes something by %s", r.path)
		}
	}
}

// protected makes sure that an answer cannot be framed, guessed at, kept or fetched
// by another site.
func protected(t *testing.T, what string, a answer) {
	t.Helper()
	for name, want := range map[string]string{
		"Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-src 'self'; base-uri 'none'; frame-ancestors 'none'",
		"X-Frame-Options":         "DENY", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "same-origin", "Cache-Control": "no-store",
		"Cross-Origin-Opener-Policy": "same-origin", "Cross-Origin-Resource-Policy": "same-origin", "Access-Control-Allow-Origin": "",
	} {
		if got := a.Header.Get(name); got != want && (got != "no-referrer" || !strings.Contains(what, "welcome")) { // its address is a secret
			t.Errorf("%s (%d): %s is %q", what, a.StatusCode, name, got)
		}
	}
}

// Before what cannot be taken back somebody proves once more who they are, if that
// is long ago, and comes back to the page then.
func TestFreshProof(t *testing.T) {
	now := time.Now()
	d := newDeskAt(t, func() time.Time { return now })
	d.console.mux.Handle("GET "+Path+"fresh", d.console.serve(route{method: "GET", path: "fresh", roles: owners, fresh: true, serve: d.console.newKey}))
	if a := d.get("fresh?a=b"); a.StatusCode != http.StatusOK {
		t.Errorf("after the proof: %d", a.StatusCode)
	}
	now = now.Add(api.ConsoleProof)
	if a := d.get("fresh?a=b"); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != "/console/prove?to=%2Fconsole%2Ffresh%3Fa%3Db" {
		t.Errorf("%d, to %q", a.StatusCode, a.Header.Get("Location"))
	}
}

// Whatever an address or a form says, nobody is led away from the console.
func TestNobodyIsLedAway(t *testing.T) {
	d := newDesk(t)
	for _, to := range []string{"https://evil.example/", "//evil.example/", "/\\evil.example", "/console/\\evil", "/console/\r\nSet-Cookie: a=b", "javascript:alert(1)", "/signin", ""} {
		if a := d.post("language", "language", "de", "to", to); a.StatusCode != http.StatusSeeOther || a.Header.Get("Location") != Path {
			t.Errorf("%q: %d, to %q", to, a.StatusCode, a.Header.Get("Location"))
		}
	}
	d.header.Set("Referer", "https://evil.example/console/keys")
	d.role = ""
	if a := d.post("keys"); a.Header.Get("Location") != "/console/sign-in?to=%2Fconsole%2F" {
		t.Errorf("to %q", a.Header.Get("Location"))
	}
}

// What is too much is refused, and what is no form.
func TestForms(t *testing.T) {
	d := newDesk(t)
	if a := d.post("keys", "label", strings.Repeat("a", maxForm)); a.StatusCode != http.StatusRequestEntityTooLarge {
		t.Errorf("a large form: %d", a.StatusCode)
	}
	if a := d.post("keys?%zz", "label", "a"); a.StatusCode != http.StatusBadRequest {
		t.Errorf("a broken address: %d", a.StatusCode)
	}
	if a := d.get("nothing"); a.StatusCode != http.StatusNotFound {
		t.Errorf("no page: %d", a.StatusCode)
	}
	a := d.post("keys", "label", "Lyon <b>", "uses", "0", "days", "7", "batch", "spring")
	if a.StatusCode != http.StatusUnprocessableEntity {
		t.Errorf("a wrong field: %d", a.StatusCode)
	}
	for _, kept := range []string{`value="Lyon &lt;b&gt;"`, `value="spring"`, `id="uses-error"`, `aria-invalid="true"`} {
		if !strings.Contains(a.text, kept) {
			t.Errorf("the form comes back without %s:\n%s", kept, a.text)
		}
	}
}
