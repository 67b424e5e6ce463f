package wifi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// The programs of macOS that are run.
const (
	networksetup   = "/usr/sbin/networksetup"
	ipconfig       = "/usr/sbin/ipconfig"
	systemProfiler = "/usr/sbin/system_profiler"
)

// How long a program gets.
const (
	toolTime    = 8 * time.Second
	profileTime = 25 * time.Second // it scans, for two to five seconds mostly
)

// Commands runs programs.
type Commands interface {
	// Run gives what the program at a path wrote, within bounds. The error is that
	// of os/exec.
	Run(ctx context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error)
}

// tools is what can be done by macOS' programs.
type tools struct{ commands Commands }

func (t tools) run(ctx context.Context, limit time.Duration, path string, args ...string) (string, error) {
	stdout, stderr, err := t.runSecretly(ctx, limit, nil, path, args...)
	if line, _, _ := strings.Cut(strings.TrimSpace(stderr), "\n"); err != nil && line != "" {
		err = fmt.Errorf("%w: %.200q", err, line)
	}
	return stdout, err
}

// runSecretly is run with an error that quotes nothing of what the program said.
func (t tools) runSecretly(ctx context.Context, limit time.Duration, stdin []byte, path string, args ...string) (stdout, stderr string, err error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, errOut, err := t.commands.Run(ctx, stdin, path, args...)
	if err != nil {
		err = fmt.Errorf("%s %s: %w", path, args[0], err) // args[0] is what was asked; names come behind it
	}
	return string(out), string(errOut), err
}

func (t tools) ports(ctx context.Context) ([]port, error) {
	text, err := t.run(ctx, toolTime, networksetup, "-listallhardwareports")
	if err != nil {
		return nil, err
	}
	ports := readPorts(text)
	if len(ports) == 0 { // every Mac has some
		return nil, errors.New("networksetup lists no hardware")
	}
	return ports, nil
}

func (t tools) power(ctx context.Context, device string) (bool, error) {
	text, err := t.run(ctx, toolTime, networksetup, "-getairportpower", device)
	if err != nil {
		return false, err
	}
	return readPower(text, device)
}

// setPower says nothing about whether it was done.
func (t tools) setPower(ctx context.Context, device string, on bool) error {
	word := "off"
	if on {
		word = "on"
	}
	_, err := t.run(ctx, toolTime, networksetup, "-setairportpower", device, word)
	return err
}

func (t tools) saved(ctx context.Context, device string) ([]string, error) {
	text, err := t.run(ctx, toolTime, networksetup, "-listpreferredwirelessnetworks", device)
	if err != nil {
		return nil, err
	}
	return readSaved(text), nil
}

// current gives the name where networksetup knows it. It ends with an error if it
// does not, in some versions.
func (t tools) current(ctx context.Context, device string) string {
	text, _ := t.run(ctx, toolTime, networksetup, "-getairportnetwork", device)
	return readCurrent(text)
}

func (t tools) summary(ctx context.Context, device string) (summary, error) {
	text, err := t.run(ctx, toolTime, ipconfig, "getsummary", device)
	if err != nil {
		return summary{}, err
	}
	return readSummary(text), nil
}

func (t tools) scan(ctx context.Context, device string) ([]sighting, error) {
	text, err := t.run(ctx, profileTime, systemProfiler, "-json", "SPAirPortDataType")
	if err != nil {
		return nil, err
	}
	return readProfile([]byte(text), device)
}

// join gives networksetup the password on its standard input; without one it takes
// the keychain's.
func (t tools) join(ctx context.Context, device string, j Join, security Security) error {
	args := []string{"-setairportnetwork", device, j.Name}
	var stdin []byte
	if len(j.Password) > 0 {
		args = append(args, "-")
		stdin = append(bytes.Clone(j.Password), '\n')
		defer clear(stdin)
	}
	stdout, stderr, err := t.runSecretly(ctx, joinTime, stdin, networksetup, args...)
	if err != nil && ctx.Err() != nil {
		return err
	}
	// How it ends is not reliable, and where it ends badly it may still say why.
	text := strings.TrimSpace(stdout) + "\n" + strings.TrimSpace(stderr)
	if said := readJoin(withoutPassword(text, j.Password), j.Name, security); said != nil {
		return said
	}
	return err
}

// remember puts a network first among the saved ones, with its password in the
// System keychain.
func (t tools) remember(ctx context.Context, device string, j Join) error {
	stdin := append(bytes.Clone(j.Password), '\n')
	defer clear(stdin)
	_, _, err := t.runSecretly(ctx, toolTime, stdin, networksetup, "-addpreferredwirelessnetworkatindex", device, j.Name, "0", "WPA2", "-")
	return err
}

// forget takes a network off the saved ones.
func (t tools) forget(ctx context.Context, device, name string) error {
	_, err := t.run(ctx, toolTime, networksetup, "-removepreferredwirelessnetwork", device, name)
	return err
}

// withoutPassword takes care that what is logged cannot hold it, should a program
// say it back.
func withoutPassword(text string, password []byte) string {
	if len(password) == 0 {
		return text
	}
	return strings.ReplaceAll(text, string(password), "(password)")
}
