// Package agent is the device's side of Firstday: it installs itself from a
// provisioning package as a system service, runs the package's further
// installers, enrols with the organisation's directory and hears from it what
// changes, says how it is doing, and removes itself without a trace.
//
// What differs between operating systems sits behind [System].
package agent

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"path/filepath"
	"time"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// ServiceName is the service's name in the Windows service control manager
// and the event log, and the base name of the systemd unit.
const ServiceName = "firstday-agent"

var (
	// ErrEnrollment: the enrollment file, or a file it lists, is missing,
	// damaged, unsafe or not for this build.
	ErrEnrollment = errors.New("package is not usable")
	// ErrArchitecture: the package carries no agent for this machine.
	ErrArchitecture = errors.New("package carries no agent for this machine")
	// ErrDowngrade: a newer agent is installed than the package carries.
	ErrDowngrade = errors.New("a newer agent is installed")
	// ErrBusy: another installation holds the lock.
	ErrBusy = errors.New("another installation is at work")
	// ErrPayload: the agent is installed, but a further installer did not
	// succeed.
	ErrPayload = errors.New("a payload did not succeed")
	// ErrNotInstalled: there is no agent on this device.
	ErrNotInstalled = errors.New("the agent is not installed")
	// ErrUnsupported: this operating system cannot do that.
	ErrUnsupported = errors.New("not supported on this system")
)

// Agent is one device's agent. The zero value of every field but System
// works.
type Agent struct {
	System  System
	Version string    // of this program, semantic
	Console io.Writer // gets a readable copy of the log; nil: nobody does

	// Random gives the jitter, uniform in [0,1). nil: math/rand/v2.
	Random func() float64

	// SignIn is told the sign-in that the service offers, for a surface in the
	// same process. nil: nobody is.
	SignIn func(*signin.Machine)

	// Pack writes what a surface logs an account on with, see [signin.Machine].
	// nil: what the system takes; where no surface of ours logs anybody on, that
	// is nothing, and nobody is asked for a PIN.
	Pack func(account string, password []byte) ([]byte, error)

	// InstallLimit bounds a whole installation. Windows gives all commands of
	// a package 30 minutes in the out-of-box experience (formats/ppkg.md §4);
	// what is not finished by the limit is left to the service.
	InstallLimit time.Duration // 0: 25 minutes
	// PayloadLimit bounds one payload, over all attempts to wait for it.
	PayloadLimit time.Duration // 0: 60 minutes
	// StartLimit bounds the wait for a freshly started service to report.
	StartLimit time.Duration // 0: 60 seconds

	// entered is told each phase before its work and once more after it, so
	// that tests can end the process there.
	entered func(Phase, moment)

	logger *slog.Logger

	// sessions says that somebody's session began or ended; console says the same
	// to the keeper of the sign-in window. nil: nobody tells.
	sessions, console <-chan struct{}

	// lockPatience shortens the wait for another installation in tests.
	lockPatience time.Duration

	// resumePause shortens the wait between two looks in tests.
	resumePause time.Duration

	// tilePause shortens the wait between two looks at the tile in tests.
	tilePause time.Duration

	// loginPause shortens the wait between two looks at the login window in tests.
	loginPause time.Duration

	// dial takes the place of dialDirectory in tests.
	dial func(api.Directory, func() (*tls.Certificate, error)) (directory, error)
}

type moment string

const (
	before moment = "before"
	after  moment = "after"
)

func (a *Agent) log() *slog.Logger {
	if a.logger == nil {
		return slog.New(slog.DiscardHandler)
	}
	return a.logger
}

// logging gives an agent that writes its log to path.
func (a *Agent) logging(ctx context.Context, path string) (*Agent, func() error) {
	folder := a.System.MakeFolder(filepath.Dir(path), AdminsOnly)
	logger, stop := openLog(a.System, path, a.Console)
	if folder != nil {
		logger.WarnContext(ctx, "the log has no folder", "error", folder)
	}
	b := *a
	b.logger = logger
	return &b, stop
}

func (a *Agent) installLimit() time.Duration { return or(a.InstallLimit, 25*time.Minute) }
func (a *Agent) payloadLimit() time.Duration { return or(a.PayloadLimit, time.Hour) }
func (a *Agent) startLimit() time.Duration   { return or(a.StartLimit, time.Minute) }

func or(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
