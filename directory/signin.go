package directory

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"database/sql"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// signInState is where a sign-in stands.
type signInState string

const (
	signInPending  signInState = "pending"  // nobody has signed in
	signInApproved signInState = "approved" // somebody has
	signInDenied   signInState = "denied"
	signInRedeemed signInState = "redeemed" // the device has its ticket
)

// signIn is a sign-in that a device has started.
type signIn struct {
	id, device uuid.UUID
	userCode   string
	state      signInState
	expires    time.Time
	address    string // the device's, if the page is to be shown there
	user       uuid.UUID
	number     string // to be typed on the device; empty: none
	tries      int
}

const signInColumns = `id, device, user_code, state, expires_at, address, user_id, number, tries`

func scanSignIn(row scanner) (*signIn, error) {
	var s signIn
	var expires int64
	var user string
	err := row.Scan(&s.id, &s.device, &s.userCode, &s.state, &expires, &s.address, &user, &s.number, &s.tries)
	s.expires, s.user = fromMillis(expires), parseUUID(user)
	return &s, err
}

// StartSignIn begins a sign-in on a device that may have another user. address
// is where the device's request came from.
func (d *Directory) StartSignIn(ctx context.Context, device uuid.UUID, r *api.SignInRequest, address string) (*api.SignInResponse, error) {
	settings, err := d.mayOffer(ctx, device)
	if err != nil {
		return nil, err
	}
	var origins []string
	var anchors [][]byte
	if r.SameDevice {
		if origins, err = d.origins(ctx, settings); err != nil {
			return nil, err
		}
		anchors = d.anchors()
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	if !r.SameDevice {
		address = ""
	}
	code, hash := newSecret("")
	userCode := newUserCode()
	err = d.change(ctx, func(t *transaction) error {
		if _, err := t.exec(`DELETE FROM sign_ins WHERE expires_at <= $1`, millis(d.now().Add(-signInKept))); err != nil {
			return err
		}
		n, err := t.exec(`INSERT INTO sign_ins (id, device, device_code, user_code, state, expires_at, address, user_id, number, tries) VALUES ($1, $2, $3, $4, $5, $6, $7, '', '', 0)
			ON CONFLICT DO NOTHING`, id.String(), device.String(), hash, userCode, signInPending, millis(d.now().Add(api.SignInLife)), address)
		if err == nil && n == 0 {
			userCode = newUserCode() // one in 25 thousand million, times those that live
			return errAgain
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	shown := api.ShowUserCode(userCode)
	return &api.SignInResponse{
		DeviceCode: code, UserCode: shown,
		VerificationURI: d.PagesURL + api.PathPages, VerificationURIComplete: d.PagesURL + api.PathPages + "?code=" + shown,
		ExpiresIn: int(api.SignInLife / time.Second), Interval: int(api.PollInterval / time.Second), Origins: origins, Anchors: anchors,
	}, nil
}

// signInKept is how long a sign-in that has ended is remembered: devices and
// browsers that come late are told how it ended.
const signInKept = time.Hour

// mayOffer refuses sign-ins on devices that cannot have another user now. It gives
// the settings of those that can.
func (d *Directory) mayOffer(ctx context.Context, device uuid.UUID) (*api.PlatformSettings, error) {
	answer, err := d.answer(ctx, device)
	switch {
	case err != nil:
		return nil, err
	case answer.State == api.DevicePending:
		return nil, api.Refuse(api.CodeDevicePending, "device %s", device)
	case !answer.Settings.SSAP:
		return nil, api.Refuse(api.CodeSwitchedOff, "device %s", device)
	case !answer.Free && !slices.ContainsFunc(answer.Users, func(b api.Binding) bool { return b.State == api.Awaiting }):
		return nil, api.Refuse(api.CodeSlotTaken, "device %s", device)
	}
	return &answer.Settings, nil
}

func newUserCode() string {
	code := make([]byte, api.UserCodeLength)
	for i := range code {
		code[i] = api.UserCodeLetters[randomBelow(len(api.UserCodeLetters))]
	}
	return string(code)
}

func randomBelow(n int) int {
	i, err := rand.Int(rand.Reader, big.NewInt(int64(n)))
	if err != nil {
		panic(err) // crypto/rand.Reader never fails
	}
	return int(i.Int64())
}

// Token tells the device who has signed in, as soon as somebody has or the wait
// is over, and claims the slot for them. It may be asked again: the answer may
// have been lost.
func (d *Directory) Token(ctx context.Context, device uuid.UUID, r *api.TokenRequest) (*api.TokenResponse, error) {
	if err := r.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	timer := time.NewTimer(time.Duration(r.Wait) * time.Second)
	defer timer.Stop()
	for {
		view := d.views.device(device) // before it is read
		refused, err := d.pending(ctx, device, r)
		if err != nil {
			return nil, err
		}
		if refused == nil {
			return d.redeem(ctx, device, r)
		}
		select {
		case <-view.changed:
		case <-timer.C:
			return nil, refused
		case <-d.closing.Done():
			return nil, refused
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// pending tells that nobody has signed in yet. Those who wait write nothing.
func (d *Directory) pending(ctx context.Context, device uuid.UUID, r *api.TokenRequest) (*api.Error, error) {
	var found int
	err := d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM sign_ins WHERE device_code = $1 AND device = $2 AND state = $3 AND expires_at > $4`,
		secretHash(r.DeviceCode), device.String(), signInPending, millis(d.now())).Scan(&found)
	if err != nil || found == 0 {
		return nil, err
	}
	return api.Refuse(api.CodeAuthorizationPending, "nobody has signed in"), nil
}

func (d *Directory) redeem(ctx context.Context, device uuid.UUID, r *api.TokenRequest) (*api.TokenResponse, error) {
	var out *api.TokenResponse
	var refused *api.Error
	err := d.change(ctx, func(t *transaction) error {
		var err error
		out, refused, err = t.redeem(device, r)
		return err
	})
	if err == nil && refused != nil {
		err = refused
	}
	if !errors.Is(err, api.CodeNumberRequired) && !errors.Is(err, api.CodeNumberWrong) { // those go on
		d.metrics.signedIn(err)
	}
	return out, err
}

// redeem turns an approved sign-in into a ticket. What is refused is committed,
// too: wrong numbers count.
func (t *transaction) redeem(device uuid.UUID, r *api.TokenRequest) (*api.TokenResponse, *api.Error, error) {
	s, err := scanSignIn(t.QueryRowContext(t.ctx, `SELECT `+signInColumns+` FROM sign_ins WHERE device_code = $1 AND device = $2`, secretHash(r.DeviceCode), device.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeExpiredToken, "no such sign-in of this device"), nil
	}
	if err != nil {
		return nil, nil, err
	}
	switch {
	case s.state == signInDenied:
		return nil, api.Refuse(api.CodeAccessDenied, "sign-in %s", s.id), nil
	case !t.d.now().Before(s.expires):
		return nil, api.Refuse(api.CodeExpiredToken, "sign-in %s ended at %v", s.id, s.expires), t.endApproved(s)
	case s.state == signInPending:
		return nil, api.Refuse(api.CodeAuthorizationPending, "sign-in %s", s.id), nil
	}
	if refused, err := t.checkNumber(s, r.Number); refused != nil || err != nil {
		return nil, refused, err
	}
	out, err := t.claim(s)
	var refused *api.Error
	if errors.As(err, &refused) {
		t.audit("user:"+s.user.String(), "signin.refuse", "device:"+device.String(), map[string]any{"code": refused.Code, "signin": s.id})
		return nil, refused, t.deny(s, refused.Code)
	}
	return out, nil, err
}

// numberTries is how many wrong numbers may be typed.
const numberTries = 3

// checkNumber makes sure that who signed in elsewhere sits at the device: only
// their other device shows the number.
func (t *transaction) checkNumber(s *signIn, typed string) (*api.Error, error) {
	switch {
	case s.number == "" || s.state == signInRedeemed:
		return nil, nil
	case typed == "":
		return api.Refuse(api.CodeNumberRequired, "sign-in %s", s.id), nil
	case subtle.ConstantTimeCompare([]byte(strings.TrimSpace(typed)), []byte(s.number)) == 1:
		return nil, nil
	}
	n, err := t.exec(`UPDATE sign_ins SET tries = tries + 1 WHERE id = $1 AND tries = $2`, s.id.String(), s.tries)
	if err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, errAgain
	}
	if s.tries+1 < numberTries {
		return api.Refuse(api.CodeNumberWrong, "try %d of %d", s.tries+1, numberTries), nil
	}
	t.audit("user:"+s.user.String(), "signin.deny", "device:"+s.device.String(), map[string]any{"signin": s.id, "reason": "wrong numbers"})
	return api.Refuse(api.CodeAccessDenied, "%d wrong numbers", numberTries), t.deny(s, api.CodeNumberWrong)
}

// deny ends a sign-in that somebody has signed in for, and notes why.
func (t *transaction) deny(s *signIn, code api.Code) error {
	if _, err := t.exec(`UPDATE sign_ins SET state = $1 WHERE id = $2`, signInDenied, s.id.String()); err != nil {
		return err
	}
	return t.signInEvent(s.device, s.user, code)
}

// endApproved notes, once, that somebody had signed in for what is over by now.
func (t *transaction) endApproved(s *signIn) error {
	n, err := t.exec(`UPDATE sign_ins SET state = $1 WHERE id = $2 AND state = $3`, signInDenied, s.id.String(), signInApproved)
	if err != nil || n == 0 {
		return err
	}
	return t.signInEvent(s.device, s.user, api.CodeExpiredToken)
}

// signInEvent notes what became of a user's sign-in on a device.
func (t *transaction) signInEvent(device, user uuid.UUID, code api.Code) error {
	var name string
	if err := t.QueryRowContext(t.ctx, `SELECT name FROM users WHERE id = $1`, user.String()).Scan(&name); err != nil {
		return err
	}
	return t.event(device, api.EventSignIn, code, "user:"+user.String(), map[string]string{"user": name})
}

// findSignIn finds a sign-in that waits for somebody, by the code that its
// device shows.
func (d *Directory) findSignIn(ctx context.Context, userCode string) (*signIn, error) {
	s, err := scanSignIn(d.store.read.QueryRowContext(ctx, `SELECT `+signInColumns+` FROM sign_ins WHERE user_code = $1`, userCode))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeExpiredToken, "no such code")
	}
	return s, err
}

// waits refuses what does not wait for anybody any more.
func (s *signIn) waits(now time.Time) error {
	switch {
	case s.state == signInDenied:
		return api.Refuse(api.CodeAccessDenied, "sign-in %s", s.id)
	case s.state != signInPending || !now.Before(s.expires):
		return api.Refuse(api.CodeExpiredToken, "sign-in %s is %s and ends at %v", s.id, s.state, s.expires)
	}
	return nil
}

// approve says that a user has signed in, on a browser at the address. The
// number, if there is one, is to be shown to them and typed on the device.
func (d *Directory) approve(ctx context.Context, s *signIn, user uuid.UUID, address string) (number string, err error) {
	// A browser on the device itself needs no proof that both are together.
	if s.address == "" || s.address != address {
		number = fmt.Sprintf("%02d", 10+randomBelow(90))
	}
	return number, d.change(ctx, func(t *transaction) error {
		u, err := d.findUser(ctx, t, user.String())
		if err != nil {
			return err
		}
		if _, err := t.eligible(s.device, u); err != nil {
			return err
		}
		n, err := t.exec(`UPDATE sign_ins SET state = $1, user_id = $2, number = $3 WHERE id = $4 AND state = $5 AND expires_at > $6`,
			signInApproved, u.ID.String(), number, s.id.String(), signInPending, millis(d.now()))
		if err != nil {
			return err
		}
		if n == 0 {
			return api.Refuse(api.CodeExpiredToken, "sign-in %s waits for nobody any more", s.id)
		}
		if _, err := t.exec(`UPDATE users SET signed_in_at = $1 WHERE id = $2`, millis(d.now()), u.ID.String()); err != nil {
			return err
		}
		t.audit("user:"+u.ID.String(), "signin.approve", "device:"+s.device.String(), map[string]any{"signin": s.id, "name": u.Name, "remote": address, "number": number != ""})
		t.news = append(t.news, s.device.String())
		return nil
	})
}

// eligible refuses users who may not have this device, and gives its settings.
func (t *transaction) eligible(device uuid.UUID, u *api.User) (*api.PlatformSettings, error) {
	settings, err := t.settingsOf(device)
	if err != nil {
		return nil, err
	}
	_, host, _ := strings.Cut(u.Email, "@")
	switch {
	case u.State != api.UserActive:
		return nil, api.Refuse(api.CodeUserDisabled, "user %s", u.Name)
	case !settings.SSAP:
		return nil, api.Refuse(api.CodeSwitchedOff, "device %s", device)
	case len(settings.Domains) > 0 && !slices.Contains(settings.Domains, host):
		return nil, api.Refuse(api.CodeDomain, "%q is none of %v", host, settings.Domains)
	}
	return settings, nil
}

// settingsOf gives the settings of a device that may act.
func (t *transaction) settingsOf(device uuid.UUID) (*api.PlatformSettings, error) {
	var platform api.Platform
	var state api.DeviceState
	var off bool
	err := t.QueryRowContext(t.ctx, `SELECT platform, state, ssap_off FROM devices WHERE id = $1`, device.String()).Scan(&platform, &state, &off)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeDeviceRemoved, "there is no device %s", device)
	}
	if err != nil {
		return nil, err
	}
	if state == api.DevicePending {
		return nil, api.Refuse(api.CodeDevicePending, "device %s", device)
	}
	if err := allowed(state); err != nil {
		return nil, err
	}
	all, err := readSettings(t.ctx, t)
	if err != nil {
		return nil, err
	}
	settings, err := all.For(platform)
	if err != nil {
		return nil, err
	}
	settings.SSAP = settings.SSAP && !off
	return settings, nil
}

// deny ends a sign-in: whoever should have signed in did not start it.
func (d *Directory) deny(ctx context.Context, s *signIn, user uuid.UUID, address string) error {
	return d.change(ctx, func(t *transaction) error {
		n, err := t.exec(`UPDATE sign_ins SET state = $1 WHERE id = $2 AND state = $3`, signInDenied, s.id.String(), signInPending)
		if err != nil || n == 0 {
			return err
		}
		t.audit("user:"+user.String(), "signin.deny", "device:"+s.device.String(), map[string]any{"signin": s.id, "remote": address, "reason": "declined"})
		t.news = append(t.news, s.device.String())
		return t.signInEvent(s.device, user, api.CodeAccessDenied)
	})
}

// CancelSignIn ends a sign-in from the device: what it claimed is free.
func (d *Directory) CancelSignIn(ctx context.Context, device uuid.UUID, r *api.CancelRequest) error {
	return d.change(ctx, func(t *transaction) error {
		s, err := scanSignIn(t.QueryRowContext(ctx, `SELECT `+signInColumns+` FROM sign_ins WHERE device_code = $1 AND device = $2`, secretHash(r.DeviceCode), device.String()))
		if errors.Is(err, sql.ErrNoRows) {
			return nil // it ended by itself
		}
		if err != nil {
			return err
		}
		if err := t.abandon(s); err != nil {
			return err
		}
		return t.release(`device = $1 AND signin = $2`, device.String(), s.id.String())
	})
}

// abandon ends a sign-in that its device gives up. If somebody had signed in, and
// has no account, that is what became of it.
func (t *transaction) abandon(s *signIn) error {
	if s.state == signInDenied || s.state == signInPending {
		_, err := t.exec(`UPDATE sign_ins SET state = $1 WHERE id = $2`, signInDenied, s.id.String())
		return err
	}
	var bound int
	if err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM bindings WHERE device = $1 AND signin = $2 AND state = $3`, s.device.String(), s.id.String(), api.Bound).Scan(&bound); err != nil {
		return err
	}
	if bound > 0 {
		_, err := t.exec(`UPDATE sign_ins SET state = $1 WHERE id = $2`, signInDenied, s.id.String())
		return err
	}
	return t.deny(s, api.CodeAccessDenied)
}
