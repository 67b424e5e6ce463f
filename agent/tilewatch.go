package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"time"

	"firstday.dev/agent/eventid"
	"firstday.dev/api"
)

// How often the watchdog looks, and how soon again while an installation is at
// work.
const (
	tilePause    = time.Minute
	settlingTime = 5 * time.Second
)

// watchTile looks after the tile until the context ends, and tells how it is
// whenever that changes. It never makes anything again that somebody removed: it
// says so.
func (a *Agent) watchTile(ctx context.Context, e *api.Enrollment, tell func(*TileStatus)) {
	if a.System.Tile() == nil {
		return
	}
	file, err := a.ownFile(e)
	if err != nil {
		a.log().WarnContext(ctx, "the tile is not watched", "error", err)
		return
	}
	var last *TileStatus
	memory := new(unsaved[tileRecord])
	for {
		s, err := a.checkTile(ctx, file, memory)
		if err != nil {
			a.log().WarnContext(ctx, "the tile was not looked after", "error", err)
			s = &TileStatus{State: TileBroken, File: a.tileOf(file), Reason: "it cannot be looked after: " + err.Error()}
		}
		if last == nil || *s != *last {
			tell(s)
			last = s
		}
		if s.State == TileNone {
			return
		}
		wait := or(a.tilePause, tilePause)
		if s.State == TilePending {
			wait = min(wait, settlingTime)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// checkTile looks at the tile once, and does what is to be done about it.
func (a *Agent) checkTile(ctx context.Context, file api.AgentFile, memory *unsaved[tileRecord]) (*TileStatus, error) {
	path := a.System.Layout().Tile()
	record, err := readTileRecord(path)
	if err != nil {
		a.log().WarnContext(ctx, "what was known of the tile is lost", "error", err)
	}
	record = memory.recall(path, record)
	seen, err := a.seeTile(file, record.Last, a.settling())
	if err != nil {
		return nil, err
	}
	next, v := record.judge(*seen)
	if err := a.follow(ctx, v, file); err != nil {
		return nil, err
	}
	told := record.Told
	if v.State != TilePending && v.State != TileNone {
		next.Told = v.TileStatus
	}
	if !sameTileRecord(record, next) || memory.record != nil {
		err := next.write(path)
		if memory.keep(next, err) {
			a.log().WarnContext(ctx, "what is known of the tile was not written down", "error", err)
		}
	}
	if v.State != told.State || v.By != told.By || v.Reason != told.Reason {
		v.log(ctx, a, told)
	}
	return &v.TileStatus, nil
}

// maxUnread is how many records of the system's log are read once more rather
// than that the record is written every minute.
const maxUnread = 100

func sameTileRecord(a, b *tileRecord) bool {
	return a.SHA256 == b.SHA256 && a.Faults == b.Faults && a.Last <= b.Last && b.Last-a.Last < maxUnread && a.Disabled == b.Disabled && a.Told == b.Told && slices.Equal(a.Known, b.Known)
}

// seeTile looks at all there is to judge by.
func (a *Agent) seeTile(file api.AgentFile, last uint32, settling bool) (*tileSeen, error) {
	tile := a.System.Tile()
	r, err := tile.Registration()
	if err != nil {
		return nil, fmt.Errorf("the registration: %w", err)
	}
	s := &tileSeen{TileRegistration: *r, want: a.tileOf(file), sha256: file.CredentialProvider.SHA256, settling: settling}
	if s.want == "" {
		s.newest = last
		return s, nil
	}
	// Crashes before the first look are another tile's.
	if s.faults, s.newest, err = tile.Faults(last); err != nil {
		return nil, fmt.Errorf("the system's log: %w", err)
	}
	if s.starts, err = countStarts(s.want); err != nil {
		return nil, err
	}
	right, err := hasHash(s.want, s.sha256)
	switch _, absent := os.Lstat(s.want); {
	case errors.Is(absent, fs.ErrNotExist):
		s.wrong = s.want + " is missing"
	case err != nil:
		s.wrong = err.Error()
	case !right:
		s.wrong = s.want + " is another file"
	default:
		if err := tile.CheckSignature(s.want); err != nil {
			s.wrong = fmt.Sprintf("the signature of %s: %v", s.want, err)
		}
	}
	return s, nil
}

// proofTime is how long the tile may take to show that it works, at most: half a
// minute, and as long until its thread wakes up (credprov/native/pipe.c).
const proofTime = 2 * time.Minute

// countStarts gives how often the tile was loaded and never found to be good. The
// last time does not count as long as it may still be. A clock that was set back
// since lets it count at once.
func countStarts(dll string) (int, error) {
	info, err := os.Lstat(sentinel(dll))
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, err
	}
	starts := info.Size()
	if age := time.Since(info.ModTime()); age >= 0 && age < proofTime {
		starts--
	}
	return int(min(max(starts, 0), strikes)), nil
}

// follow does what the verdict asks for.
func (a *Agent) follow(ctx context.Context, v *tileVerdict, file api.AgentFile) error {
	for _, id := range v.fresh {
		eventid.TileFault.Log(ctx, a.log(), "LogonUI has crashed in the tile", "report", id, "file", v.File)
	}
	if v.forgive {
		if err := removeSentinel(v.File); err != nil {
			return err
		}
	}
	switch {
	case v.disable:
		return a.System.Tile().Switch(&TileSwitch{By: v.By, Reason: v.Reason, Since: v.Since, SHA256: file.CredentialProvider.SHA256})
	case v.enable:
		return a.System.Tile().Switch(nil)
	}
	return nil
}

// log tells the system's log what has become of the tile.
func (v *tileVerdict) log(ctx context.Context, a *Agent, before TileStatus) {
	switch {
	case v.State == TileBroken:
		eventid.TileBroken.Log(ctx, a.log(), "the tile cannot be shown", "reason", v.Reason)
	case v.State == TileOff && v.By == ByWatchdog:
		eventid.TileDisabled.Log(ctx, a.log(), "the watchdog has disabled the tile", "reason", v.Reason)
	case v.State == TileOff:
		eventid.TileSwitchedOff.Log(ctx, a.log(), "the tile is switched off", "by", v.By, "reason", v.Reason)
	case v.State == TileOn && before.State != "":
		eventid.TileSwitchedOn.Log(ctx, a.log(), "the tile is on again", "file", v.File)
	}
}

// settling tells whether an installation has not come to the tile yet: one that
// is at work, or that the service is about to finish.
func (a *Agent) settling() bool {
	s, err := readState(a.System.Layout().State())
	if err != nil || s == nil || s.Error != "" {
		return false
	}
	switch s.Phase {
	case PhaseTidy, PhasePayloads, PhaseDone:
		return false
	}
	// One that was killed has let go of the lock.
	ctx, cancel := context.WithTimeout(context.Background(), 0)
	defer cancel()
	unlock, err := a.System.Lock(ctx, a.System.Layout().Lock())
	if errors.Is(err, ErrBusy) {
		return true
	}
	if err == nil {
		_ = unlock(false) // nothing was kept under it
	}
	return s.AgentVersion == a.Version // its service finishes it
}
