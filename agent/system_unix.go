//go:build unix

package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"log/syslog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-tpm/tpm2/transport"
	"golang.org/x/sys/unix"

	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/eventid"
)

// unixSystem is what the systems without msiexec have in common.
type unixSystem struct {
	root   string // "" for the running system
	layout Layout
}

// newUnixSystem takes root, "" for the running system, by its absolute path.
func newUnixSystem(root string, layout Layout) (unixSystem, error) {
	if root != "" {
		abs, err := filepath.Abs(root)
		if err != nil {
			return unixSystem{}, err
		}
		root = abs
	}
	return unixSystem{root: root, layout: layout}, nil
}

func (s unixSystem) Layout() Layout {
	l := s.layout
	l.Program, l.Data, l.Surfaces = s.path(l.Program), s.path(l.Data), s.path(l.Surfaces)
	if l.LoginPlugin != "" {
		l.LoginPlugin = s.path(l.LoginPlugin)
	}
	return l
}

// path is where a file of the installed system lies for this process.
func (s unixSystem) path(name string) string { return filepath.Join(s.root, name) }

// installed is the reverse of path: the name by which the installed system
// will know the file.
func (s unixSystem) installed(path string) (string, error) {
	rel, err := filepath.Rel(filepath.Join(s.root, "/"), path)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is not below %s", path, s.root)
	}
	return "/" + rel, nil
}

func (s unixSystem) MakeFolder(dir string, readers Readers) error {
	mode := fs.FileMode(0o700)
	if readers == Everyone {
		mode = 0o755
	}
	if err := s.checkLinks(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	if err := os.Mkdir(dir, mode); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if int(st.Uid) != os.Geteuid() {
		return fmt.Errorf("%s belongs to user %d; remove it and try again", dir, st.Uid)
	}
	return os.Chmod(dir, mode) // not below the umask
}

// checkLinks refuses links among the folders below a root: on another volume
// they lead into the running system.
func (s unixSystem) checkLinks(dir string) error {
	for ; s.root != "" && len(dir) > len(s.root); dir = filepath.Dir(dir) {
		info, err := os.Lstat(dir)
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			return fmt.Errorf("%s is a link, which may lead out of %s", dir, s.root)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (s unixSystem) RemoveAll(path string) error { return os.RemoveAll(path) }

func (s unixSystem) Lock(ctx context.Context, file string) (func(remove bool) error, error) {
	var f *os.File
	err := lockPatiently(ctx, func() (ok bool, err error) {
		f, err = tryLock(file)
		return f != nil, err
	})
	if err != nil {
		return nil, err
	}
	return func(remove bool) error {
		if remove {
			return errors.Join(os.Remove(file), f.Close())
		}
		return f.Close()
	}, nil
}

// tryLock locks the file of that name; nil if somebody else has it. Who removes
// the file while others wait for it leaves them one that nobody else will see.
func tryLock(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return nil, err
	}
	err = unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) || errors.Is(err, unix.EINTR) {
		return nil, f.Close()
	}
	if err == nil {
		var ours, named os.FileInfo
		if ours, err = f.Stat(); err == nil {
			if named, err = os.Stat(file); err == nil && os.SameFile(ours, named) {
				return f, nil
			}
		}
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return nil, errors.Join(err, f.Close())
}

func (s unixSystem) Journal() (slog.Handler, func() error, error) {
	if s.root != "" {
		return nil, nil, ErrUnsupported
	}
	w, err := syslog.New(syslog.LOG_DAEMON|syslog.LOG_INFO, ServiceName)
	if err != nil {
		return nil, nil, err
	}
	return newTextJournal(syslogWriter{w}), w.Close, nil
}

type syslogWriter struct{ *syslog.Writer }

func (w syslogWriter) writeRecord(l slog.Level, _ eventid.ID, text string) error {
	switch {
	case l >= slog.LevelError:
		return w.Err(text)
	case l >= slog.LevelWarn:
		return w.Warning(text)
	default:
		return w.Notice(text)
	}
}

// Tile: the sign-in screens of these systems load no credential providers.
func (unixSystem) Tile() Tile { return nil }

// LoginWindow is macOS' only.
func (unixSystem) LoginWindow() LoginWindow { return nil }

// OpenTPM: this machine's is none of a system that does not run.
func (s unixSystem) OpenTPM() (transport.TPMCloser, error) {
	if s.root != "" {
		return nil, devicekey.ErrNoTPM
	}
	return devicekey.OpenTPM()
}

// Payloads are Windows installers so far.

func (s unixSystem) StartPayload(kind, path, arguments string) (Process, error) {
	return nil, fmt.Errorf("payload of kind %s: %w", kind, ErrUnsupported)
}

func (s unixSystem) FindProcess(ProcessID) (Process, error) { return nil, ErrNoProcess }

// tool runs one of the system's own programs and gives its output. What it
// says about an error goes into the error.
func tool(cmd *exec.Cmd) (string, error) {
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errOut
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("%s: %w: %s", strings.Join(cmd.Args, " "), err, firstLine(errOut.String()))
	}
	return out.String(), nil
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return line
}

// sameFile tells whether the file holds exactly these bytes.
func sameFile(path string, want []byte) (bool, error) {
	got, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return bytes.Equal(got, want), err
}

func removeFile(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
