package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"firstday.dev/internal/statefile"
)

// strikes are how many crashes are too many. The tile itself counts so, too.
const strikes = 3

// maxKnown is how many crashes are told apart from new ones.
const maxKnown = 64

// tileRecord is what the watchdog has seen of the tile, over all its starts.
type tileRecord struct {
	Schema int `json:"schema"`
	// SHA256 is that of the tile whose faults are counted: another version begins
	// anew.
	SHA256 string `json:"sha256"`
	Faults int    `json:"faults"`
	// Known are the faults that were counted, at any time: the system's log has
	// several records of one, days apart perhaps.
	Known []string `json:"known,omitempty"`
	// Last is the newest record that was read of the system's log.
	Last uint32 `json:"last"`
	// Disabled: the watchdog has switched the tile off.
	Disabled bool `json:"disabled,omitempty"`
	// Told is what was said of it last.
	Told TileStatus `json:"told"`
}

// readTileRecord gives the record, a new one also with an error: what was lost
// can be counted again.
func readTileRecord(path string) (*tileRecord, error) {
	r := new(tileRecord)
	err := statefile.Read(path, r)
	if err == nil && r.Schema == stateSchema {
		return r, nil
	}
	if err == nil {
		err = fmt.Errorf("%s has schema %d; this build reads %d", path, r.Schema, stateSchema)
	}
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return &tileRecord{Last: noRecord}, err
}

func (r *tileRecord) write(path string) error {
	r.Schema = stateSchema
	return statefile.Write(path, r)
}

// forgive forgets the crashes, but not which they were.
func (r *tileRecord) forgive() { r.Faults, r.Disabled = 0, false }

// tileSeen is what there is to judge by.
type tileSeen struct {
	TileRegistration
	want     string      // where the tile belongs; empty: the package carries none
	sha256   string      // that it should have
	starts   int         // that were never found to be good
	wrong    string      // what is wrong with the file, empty if nothing is
	faults   []TileFault // since the last look
	newest   uint32      // record of the system's log
	settling bool        // an installation is at work, or to be finished
}

// tileVerdict is how the tile is, and what the watchdog has to do about it.
type tileVerdict struct {
	TileStatus
	fresh   []string // faults that are counted now
	disable bool     // switch it off
	enable  bool     // switch it on
	forgive bool     // remove the sentinel
}

// judge weighs what was seen. It gives what is to be remembered.
func (r *tileRecord) judge(s tileSeen) (*tileRecord, *tileVerdict) {
	next, v := *r, &tileVerdict{TileStatus: TileStatus{State: TileOn, File: s.want}}
	next.Known, next.Last = slices.Clone(r.Known), s.newest
	if s.want == "" {
		v.State = TileNone
		return &next, v
	}
	if next.SHA256 != s.sha256 {
		next.SHA256 = s.sha256
		next.forgive()
	}
	off := s.Off
	if next.Disabled && off == nil { // an administrator trusts it again
		next.forgive()
		v.forgive = true
		s.starts = 0
	}
	if off != nil && off.By == ByWatchdog && off.SHA256 != s.sha256 && s.loads(s.want) {
		v.enable = true // it was another file's
		off = nil
	}
	v.fresh = next.count(s.faults, s.want)
	v.Strikes = max(next.Faults, s.starts)
	if v.Strikes >= strikes && off == nil {
		v.disable, v.enable = true, false
		off = &TileSwitch{By: ByWatchdog, Since: stamp(), SHA256: s.sha256, Reason: fmt.Sprintf("LogonUI crashed with it %d times", v.Strikes)}
	}
	next.Disabled = off != nil && off.By == ByWatchdog
	v.settle(&s, off)
	return &next, v
}

// count counts the faults of a file that are not known yet, and gives them.
func (r *tileRecord) count(faults []TileFault, dll string) (fresh []string) {
	for _, f := range faults {
		if slices.Contains(r.Known, f.ID) {
			continue
		}
		r.Known = append(r.Known, f.ID)
		if f.DLL == "" || strings.EqualFold(f.DLL, dll) { // not that of another version, which a screen still had
			r.Faults++
			fresh = append(fresh, f.ID)
		}
	}
	r.Known = r.Known[max(0, len(r.Known)-maxKnown):]
	return fresh
}

// settle says in what state the tile is: first who does not want it, then what is
// in its way.
func (v *tileVerdict) settle(s *tileSeen, off *TileSwitch) {
	switch {
	case off != nil:
		v.State, v.By, v.Reason, v.Since = TileOff, off.By, off.Reason, off.Since
	case s.Disabled:
		v.State, v.By = TileOff, ByWindows
	case s.Excluded:
		v.State, v.By = TileOff, ByPolicy
	case s.settling:
		v.State = TilePending
	case s.wrong != "":
		v.State, v.Reason = TileBroken, s.wrong
	case s.DLL == "" && !s.Listed:
		v.State, v.Reason = TileBroken, "it is not registered"
	case s.DLL != "" && s.DLL != s.want:
		v.State, v.Reason = TileBroken, "another file is registered: "+s.DLL
	case !s.loads(s.want):
		v.State, v.Reason = TileBroken, "its registration is incomplete"
	}
}
