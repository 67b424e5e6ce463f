package directory

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/go-webauthn/webauthn/protocol"
	"github.com/go-webauthn/webauthn/webauthn"
	"github.com/google/uuid"

	"firstday.dev/api"
)

const (
	// maxPasskeys bounds how many an administrator has.
	maxPasskeys = 20
	// maxCredential bounds what a browser answers, in bytes.
	maxCredential = 32 << 10
)

// keyholder is an administrator as WebAuthn sees them. The id stands in passkeys
// and is nobody's name (WebAuthn §14.6.1).
type keyholder struct {
	id          uuid.UUID
	name, shown string
	credentials []webauthn.Credential
}

// WebAuthnID is of [webauthn.User].
func (k *keyholder) WebAuthnID() []byte { return k.id[:] }

// WebAuthnName is of [webauthn.User].
func (k *keyholder) WebAuthnName() string { return k.name }

// WebAuthnDisplayName is of [webauthn.User].
func (k *keyholder) WebAuthnDisplayName() string { return k.shown }

// WebAuthnCredentials is of [webauthn.User].
func (k *keyholder) WebAuthnCredentials() []webauthn.Credential { return k.credentials }

// PasskeysWork tells whether the console is at an address where browsers allow
// passkeys: a name, and no number.
func (d *Directory) PasskeysWork() bool {
	u, err := url.Parse(d.PagesURL)
	return err == nil && protocol.ValidateRPID(u.Hostname()) == nil
}

// passkeys is the directory as WebAuthn sees it.
func (d *Directory) passkeys() (*webauthn.WebAuthn, error) {
	u, err := url.Parse(d.PagesURL)
	if err != nil {
		return nil, err
	}
	timeout := webauthn.TimeoutConfig{Enforce: true, Timeout: ceremonyLife, TimeoutUVD: ceremonyLife}
	w, err := webauthn.New(&webauthn.Config{
		RPID: u.Hostname(), RPDisplayName: d.Organisation, RPOrigins: []string{u.Scheme + "://" + u.Host},
		AttestationPreference:  protocol.PreferNoAttestation,
		AuthenticatorSelection: protocol.AuthenticatorSelection{ResidentKey: protocol.ResidentKeyRequirementPreferred, UserVerification: protocol.VerificationRequired},
		Timeouts:               webauthn.TimeoutsConfig{Login: timeout, Registration: timeout},
		// Some password managers say more than they are asked; nothing relies on it.
		ExtensionsUnsolicitedOutputPolicy: protocol.UnsolicitedOutputPolicyIgnore,
	})
	if err != nil {
		return nil, api.Refuse(api.CodePasskey, "no passkeys at %s: %s", d.PagesURL, short(err))
	}
	return w, nil
}

// preparePasskey makes a challenge: for a new passkey, or for one that is there.
func (d *Directory) preparePasskey(ctx context.Context, c *Ceremony, name string) error {
	w, err := d.passkeys()
	if err != nil {
		return err
	}
	var options any
	switch c.Purpose {
	case ToJoin:
		options, c.Challenge, err = w.BeginRegistration(&keyholder{id: c.Newcomer.ID, name: c.Newcomer.Name, shown: c.Newcomer.shown()})
	case ToAdd:
		var k *keyholder
		if k, err = d.keyholder(ctx, d.store.read, c.Administrator.String()); err != nil {
			return err
		}
		options, c.Challenge, err = w.BeginRegistration(k, webauthn.WithExclusions(webauthn.Credentials(k.credentials).CredentialDescriptors()))
	case ToProve:
		var k *keyholder
		if k, err = d.keyholder(ctx, d.store.read, c.Administrator.String()); err != nil {
			return err
		}
		options, c.Challenge, err = w.BeginLogin(k)
	case ToSignIn:
		options, c.Challenge, err = d.challenge(ctx, w, c, name)
	}
	if err != nil {
		return api.Refuse(api.CodePasskey, "%s", short(err))
	}
	c.Options, err = json.Marshal(options)
	return err
}

func (n *newcomer) shown() string { return (&api.Admin{Name: n.Name, FullName: n.FullName}).Shown() }

// challenge is for who signs in: with any passkey of theirs that their device
// offers, or one of those of the name that they say. That tells nobody who is an
// administrator: among the passkeys of each name there are made-up ones, and those
// of a name that is nobody's are nothing else.
func (d *Directory) challenge(ctx context.Context, w *webauthn.WebAuthn, c *Ceremony, name string) (*protocol.CredentialAssertion, *webauthn.SessionData, error) {
	if name = strings.ToLower(strings.TrimSpace(name)); name == "" {
		return w.BeginDiscoverableLogin()
	}
	k, err := d.keyholder(ctx, d.store.read, name)
	if err != nil && !errors.Is(err, api.CodeNotFound) {
		return nil, nil, err
	}
	madeUp, err := d.madeUp(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if k == nil || len(k.credentials) == 0 {
		k = &keyholder{id: uuid.New(), credentials: madeUp[:1]}
	} else {
		c.Administrator = k.id
	}
	options, session, err := w.BeginLogin(k)
	if err != nil {
		return nil, nil, err
	}
	shown := k.credentials
	for i := 1; len(shown) < offeredPasskeys; i++ {
		shown = append(shown, madeUp[i])
	}
	list := make([]protocol.CredentialDescriptor, len(shown))
	for i := range shown {
		list[i] = protocol.CredentialDescriptor{Type: protocol.PublicKeyCredentialType, CredentialID: shown[i].ID}
	}
	slices.SortFunc(list, func(a, b protocol.CredentialDescriptor) int { return bytes.Compare(a.CredentialID, b.CredentialID) })
	options.Response.AllowedCredentials = list
	return options, session, nil
}

// offeredPasskeys are as many as each name has at least, as far as anybody sees.
const offeredPasskeys = 4

// madeUp gives passkeys of a name that are nobody's, the same each time.
func (d *Directory) madeUp(ctx context.Context, name string) ([]webauthn.Credential, error) {
	key, err := d.secret(ctx, "passkeys made up", func() ([]byte, error) {
		key := make([]byte, sha256.Size)
		_, _ = rand.Read(key) // never fails
		return key, nil
	})
	if err != nil {
		return nil, err
	}
	list := make([]webauthn.Credential, offeredPasskeys)
	for i := range list {
		made := hmac.New(sha256.New, key)
		_, _ = fmt.Fprintf(made, "%d %s", i, name) // never fails
		list[i].ID = made.Sum(nil)
	}
	return list, nil
}

// keyholder reads an administrator with their credentials.
func (d *Directory) keyholder(ctx context.Context, q queriers, name string) (_ *keyholder, err error) {
	a, err := d.findAdministrator(ctx, q, name)
	if err != nil {
		return nil, err
	}
	k := &keyholder{id: a.ID, name: a.Name, shown: a.Shown()}
	rows, err := q.QueryContext(ctx, `SELECT document, counter FROM passkeys WHERE administrator = $1 ORDER BY id`, a.ID.String())
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var document string
		var counter int64
		if err := rows.Scan(&document, &counter); err != nil {
			return nil, err
		}
		var c webauthn.Credential
		if err := json.Unmarshal([]byte(document), &c); err != nil {
			return nil, fmt.Errorf("reading a passkey: %w", err)
		}
		c.Authenticator.SignCount = uint32(counter) //nolint:gosec // it was one
		k.credentials = append(k.credentials, c)
	}
	return k, rows.Err()
}

// queriers read one row, or several.
type queriers interface {
	querier
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// passkeysOf calls see with each passkey of an administrator; "": of all.
func passkeysOf(ctx context.Context, q queriers, administrator string, see func(uuid.UUID, api.Passkey)) (err error) {
	rows, err := q.QueryContext(ctx, `SELECT administrator, id, name, created_at, used_at FROM passkeys WHERE administrator = $1 OR $1 = '' ORDER BY id`, administrator)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var of uuid.UUID
		var p api.Passkey
		var created, used int64
		if err := rows.Scan(&of, &p.ID, &p.Name, &created, &used); err != nil {
			return err
		}
		p.CreatedAt, p.UsedAt = fromMillis(created), fromMillis(used)
		see(of, p)
	}
	return rows.Err()
}

// TakePasskey takes what the browser's authenticator answers to the ceremony that
// it is in. name is what a new passkey is called. The challenge is used up,
// whatever comes of it.
func (d *Directory) TakePasskey(r *http.Request, name, answer string) (*Outcome, error) {
	if wait, ok := d.limits.logins.take(addressKey(remote(r))); !ok {
		return nil, tooMany(wait)
	}
	c, err := d.Ceremony(r)
	if err != nil {
		return nil, err
	}
	if c.Way != api.WayPasskey {
		return nil, errCeremony
	}
	if len(answer) > maxCredential {
		return nil, api.Refuse(api.CodeTooLarge, "at most %d bytes", maxCredential)
	}
	if err := d.change(r.Context(), func(t *transaction) error { return t.endCeremony(c) }); err != nil {
		return nil, err
	}
	w, err := d.passkeys()
	if err != nil {
		return nil, err
	}
	switch c.Purpose {
	case ToJoin, ToAdd:
		return d.takeNewPasskey(r, w, c, name, answer)
	default:
		return d.takeAssertion(r, w, c, answer)
	}
}

// notAccepted says why a passkey is not. What it says is for the log.
func notAccepted(err error) error {
	var why *protocol.Error
	if errors.As(err, &why) && why.DevInfo != "" {
		err = fmt.Errorf("%s: %s", why.Details, why.DevInfo)
	}
	return api.Refuse(api.CodePasskey, "%s", short(err))
}

// takeNewPasskey takes a passkey that was made a moment ago.
func (d *Directory) takeNewPasskey(r *http.Request, w *webauthn.WebAuthn, c *Ceremony, name, answer string) (*Outcome, error) {
	if name = strings.TrimSpace(name); name == "" {
		name = "Passkey"
	}
	if err := api.CheckPasskeyName(name); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	parsed, err := protocol.ParseCredentialCreationResponseBytes([]byte(answer))
	if err != nil {
		return nil, notAccepted(err)
	}
	credential, err := w.CreateCredential(&keyholder{id: c.Administrator}, *c.Challenge, parsed)
	if err != nil {
		return nil, notAccepted(err)
	}
	return d.addWay(r, c, func(t *transaction, actor string) error {
		return t.addPasskey(actor, c.Administrator, name, credential)
	})
}

// addPasskey writes a passkey down.
func (t *transaction) addPasskey(actor string, administrator uuid.UUID, name string, credential *webauthn.Credential) error {
	id, err := uuid.NewV7()
	if err != nil {
		return err
	}
	counter := credential.Authenticator.SignCount
	credential.Attestation = webauthn.CredentialAttestation{} // nothing was attested
	document, err := json.Marshal(credential)
	if err != nil {
		return err
	}
	var there int
	if err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM passkeys WHERE administrator = $1`, administrator.String()).Scan(&there); err != nil {
		return err
	}
	if there >= maxPasskeys {
		return api.Refuse(api.CodeConflict, "%d passkeys are enough", maxPasskeys)
	}
	n, err := t.exec(`INSERT INTO passkeys (id, administrator, credential, name, document, counter, created_at, used_at) VALUES ($1, $2, $3, $4, $5, $6, $7, 0) ON CONFLICT DO NOTHING`,
		id.String(), administrator.String(), credential.ID, name, string(document), int64(counter), millis(t.d.now()))
	if err != nil {
		return err
	}
	if n == 0 {
		return api.Refuse(api.CodePasskey, "a credential of that id is there already")
	}
	t.audit(actor, "administrator.passkey", actor, map[string]any{"passkey": id, "name": name})
	return nil
}

// takeAssertion takes a proof that somebody has a passkey.
func (d *Directory) takeAssertion(r *http.Request, w *webauthn.WebAuthn, c *Ceremony, answer string) (*Outcome, error) {
	parsed, err := protocol.ParseCredentialRequestResponseBytes([]byte(answer))
	if err != nil {
		return nil, notAccepted(err)
	}
	ctx := r.Context()
	var holder *keyholder
	var credential *webauthn.Credential
	if len(c.Challenge.UserID) == 0 {
		_, credential, err = w.ValidatePasskeyLogin(func(_, handle []byte) (webauthn.User, error) {
			id, err := uuid.FromBytes(handle)
			if err != nil {
				return nil, err
			}
			holder, err = d.keyholder(ctx, d.store.read, id.String())
			return holder, err
		}, *c.Challenge, parsed)
	} else {
		if c.Administrator == uuid.Nil {
			return nil, api.Refuse(api.CodePasskey, "the name is no administrator's, or has no passkeys")
		}
		if holder, err = d.keyholder(ctx, d.store.read, c.Administrator.String()); err != nil {
			return nil, err
		}
		credential, err = w.ValidateLogin(holder, *c.Challenge, parsed)
	}
	if unavailable(err) {
		return nil, err
	}
	if err != nil {
		return nil, notAccepted(err)
	}
	if credential.Authenticator.CloneWarning {
		return nil, d.cloned(ctx, holder, credential)
	}
	return d.enter(r, c, holder.id, d.now(), func(t *transaction) error {
		n, err := t.exec(`UPDATE passkeys SET counter = $1, used_at = $2 WHERE credential = $3 AND administrator = $4 AND (counter < $1 OR counter = 0 AND $1 = 0)`,
			int64(credential.Authenticator.SignCount), millis(d.now()), credential.ID, holder.id.String())
		if err == nil && n == 0 {
			return api.Refuse(api.CodePasskeyCloned, "the counter of a passkey of %s has grown meanwhile, or the passkey is gone", holder.name)
		}
		return err
	})
}

// cloned notes that there may be a copy of a passkey.
func (d *Directory) cloned(ctx context.Context, holder *keyholder, credential *webauthn.Credential) error {
	err := d.change(ctx, func(t *transaction) error {
		var id, name string
		if err := t.QueryRowContext(ctx, `SELECT id, name FROM passkeys WHERE credential = $1`, credential.ID).Scan(&id, &name); err != nil {
			return err
		}
		t.audit(adminActor(holder.name), "administrator.passkey-cloned", adminActor(holder.name), map[string]any{"passkey": id, "name": name, "counter": credential.Authenticator.SignCount})
		return nil
	})
	if err != nil {
		return err
	}
	return api.Refuse(api.CodePasskeyCloned, "the counter of a passkey of %s did not grow beyond %d", holder.name, credential.Authenticator.SignCount)
}

// enter lets in who has proved who they are, or notes the proof in their session.
// also runs in the same transaction. A provider sends people back without the
// cookie of their session: the ceremony's stands for it.
func (d *Directory) enter(r *http.Request, c *Ceremony, id uuid.UUID, proved time.Time, also func(*transaction) error) (*Outcome, error) {
	if c.Purpose == ToSignIn {
		cookie, err := d.signInAs(r, id, c.Way, proved, also)
		return &Outcome{Cookie: cookie, Next: c.Next}, err
	}
	if c.Way != api.WayProvider {
		if _, err := d.sessionOf(r, c); err != nil {
			return nil, err
		}
	}
	return &Outcome{Next: c.Next}, d.change(r.Context(), func(t *transaction) error {
		if err := also(t); err != nil {
			return err
		}
		return t.prove(c.Session, proved)
	})
}

// RenamePasskey calls a passkey of the session's administrator something else.
func (d *Directory) RenamePasskey(ctx context.Context, s *ConsoleSession, id uuid.UUID, name string) error {
	name = strings.TrimSpace(name)
	if err := api.CheckPasskeyName(name); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	return d.changeOwn(ctx, s, func(t *transaction, a *api.Admin) error {
		t.audit(s.Actor(), "administrator.passkey-name", s.Actor(), map[string]any{"passkey": id, "name": name})
		n, err := t.exec(`UPDATE passkeys SET name = $1 WHERE id = $2 AND administrator = $3`, name, id.String(), a.ID.String())
		if err == nil && n == 0 {
			return noPasskey(id)
		}
		return err
	})
}

// RemovePasskey takes a passkey from the session's administrator. Their other
// sessions end.
func (d *Directory) RemovePasskey(ctx context.Context, s *ConsoleSession, id uuid.UUID) error {
	return d.removeWay(ctx, s, func(t *transaction, a *api.Admin) error {
		i := slices.IndexFunc(a.Passkeys, func(p api.Passkey) bool { return p.ID == id })
		if i < 0 {
			return noPasskey(id)
		}
		t.audit(s.Actor(), "administrator.passkey-remove", s.Actor(), map[string]any{"passkey": id, "name": a.Passkeys[i].Name})
		_, err := t.exec(`DELETE FROM passkeys WHERE id = $1`, id.String())
		return err
	})
}

func noPasskey(id uuid.UUID) error {
	return api.Refuse(api.CodeNotFound, "you have no passkey %s", id)
}
