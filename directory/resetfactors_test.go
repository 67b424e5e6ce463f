package directory

import (
	"errors"
	"testing"
	"time"

	"firstday.dev/api"
)

// Who lost their phone keeps the password and sets up another second factor. What
// the old one proved, or a browser in the middle of a sign-in did, is no proof any
// more.
func TestResetFactors(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		b := newBrowser(t, last)
		newUser(t, first, "ann")
		logIn := func(serial string) {
			t.Helper()
			started := start(t, last, newDevice(t, last, serial))
			b.open(started.VerificationURIComplete)
			b.send("/signin/login", "code", started.UserCode, "name", "ann", "password", annsPassword)
		}
		enrol := func() (secret, recovery string) {
			t.Helper()
			secret = b.find(`<p class="secret"><code>([A-Z2-7]+)</code>`)
			b.send("/signin/step", "step", "enrol", "totp", totpOf(t, secret, time.Now()))
			b.shows("Keep these codes")
			return secret, b.find(`<li><code>([a-z2-7-]+)</code>`)
		}
		logIn("S1")
		secret, recovery := enrol()
		logIn("S2")
		b.shows("Your second factor")
		if u, err := first.ResetFactors(t.Context(), "token:bob", "ann@acme.example"); err != nil || u.TOTP || u.Name != "ann" {
			t.Fatalf("%+v, %v", u, err)
		}
		b.send("/signin/step", "step", "totp", "totp", recovery)
		b.shows("Please start again")
		logIn("S3")
		b.shows("Set up your second factor")
		if now, _ := enrol(); now == secret {
			t.Error("the second factor is the old one")
		}
		logIn("S4")
		b.send("/signin/step", "step", "totp", "totp", recovery)
		b.shows("Your second factor")

		// It is told once; where there is nothing to take away, nothing is told.
		newUser(t, first, "carl")
		if _, err := first.ResetFactors(t.Context(), "token:bob", "carl"); err != nil {
			t.Error(err)
		}
		if n := countRows(t, first, `SELECT COUNT(*) FROM audit WHERE action = $1 AND actor = $2`, "user.reset-factors", "token:bob"); n != 1 {
			t.Errorf("the audit log tells of %d", n)
		}
		if _, err := first.ResetFactors(t.Context(), "token:bob", "nobody"); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("nobody: %v", err)
		}
		if err := first.change(t.Context(), func(tx *transaction) error {
			_, err := tx.exec(`UPDATE users SET issuer = $1, subject = $2 WHERE name = $3`, "https://id.acme.example", "1", "ann")
			return err
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := first.ResetFactors(t.Context(), "token:bob", "ann"); !errors.Is(err, api.CodeConflict) {
			t.Errorf("whose second factor a provider has: %v", err)
		}
	})
}
