package directory

import (
	"encoding/hex"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpasskey"
)

// logIn signs in with a password and a code, as of a moment at which none was
// used.
func (j *joined) logIn(d *Directory, at time.Time) error {
	j.t.Helper()
	out, err := d.LogIn(j.request(), j.name, annsPassword, totpOf(j.t, j.totp, at), "/console/keys")
	if err == nil {
		j.keep(out.Cookie)
	}
	return err
}

func TestPasswordWithSecondFactor(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d, other := atConsole(replicas), replicas[len(replicas)-1]
		now := time.Now()
		for _, r := range replicas {
			r.Now = func() time.Time { return now }
		}
		ann := newVisitor(t).withPassword(d, invite(t, d, "ann", api.Owner), "ann")
		newVisitor(t).withPasskey(d, invite(t, d, "bob", api.Owner), "bob")
		code := totpOf(t, ann.totp, now)
		try := func(name, password, code string) error {
			_, err := other.LogIn(ann.request(), name, api.Secret(password), code, "")
			return err
		}
		wants(t, "the code of the set-up once more", try("ann", annsPassword, code), api.CodeCredentials)
		now = now.Add(time.Minute)
		code = totpOf(t, ann.totp, now)
		// What is wrong nobody learns.
		for what, err := range map[string]error{
			"another password": try("ann", "not the password", code), "no code": try("ann", annsPassword, ""),
			"nobody": try("nobody", annsPassword, code), "who has no password": try("bob", "", code), "what cannot be stored": try("a\x00", annsPassword, code),
			"a long name": try(strings.Repeat("a", 1<<10), annsPassword, code),
		} {
			wants(t, what, err, api.CodeCredentials)
		}
		if err := ann.logIn(d, now); err != nil {
			t.Fatal(err)
		}
		if s := ann.session(other); s.Way != api.WayPassword {
			t.Errorf("%+v", s)
		}
		wants(t, "a code once more", try("ann", annsPassword, code), api.CodeCredentials)
		if err := try("ANN ", annsPassword, strings.ToUpper(ann.code[3])); err != nil {
			t.Errorf("a recovery code: %v", err)
		}
		wants(t, "a recovery code once more", try("ann", annsPassword, ann.code[3]), api.CodeCredentials)

		// Who guesses waits.
		var err error
		for range 6 {
			err = try("ann", "a guess", code)
		}
		wants(t, "after six guesses", err, api.CodeUserLocked)
		now = now.Add(time.Minute)
		wants(t, "the right one meanwhile", func() error { now = now.Add(-50 * time.Second); return ann.logIn(d, now) }(), api.CodeUserLocked)
		now = now.Add(15 * time.Minute)
		if err := ann.logIn(d, now); err != nil {
			t.Errorf("later: %v", err)
		}
		if err := d.DisableAdministrator(t.Context(), "admin:bob", "ann"); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		wants(t, "who is disabled", ann.logIn(d, now), api.CodeUserDisabled)
		checkAudit(t, d)
	})
}

// One code lets one in, however many bring it at once.
func TestACodeIsTakenOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := atConsole(replicas)
		ann := newVisitor(t).withPassword(d, invite(t, d, "ann", api.Owner), "ann")
		later := time.Now().Add(totpPeriod)
		code := totpOf(t, ann.totp, later)
		results := make([]error, 4)
		var group sync.WaitGroup
		for n := range results {
			group.Go(func() {
				_, results[n] = replicas[n%len(replicas)].LogIn(newVisitor(t).request(), "ann", annsPassword, code, "")
			})
		}
		group.Wait()
		won := 0
		for _, err := range results {
			if err == nil {
				won++
			}
		}
		if won != 1 {
			t.Errorf("%d were let in: %v", won, results)
		}
	})
}

// Sessions end: unused, after a working day, and at once where somebody says so.
func TestConsoleSessionsEnd(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d, other := atConsole(replicas), replicas[len(replicas)-1]
		now := time.Now()
		for _, r := range replicas {
			r.Now = func() time.Time { return now }
		}
		owner := newVisitor(t).withPasskey(d, invite(t, d, "olga", api.Owner), "olga")
		ann := newVisitor(t).withPasskey(d, invite(t, d, "ann", api.Auditor), "ann")
		enter := func() {
			t.Helper()
			if _, err := ann.assert(d, ""); err != nil {
				t.Fatal(err)
			}
		}
		now = now.Add(api.ConsoleIdle - time.Second)
		ann.session(other) // counts as use
		now = now.Add(api.ConsoleIdle - time.Second)
		ann.session(d)
		now = now.Add(api.ConsoleIdle)
		ann.signedOut(d, "unused")

		// What a script asks for is no use.
		enter()
		for range 31 {
			r := ann.request()
			r.Header.Set("Sec-Fetch-Dest", "empty")
			_, _ = d.ConsoleSession(r)
			now = now.Add(time.Minute)
		}
		ann.signedOut(d, "with nothing but live updates")

		enter()
		for range 12*4 - 1 {
			now = now.Add(15 * time.Minute)
			ann.session(d)
		}
		now = now.Add(15 * time.Minute)
		ann.signedOut(d, "after twelve hours of use")

		// A thief who has the cookie has nothing once its owner has signed out.
		enter()
		thief := newVisitor(t)
		thief.cookies[consoleCookie] = ann.cookies[consoleCookie]
		thief.session(d)
		gone, err := other.SignOut(ann.request())
		if err != nil || gone.MaxAge >= 0 || gone.Value != "" || gone.Name != consoleCookie {
			t.Errorf("%v, %v", gone, err)
		}
		thief.signedOut(d, "after signing out")
		if _, err := d.SignOut(thief.request()); err != nil {
			t.Errorf("signing out twice: %v", err)
		}

		// Nor who put a cookie into the browser before.
		ann.cookies[consoleCookie] = "FIXED"
		enter()
		if ann.cookies[consoleCookie] == "FIXED" {
			t.Error("the session was there before")
		}
		old := newVisitor(t)
		old.cookies[consoleCookie] = ann.cookies[consoleCookie]
		enter() // the same browser again: the session before is over
		old.signedOut(d, "after signing in again")

		// Of a role that was taken nothing is left.
		if _, err := owner.assert(d, ""); err != nil {
			t.Fatal(err)
		}
		if err := other.SetAdministratorRole(t.Context(), "admin:olga", "ann", api.Technician); err != nil {
			t.Fatal(err)
		}
		ann.signedOut(d, "after another role")
		enter()
		if err := other.SetAdministratorRole(t.Context(), "admin:olga", "ann", api.Technician); err != nil {
			t.Fatal(err)
		}
		if s := ann.session(d); s.Administrator.Role != api.Technician {
			t.Errorf("%+v", s)
		}

		// They are listed, and each can be ended.
		first := ann.session(d)
		second := newVisitor(t)
		second.address = "[2001:db8::1]:4711"
		phone := &joined{visitor: second, name: "ann", held: ann.held}
		if _, err := phone.assert(d, ""); err != nil {
			t.Fatal(err)
		}
		list, err := other.ConsoleSessions(t.Context(), "ann")
		if err != nil || len(list) != 2 || list[0].Address != "2001:db8::1" || list[1].ID != first.ID || list[1].Browser != "Test/1.0" {
			t.Fatalf("%+v, %v", list, err)
		}
		wants(t, "a session of somebody else", d.EndConsoleSession(t.Context(), "admin:ann", "olga", first.ID), api.CodeNotFound)
		if err := d.EndConsoleSession(t.Context(), "admin:ann", "ann", list[0].ID); err != nil {
			t.Error(err)
		}
		phone.signedOut(other, "after it was ended")
		ann.session(d)
		if err := d.EndConsoleSessions(t.Context(), "token:owner", "ann", uuid.Nil); err != nil {
			t.Error(err)
		}
		ann.signedOut(d, "after all were ended")
		owner.session(d)
		checkAudit(t, d)
	})
}

// Whatever changes a way in wants a proof of a moment ago, and ends the other
// sessions: somebody else may be in them.
func TestChangesWantAProof(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := atConsole(replicas)
		now := time.Now()
		for _, r := range replicas {
			r.Now = func() time.Time { return now }
		}
		ann := newVisitor(t).withPassword(d, invite(t, d, "ann", api.Owner), "ann")
		ctx := t.Context()
		now = now.Add(api.ConsoleProof)
		s := ann.session(d)
		for what, err := range map[string]error{
			"a passkey": func() error {
				_, err := d.Begin(ann.request(), &Beginning{Purpose: ToAdd, Way: api.WayPasskey, Session: s})
				return err
			}(),
			"a password":     d.ChangePassword(ctx, s, "another good password", "another good password"),
			"none":           d.RemovePassword(ctx, s),
			"no link":        d.RemoveLink(ctx, s),
			"recovery codes": func() error { _, err := d.NewRecoveryCodes(ctx, s); return err }(),
			"a name":         d.RenamePasskey(ctx, s, uuid.New(), "x"),
			"no passkey":     d.RemovePasskey(ctx, s, uuid.New()),
		} {
			wants(t, what, err, api.CodeProofRequired)
		}
		wants(t, "a wrong proof", d.ProveWithPassword(ann.request(), s, "not the password", totpOf(t, ann.totp, now)), api.CodeCredentials)
		if err := d.ProveWithPassword(ann.request(), s, annsPassword, totpOf(t, ann.totp, now)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(time.Minute)
		other := &joined{visitor: newVisitor(t), name: "ann", totp: ann.totp}
		if err := other.logIn(d, now); err != nil {
			t.Fatal(err)
		}
		s = ann.session(d)
		wants(t, "the last way in", d.RemovePassword(ctx, s), api.CodeLastWay)
		wants(t, "a link that is not there", d.RemoveLink(ctx, s), api.CodeConflict)
		codes, err := d.NewRecoveryCodes(ctx, s)
		if err != nil || len(codes) != recoveryCodes {
			t.Fatalf("%d codes, %v", len(codes), err)
		}
		other.session(d) // those are no way in that was taken
		wants(t, "a weak password", d.ChangePassword(ctx, s, "short", "short"), api.CodePasswordWeak)
		if err := d.ChangePassword(ctx, s, "another good password", "another good password"); err != nil {
			t.Fatal(err)
		}
		other.signedOut(d, "after another password")
		now = now.Add(time.Minute)
		wants(t, "the password before", other.logIn(d, now), api.CodeCredentials)
		wants(t, "a recovery code before", func() error {
			_, err := d.LogIn(ann.request(), "ann", "another good password", ann.code[0], "")
			return err
		}(), api.CodeCredentials)
		if _, err := d.LogIn(other.request(), "ann", "another good password", codes[0], ""); err != nil {
			t.Errorf("a new recovery code: %v", err)
		}

		// A passkey comes, the password goes; then a passkey proves.
		ann.held = &testpasskey.Authenticator{TB: t, Origin: consoleURL}
		c := ann.begin(d, Beginning{Purpose: ToAdd, Way: api.WayPasskey, Session: ann.session(d)})
		if _, err := d.TakePasskey(ann.request(), "", ann.held.Create(c.Options)); err != nil {
			t.Fatal(err)
		}
		if err := d.RemovePassword(ctx, ann.session(d)); err != nil {
			t.Fatal(err)
		}
		now = now.Add(api.ConsoleProof)
		if d.Proved(ann.session(d)) {
			t.Error("an old proof holds")
		}
		c = ann.begin(d, Beginning{Purpose: ToProve, Way: api.WayPasskey, Session: ann.session(d), Next: "/console/tokens"})
		if out, err := d.TakePasskey(ann.request(), "", ann.held.Get(c.Options)); err != nil || out.Cookie != nil || out.Next != "/console/tokens" {
			t.Fatalf("%+v, %v", out, err)
		}
		if !d.Proved(ann.session(d)) {
			t.Error("the proof does not count")
		}
		if err := d.SetAdministratorRole(ctx, "token:owner", "ann", api.Owner); err != nil {
			t.Error(err)
		}
		checkAudit(t, d)
	})
}

// A session or ceremony of the database that is copied away opens nothing, and
// what it remembers is sealed.
func TestTheDatabaseOpensNoConsole(t *testing.T) {
	d := open(t, t.TempDir(), "")
	d.PagesURL = consoleURL
	ann := newVisitor(t).withPassword(d, invite(t, d, "ann", api.Owner), "ann")
	c := ann.begin(d, Beginning{Purpose: ToAdd, Way: api.WayPassword, Session: ann.session(d)})
	secrets := map[string]string{"the session": ann.cookies[consoleCookie], "the ceremony": ann.cookies[ceremonyCookie], "the second factor": ann.totp, "the next one": c.TOTP.Reveal(), "a recovery code": strings.ReplaceAll(ann.code[0], "-", "")}
	rows, err := d.store.read.QueryContext(t.Context(), `SELECT quote(hash)||quote(pending) FROM ceremonies UNION ALL SELECT quote(hash) FROM console_sessions UNION ALL SELECT quote(totp)||recovery||password FROM administrators UNION ALL SELECT detail FROM audit`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	seen := 0
	for rows.Next() {
		var text string
		if err := rows.Scan(&text); err != nil {
			t.Fatal(err)
		}
		seen++
		for what, secret := range secrets {
			for _, form := range []string{secret, strings.ToUpper(hex.EncodeToString([]byte(secret)))} {
				if strings.Contains(text, form) {
					t.Errorf("the database has %s", what)
				}
			}
		}
	}
	if err := rows.Err(); err != nil || seen < 4 {
		t.Errorf("%d rows, %v", seen, err)
	}
	r := newVisitor(t).request()
	var hash []byte
	if err := d.store.read.QueryRowContext(t.Context(), `SELECT hash FROM console_sessions`).Scan(&hash); err != nil {
		t.Fatal(err)
	}
	r.AddCookie(&http.Cookie{Name: consoleCookie, Value: hex.EncodeToString(hash)}) //nolint:gosec // a thief's
	if _, err := d.ConsoleSession(r); !errors.Is(err, api.CodeSignedOut) {
		t.Errorf("the hash opens the console: %v", err)
	}
}
