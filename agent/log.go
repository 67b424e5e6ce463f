package agent

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"sync"

	"firstday.dev/agent/eventid"
)

// LevelNotice is for the milestones of a device's life.
const LevelNotice = eventid.Notice

// maxLogSize bounds one log file, in bytes; one older file is kept beside it.
const maxLogSize = 1 << 20

// openLog opens a log in JSON lines at path that also feeds the system's own
// log. console, if not nil, gets a readable copy. None of them failing fails
// who writes to it: a full disk must not keep a laptop from its agent.
// Secrets never reach a log: they are api.Secret, which does not show itself,
// and payload arguments, which may hold some, are never logged.
func openLog(sys System, path string, console io.Writer) (*slog.Logger, func() error) {
	file := &rotating{path: path, max: maxLogSize}
	handlers := []slog.Handler{slog.NewJSONHandler(file, &slog.HandlerOptions{ReplaceAttr: nameLevel})}
	closers := []func() error{file.Close}
	if console != nil {
		handlers = append(handlers, slog.NewTextHandler(console, &slog.HandlerOptions{ReplaceAttr: nameLevel}))
	}
	// A device without a working system log keeps its own.
	if journal, stop, err := sys.Journal(); err == nil {
		handlers = append(handlers, fromNotice{journal})
		closers = append(closers, stop)
	}
	stop := func() error {
		var errs []error
		for _, c := range closers {
			errs = append(errs, c())
		}
		return errors.Join(errs...)
	}
	return slog.New(slog.NewMultiHandler(handlers...)), stop
}

// RecordFailure writes to the system's own log why an installation did not
// even begin: in the out-of-box experience nobody sees its output.
func (a *Agent) RecordFailure(ctx context.Context, failure error) error {
	journal, stop, err := a.System.Journal()
	if err != nil {
		return err
	}
	slog.New(journal).ErrorContext(ctx, "not installed", "error", failure)
	return stop()
}

func nameLevel(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && a.Key == slog.LevelKey && a.Value.Any() == LevelNotice {
		return slog.String(slog.LevelKey, "NOTICE")
	}
	return a
}

// fromNotice lets through what the system's own log should hold.
type fromNotice struct{ slog.Handler }

func (h fromNotice) Enabled(_ context.Context, l slog.Level) bool { return l >= LevelNotice }

func (h fromNotice) WithAttrs(attrs []slog.Attr) slog.Handler {
	return fromNotice{h.Handler.WithAttrs(attrs)}
}

func (h fromNotice) WithGroup(name string) slog.Handler {
	return fromNotice{h.Handler.WithGroup(name)}
}

// rotating is a file that, once full, becomes path.1 and begins anew. It is
// opened by the first write, and by the next one where that failed. It must be
// a file's only writer.
type rotating struct {
	path string
	max  int64

	mu   sync.Mutex
	file *os.File
	size int64
}

func (r *rotating) open() error {
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	r.file, r.size = f, info.Size()
	return nil
}

func (r *rotating) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		if err := r.open(); err != nil {
			return 0, err
		}
	}
	if r.size > 0 && r.size+int64(len(p)) > r.max {
		if err := r.rotate(); err != nil {
			return 0, err
		}
	}
	n, err := r.file.Write(p)
	r.size += int64(n)
	return n, err
}

func (r *rotating) rotate() error {
	err := r.file.Close()
	r.file = nil
	if err != nil {
		return err
	}
	if err := os.Rename(r.path, r.path+".1"); err != nil {
		// Somebody reads the older file. Bounded comes before complete.
		if err := os.Truncate(r.path, 0); err != nil {
			return err
		}
	}
	return r.open()
}

func (r *rotating) Close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.file == nil {
		return nil
	}
	err := r.file.Close()
	r.file = nil
	return err
}
