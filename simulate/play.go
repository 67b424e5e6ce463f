package simulate

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/simulate/employee"
)

// Play lets people do at the device what a script says. The error wraps
// [ErrOutcome] if something else comes of it. The patience is for each scene.
func (m *Machine) Play(ctx context.Context, s *Script, patience time.Duration) error {
	for i := range s.Scenes {
		limited, cancel := context.WithTimeout(ctx, patience)
		err := m.play(limited, &s.Scenes[i])
		cancel()
		switch {
		case err == nil:
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.Is(err, context.DeadlineExceeded):
			return fmt.Errorf("%s, scene %d: %w: it came to no end within %v", s.file, i+1, ErrOutcome, patience)
		default:
			return fmt.Errorf("%s, scene %d: %w", s.file, i+1, err)
		}
	}
	return nil
}

func (m *Machine) play(ctx context.Context, s *Scene) error {
	switch {
	case s.Restart:
		return m.reboot(ctx, "somebody restarts the device")
	case s.Account != "":
		return m.addAccount(s.Account)
	}
	p := &person{Machine: m, SignIn: s.SignIn}
	outcome, err := p.signIn(ctx)
	if err != nil {
		return err
	}
	if want := cmp.Or(s.Expect, ExpectDone); outcome != want {
		err := fmt.Errorf("%w: %s for %s, not %s", ErrOutcome, outcome, p.Name, want)
		m.told.failed(StepSignIn, p.Name+"'s sign-in ended otherwise than it should", err)
		return err
	}
	return nil
}

// addAccount makes an account that is nobody's of the directory.
func (m *Machine) addAccount(name string) error {
	if err := m.accounts.Add(accounts.Account{Name: name}, rand.Text()); err != nil {
		return err
	}
	m.told.note(StepAccount, "somebody makes the local account "+name+" by hand", "")
	return nil
}

// person is somebody at the device.
type person struct {
	*Machine
	*SignIn
	shown    *signin.Machine // what the device shows them
	password string          // theirs in the directory, after the pages
	number   string          // that the pages showed
	outcome  string
}

// signIn goes through the screens, and gives how it ended.
func (p *person) signIn(ctx context.Context) (string, error) {
	err := p.watch(ctx, func(machine *signin.Machine, screen signin.Screen) error {
		p.shown = machine
		p.tellScreen(&screen)
		return p.answer(ctx, &screen)
	})
	if p.outcome != "" {
		return p.outcome, nil
	}
	return "", err
}

// errEnded ends the watching.
var errEnded = errors.New("the sign-in has ended")

// answer does what the screen wants of the person.
func (p *person) answer(ctx context.Context, screen *signin.Screen) error {
	switch screen.State {
	case signin.Hidden:
		if screen.Online {
			p.told.note(StepSignIn, p.Name+" finds no sign-in on the screen", "the device has its user, or the switch is off")
			return p.end(ctx, ExpectHidden, "")
		}
	case signin.Ready:
		return p.press(ctx, signin.Start, nil)
	case signin.Waiting:
		return p.browse(ctx, screen)
	case signin.Number, signin.Password, signin.PIN:
		if screen.Code != "" {
			return p.refused(ctx, screen.Code, screen.Message, signin.Cancel)
		}
		fields, err := p.fill(screen)
		if err != nil {
			return err
		}
		return p.press(ctx, signin.Submit, fields)
	case signin.Done:
		p.told.good(StepAccount, "the account "+screen.Account+" is "+p.Name+"'s", "")
		return p.end(ctx, ExpectDone, signin.Close)
	case signin.Failed:
		return p.refused(ctx, screen.Code, screen.Message, signin.Close)
	}
	return nil
}

func (p *person) press(ctx context.Context, name signin.ActionName, fields map[string]string) error {
	return p.shown.Act(ctx, signin.Action{Name: name, Fields: fields})
}

// end notes how it ended, and leaves the screen by a button, if one is named.
func (p *person) end(ctx context.Context, outcome string, by signin.ActionName) error {
	p.outcome = outcome
	if by == "" {
		return errEnded
	}
	return errors.Join(errEnded, p.press(ctx, by, nil))
}

func (p *person) refused(ctx context.Context, code api.Code, message string, by signin.ActionName) error {
	p.told.note(StepSignIn, fmt.Sprintf("%s is refused: %s", p.Name, code), message)
	return p.end(ctx, string(code), by)
}

// browse signs in on the directory's pages, as on a phone.
func (p *person) browse(ctx context.Context, screen *signin.Screen) error {
	e, err := p.employee()
	if err != nil {
		return err
	}
	at, err := p.enrollment()
	if err != nil {
		return err
	}
	p.number, err = e.SignIn(ctx, at.Directory, screen.QR)
	var refused *employee.PageError
	switch {
	case errors.As(err, &refused):
		return p.refused(ctx, refused.Code, refused.Text, signin.Cancel)
	case err != nil:
		return err
	}
	p.password = e.Password
	return p.keepAuthenticator(e.Secret)
}

// employee is who they are to the directory.
func (p *person) employee() (*employee.Employee, error) {
	e := &employee.Employee{Name: p.Name, Saw: func(title, device string) {
		p.told.good(StepPages, fmt.Sprintf("%s's phone shows %q", p.Name, title), device)
	}}
	password, err := p.Password.Resolve(nil)
	if err != nil {
		return nil, err
	}
	e.Password = password.Reveal()
	if !p.NewPassword.IsZero() {
		if password, err = p.NewPassword.Resolve(nil); err != nil {
			return nil, err
		}
		e.NewPassword = password.Reveal()
	}
	if p.Authenticator == "" {
		return e, nil
	}
	secret, err := config.SecretSource{File: p.Authenticator}.Named(p.Name + "'s authenticator").Resolve(nil)
	if errors.Is(err, fs.ErrNotExist) {
		return e, nil // the pages are to set it up
	}
	e.Secret = secret.Reveal()
	return e, err
}

// keepAuthenticator writes down what an authenticator app would keep.
func (p *person) keepAuthenticator(secret string) error {
	if p.Authenticator == "" || secret == "" {
		return nil
	}
	_, err := os.Stat(string(p.Authenticator))
	if errors.Is(err, fs.ErrNotExist) {
		return atomicfile.WriteFile(string(p.Authenticator), []byte(secret+"\n"), 0o600)
	}
	return err
}

// fill types what the screen asks for.
func (p *person) fill(screen *signin.Screen) (map[string]string, error) {
	fields := make(map[string]string)
	for _, f := range screen.Fields {
		fields[f.Name] = p.password
		source := config.SecretSource{}
		switch f.Name {
		case signin.FieldNumber:
			fields[f.Name] = p.number
		case signin.FieldPIN, signin.FieldPINAgain:
			source = p.PIN
		default:
			source = p.DevicePassword // else that of the directory
		}
		if source.IsZero() {
			continue
		}
		secret, err := source.Resolve(nil)
		if err != nil {
			return nil, err
		}
		fields[f.Name] = secret.Reveal()
	}
	return fields, nil
}

// tellScreen tells what the device shows, but nothing that is typed.
func (m *Machine) tellScreen(s *signin.Screen) {
	if s.State == signin.Hidden {
		return
	}
	detail := s.Message
	if s.State == signin.Waiting {
		detail = s.URI + ", code " + s.UserCode
	}
	m.told.good(StepSignIn, fmt.Sprintf("the screen shows %q", s.Title), detail)
}
