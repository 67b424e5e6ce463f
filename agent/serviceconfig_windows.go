package agent

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

const (
	displayName = "Firstday agent"
	description = "Enrols this device with its organisation and lets its owner sign in."

	// account is the most privileged one; it has no password.
	account = "LocalSystem"

	// After recoveryReset without a failure the delays begin anew.
	recoveryReset = 24 * 60 * 60 // seconds
)

var recovery = []mgr.RecoveryAction{
	{Type: mgr.ServiceRestart, Delay: 5 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 30 * time.Second},
	{Type: mgr.ServiceRestart, Delay: 2 * time.Minute},
}

// serviceCommand says "run" in plain words: svc.IsWindowsService only guesses,
// and under Wine it guesses wrong (platform/windows-signin.md §2, trap 3).
func serviceCommand(program string) string { return `"` + program + `" run` }

// Package mgr reads and writes a service's configuration as a whole, and fails
// as a whole where one setting is unknown, as it is to Wine. Here the settings
// that only make the service better may be missing.

// ifKnown forgives a setting this system does not know.
func ifKnown(err error) error {
	if errors.Is(err, windows.ERROR_INVALID_LEVEL) {
		return nil
	}
	return err
}

// configure makes the service's configuration what we want.
func configure(s *mgr.Service, program string) error {
	command, err := windows.UTF16PtrFromString(serviceCommand(program))
	if err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(displayName)
	if err != nil {
		return err
	}
	text, err := windows.UTF16PtrFromString(description)
	if err != nil {
		return err
	}
	user, err := windows.UTF16PtrFromString(account)
	if err != nil {
		return err
	}
	err = windows.ChangeServiceConfig(s.Handle, windows.SERVICE_WIN32_OWN_PROCESS, windows.SERVICE_AUTO_START,
		windows.SERVICE_ERROR_NORMAL, command, nil, nil, nil, user, new(uint16), name)
	if err != nil {
		return fmt.Errorf("changing the service: %w", err)
	}
	d := windows.SERVICE_DESCRIPTION{Description: text}
	if err := windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DESCRIPTION, (*byte)(unsafe.Pointer(&d))); err != nil {
		return fmt.Errorf("setting the description: %w", err)
	}
	// Not the two minutes later that services are started which can wait: somebody
	// may be in front of the sign-in screen.
	soon := windows.SERVICE_DELAYED_AUTO_START_INFO{IsDelayedAutoStartUp: 0}
	err = windows.ChangeServiceConfig2(s.Handle, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO, (*byte)(unsafe.Pointer(&soon)))
	if err := ifKnown(err); err != nil {
		return fmt.Errorf("setting when it starts: %w", err)
	}
	if err := ifKnown(s.SetRecoveryActions(recovery, recoveryReset)); err != nil {
		return fmt.Errorf("setting the recovery actions: %w", err)
	}
	// An exit with an error code is a failure too.
	if err := ifKnown(s.SetRecoveryActionsOnNonCrashFailures(true)); err != nil {
		return fmt.Errorf("setting the recovery flag: %w", err)
	}
	return nil
}

// isConfigured tells whether configure would change anything.
func isConfigured(s *mgr.Service, program string) (bool, error) {
	b, err := queryConfig(func(b *byte, size uint32, needed *uint32) error {
		return windows.QueryServiceConfig(s.Handle, (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(b)), size, needed)
	})
	if err != nil {
		return false, err
	}
	c := (*windows.QUERY_SERVICE_CONFIG)(unsafe.Pointer(&b[0]))
	if c.ServiceType != windows.SERVICE_WIN32_OWN_PROCESS || c.StartType != windows.SERVICE_AUTO_START ||
		c.ErrorControl != windows.SERVICE_ERROR_NORMAL ||
		windows.UTF16PtrToString(c.BinaryPathName) != serviceCommand(program) ||
		!strings.EqualFold(windows.UTF16PtrToString(c.ServiceStartName), account) ||
		windows.UTF16PtrToString(c.DisplayName) != displayName {
		return false, nil
	}
	b, err = queryConfig2(s, windows.SERVICE_CONFIG_DESCRIPTION)
	if err != nil {
		return false, err
	}
	if d := (*windows.SERVICE_DESCRIPTION)(unsafe.Pointer(&b[0])); windows.UTF16PtrToString(d.Description) != description {
		return false, nil
	}
	b, err = queryConfig2(s, windows.SERVICE_CONFIG_DELAYED_AUTO_START_INFO)
	if ifKnown(err) != nil {
		return false, err
	}
	if err == nil && (*windows.SERVICE_DELAYED_AUTO_START_INFO)(unsafe.Pointer(&b[0])).IsDelayedAutoStartUp != 0 {
		return false, nil
	}
	actions, err := s.RecoveryActions()
	if ifKnown(err) != nil {
		return false, err
	}
	if err == nil && !slices.Equal(actions, recovery) {
		return false, nil
	}
	errorsToo, err := s.RecoveryActionsOnNonCrashFailures()
	if err == nil {
		return errorsToo, nil
	}
	return true, ifKnown(err)
}

func queryConfig2(s *mgr.Service, level uint32) ([]byte, error) {
	return queryConfig(func(b *byte, size uint32, needed *uint32) error {
		return windows.QueryServiceConfig2(s.Handle, level, b, size, needed)
	})
}

// queryConfig asks with a buffer big enough for any answer, 8 KiB by the
// functions' own documentation.
func queryConfig(ask func(b *byte, size uint32, needed *uint32) error) ([]byte, error) {
	b := make([]byte, 8<<10)
	var needed uint32
	return b, ask(&b[0], uint32(len(b)), &needed)
}
