// Package eventid numbers what an administrator looks for in a device's own log:
// the ids of Windows' event log, where the source is Firstday. Whatever has no
// number of its own is logged by its level.
package eventid

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Notice is for the milestones of a device's life. From here up, records also go
// to the system's own log: the Windows event log or syslog.
const Notice = slog.Level(2)

// ID is the number of an event. One that was given never means something else.
type ID uint32

// Windows has texts for the ids from 1 to 1000 of sources like ours.
const (
	OtherNotice  ID = 1
	OtherWarning ID = 2
	OtherError   ID = 3

	Installed ID = 100
	Enrolled  ID = 101

	TileRegistered   ID = 110
	TileUnregistered ID = 111
	TileBroken       ID = 112
	TileFault        ID = 113
	TileDisabled     ID = 120
	TileSwitchedOff  ID = 121
	TileSwitchedOn   ID = 122

	SignedIn      ID = 130
	AccountMade   ID = 131
	AccountClosed ID = 132
	AccountOpened ID = 133

	LoginWindowOn     ID = 150
	LoginWindowOff    ID = 151
	LoginWindowBroken ID = 152
	LoginWindowMissed ID = 153
)

// Entry says what an event is.
type Entry struct {
	ID      ID
	Level   slog.Level
	Meaning string
	Remedy  string
}

// Table has all events.
var Table = []Entry{
	{OtherNotice, Notice, "Something else went well; the text says what.", ""},
	{OtherWarning, slog.LevelWarn, "Something else needs attention; the text says what.", ""},
	{OtherError, slog.LevelError, "Something else failed; the text says what.", ""},
	{Installed, Notice, "The agent was installed or upgraded.", ""},
	{Enrolled, Notice, "The directory has taken the device.", ""},
	{TileRegistered, Notice, "Windows knows the tile now, and loads it from the file in the text.", ""},
	{TileUnregistered, Notice, "Windows does not know the tile any more: the package carries none.", ""},
	{TileBroken, slog.LevelWarn, "There is no tile though there should be: its file or its registration is missing, or is another one.",
		"If nobody removed it on purpose, apply the package again, or `firstday-agent tile on` where only the registration is missing."},
	{TileFault, slog.LevelWarn, "LogonUI has crashed in the tile. After three times the tile is disabled.", "Report it, with `firstday-agent diagnose`."},
	{TileDisabled, slog.LevelError, "The watchdog has disabled the tile: LogonUI crashed with it three times.",
		"Report it, with `firstday-agent diagnose`. A package with another version enables it; so does `firstday-agent tile on`."},
	{TileSwitchedOff, slog.LevelWarn, "The tile is switched off: by an administrator, by Windows' own switch or by a policy. The agent leaves it so.", "If that is a mistake, undo it; `firstday-agent tile status` says how it was done."},
	{TileSwitchedOn, Notice, "The tile, which was off or broken, is on again.", ""},
	{SignedIn, Notice, "Somebody has signed in at the sign-in screen; the text names the account.", ""},
	{AccountMade, Notice, "An account was made for a user of the directory.", ""},
	{AccountClosed, Notice, "An account was closed: its user may not sign in on this device any more.", ""},
	{AccountOpened, slog.LevelWarn, "An account that had been closed was opened again.", ""},
	{LoginWindowOn, Notice, "The next login window of this Mac is ours.", ""},
	{LoginWindowOff, slog.LevelWarn, "The next login window of this Mac is macOS' own: by the organisation, by an administrator, because of the build of macOS, or because the plug-in gave up. The agent leaves it so.", "If that is a mistake, undo it; `firstday-agent login-window status` says who did it."},
	{LoginWindowBroken, slog.LevelWarn, "The next login window of this Mac is macOS' own, though the organisation wants ours.", "`firstday-agent login-window doctor` says what is not in order."},
	{LoginWindowMissed, slog.LevelError, "Our login window did not come up, or was taken away. macOS' own is there; after two times on one build of macOS it stays.", "Report it, with `firstday-agent diagnose`. Another build of macOS is another chance; so is `firstday-agent login-window on`."},
}

// key is the attribute that carries an id.
const key = "event"

// Log logs an event at its level.
func (id ID) Log(ctx context.Context, l *slog.Logger, msg string, args ...any) {
	for _, e := range Table {
		if e.ID == id {
			l.Log(ctx, e.Level, msg, append([]any{key, id}, args...)...)
		}
	}
}

// Of gives the id of a record.
func Of(r slog.Record) ID {
	id := OtherNotice
	switch {
	case r.Level >= slog.LevelError:
		id = OtherError
	case r.Level >= slog.LevelWarn:
		id = OtherWarning
	}
	r.Attrs(func(a slog.Attr) bool {
		own, is := a.Value.Any().(ID)
		if is && a.Key == key {
			id = own
		}
		return !is
	})
	return id
}

// Markdown renders the table for the documentation.
func Markdown() string {
	var b strings.Builder
	b.WriteString("| id | level | what it means | what to do |\n|---|---|---|---|\n")
	for _, e := range Table {
		level := "information"
		switch {
		case e.Level >= slog.LevelError:
			level = "error"
		case e.Level >= slog.LevelWarn:
			level = "warning"
		}
		fmt.Fprintf(&b, "| %d | %s | %s | %s |\n", e.ID, level, e.Meaning, e.Remedy)
	}
	return b.String()
}
