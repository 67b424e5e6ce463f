package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"firstday.dev/api"
)

// MaxSecretSize bounds a secret, in bytes: connect keys and passwords are
// short, and a larger file is the wrong file.
const MaxSecretSize = 4096

// SecretSource is where a secret comes from: exactly one of a file, an
// environment variable and a question to the person at the terminal. The
// secret itself never stands in firstday.yaml, which people commit and mail.
type SecretSource struct {
	// File that holds the secret and nothing else; one line break at its end does not count.
	File Path `yaml:"file"`
	// Environment variable that holds the secret.
	Env string `yaml:"env"`
	// Ask for the secret when the package is built.
	Prompt bool `yaml:"prompt"`

	label string
	path  string // in the file, such as windows.wifi[0].password
}

// Errors of secrets. They are wrapped with the secret's [SecretSource.Label],
// its source and its place in the file, never with anything of the secret.
var (
	// ErrNoSecret means that the source has no secret to give.
	ErrNoSecret = errors.New("no secret there")
	// ErrBadSecret means that what the source gives cannot be the secret.
	ErrBadSecret = errors.New("unusable secret")
)

// Label says which secret this is, for a prompt: "connect key".
func (s SecretSource) Label() string {
	if s.label == "" {
		return "secret"
	}
	return s.label
}

// Named gives the source with that label.
func (s SecretSource) Named(label string) SecretSource {
	s.label = label
	return s
}

// IsZero says whether no source is given.
func (s SecretSource) IsZero() bool { return s.File == "" && s.Env == "" && !s.Prompt }

// Resolve reads the secret, one line of text. It calls prompt only for a source
// that asks; prompt may be nil where nobody can be asked.
func (s SecretSource) Resolve(prompt func(label string) ([]byte, error)) (api.Secret, error) {
	value, err := s.read(prompt)
	if err != nil {
		return "", fmt.Errorf("reading %s: %w", s.Label(), err)
	}
	value = trimLineBreak(value)
	switch {
	case len(value) == 0:
		return "", fmt.Errorf("reading %s: %s is empty: %w", s.Label(), s.where(), ErrNoSecret)
	case len(value) > MaxSecretSize:
		return "", s.bad("has more than %d bytes", MaxSecretSize)
	case !utf8.Valid(value) || bytes.IndexByte(value, 0) >= 0:
		return "", s.bad("is not text")
	case bytes.HasPrefix(value, []byte("\ufeff")):
		return "", s.bad("begins with a byte order mark, which would be part of the secret")
	case bytes.ContainsAny(value, "\r\n"):
		return "", s.bad("has more than one line")
	}
	return api.Secret(value), nil
}

// bad says why what the source gives cannot be the secret.
func (s SecretSource) bad(format string, args ...any) error {
	return fmt.Errorf("reading %s: %s %s: %w", s.Label(), s.where(), fmt.Sprintf(format, args...), ErrBadSecret)
}

// where names the source and its place in the file.
func (s SecretSource) where() string {
	if s.path == "" {
		return s.String()
	}
	return s.String() + " (" + s.path + ")"
}

func (s SecretSource) read(prompt func(label string) ([]byte, error)) ([]byte, error) {
	switch {
	case s.File != "":
		value, err := readFile(s.File, MaxSecretSize+2) // room for a line break
		if errors.Is(err, errUnsuitable) {
			err = fmt.Errorf("%s %w: %w", s.where(), err, ErrBadSecret)
		}
		return value, err
	case s.Env != "":
		value, ok := os.LookupEnv(s.Env)
		if !ok {
			return nil, fmt.Errorf("%s is not set: %w", s.where(), ErrNoSecret)
		}
		return []byte(value), nil
	case s.Prompt && prompt == nil:
		return nil, fmt.Errorf("there is no terminal to ask at: %w", ErrNoSecret)
	case s.Prompt:
		return prompt(s.Label())
	}
	return nil, fmt.Errorf("no source given: %w", ErrNoSecret)
}

// String names the source, never the secret.
func (s SecretSource) String() string {
	switch {
	case s.File != "":
		return "file " + string(s.File)
	case s.Env != "":
		return "environment variable " + s.Env
	case s.Prompt:
		return "prompt"
	}
	return "no source"
}

// OpenToOthers says whether the secret is in a file that everybody on this
// machine may read. Where files have no such permissions (Windows), it is
// always false.
func (s SecretSource) OpenToOthers() bool {
	if s.File == "" {
		return false
	}
	info, err := os.Stat(string(s.File))
	return err == nil && openToOthers(info)
}

func trimLineBreak(b []byte) []byte {
	b = bytes.TrimSuffix(b, []byte("\n"))
	return bytes.TrimSuffix(b, []byte("\r"))
}

// check reports a source that is not exactly one. What is written there may be
// the secret itself, by mistake.
func (s *SecretSource) check(r *report, path string) {
	s.path = path
	given := 0
	for _, key := range []string{"file", "env", "prompt"} {
		if _, ok := r.places[child(path, key)]; ok {
			given++
		}
	}
	switch {
	case given == 0:
		r.secretf(path, "give one of file, env and prompt", "%s does not say where the secret is", lastKey(path))
	case given > 1:
		r.secretf(path, "keep one of them", "%s has more than one source", lastKey(path))
	}
	if r.has(child(path, "prompt")) && !s.Prompt {
		r.secretf(child(path, "prompt"), "write prompt: true, or leave it out", "prompt is false")
	}
	if r.has(child(path, "env")) && !isEnvName(s.Env) {
		r.secretf(child(path, "env"), "for example: FIRSTDAY_CONNECT_KEY; the secret itself never stands in this file", "env is not the name of an environment variable")
	}
}

// open reports a source's file that cannot be used. Variables are looked up
// only when the secret is needed: they may not be set yet.
func (s SecretSource) open(r *report, path string) {
	if s.File == "" {
		return
	}
	path = child(path, "file")
	info, err := os.Stat(string(s.File))
	switch {
	case err != nil:
		r.unreadable(path, s.File, err)
	case !info.Mode().IsRegular():
		r.errorf(path, "", "%s %s", s.File, notRegular(info))
	case info.Size() == 0:
		r.errorf(path, "", "%s is empty", s.File)
	case info.Size() > MaxSecretSize+2:
		r.errorf(path, "a secret is short; is this the right file?", "%s has %d bytes; at most %d are read", s.File, info.Size(), MaxSecretSize)
	case openToOthers(info):
		r.warnf(path, "chmod 600 "+string(s.File), "everybody on this machine can read %s", s.File)
	}
}

func isEnvName(s string) bool {
	if s == "" || len(s) > 255 || s[0] >= '0' && s[0] <= '9' {
		return false
	}
	return strings.Trim(s, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

// errUnsuitable is the error of readFile for what is there and no file to read.
var errUnsuitable = errors.New("unsuitable file")

// unsuitable says why a file cannot be read, and is errUnsuitable.
type unsuitable string

func (u unsuitable) Error() string        { return string(u) }
func (u unsuitable) Is(target error) bool { return target == errUnsuitable }

// readFile reads a regular file of at most limit bytes. Devices and pipes are
// refused before they are opened: even that may never end.
func readFile(name Path, limit int64) ([]byte, error) {
	info, err := os.Stat(string(name))
	if err != nil {
		return nil, err
	}
	if why := notRegular(info); why != "" {
		return nil, unsuitable(why)
	}
	f, err := os.Open(string(name))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err != nil {
		return nil, err
	}
	if int64(len(data)) > limit {
		return nil, unsuitable(fmt.Sprintf("has more than %d bytes", limit))
	}
	return data, nil
}

// notRegular says what something is that is not a file, or "".
func notRegular(info fs.FileInfo) string {
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return ""
	case mode.IsDir():
		return "is not a file but a folder"
	case mode&fs.ModeNamedPipe != 0:
		return "is not a file but a pipe"
	}
	return "is not a file but a device"
}

// unreadable reports that the file named at path could not be read.
func (r *report) unreadable(path string, name Path, err error) {
	var failed *fs.PathError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.errorf(path, "paths are relative to the folder of this file", "%s does not exist", name)
	case errors.As(err, &failed):
		r.errorf(path, "", "%s cannot be read: %v", name, failed.Err)
	case errors.Is(err, errUnsuitable):
		r.errorf(path, "is this the right file?", "%s %v", name, err)
	default:
		r.errorf(path, "", "%v", err)
	}
}
