package eventid_test

import (
	"context"
	"flag"
	"log/slog"
	"os"
	"strings"
	"testing"

	"firstday.dev/agent/eventid"
)

var update = flag.Bool("update", false, "rewrite the documentation")

// last keeps the last record.
type last struct {
	slog.Handler
	record *slog.Record
}

func (l last) Handle(_ context.Context, r slog.Record) error { *l.record = r; return nil }

func TestEveryEventHasItsNumber(t *testing.T) {
	var got slog.Record
	log := slog.New(last{slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}), &got})
	seen := make(map[eventid.ID]bool)
	for _, e := range eventid.Table {
		if seen[e.ID] || e.ID < 1 || e.ID > 1000 || e.Level < eventid.Notice || e.Meaning == "" || strings.ContainsAny(e.Meaning+e.Remedy, "|\n") {
			t.Errorf("%+v", e)
		}
		seen[e.ID] = true
		e.ID.Log(t.Context(), log, "text", "name", "value", "event", "of somebody else")
		if eventid.Of(got) != e.ID || got.Level != e.Level || got.Message != "text" {
			t.Errorf("%+v is logged as %d: %+v", e, eventid.Of(got), got)
		}
	}
	for level, want := range map[slog.Level]eventid.ID{
		slog.LevelInfo: eventid.OtherNotice, eventid.Notice: eventid.OtherNotice, slog.LevelWarn: eventid.OtherWarning, slog.LevelError: eventid.OtherError,
	} {
		log.Log(t.Context(), level, "text", "event", 110)
		if id := eventid.Of(got); id != want {
			t.Errorf("level %v has the id %d", level, id)
		}
	}
}

func TestDocumentsListTheEvents(t *testing.T) {
	const page, begin, end = "../../docs/windows-signin.md", "<!-- events -->\n", "<!-- end of events -->\n"
	data, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), begin)
	table, tail, ended := strings.Cut(rest, end)
	if !found || !ended {
		t.Fatalf("%s has no place for the table", page)
	}
	if *update {
		if err := os.WriteFile(page, []byte(head+begin+eventid.Markdown()+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if table != eventid.Markdown() {
		t.Errorf("%s is out of date: go test ./agent/eventid -update", page)
	}
}
