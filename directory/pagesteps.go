package directory

import (
	"context"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"

	"github.com/skip2/go-qrcode"

	"firstday.dev/api"
)

// firstPage asks for the code that the device shows, then for who it is.
func (d *Directory) firstPage(r *http.Request) (*page, error) {
	typed := r.URL.Query().Get("code")
	ask := &page{template: "code", Title: "Sign in on your new device", UserCode: typed}
	if typed == "" {
		return ask, nil
	}
	s, err := d.lookUp(r, typed)
	if err != nil {
		return ask, err
	}
	return d.loginPage(r.Context(), s)
}

// lookUp finds the sign-in of a code, for who does not guess.
func (d *Directory) lookUp(r *http.Request, typed string) (*signIn, error) {
	if wait, ok := d.limits.codes.left(addressKey(remote(r))); !ok {
		return nil, tooMany(wait)
	}
	s, err := d.findSignIn(r.Context(), api.ParseUserCode(typed))
	if err == nil {
		err = s.waits(d.now())
	}
	if errors.Is(err, api.CodeExpiredToken) {
		d.limits.codes.take(addressKey(remote(r)))
	}
	return s, err
}

func (d *Directory) loginPage(ctx context.Context, s *signIn) (*page, error) {
	p := &page{template: "login", Title: "Sign in on your new device", UserCode: api.ShowUserCode(s.userCode)}
	var err error
	if p.Device, err = d.describe(ctx, s); err != nil {
		return nil, err
	}
	return p, d.offer(ctx, p)
}

// beginLogin reads a form of the first page, and gives the sign-in that it is for
// with the page to show again.
func (d *Directory) beginLogin(r *http.Request) (*signIn, *page, error) {
	if err := r.ParseForm(); err != nil {
		return nil, nil, badForm(err)
	}
	if wait, ok := d.limits.logins.take(addressKey(remote(r))); !ok {
		return nil, nil, tooMany(wait)
	}
	s, err := d.lookUp(r, r.PostForm.Get("code"))
	if err != nil {
		return nil, nil, err
	}
	p, err := d.loginPage(r.Context(), s)
	return s, p, err
}

// logIn takes name and password.
func (d *Directory) logIn(r *http.Request) (*page, error) {
	s, p, err := d.beginLogin(r)
	if err != nil {
		return nil, err
	}
	p.Name = r.PostForm.Get("name")
	password := api.Secret(r.PostForm.Get("password"))
	if len(p.Name) > api.MaxPassword || len(password) > api.MaxPassword {
		return p, errCredentials
	}
	user, err := d.checkLogin(r.Context(), p.Name, password)
	if err != nil {
		known, _ := d.FindUser(r.Context(), p.Name) // nil: nobody's name
		d.noteTry(r.Context(), s.device, known, remote(r), err)
		return p, err
	}
	session := &pageSession{signIn: s.id, user: user.ID}
	if session.step, err = d.nextStep(r.Context(), session); err != nil {
		return p, err
	}
	cookie, err := d.beginSession(r.Context(), session)
	return &page{cookie: cookie, next: true}, err
}

func badForm(err error) error {
	var large *http.MaxBytesError
	if errors.As(err, &large) {
		return api.Refuse(api.CodeTooLarge, "at most %d bytes", large.Limit)
	}
	return api.Refuse(api.CodeBadRequest, "the form is malformed") // err may quote a secret
}

func tooMany(wait int) error {
	refused := api.Refuse(api.CodeTooMany, "")
	refused.RetryAfter = wait
	return refused
}

// nextStep tells what is still between a user and their device.
func (d *Directory) nextStep(ctx context.Context, s *pageSession) (step, error) {
	user, err := d.FindUser(ctx, s.user.String())
	if err != nil {
		return "", err
	}
	settings, err := d.Settings(ctx)
	switch {
	case err != nil:
		return "", err
	case user.TOTP && !s.pending.Proved:
		return stepTOTP, nil
	case user.Temporary:
		return stepPassword, nil
	case settings.SecondFactor && !user.TOTP && user.Provider == "":
		return stepEnrol, s.prepareSecondFactor(d.Organisation, user)
	default:
		return stepConfirm, nil
	}
}

// prepareSecondFactor makes a secret that the session remembers until its user
// has proved to have it.
func (s *pageSession) prepareSecondFactor(organisation string, u *api.User) error {
	key, err := newTOTP(organisation, u.Name)
	if err != nil {
		return err
	}
	s.pending.Secret, s.pending.URL = key.Secret(), key.URL()
	return nil
}

// showStep shows where the browser's session stands.
func (d *Directory) showStep(r *http.Request) (*page, error) {
	s, err := d.session(r)
	if err != nil {
		return nil, err
	}
	return d.stepPage(r.Context(), s)
}

// qrSize is the picture's width and height, in pixels.
const qrSize = 480

func (d *Directory) stepPage(ctx context.Context, s *pageSession) (*page, error) {
	p := &page{template: string(s.step)}
	switch s.step {
	case stepProvider:
		return d.providerPage(ctx, s)
	case stepTOTP:
		p.Title = "Your second factor"
	case stepPassword:
		user, err := d.FindUser(ctx, s.user.String())
		if err != nil {
			return nil, err
		}
		p.Title, p.Name = "Choose a password", user.Name // for who keeps passwords
	case stepEnrol:
		p.Title, p.Secret = "Set up your second factor", s.pending.Secret
		png, err := qrcode.Encode(s.pending.URL, qrcode.Medium, qrSize)
		if err != nil {
			return nil, err
		}
		p.QR = template.URL("data:image/png;base64," + base64.StdEncoding.EncodeToString(png)) //nolint:gosec // letters of Base64
	case stepRecovery:
		p.Title, p.Codes = "Keep these codes", s.pending.Codes
	case stepDone:
		p.Title, p.Number = "You are signed in", s.pending.Number
	case stepConfirm:
		return d.confirmPage(ctx, s)
	}
	return p, nil
}

func (d *Directory) confirmPage(ctx context.Context, s *pageSession) (*page, error) {
	started, err := d.signInOf(ctx, s)
	if err != nil {
		return nil, err
	}
	user, err := d.FindUser(ctx, s.user.String())
	if err != nil {
		return nil, err
	}
	p := &page{template: string(stepConfirm), Title: "Is this your new device?", UserCode: api.ShowUserCode(started.userCode), Name: user.Name}
	if user.FullName != "" {
		p.Name = user.FullName + " (" + user.Name + ")"
	}
	p.Device, err = d.describe(ctx, started)
	return p, err
}

// noteStep notes in the device's history that a second factor was wrong.
func (d *Directory) noteStep(r *http.Request, s *pageSession, why error) {
	if s.step != stepTOTP {
		return
	}
	started, err := d.signInOf(r.Context(), s)
	if err != nil {
		return // it is over
	}
	user, _ := d.FindUser(r.Context(), s.user.String())
	d.noteTry(r.Context(), started.device, user, remote(r), why)
}

// takeStep takes what a page asked for.
func (d *Directory) takeStep(r *http.Request) (*page, error) {
	if err := r.ParseForm(); err != nil {
		return nil, badForm(err)
	}
	s, err := d.session(r)
	if err != nil {
		return nil, err
	}
	if step(r.PostForm.Get("step")) != s.step {
		return &page{next: true}, nil // of a page shown before
	}
	if wait, ok := d.limits.logins.take(addressKey(remote(r))); !ok {
		return nil, tooMany(wait)
	}
	ctx := r.Context()
	switch s.step {
	case stepTOTP:
		err = d.checkSecondFactor(ctx, s.user, r.PostForm.Get("totp"))
		s.pending.Proved = true
	case stepPassword:
		err = d.takePassword(ctx, s, api.Secret(r.PostForm.Get("password")), api.Secret(r.PostForm.Get("again")))
	case stepEnrol:
		return d.takeEnrolment(ctx, s, r.PostForm.Get("totp"))
	case stepRecovery:
		s.pending = pending{Proved: true} // the codes are not kept
	case stepConfirm:
		return d.takeAnswer(ctx, s, r.PostForm.Get("answer"), remote(r))
	case stepDone, stepProvider:
		return &page{next: true}, nil
	}
	if err != nil {
		d.noteStep(r, s, err)
		return d.sameStep(ctx, s, err)
	}
	next, err := d.nextStep(ctx, s)
	if err != nil {
		return nil, err
	}
	return &page{next: true}, d.moveOn(ctx, s, next)
}

// sameStep shows the page again, with what is wrong.
func (d *Directory) sameStep(ctx context.Context, s *pageSession, wrong error) (*page, error) {
	p, err := d.stepPage(ctx, s)
	if err != nil {
		return nil, err
	}
	return p, wrong
}

func (d *Directory) takePassword(ctx context.Context, s *pageSession, password, again api.Secret) error {
	if password != again {
		return api.Refuse(api.CodePasswordsDiffer, "the two are not the same")
	}
	if err := api.CheckPassword(password); err != nil {
		return api.Refuse(api.CodePasswordWeak, "%v", err)
	}
	same, err := d.isPassword(ctx, s.user, password)
	if err != nil {
		return err
	}
	if same {
		return api.Refuse(api.CodePasswordWeak, "it is the temporary one")
	}
	return d.setPassword(ctx, s.user, password)
}

func (d *Directory) takeEnrolment(ctx context.Context, s *pageSession, typed string) (*page, error) {
	codes, err := d.setSecondFactor(ctx, s.user, s.pending.Secret, typed)
	if err != nil {
		return d.sameStep(ctx, s, err)
	}
	s.pending = pending{Proved: true, Codes: codes}
	return &page{next: true}, d.moveOn(ctx, s, stepRecovery)
}

// takeAnswer takes the last word of who has signed in.
func (d *Directory) takeAnswer(ctx context.Context, s *pageSession, answer, address string) (*page, error) {
	started, err := d.signInOf(ctx, s)
	if err != nil {
		return nil, err
	}
	if answer != "yes" {
		if err := errors.Join(d.deny(ctx, started, s.user, address), d.endSession(ctx, s)); err != nil {
			return nil, err
		}
		return nil, api.Refuse(api.CodeAccessDenied, "declined by user %s", s.user)
	}
	number, err := d.approve(ctx, started, s.user, address)
	if err != nil {
		user, _ := d.FindUser(ctx, s.user.String())
		d.noteTry(ctx, started.device, user, address, err)
		return nil, err
	}
	s.pending = pending{Number: number}
	return &page{next: true}, d.moveOn(ctx, s, stepDone)
}
