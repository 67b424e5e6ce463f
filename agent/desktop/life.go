package desktop

import (
	"slices"
	"time"

	"firstday.dev/agent/signin"
)

// How often a window is tried in one sign-in before it is given up, within
// which time, and how long it stays away in between, so that one that dies at
// once does not flash.
const (
	maxTries  = 3
	triesTime = 5 * time.Minute
	tryPause  = 500 * time.Millisecond
)

// life is what is known of the sign-in, and whether it wants a window.
type life struct {
	serial int64 // of the screen
	state  signin.State
	here   bool      // it is for pages shown on this device
	asked  bool      // the tile was what started it, and there may be windows
	since  time.Time // when it was started, or meant for pages here
	vacant bool      // nobody is signed in where the window would be

	deaths []time.Time // of windows in this sign-in, the last ones
	gaveUp bool
	closed bool // by who has read why the sign-in failed
}

// shown are the states in which the window has more to show than the tile.
var shown = []signin.State{signin.Starting, signin.Waiting, signin.Number, signin.Failed}

// between are those in which the sign-in goes on at the tile, and may come back.
var between = []signin.State{signin.Password, signin.PIN, signin.Creating}

// enter takes another screen, unless a later one was seen already. Where no
// sign-in is under way, all about the last one is forgotten.
func (l *life) enter(s signin.Screen, now time.Time) {
	if s.Serial < l.serial {
		return
	}
	if s.State != l.state {
		l.closed = false
	}
	if s.Here && !l.here { // the tile's start may be told later
		l.since = now
	}
	l.serial, l.state, l.here = s.Serial, s.State, s.Here
	if !l.underWay() {
		l.asked, l.deaths, l.gaveUp = false, nil, false
	}
}

func (l *life) underWay() bool {
	return slices.Contains(shown, l.state) || slices.Contains(between, l.state)
}

// ask takes that the tile started the sign-in, unless that is over already.
func (l *life) ask(now time.Time) {
	l.asked, l.since = l.underWay(), now
}

// stranded tells a sign-in whose pages no window will show.
func (l *life) stranded() bool { return l.asked && l.here && (!l.vacant || l.gaveUp) }

// wanted tells whether there should be a window now.
func (l *life) wanted(now time.Time) bool {
	if !l.asked || !l.vacant || l.gaveUp || l.closed || !slices.Contains(shown, l.state) {
		return false
	}
	return len(l.deaths) == 0 || now.Sub(l.deaths[len(l.deaths)-1]) >= tryPause
}

// died takes that a window ended by itself, or never came. It tells whether it
// is given up now. Of a sign-in that failed it is no death: there, the window has a
// button to close it, and the tile one to try again.
func (l *life) died(now time.Time) bool {
	if l.state == signin.Failed {
		l.closed = true
		return false
	}
	l.deaths = append(l.deaths, now)
	l.deaths = slices.DeleteFunc(l.deaths, func(t time.Time) bool { return now.Sub(t) > triesTime })
	l.gaveUp = len(l.deaths) >= maxTries
	return l.gaveUp
}
