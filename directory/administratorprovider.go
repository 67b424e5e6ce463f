package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// proofAge is how long ago who proves at their provider who they are may have
// done so there.
const proofAge = api.Duration(time.Minute)

// anew is the provider asked to let people prove once more who they are, whether
// they are signed in there or not.
func (rp *relyingParty) anew() *relyingParty {
	p, next := *rp.Provider, *rp
	p.Prompt, p.MaxAge = "login", proofAge
	next.Provider = &p
	return &next
}

// party gives the provider of a ceremony, with what is asked of it.
func (d *Directory) party(ctx context.Context, c *Ceremony) (*relyingParty, error) {
	rp, err := d.relyingParty(ctx, c.Federation.Provider)
	if err == nil && c.Purpose == ToProve {
		rp = rp.anew()
	}
	return rp, err
}

// LeadsTo gives the address at which the person of a ceremony signs in, and what
// their provider is called.
func (d *Directory) LeadsTo(ctx context.Context, c *Ceremony) (address, name string, err error) {
	if c.Federation == nil {
		return "", "", errCeremony
	}
	rp, err := d.party(ctx, c)
	if err != nil {
		return "", "", err
	}
	return rp.authorization(c.Federation), rp.Name, nil
}

// ceremonyOf gives the ceremony that waits for a provider's answer, if it is the
// browser of that ceremony that brings it; else nil: it is somebody's who signs in on
// a device.
func (d *Directory) ceremonyOf(r *http.Request) (*Ceremony, error) {
	c, err := d.Ceremony(r)
	if errors.Is(err, api.CodeCeremony) {
		return nil, nil //nolint:nilnil // as it says
	}
	if err != nil {
		return nil, err
	}
	state, f := r.URL.Query()["state"], c.Federation
	if len(state) != 1 || f == nil || f.Provider != r.PathValue("provider") || subtle.ConstantTimeCompare([]byte(state[0]), []byte(f.State)) != 1 {
		return nil, nil //nolint:nilnil // as it says
	}
	return c, nil
}

// takeAdministrator takes a provider's answer for the console. The browser is led
// on by a page: cookies that are not sent along from other sites come along then.
func (d *Directory) takeAdministrator(r *http.Request, c *Ceremony) (*page, error) {
	if err := d.change(r.Context(), func(t *transaction) error { return t.endCeremony(c) }); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(r.Context(), 2*d.times.provider)
	defer cancel()
	out, err := d.federateAdministrator(r.WithContext(ctx), c)
	if r.Context().Err() == nil {
		d.metrics.federations.WithLabelValues(c.Federation.Provider, result(err)).Inc()
	}
	var refused *api.Error
	if errors.As(err, &refused) && refused.Code != api.CodeUnavailable {
		_ = d.refusal(r, rand.Text()[:12], err) // for the log
		return &page{template: "continue", Title: "This did not work", Continue: c.Back + "?" + url.Values{"code": {string(refused.Code)}, "to": {c.Next}}.Encode()}, nil
	}
	if err != nil {
		return nil, err
	}
	return &page{template: "continue", Title: "You are signed in", Continue: out.Next, cookie: out.Cookie}, nil
}

// federateAdministrator tells which administrator has signed in with a provider,
// or links who joins.
func (d *Directory) federateAdministrator(r *http.Request, c *Ceremony) (*Outcome, error) {
	ctx := r.Context()
	rp, err := d.party(ctx, c)
	if err != nil {
		return nil, err
	}
	subject, said, err := d.identify(ctx, rp, c.Federation, r.URL.Query())
	if err != nil {
		return nil, err
	}
	if c.Purpose == ToJoin {
		return d.addWay(r, c, func(t *transaction, actor string) error {
			return t.linkAdministrator(actor, c.Administrator, rp, subject)
		})
	}
	var id uuid.UUID
	err = d.store.read.QueryRowContext(ctx, `SELECT id FROM administrators WHERE issuer = $1 AND subject = $2`, rp.Issuer, subject).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) || err == nil && c.Purpose == ToProve && id != c.Administrator {
		return nil, api.Refuse(api.CodeNotLinked, "the subject %q of %s is not the administrator's who is asked for, or no administrator's", subject, rp.ID)
	}
	if err != nil {
		return nil, err
	}
	return d.enter(r, c, id, said.provedAt(d.now()), func(*transaction) error { return nil })
}

// provedAt is when a provider says that the person has proved who they are; never,
// if it does not say.
func (c claims) provedAt(now time.Time) time.Time {
	var at float64
	if json.Unmarshal(c["auth_time"], &at) != nil {
		return time.Time{}
	}
	if t := fromSeconds(at); t.Before(now) {
		return t
	}
	return now
}

// linkAdministrator lets an administrator sign in as somebody at a provider.
func (t *transaction) linkAdministrator(actor string, id uuid.UUID, rp *relyingParty, subject string) error {
	var other string
	err := t.QueryRowContext(t.ctx, `SELECT name FROM administrators WHERE issuer = $1 AND subject = $2 AND id <> $3`, rp.Issuer, subject, id.String()).Scan(&other)
	if err == nil {
		return api.Refuse(api.CodeUserTaken, "the administrator %s is linked to the subject %q of %s already", other, subject, rp.ID)
	}
	if !errors.Is(err, sql.ErrNoRows) {
		return err
	}
	t.audit(actor, "administrator.link", actor, map[string]any{"provider": rp.ID, "issuer": rp.Issuer, "subject": subject})
	_, err = t.exec(`UPDATE administrators SET issuer = $1, subject = $2 WHERE id = $3`, rp.Issuer, subject, id.String())
	return err
}
