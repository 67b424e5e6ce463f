package agent

import (
	"context"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// helloPage is where Windows' settings let people choose a PIN of Windows Hello.
// No program can make one for them. Microsoft's list of such pages has only the one
// around it, ms-settings:signinoptions; a Windows that does not know this one shows
// its settings from the beginning.
const helloPage = "ms-settings:signinoptions-launchpinenrollment"

// session is somebody's, at the screen of this device.
type session struct {
	ID   uint32
	User string // the ID of their account
	// Ready: the desktop is there. Windows prepares a new account for minutes.
	Ready bool
}

// desktops are of a system whose people have sessions that a service can open
// something in.
type desktops interface {
	// Sessions are those that somebody has signed in to and that are not locked
	// away.
	Sessions() ([]session, error)
	// OpenPage opens the page for who has the session, as themselves.
	OpenPage(s session, uri string) error
	// HelloForbidden tells whether the system's own policy has no Windows Hello for
	// that account, or wants nobody to be led to it.
	HelloForbidden(user string) (bool, error)
}

// firstSessions is what is known of them.
type firstSessions interface {
	AwaitsFirstSession(id string) (bool, error)
	NoteFirstSession(id string) (first bool, err error)
}

// greeting is what to do about the sessions that there are: note is for those
// that begin, wait says that another will.
type greeting struct {
	note []session
	wait bool
}

// greet decides whom of the people with a session this is the first one.
func greet(sessions []session, known firstSessions) (g greeting, err error) {
	for _, s := range sessions {
		first, err := known.AwaitsFirstSession(s.User)
		switch {
		case err != nil:
			return greeting{}, err
		case first && s.Ready:
			g.note = append(g.note, s)
		case first:
			g.wait = true
		}
	}
	return g, nil
}

// leadsToHello tells whether to lead people to Windows Hello.
func leadsToHello(r *record) bool {
	return r != nil && r.Heard.State == api.DeviceActive && r.Heard.Settings.Hello == api.HelloOffered
}

// How often to look whether a new desktop is there, and for how long.
const (
	desktopPause    = 5 * time.Second
	desktopPatience = 30 * time.Minute
)

// watchSessions leads each user of a new account to Windows Hello, once, in their
// first session, where the settings say so. What it notes it notes before: who is
// not led there in time never is.
func (m *member) watchSessions(ctx context.Context, changed <-chan struct{}) {
	d, ok := m.System.(desktops)
	if !ok {
		return
	}
	until := time.Now().Add(desktopPatience) // somebody may be there already
	for {
		var again <-chan time.Time
		if m.greetAll(ctx, d) && time.Now().Before(until) {
			again = time.After(desktopPause)
		}
		select {
		case <-again:
		case <-changed:
			until = time.Now().Add(desktopPatience)
		case <-ctx.Done():
			return
		}
	}
}

// greetAll tells whether somebody's desktop is not there yet.
func (m *member) greetAll(ctx context.Context, d desktops) (wait bool) {
	sessions, err := d.Sessions()
	if err != nil {
		m.log().WarnContext(ctx, "who is signed in is not known", "error", err)
		return false
	}
	g, err := greet(sessions, m.accounts)
	if err != nil {
		m.log().WarnContext(ctx, "whose first session this is, is not known", "error", err)
		return false
	}
	for _, s := range g.note {
		first, err := m.accounts.NoteFirstSession(s.User)
		switch {
		case err != nil:
			m.log().WarnContext(ctx, "a first session was not noted", "error", err)
		case !first:
			g.wait = true // an account is being made
		default:
			m.leadToHello(ctx, d, s)
		}
	}
	return g.wait
}

func (m *member) leadToHello(ctx context.Context, d desktops, s session) {
	if !leadsToHello(m.current()) {
		return
	}
	forbidden, err := d.HelloForbidden(s.User)
	if err == nil && forbidden {
		m.log().InfoContext(ctx, "this device's policy has no Windows Hello", "account", s.User)
		return
	}
	if err == nil {
		err = d.OpenPage(s, helloPage)
	}
	if err != nil {
		m.log().WarnContext(ctx, "nobody was led to Windows Hello", "account", s.User, "error", err)
		return
	}
	m.log().InfoContext(ctx, "led to Windows Hello", "account", s.User)
}

var _ firstSessions = (*signin.Accounts)(nil)
