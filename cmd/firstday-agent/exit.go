package main

import (
	"errors"
	"io/fs"

	"firstday.dev/agent"
	"firstday.dev/agent/local"
	"firstday.dev/agent/terminal"
	"firstday.dev/agent/webview"
	"firstday.dev/api"
)

// The exit codes. 0 and 3010 are what a package expects of its command
// (formats/ppkg.md §4). Unix keeps only the lowest eight bits of a code, but
// nothing there asks for a restart.
const (
	exitOK           = 0
	exitFailure      = 1
	exitUsage        = 2
	exitEnrollment   = 3
	exitArchitecture = 4
	exitPermission   = 5
	exitDowngrade    = 6
	exitBusy         = 7
	exitPayload      = 8
	exitNotEnrolled  = 10
	exitFaulty       = 11
	exitNotInstalled = 12
	exitNotOffered   = 13
	exitNoTile       = 14

	exitNoLoginWindow = 15

	exitReboot = 3010
)

const exitCodesHelp = `Exit codes:
     0  done; status: healthy
     1  another failure, of the system for instance
     2  wrong usage
     3  the package is damaged, incomplete or unsafe
     4  the package carries no agent for this machine
     5  administrator rights are missing
     6  a newer agent is installed
     7  another installation is at work
     8  the agent runs, but another installer in the package did not succeed,
        whether or not one asks for a restart
    10  status: the agent runs, but the device is not enrolled
    11  status: something is wrong on this device
    12  status, signin, tile, login-window: the agent is not installed
    13  signin: nobody can sign in on this device
    14  tile: the sign-in screen has no tile, and the output says why
    15  login-window: the next login window is macOS' own, or something is not in
        order; the output says why
  3010  installed; an installer in the package asks for a restart`

type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

// answer is an exit code that is no error: the output has said it all.
type answer int

func (answer) Error() string { return "see the output" }

func isAnswer(err error) bool {
	var a answer
	return errors.As(err, &a)
}

func exitCode(err error) int {
	var a answer
	var f webview.FailureError // nobody starts what ends with it but the service
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &a):
		return int(a)
	case errors.As(err, &f):
		return int(f)
	case errors.As(err, new(usageError)):
		return exitUsage
	case errors.Is(err, agent.ErrEnrollment):
		return exitEnrollment
	case errors.Is(err, agent.ErrArchitecture):
		return exitArchitecture
	case errors.Is(err, agent.ErrDowngrade):
		return exitDowngrade
	case errors.Is(err, agent.ErrBusy):
		return exitBusy
	case errors.Is(err, agent.ErrPayload):
		return exitPayload
	case errors.Is(err, agent.ErrNotInstalled):
		return exitNotInstalled
	case errors.As(err, new(*terminal.NotOfferedError)):
		return exitNotOffered
	case errors.Is(err, fs.ErrPermission):
		return exitPermission
	default:
		return exitFailure
	}
}

// hint gives the way on, where there is one.
func hint(err error) string {
	switch exitCode(err) {
	case exitEnrollment:
		return "run install where the package's files lie, all of them unchanged; otherwise build the package anew"
	case exitArchitecture:
		return "build the package with an agent for this architecture"
	case exitPermission:
		return "run it as administrator, or with sudo"
	case exitDowngrade:
		return "install --force replaces it all the same"
	case exitBusy:
		return "wait for it to end, then try again"
	case exitPayload:
		return "'firstday-agent status' tells which; the installer's own log may tell why"
	case exitNotInstalled:
		return "apply the organisation's provisioning package"
	case exitNotOffered:
		return remedy(err)
	}
	if errors.Is(err, errNoService) || errors.Is(err, local.ErrClosed) {
		return "'firstday-agent status' tells how the service is doing"
	}
	return ""
}

// remedy is what to do where nobody can sign in.
func remedy(err error) string {
	var n *terminal.NotOfferedError
	if !errors.As(err, &n) || n.Why == "" {
		return "'firstday-agent status' tells how the service is doing"
	}
	return api.Explain(n.Why).Remedy
}
