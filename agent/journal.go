package agent

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"

	"firstday.dev/agent/eventid"
)

// recordWriter is a system log that takes finished lines.
type recordWriter interface {
	writeRecord(level slog.Level, id eventid.ID, text string) error
}

// textJournal turns records into lines for a system log, which adds time,
// level and source itself.
type textJournal struct {
	slog.Handler // writes into line
	line         *journalLine
}

type journalLine struct {
	mu  sync.Mutex
	buf bytes.Buffer
	out recordWriter
}

func newTextJournal(out recordWriter) slog.Handler {
	line := &journalLine{out: out}
	opts := &slog.HandlerOptions{Level: LevelNotice, ReplaceAttr: func(groups []string, a slog.Attr) slog.Attr {
		if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == slog.LevelKey) {
			return slog.Attr{}
		}
		return a
	}}
	return textJournal{slog.NewTextHandler(&line.buf, opts), line}
}

func (j textJournal) Handle(ctx context.Context, r slog.Record) error {
	j.line.mu.Lock()
	defer j.line.mu.Unlock()
	j.line.buf.Reset()
	if err := j.Handler.Handle(ctx, r); err != nil {
		return err
	}
	return j.line.out.writeRecord(r.Level, eventid.Of(r), strings.TrimSpace(j.line.buf.String()))
}

func (j textJournal) WithAttrs(attrs []slog.Attr) slog.Handler {
	return textJournal{j.Handler.WithAttrs(attrs), j.line}
}

func (j textJournal) WithGroup(name string) slog.Handler {
	return textJournal{j.Handler.WithGroup(name), j.line}
}
