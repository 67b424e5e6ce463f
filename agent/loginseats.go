package agent

import (
	"fmt"
	"slices"
)

// guiProcess is a process, as far as it tells who sits at a Mac.
type guiProcess struct {
	name    string
	pid     int
	uid     uint32
	started int64 // by the system's own stamp: names it, and measures nothing
}

// window is the name of the login window that a process is.
func (p guiProcess) window() string { return fmt.Sprintf("%d@%d", p.pid, p.started) }

// firstPerson is the lowest number of a person's account.
const firstPerson = 500

// seatsOf reads the list of processes. Each session of the screen has a loginwindow
// of its own, which is root's until somebody is logged in, and that person's from
// then on; a session that goes on behind another one's has Finder and Dock at least.
// Setup Assistant's user counts, too: that is somebody at the Mac.
func seatsOf(list []guiProcess) Seats {
	var s Seats
	var newest int64
	var people []uint32
	for _, p := range list {
		switch {
		case p.name == "loginwindow" && p.uid == 0:
			if s.Window == "" || p.started >= newest {
				s.Window, newest = p.window(), p.started
			}
		case p.name == "loginwindow", (p.name == "Finder" || p.name == "Dock") && p.uid >= firstPerson:
			people = append(people, p.uid)
		}
	}
	slices.Sort(people)
	s.People = len(slices.Compact(people))
	return s
}
