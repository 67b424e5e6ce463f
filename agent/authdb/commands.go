package authdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The programs of macOS that are run.
const (
	security = "/usr/bin/security"
	plutil   = "/usr/bin/plutil"
	swVers   = "/usr/bin/sw_vers"
)

// patience is what a program gets. authd answers in milliseconds.
const patience = 20 * time.Second

// Commands runs programs.
type Commands interface {
	// Run gives what the program at a path wrote. The error is that of os/exec.
	Run(ctx context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error)
	// Root tells whether they run as root.
	Root() bool
}

// ErrRefused: authd said no.
var ErrRefused = errors.New("the authorization database refuses")

// StatusError is an [ErrRefused] with the status that authd gave.
type StatusError struct{ Status int }

func (e *StatusError) Error() string {
	text := fmt.Sprintf("%v: status %d", ErrRefused, e.Status)
	if meaning := meanings[e.Status]; meaning != "" {
		text += ", " + meaning
	}
	return text
}

// Unwrap makes it an [ErrRefused].
func (e *StatusError) Unwrap() error { return ErrRefused }

// meanings are those of Authorization.h.
var meanings = map[int]string{
	-60005: "denied, or there is no such right",
	-60006: "cancelled",
	-60007: "somebody would have to be asked",
	-60008: "authd failed",
}

func (d *Database) run(ctx context.Context, stdin []byte, path string, args ...string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	stdout, stderr, err := d.commands.Run(ctx, stdin, path, args...)
	if err == nil {
		return stdout, nil
	}
	line, _, _ := bytes.Cut(bytes.TrimSpace(stderr), []byte("\n"))
	if m := statusLine.FindSubmatch(line); m != nil && string(m[1]) == "NO" {
		status, _ := strconv.Atoi(string(m[2])) // ten digits
		err = &StatusError{status}
	} else if len(line) > 0 {
		err = fmt.Errorf("%w: %.200q", err, line)
	}
	return nil, fmt.Errorf("%s %s: %w", path, strings.Join(args, " "), err)
}

// Read gives what the database holds now.
func (d *Database) Read(ctx context.Context) (*Definition, error) {
	_, def, err := d.read(ctx)
	return def, err
}

func (d *Database) write(ctx context.Context, def *Definition) error {
	_, err := d.run(ctx, def.text, security, "authorizationdb", "write", right)
	return err
}
