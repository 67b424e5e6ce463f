// Package screen shows the imaging station in a terminal: a line for every socket,
// green or red once its stick is done, and how many of the order are. It decides
// nothing: what it is told, it draws.
package screen

import (
	"slices"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"

	"firstday.dev/station"
)

// Job is what the station is for, and does not change.
type Job struct {
	Organisation string
	KitID        string    // the first digits do
	Expires      time.Time // of the kit's connect key; zero: unknown
	Order        string    // empty: no order
	Wanted       int       // sticks of the order; 0: as many as come
	// Formats says that sticks are formatted: whatever is plugged in loses what
	// is on it.
	Formats bool
}

// Messages for the screen, besides those of the terminal.
type (
	// SocketMsg is news of a socket.
	SocketMsg station.Socket
	// TickMsg is the time, which the screen does not ask for itself.
	TickMsg time.Time
	// EndedMsg ends the screen: nothing is written any more.
	EndedMsg struct{}
)

// Model is the screen.
type Model struct {
	job     Job
	stop    func()
	begun   time.Time
	now     time.Time
	width   int
	height  int
	sockets []station.Socket // by port
	good    int
	failed  int

	asked   bool // to stop, while sticks are written
	stopped bool
}

// New makes the screen. The person at it ends the work by stop, and the screen
// then waits for [EndedMsg].
func New(job Job, begun time.Time, stop func()) *Model {
	return &Model{job: job, stop: stop, begun: begun, now: begun, width: 80, height: 24}
}

// Init begins nothing.
func (m *Model) Init() tea.Cmd { return nil }

// Update takes what happened.
func (m *Model) Update(msg tea.Msg) (tea.Model, tea.Cmd) {
	switch msg := msg.(type) {
	case tea.WindowSizeMsg:
		m.width, m.height = msg.Width, msg.Height
	case TickMsg:
		m.now = time.Time(msg)
	case SocketMsg:
		m.take(station.Socket(msg))
	case EndedMsg:
		return m, tea.Quit
	case tea.KeyPressMsg:
		m.press(msg.String())
	}
	return m, nil
}

// take puts news of a socket in its place, and counts each stick once.
func (m *Model) take(s station.Socket) {
	i, known := slices.BinarySearchFunc(m.sockets, s, func(a, b station.Socket) int { return comparePorts(a.Port, b.Port) })
	before := station.SocketEmpty
	if known {
		before = m.sockets[i].State
		m.sockets[i] = s
	} else {
		m.sockets = slices.Insert(m.sockets, i, s)
	}
	if s.State == before {
		return
	}
	switch {
	case s.State == station.SocketGood && !s.Again:
		m.good++
	case s.State == station.SocketFailed:
		m.failed++
	}
}

// comparePorts lets 1-10 come after 1-9.
func comparePorts(a, b string) int {
	number := func(s string) string {
		var out strings.Builder
		for part := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '-' || r == '.' }) {
			out.WriteString(strings.Repeat("0", max(0, 4-len(part))) + part + ".")
		}
		return out.String()
	}
	if c := strings.Compare(number(a), number(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// press takes a key. While sticks are written it takes two to stop.
func (m *Model) press(key string) {
	switch key {
	case "q", "ctrl+c":
		if m.busy() > 0 && !m.asked && !m.stopped {
			m.asked = true
			return
		}
		if !m.stopped {
			m.stopped = true
			m.stop()
		}
	default:
		m.asked = false
	}
}

func (m *Model) busy() (n int) {
	for _, s := range m.sockets {
		if s.State == station.SocketBusy {
			n++
		}
	}
	return n
}
