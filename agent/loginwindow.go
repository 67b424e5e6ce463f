package agent

import (
	"context"
	"time"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/preflight"
)

// LoginWindow is macOS' login window, and what of ours may stand in its place. What
// the authorization database holds of it, agent/authdb changes, by these commands.
type LoginWindow interface {
	authdb.Commands
	// Loadable gives nil if the files of the plug-in are in order.
	authdb.Plugin
	// Build is that of the running macOS, such as 25A354.
	Build() (string, error)
	// Seats tells who is at the screen, and who else is logged in.
	Seats() (Seats, error)
	// Awake is how long the system has been awake since it started: no clock that
	// is set, and no sleep, moves it.
	Awake() time.Duration
	// Restart ends the login window that waits, for launchd to start another one,
	// which reads the database. Nobody may be logged in: it may end their sessions.
	Restart(window string) error
	// Watched tells whether the second watchdog is in place, which does not need
	// the service.
	Watched() error
	// Key tells the installed plug-in apart from others.
	Key() (string, error)
	// Preflight has the plug-in looked at, which must be of the version, and loaded by
	// a process of its own. It
	// does not show the window.
	Preflight(ctx context.Context, version string) []preflight.Check
	// RemovePlugin removes the plug-in and what launchd starts beside the login
	// window. It must not be called as long as the database names it.
	RemovePlugin() error
}

// Seats says who sits at the device.
type Seats struct {
	// Window is the login window that waits for somebody, by a name that no other
	// one has; empty: there is none.
	Window string
	// People is how many are logged in, also those whose sessions wait.
	People int
	// Idle is how long nobody has touched keyboard and pointer, where a login window
	// waits.
	Idle time.Duration
}

// LoginAuthority is who keeps macOS' own login window there.
type LoginAuthority string

const (
	LoginByOrganisation  LoginAuthority = "organisation"  // its settings
	LoginByRing          LoginAuthority = "ring"          // this build of macOS is not among those it allows
	LoginByAdministrator LoginAuthority = "administrator" // of this Mac
	LoginByGuard         LoginAuthority = "guard"         // of the plug-in, until the next start of macOS
	LoginByInstaller     LoginAuthority = "installer"     // until it has ended
	LoginByWatchdog      LoginAuthority = "watchdog"      // the service's
	LoginByWatch         LoginAuthority = "login-watch"   // the second one
	LoginByOther         LoginAuthority = "other"         // another product, or somebody by hand
	LoginByPreflight     LoginAuthority = "preflight"     // something is not in order
)

// LoginWindowState is in what state our login window is.
type LoginWindowState string

const (
	// LoginWindowNone: there is no plug-in on this Mac.
	LoginWindowNone LoginWindowState = "none"
	// LoginWindowOff: macOS' own is there, and stays.
	LoginWindowOff LoginWindowState = "off"
	// LoginWindowPending: macOS' own is there; ours comes as soon as it may.
	LoginWindowPending LoginWindowState = "pending"
	// LoginWindowOn: the next login window is ours.
	LoginWindowOn LoginWindowState = "on"
)

// LoginWindowStatus is how our login window is doing.
type LoginWindowStatus struct {
	State  LoginWindowState `json:"state"`
	By     LoginAuthority   `json:"by,omitempty"`     // who keeps it off
	Reason string           `json:"reason,omitempty"` // why
	Since  time.Time        `json:"since,omitzero"`   // somebody has switched it off
	Build  string           `json:"build,omitempty"`  // of macOS
	Shows  authdb.State     `json:"shows,omitempty"`  // whose window the database names
	Window string           `json:"window,omitempty"` // its mechanism
	Misses int              `json:"misses"`           // how often ours did not come up on this build; two are too many
	Hello  time.Time        `json:"hello,omitzero"`   // the plug-in last spoke with the service
}

// Problem says in one sentence why our login window is not there though it should
// be; nothing if all is well, or the organisation does not want it.
func (s *LoginWindowStatus) Problem() string {
	if s.State != LoginWindowOff {
		return ""
	}
	switch s.By {
	case LoginByOrganisation, LoginByInstaller:
		return ""
	case LoginByRing:
		return "macOS shows its own login window: " + s.Reason
	case LoginByAdministrator:
		if s.Reason == "" {
			return "an administrator of this Mac has switched off our login window"
		}
		return "an administrator of this Mac has switched off our login window: " + s.Reason
	default:
		return "our login window is off: " + s.Reason
	}
}

// Faulty tells that nobody meant it to be so.
func (s *LoginWindowStatus) Faulty() bool {
	if s.State != LoginWindowOff {
		return false
	}
	switch s.By {
	case LoginByOrganisation, LoginByInstaller, LoginByRing, LoginByAdministrator, LoginByGuard: // whom people ask, too
		return false
	}
	return true
}
