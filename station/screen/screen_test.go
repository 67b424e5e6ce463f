package screen

import (
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"
	"github.com/charmbracelet/x/ansi"

	"firstday.dev/station"
	"firstday.dev/station/media"
)

var update = flag.Bool("update", false, "write the screens into docs/station.md")

var (
	begun = time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	job   = Job{Organisation: "Acme", KitID: "4f2a91c0", Expires: begun.AddDate(0, 0, 6), Order: "PO-4711", Wanted: 40}
	ultra = media.Disk{Name: "sdb", Vendor: "SanDisk", Model: "Ultra", Size: 32e9}
)

func socket(port string, state station.SocketState, change func(*station.Socket)) SocketMsg {
	s := station.Socket{Port: port, State: state, Disk: ultra, Since: begun.Add(170 * time.Second)}
	if change != nil {
		change(&s)
	}
	return SocketMsg(s)
}

func busy(s *station.Socket) { s.Phase, s.Done, s.Total = "writing", 213e6, 300e6 }

// play gives a screen its messages.
func play(j Job, messages ...tea.Msg) (*Model, *int) {
	stopped := new(int)
	m := New(j, begun, func() { *stopped++ })
	m.Update(tea.WindowSizeMsg{Width: 100, Height: 30})
	for _, msg := range messages {
		m.Update(msg)
	}
	return m, stopped
}

func key(r rune) tea.KeyPressMsg { return tea.KeyPressMsg{Code: r, Text: string(r)} }

// morning is a hub in the middle of its work.
func morning() []tea.Msg {
	var all []tea.Msg
	for i := range 12 { // those that are done and gone
		port := fmt.Sprintf("1-4.%d", i%3+1)
		all = append(all, socket(port, station.SocketBusy, busy), socket(port, station.SocketGood, nil), socket(port, station.SocketEmpty, nil))
	}
	return append(all,
		socket("1-4.10", station.SocketBusy, func(s *station.Socket) { s.Phase, s.Done, s.Total = "reading back", 30e6, 300e6 }),
		socket("1-4.1", station.SocketBusy, busy),
		socket("1-4.2", station.SocketGood, nil),
		socket("1-4.3", station.SocketFailed, func(s *station.Socket) {
			s.Disk.Model, s.Message, s.Hint = "Extreme", "Acme.ppkg: it reads back other bytes than were written", "the stick is broken, or lies about its size: do not use it"
		}),
		socket("1-4.4", station.SocketRefused, func(s *station.Socket) {
			s.Disk.Vendor, s.Disk.Model, s.Disk.Size, s.Message = "Samsung", "T7 Shield", 2e12, "it is no stick: a disk in a box"
		}),
		socket("1-4.5", station.SocketWaiting, nil),
		TickMsg(begun.Add(3*time.Minute)))
}

// The pictures in the documentation are what the screen shows.
func TestScreens(t *testing.T) {
	const doc = "../../docs/station.md"
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	page := string(text)
	formats := job
	formats.Formats, formats.Order, formats.Wanted = true, "", 0
	for name, messages := range map[string]struct {
		job  Job
		msgs []tea.Msg
	}{
		"empty":    {formats, nil},
		"at work":  {job, morning()},
		"stopping": {job, append(morning(), key('q'))},
	} {
		m, _ := play(messages.job, messages.msgs...)
		var shot strings.Builder
		for line := range strings.Lines(ansi.Strip(m.draw())) {
			shot.WriteString(strings.TrimRight(line, " \n") + "\n")
		}
		block := regexp.MustCompile("(?s)<!-- screen: " + name + " -->\n```text\n(.*?)```\n")
		want := block.FindStringSubmatch(page)
		if want == nil {
			t.Errorf("%s has no place for the screen %q", doc, name)
			continue
		}
		if *update {
			page = strings.Replace(page, want[0], "<!-- screen: "+name+" -->\n```text\n"+shot.String()+"```\n", 1)
		} else if want[1] != shot.String() {
			t.Errorf("%s shows another screen %q; -update puts in\n%s", doc, name, &shot)
		}
	}
	if *update {
		if err := os.WriteFile(doc, []byte(page), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// Whatever the window, no line is wider, none more than there are, and the count
// and the keys are there.
func TestFitsTheWindow(t *testing.T) {
	m, _ := play(job, morning()...)
	for width := 30; width < 160; width += 7 {
		for height := 8; height < 30; height += 3 {
			m.Update(tea.WindowSizeMsg{Width: width, Height: height})
			drawn := m.draw()
			lines := strings.Split(drawn, "\n")
			if len(lines) > height {
				t.Errorf("%d×%d: %d lines", width, height, len(lines))
			}
			for _, line := range lines {
				if got := ansi.StringWidth(line); got > width {
					t.Errorf("%d×%d: %d columns in %q", width, height, got, ansi.Strip(line))
				}
			}
			if !strings.Contains(ansi.Strip(drawn), "13 of 40") {
				t.Errorf("%d×%d: no count", width, height)
			}
		}
	}
}

// Sticks steer no terminal.
func TestNamesAreShownAsText(t *testing.T) {
	m, _ := play(job, socket("1", station.SocketFailed, func(s *station.Socket) {
		s.Disk.Vendor, s.Message = "\x1b]0;x\a", "label \x1b[31m\u202e"
	}))
	for _, bad := range []string{"\x1b]", "\a", "\u202e", "\x1b[2J"} {
		if strings.Contains(m.draw(), bad) {
			t.Errorf("%q reaches the terminal", bad)
		}
	}
}

// A stick counts once, however often it is told of or put in, and a further one when
// another is in its socket.
func TestCounts(t *testing.T) {
	good, failed := socket("1", station.SocketGood, nil), socket("1", station.SocketFailed, nil)
	empty := socket("1", station.SocketEmpty, nil)
	m, _ := play(job, good, good, empty, good, empty, failed, failed, empty, good)
	m.Update(empty)
	m.Update(socket("1", station.SocketGood, func(s *station.Socket) { s.Again = true }))
	if m.good != 3 || m.failed != 1 {
		t.Errorf("%d good, %d failed", m.good, m.failed)
	}
	complete := job
	complete.Wanted = 3
	m.job = complete
	if !strings.Contains(m.draw(), "the order is complete") {
		t.Error(m.draw())
	}
}

func TestStopping(t *testing.T) {
	working := socket("1", station.SocketBusy, busy)
	for name, test := range map[string]struct {
		messages []tea.Msg
		stops    int
	}{
		"nothing at work":  {[]tea.Msg{key('q')}, 1},
		"asks":             {[]tea.Msg{working, key('q')}, 0},
		"twice":            {[]tea.Msg{working, key('q'), key('q')}, 1},
		"Ctrl-C twice":     {[]tea.Msg{working, tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}, tea.KeyPressMsg{Code: 'c', Mod: tea.ModCtrl}}, 1},
		"thought better":   {[]tea.Msg{working, key('q'), key('n'), key('q')}, 0},
		"impatient":        {[]tea.Msg{working, key('q'), key('q'), key('q'), key('q')}, 1},
		"another key":      {[]tea.Msg{key('x')}, 0},
		"after it is done": {[]tea.Msg{working, socket("1", station.SocketGood, nil), key('q')}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if _, stopped := play(job, test.messages...); *stopped != test.stops {
				t.Errorf("stopped %d times, want %d", *stopped, test.stops)
			}
		})
	}
	m, _ := play(job)
	if _, end := m.Update(EndedMsg{}); end == nil {
		t.Error("it does not end")
	}
}

func TestComparePorts(t *testing.T) {
	for _, pair := range [][2]string{{"1-4.2", "1-4.10"}, {"1-4", "1-4.1"}, {"1-9", "2-1"}, {"", "1"}, {"sda", "sdb"}} {
		if comparePorts(pair[0], pair[1]) >= 0 || comparePorts(pair[1], pair[0]) <= 0 {
			t.Errorf("%s does not come before %s", pair[0], pair[1])
		}
	}
	if comparePorts("1-4.2", "1-4.2") != 0 {
		t.Error("a port is not itself")
	}
}
