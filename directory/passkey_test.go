package directory

import (
	"bytes"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpasskey"
)

// assert signs in with a passkey, of a name or of none.
func (j *joined) assert(d *Directory, name string) (*Outcome, error) {
	j.t.Helper()
	c := j.begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey, Name: name, Next: "/console/devices"})
	out, err := d.TakePasskey(j.request(), "", j.held.Get(c.Options))
	if err == nil {
		j.keep(out.Cookie)
	}
	return out, err
}

func TestPasskeys(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d, other := atConsole(replicas), replicas[len(replicas)-1]
		ann := newVisitor(t).withPasskey(d, invite(t, d, "ann", api.Owner), "ann")
		ann.held.Counter = 7
		for _, name := range []string{"", "ann", " ANN "} {
			before := ann.cookies[consoleCookie]
			out, err := ann.assert(d, name)
			if err != nil || out.Next != "/console/devices" || ann.cookies[consoleCookie] == before {
				t.Fatalf("as %q: %+v, %v", name, out, err)
			}
			if s := ann.session(other); s.Administrator.Name != "ann" || s.Way != api.WayPasskey {
				t.Errorf("%+v", s)
			}
		}
		a, err := d.FindAdministrator(t.Context(), "ann")
		if err != nil || len(a.Passkeys) != 1 || a.Passkeys[0].Name != "Laptop" || a.Passkeys[0].UsedAt.IsZero() {
			t.Errorf("%+v, %v", a, err)
		}

		// A copy of the key has a counter that stood still.
		ann.held.Counter -= 2
		_, err = ann.assert(d, "")
		wants(t, "a counter that did not grow", err, api.CodePasskeyCloned)
		ann.held.Counter = 10
		_, err = ann.assert(other, "ann")
		if err != nil {
			t.Errorf("the true one goes on: %v", err)
		}
		entries, err := d.auditPage(t.Context(), 0)
		if err != nil || !containsAction(entries, "administrator.passkey-cloned") {
			t.Errorf("the audit log says nothing of it, %v", err)
		}

		// A second one, in the session; the first goes.
		s := ann.session(d)
		c := ann.begin(d, Beginning{Purpose: ToAdd, Way: api.WayPasskey, Session: s, Next: "/console/account"})
		if !bytes.Contains(c.Options, []byte("excludeCredentials")) {
			t.Error("the same authenticator may make another one")
		}
		first := ann.passkey(d)
		if out, err := d.TakePasskey(ann.request(), "Phone", ann.held.Create(c.Options)); err != nil || out.Cookie != nil || out.Next != "/console/account" {
			t.Fatalf("%+v, %v", out, err)
		}
		if err := d.RenamePasskey(t.Context(), s, ann.passkey(d), "New phone"); err != nil {
			t.Error(err)
		}
		if err := d.RemovePasskey(t.Context(), s, first); err != nil {
			t.Error(err)
		}
		wants(t, "the last one", d.RemovePasskey(t.Context(), s, ann.passkey(d)), api.CodeLastWay)
		wants(t, "one that is not there", d.RemovePasskey(t.Context(), s, first), api.CodeNotFound)
		wants(t, "a name of control characters", d.RenamePasskey(t.Context(), s, first, "a\nb"), api.CodeBadRequest)
		if a, err := d.FindAdministrator(t.Context(), "ann"); err != nil || len(a.Passkeys) != 1 || a.Passkeys[0].Name != "New phone" {
			t.Errorf("%+v, %v", a, err)
		}
		checkAudit(t, d)
	})
}

func containsAction(entries []api.AuditEntry, action string) bool {
	for _, e := range entries {
		if e.Action == action {
			return true
		}
	}
	return false
}

// What an attacker's authenticator, page or browser may send is refused.
func TestPasskeysAreAttacked(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := atConsole(replicas)
		ann := newVisitor(t).withPasskey(d, invite(t, d, "ann", api.Owner), "ann")
		eve := newVisitor(t).withPasskey(d, invite(t, d, "eve", api.Auditor), "eve")
		annID := ann.session(d).Administrator.ID
		sign := func(v *joined, name string) func() (*Outcome, error) {
			return func() (*Outcome, error) { return v.assert(d, name) }
		}
		register := func(change func(*testpasskey.Authenticator)) func() (*Outcome, error) {
			return func() (*Outcome, error) {
				c := eve.begin(d, Beginning{Purpose: ToAdd, Way: api.WayPasskey, Session: eve.session(d)})
				held := &testpasskey.Authenticator{TB: t, Origin: consoleURL}
				change(held)
				return d.TakePasskey(eve.request(), "", held.Create(c.Options))
			}
		}
		for name, test := range map[string]struct {
			change func(*testpasskey.Authenticator)
			do     func() (*Outcome, error)
		}{
			"another origin":           {func(a *testpasskey.Authenticator) { a.Origin = "https://directory.acme.example.evil.example" }, sign(eve, "")},
			"another port":             {func(a *testpasskey.Authenticator) { a.Origin = consoleURL + ":8443" }, sign(eve, "eve")},
			"plain HTTP":               {func(a *testpasskey.Authenticator) { a.Origin = "http://directory.acme.example" }, sign(eve, "")},
			"another site":             {func(a *testpasskey.Authenticator) { a.Site = "evil.example" }, sign(eve, "")},
			"nobody looked who it is":  {func(a *testpasskey.Authenticator) { a.Blind = true }, sign(eve, "")},
			"another's user handle":    {func(a *testpasskey.Authenticator) { a.User = annID[:] }, sign(eve, "")},
			"a handle of nobody":       {func(a *testpasskey.Authenticator) { a.User = []byte("nobody") }, sign(eve, "")},
			"an empty handle":          {func(a *testpasskey.Authenticator) { a.User = []byte{} }, sign(eve, "")},
			"as another":               {func(*testpasskey.Authenticator) {}, sign(eve, "ann")},
			"as nobody":                {func(*testpasskey.Authenticator) {}, sign(eve, "nobody")},
			"another key":              {func(a *testpasskey.Authenticator) { a.Keys[0].PrivateKey = ann.held.Keys[0].PrivateKey }, sign(eve, "")},
			"new, of another origin":   {func(*testpasskey.Authenticator) {}, register(func(a *testpasskey.Authenticator) { a.Origin = "https://evil.example" })},
			"new, of another site":     {func(*testpasskey.Authenticator) {}, register(func(a *testpasskey.Authenticator) { a.Site = "evil.example" })},
			"new, nobody looked at it": {func(*testpasskey.Authenticator) {}, register(func(a *testpasskey.Authenticator) { a.Blind = true })},
		} {
			good := *eve.held
			key := *eve.held.Keys[0]
			test.change(eve.held)
			_, err := test.do()
			wants(t, name, err, api.CodePasskey)
			*eve.held = good
			eve.held.Keys = []*testpasskey.Key{&key}
		}
		if _, err := eve.assert(d, ""); err != nil {
			t.Fatalf("the good one: %v", err)
		}
		if a, err := d.FindAdministrator(t.Context(), "eve"); err != nil || len(a.Passkeys) != 1 {
			t.Errorf("%+v, %v", a, err)
		}

		// A challenge is good once, in the browser that it was made for, and gone
		// after a wrong answer, too.
		c := eve.begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey})
		answer := eve.held.Get(c.Options)
		_, err := d.TakePasskey(ann.request(), "", answer)
		wants(t, "in another browser", err, api.CodeCeremony)
		out, err := d.TakePasskey(eve.request(), "", answer)
		if err != nil {
			t.Fatal(err)
		}
		eve.keep(out.Cookie)
		_, err = d.TakePasskey(eve.request(), "", answer)
		wants(t, "replayed", err, api.CodeCeremony)
		eve.begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey})
		_, err = d.TakePasskey(eve.request(), "", answer)
		wants(t, "an answer to another challenge", err, api.CodePasskey)
		c = eve.begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey})
		_, err = d.TakePasskey(eve.request(), "", "{}")
		wants(t, "no answer", err, api.CodePasskey)
		_, err = d.TakePasskey(eve.request(), "", eve.held.Get(c.Options))
		wants(t, "after a wrong answer", err, api.CodeCeremony)
		eve.begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey})
		_, err = d.TakePasskey(eve.request(), "", strings.Repeat("x", maxCredential+1))
		wants(t, "a long answer", err, api.CodeTooLarge)

		// Of a challenge for one thing nothing else comes.
		c = eve.begin(d, Beginning{Purpose: ToAdd, Way: api.WayPasskey, Session: eve.session(d)})
		_, err = d.TakePasskey(eve.request(), "", eve.held.Get(c.Options))
		wants(t, "a proof in place of a new passkey", err, api.CodePasskey)
		c = eve.begin(d, Beginning{Purpose: ToProve, Way: api.WayPasskey, Session: eve.session(d)})
		planted := newVisitor(t)
		planted.cookies = map[string]string{ceremonyCookie: eve.cookies[ceremonyCookie], consoleCookie: ann.cookies[consoleCookie]}
		_, err = d.TakePasskey(planted.request(), "", eve.held.Get(c.Options))
		wants(t, "a ceremony of another session", err, api.CodeCeremony)

		if err := d.DisableAdministrator(t.Context(), "admin:ann", "eve"); err != nil {
			t.Fatal(err)
		}
		eve.signedOut(d, "after disabling")
		_, err = eve.assert(d, "eve")
		wants(t, "who is disabled", err, api.CodeUserDisabled)
		ann.session(d)
		checkAudit(t, d)
	})
}

// Of one proof comes one session, however often it is sent at once.
func TestAnAnswerIsTakenOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := atConsole(replicas)
		ann := newVisitor(t).withPasskey(d, invite(t, d, "ann", api.Owner), "ann")
		c := ann.begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey})
		answer := ann.held.Get(c.Options)
		results := make([]error, 8)
		var group sync.WaitGroup
		for n := range results {
			group.Go(func() { _, results[n] = replicas[n%len(replicas)].TakePasskey(ann.request(), "", answer) })
		}
		group.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			} else {
				wants(t, "once more", err, api.CodeCeremony)
			}
		}
		if won != 1 {
			t.Errorf("%d were let in", won)
		}
	})
}

// Nobody learns from a challenge who is an administrator, nor who has passkeys.
func TestNamesAreNotTold(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.PagesURL = consoleURL
	newVisitor(t).withPasskey(d, invite(t, d, "ann", api.Owner), "ann")
	newVisitor(t).withPassword(d, invite(t, d, "bob", api.Owner), "bob")
	ask := func(name string) (shape, ids string) {
		c := newVisitor(t).begin(d, Beginning{Purpose: ToSignIn, Way: api.WayPasskey, Name: name})
		var o struct {
			PublicKey struct {
				Challenge        string `json:"challenge"`
				AllowCredentials []struct {
					ID string `json:"id"`
				} `json:"allowCredentials"`
			} `json:"publicKey"`
		}
		if err := json.Unmarshal(c.Options, &o); err != nil || len(o.PublicKey.AllowCredentials) != offeredPasskeys {
			t.Fatalf("%s: %s, %v", name, c.Options, err)
		}
		shape = strings.ReplaceAll(string(c.Options), o.PublicKey.Challenge, "")
		for _, allowed := range o.PublicKey.AllowCredentials {
			shape = strings.ReplaceAll(shape, allowed.ID, "")
			ids += allowed.ID + " "
		}
		return shape, ids
	}
	known, _ := ask("ann")
	for _, name := range []string{"bob", "nobody", "ann"} {
		shape, ids := ask(name)
		if shape != known {
			t.Errorf("%s differs: %s, %s", name, shape, known)
		}
		if _, again := ask(name); again != ids {
			t.Errorf("%s has other passkeys each time", name)
		}
	}
}

// Browsers allow no passkeys at addresses that are numbers.
func TestPasskeysNeedAName(t *testing.T) {
	d := open(t, t.TempDir(), "")
	for address, want := range map[string]bool{consoleURL: true, "https://localhost:8443": true, "https://127.0.0.1:8443": false, "https://[::1]:8443": false} {
		d.PagesURL = address
		_, err := d.Begin(newVisitor(t).request(), &Beginning{Purpose: ToSignIn, Way: api.WayPasskey})
		if d.PasskeysWork() != want || want && err != nil || !want && !errors.Is(err, api.CodePasskey) {
			t.Errorf("%s: %v, %v", address, d.PasskeysWork(), err)
		}
	}
}

// Where to go on is a page of the console, whatever an address says.
func FuzzInsideConsole(f *testing.F) {
	for _, path := range []string{"/console/", "/console/devices?q=a", "//evil.example/console/", "/console//evil.example", `/console/\evil.example`, "https://evil.example/console/", "/consoleX", "/console/\n", "/console/../signin", "/console/0%"} {
		f.Add(path)
	}
	base, err := url.Parse(consoleURL)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got := insideConsole(path)
		u, err := base.Parse(got)
		if err != nil || u.Host != base.Host || u.Scheme != base.Scheme || !strings.HasPrefix(u.Path+"/", "/console/") {
			t.Errorf("%q leads to %q, %v, %v", path, got, u, err)
		}
	})
}

// An answer of a browser may hold anything.
func FuzzTakePasskey(f *testing.F) {
	held := &testpasskey.Authenticator{TB: f, Origin: consoleURL}
	options := []byte(`{"publicKey":{"challenge":"AAAA","rp":{"id":"directory.acme.example"},"rpId":"directory.acme.example","user":{"id":"AAAA"}}}`)
	f.Add(held.Create(options), true)
	f.Add(held.Get(options), false)
	f.Add("", true)
	d := open(f, f.TempDir(), "")
	d.PagesURL = consoleURL
	w, err := d.passkeys()
	if err != nil {
		f.Fatal(err)
	}
	id := uuid.New()
	ceremonies := map[bool]*Ceremony{
		false: {Purpose: ToSignIn, Way: api.WayPasskey},
		true:  {Purpose: ToJoin, Way: api.WayPasskey, pendingCeremony: pendingCeremony{Administrator: id, Newcomer: &newcomer{ID: id, Name: "ann"}}},
	}
	for _, c := range ceremonies {
		if err := d.preparePasskey(f.Context(), c, ""); err != nil {
			f.Fatal(err)
		}
	}
	f.Fuzz(func(t *testing.T, answer string, fresh bool) {
		r := newVisitor(t).request()
		var err error
		if fresh {
			_, err = d.takeNewPasskey(r, w, ceremonies[fresh], "", answer)
		} else {
			_, err = d.takeAssertion(r, w, ceremonies[fresh], answer)
		}
		if !errors.Is(err, api.CodePasskey) {
			t.Errorf("%v", err)
		}
	})
}
