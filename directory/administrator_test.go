package directory

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpasskey"
)

// consoleURL is an address where browsers allow passkeys.
const consoleURL = "https://directory.acme.example"

// visitor is a browser at the console: what it sends, and the cookies it keeps.
type visitor struct {
	t       testing.TB
	cookies map[string]string
	address string
}

func newVisitor(t testing.TB) *visitor {
	return &visitor{t, make(map[string]string), "192.0.2.7:4711"}
}

func (v *visitor) request() *http.Request {
	r := httptest.NewRequestWithContext(v.t.Context(), http.MethodPost, consoleURL+"/console/", http.NoBody)
	r.RemoteAddr = v.address
	r.Header.Set("User-Agent", "Test/1.0")
	for name, value := range v.cookies {
		r.AddCookie(&http.Cookie{Name: name, Value: value}) //nolint:gosec // a browser's
	}
	return r
}

func (v *visitor) keep(c *http.Cookie) {
	v.t.Helper()
	if c == nil {
		return
	}
	if !c.Secure || !c.HttpOnly || c.Path != "/" || c.Domain != "" || !strings.HasPrefix(c.Name, "__Host-") {
		v.t.Errorf("the cookie is %v", c)
	}
	v.cookies[c.Name] = c.Value
}

func (v *visitor) begin(d *Directory, b Beginning) *Ceremony {
	v.t.Helper()
	cookie, err := d.Begin(v.request(), &b)
	if err != nil {
		v.t.Fatal(err)
	}
	v.keep(cookie)
	c, err := d.Ceremony(v.request())
	if err != nil {
		v.t.Fatal(err)
	}
	return c
}

func (v *visitor) session(d *Directory) *ConsoleSession {
	v.t.Helper()
	s, err := d.ConsoleSession(v.request())
	if err != nil {
		v.t.Fatal(err)
	}
	return s
}

func (v *visitor) signedOut(d *Directory, when string) {
	v.t.Helper()
	if s, err := d.ConsoleSession(v.request()); !errors.Is(err, api.CodeSignedOut) {
		v.t.Errorf("%s: %+v, %v", when, s, err)
	}
}

func wants(t testing.TB, what string, err error, code api.Code) {
	t.Helper()
	if api.CodeOf(err) != code {
		t.Errorf("%s: %v, want %q", what, err, code)
	}
}

// joined is an administrator with what they sign in with.
type joined struct {
	*visitor
	name string
	totp string
	held *testpasskey.Authenticator
	code []string
}

// withPassword joins by a link, with a password and second factor.
func (v *visitor) withPassword(d *Directory, i *api.Invitation, name string) *joined {
	v.t.Helper()
	c := v.begin(d, Beginning{Purpose: ToJoin, Way: api.WayPassword, Link: i.Secret, Name: name})
	out, err := d.TakePassword(v.request(), annsPassword, annsPassword, totpOf(v.t, c.TOTP.Reveal(), d.now()))
	if err != nil {
		v.t.Fatal(err)
	}
	v.keep(out.Cookie)
	return &joined{visitor: v, name: name, totp: c.TOTP.Reveal(), code: out.Codes}
}

// withPasskey joins by a link, with a passkey.
func (v *visitor) withPasskey(d *Directory, i *api.Invitation, name string) *joined {
	v.t.Helper()
	held := &testpasskey.Authenticator{TB: v.t, Origin: consoleURL}
	c := v.begin(d, Beginning{Purpose: ToJoin, Way: api.WayPasskey, Link: i.Secret, Name: name})
	out, err := d.TakePasskey(v.request(), "Laptop", held.Create(c.Options))
	if err != nil {
		v.t.Fatal(err)
	}
	v.keep(out.Cookie)
	return &joined{visitor: v, name: name, held: held}
}

// invite makes a link for somebody.
func invite(t testing.TB, d *Directory, name string, role api.Role) *api.Invitation {
	t.Helper()
	i, err := d.InviteAdministrator(t.Context(), "token:owner", api.NewAdministrator{Name: name, Role: role})
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func atConsole(replicas []*Directory) *Directory {
	for _, d := range replicas {
		d.PagesURL = consoleURL
	}
	return replicas[0]
}

func TestFirstOwner(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d, other := atConsole(replicas), replicas[len(replicas)-1]
		first, err := d.InviteFirstOwner(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		second, err := other.InviteFirstOwner(t.Context()) // another replica starts, or this one again
		if err != nil {
			t.Fatal(err)
		}
		if want := consoleURL + "/console/welcome/" + second.Secret.Reveal(); second.Link.Reveal() != want || second.ExpiresAt.Sub(d.now()) > time.Hour {
			t.Errorf("%s until %v", second.Link.Reveal(), second.ExpiresAt)
		}
		v := newVisitor(t)
		for range 2 { // looking at it does not use it up
			if a, err := d.Invited(v.request(), first.Secret); a != nil || err != nil {
				t.Errorf("%+v, %v", a, err)
			}
		}
		_, err = d.Begin(v.request(), &Beginning{Purpose: ToJoin, Way: api.WayPassword, Link: first.Secret, Name: "Two Words"})
		wants(t, "a name of two words", err, api.CodeBadRequest)
		c := v.begin(d, Beginning{Purpose: ToJoin, Way: api.WayPassword, Link: first.Secret, Name: " Ann ", FullName: "Ann Example"})
		code := totpOf(t, c.TOTP.Reveal(), d.now())
		_, err = d.TakePassword(v.request(), annsPassword, "another one, mistyped", code)
		wants(t, "two passwords", err, api.CodePasswordsDiffer)
		_, err = d.TakePassword(v.request(), "short", "short", code)
		wants(t, "a short password", err, api.CodePasswordWeak)
		_, err = d.TakePassword(v.request(), annsPassword, annsPassword, "000000x")
		wants(t, "another code", err, api.CodeCredentials)
		out, err := d.TakePassword(v.request(), annsPassword, annsPassword, code)
		if err != nil || len(out.Codes) != recoveryCodes || out.Next != "/console/" || out.Cookie.SameSite != http.SameSiteStrictMode {
			t.Fatalf("%+v, %v", out, err)
		}
		v.keep(out.Cookie)
		_, err = d.TakePassword(v.request(), annsPassword, annsPassword, code)
		wants(t, "the same ceremony again", err, api.CodeCeremony)
		if s := v.session(other); s.Actor() != "admin:ann" || s.Administrator.FullName != "Ann Example" || s.Administrator.Role != api.Owner || !other.Proved(s) || s.Way != api.WayPassword || s.Browser != "Test/1.0" || s.Address != "192.0.2.7" {
			t.Errorf("%+v", s)
		}
		for _, link := range []api.Secret{first.Secret, second.Secret, "fdi_guess", ""} {
			_, err = d.Invited(v.request(), link)
			wants(t, "a link that ended", err, api.CodeInvitation)
			_, err = d.Begin(v.request(), &Beginning{Purpose: ToJoin, Way: api.WayPassword, Link: link, Name: "eve"})
			wants(t, "a link that ended", err, api.CodeInvitation)
		}
		if i, err := other.InviteFirstOwner(t.Context()); i != nil || err != nil {
			t.Errorf("with an owner there is another link: %v", err)
		}
		list, err := d.Administrators(t.Context())
		if err != nil || len(list) != 1 || !list[0].Password || !list[0].TOTP || list[0].State != api.AdministratorActive || list[0].SignedInAt.IsZero() {
			t.Errorf("%+v, %v", list, err)
		}
		checkAudit(t, d)
	})
}

// A link can be used once, however many try at the same time.
func TestLinksAreUsedOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := atConsole(replicas)
		i := invite(t, d, "ann", api.Owner)
		const many = 4
		results := make([]error, many)
		var try []func()
		for n := range many {
			v := newVisitor(t)
			at := replicas[n%len(replicas)]
			held := &testpasskey.Authenticator{TB: t, Origin: consoleURL}
			c := v.begin(at, Beginning{Purpose: ToJoin, Way: api.WayPasskey, Link: i.Secret})
			answer := held.Create(c.Options)
			try = append(try, func() { _, results[n] = at.TakePasskey(v.request(), "", answer) })
		}
		var group sync.WaitGroup
		for _, f := range try {
			group.Go(f)
		}
		group.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			} else {
				wants(t, "who came later", err, api.CodeInvitation)
			}
		}
		a, err := d.FindAdministrator(t.Context(), "ann")
		if won != 1 || err != nil || len(a.Passkeys) != 1 {
			t.Errorf("%d won, %+v, %v", won, a, err)
		}
		checkAudit(t, d)
	})
}

func TestInvitations(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := atConsole(replicas)
		now := time.Now()
		d.Now = func() time.Time { return now }
		for _, n := range []api.NewAdministrator{{Name: "ann", Role: api.Builder}, {Name: "", Role: api.Owner}, {Name: "a b", Role: api.Owner}, {Name: "ann", Role: "king"}, {Name: "ann", Role: api.Owner, Email: "none"}, {Name: "ann", Role: api.Owner, FullName: "a\nb"}} {
			_, err := d.InviteAdministrator(t.Context(), "token:owner", n)
			wants(t, "an administrator that makes no sense", err, api.CodeBadRequest)
		}
		old := invite(t, d, "ann", api.Auditor)
		fresh := invite(t, d, "Ann", api.Technician)
		v := newVisitor(t)
		_, err := d.Invited(v.request(), old.Secret)
		wants(t, "the link before", err, api.CodeInvitation)
		if a, err := d.Invited(v.request(), fresh.Secret); err != nil || a.Name != "ann" || a.Role != api.Technician || a.State != api.AdministratorInvited {
			t.Errorf("%+v, %v", a, err)
		}
		now = now.Add(api.InvitationLife)
		_, err = d.Invited(v.request(), fresh.Secret)
		wants(t, "after a day", err, api.CodeInvitation)

		i := invite(t, d, "ann", api.Technician)
		if err := d.DisableAdministrator(t.Context(), "token:owner", "ann"); err != nil {
			t.Fatal(err)
		}
		_, err = d.Invited(v.request(), i.Secret)
		wants(t, "after disabling", err, api.CodeInvitation)
		wants(t, "enabling who has no way in", d.EnableAdministrator(t.Context(), "token:owner", "ann"), api.CodeConflict)
		_, err = d.InviteAdministrator(t.Context(), "token:owner", api.NewAdministrator{Name: "ann", Role: api.Owner})
		wants(t, "inviting who is disabled", err, api.CodeConflict)
		i, err = d.ResetAdministrator(t.Context(), "token:owner", "ann")
		if err != nil {
			t.Fatal(err)
		}
		if i.Administrator.State != api.AdministratorInvited {
			t.Errorf("%+v", i.Administrator)
		}
		ann := v.withPasskey(d, i, "ann")
		_, err = d.InviteAdministrator(t.Context(), "token:owner", api.NewAdministrator{Name: "ann", Role: api.Owner})
		wants(t, "inviting who is there", err, api.CodeConflict)

		// A reset takes all ways in, and ends all sessions.
		second := ann.session(d)
		if i, err = d.ResetAdministrator(t.Context(), "token:owner", "ann"); err != nil {
			t.Fatal(err)
		}
		ann.signedOut(d, "after a reset")
		wants(t, "renaming a passkey in a session that ended", d.RenamePasskey(t.Context(), second, uuid.New(), "x"), api.CodeSignedOut)
		a, err := d.FindAdministrator(t.Context(), "ann")
		if err != nil || ways(a) != 0 || a.State != api.AdministratorInvited {
			t.Errorf("%+v, %v", a, err)
		}
		ann.withPassword(d, i, "ann")
		checkAudit(t, d)
	})
}

// There is an owner always who can sign in, whoever tries what at the same time.
func TestLastOwnerStays(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d, other := atConsole(replicas), replicas[len(replicas)-1]
		ann := newVisitor(t).withPasskey(d, invite(t, d, "ann", api.Owner), "ann")
		invite(t, d, "late", api.Owner) // has not come: is of no use
		for what, do := range map[string]func() error{
			"disabling":    func() error { return d.DisableAdministrator(t.Context(), "admin:ann", "ann") },
			"another role": func() error { return d.SetAdministratorRole(t.Context(), "admin:ann", "ann", api.Auditor) },
			"a reset":      func() error { _, err := d.ResetAdministrator(t.Context(), "admin:ann", "ann"); return err },
		} {
			wants(t, what+" of the last owner", do(), api.CodeLastOwner)
		}
		ann.session(d) // goes on
		wants(t, "the last way in", d.RemovePasskey(t.Context(), ann.session(d), ann.passkey(d)), api.CodeLastWay)

		for round := range 5 {
			name := "bob" + string(rune('a'+round))
			bob := newVisitor(t).withPasskey(d, invite(t, d, name, api.Owner), name)
			var group sync.WaitGroup
			var first, second error
			group.Go(func() { first = d.DisableAdministrator(t.Context(), "admin:"+name, "ann") })
			group.Go(func() { second = other.SetAdministratorRole(t.Context(), "admin:ann", name, api.Technician) })
			group.Wait()
			if (first == nil) == (second == nil) {
				t.Fatalf("round %d: %v, %v", round, first, second)
			}
			n, err := activeOwners(t.Context(), d.store.read)
			if n != 1 || err != nil {
				t.Fatalf("%d owners are left, %v", n, err)
			}
			if first == nil { // as before, for the next round
				bob.session(d)
				if err := d.EnableAdministrator(t.Context(), "admin:"+name, "ann"); err != nil {
					t.Fatal(err)
				}
				if err := d.DisableAdministrator(t.Context(), "admin:ann", name); err != nil {
					t.Fatal(err)
				}
			}
		}
		checkAudit(t, d)
	})
}

func (j *joined) passkey(d *Directory) uuid.UUID {
	j.t.Helper()
	a, err := d.FindAdministrator(j.t.Context(), j.name)
	if err != nil {
		j.t.Fatal(err)
	}
	return a.Passkeys[len(a.Passkeys)-1].ID
}
