package screen

import (
	"fmt"
	"strings"
	"time"

	tea "charm.land/bubbletea/v2"
	"charm.land/lipgloss/v2"

	"firstday.dev/internal/visible"
	"firstday.dev/station"
)

// What is green or red also has a sign of its own: not everybody tells the two
// apart, and not every terminal has colours.
var (
	green = lipgloss.NewStyle().Foreground(lipgloss.Green)
	red   = lipgloss.NewStyle().Foreground(lipgloss.Red)
	amber = lipgloss.NewStyle().Foreground(lipgloss.Yellow)
	faint = lipgloss.NewStyle().Faint(true)
	bold  = lipgloss.NewStyle().Bold(true)
)

// Columns of a socket's line.
const (
	portWidth = 9
	diskWidth = 28
	barWidth  = 20
)

// View draws the whole screen.
func (m *Model) View() tea.View {
	v := tea.NewView(m.draw())
	v.AltScreen = true
	v.WindowTitle = fmt.Sprintf("Firstday station: %d done", m.good)
	return v
}

func (m *Model) draw() string {
	head := []string{m.title(), m.rule()}
	foot := append([]string{m.rule(), m.count()}, m.keys()...)
	var body []string
	for _, s := range m.sockets {
		body = append(body, m.line(s)...)
	}
	if len(m.sockets) == 0 {
		body = []string{"", faint.Render("  Plug in a stick."), ""}
	}
	// Of more lines than there is room for, the count and the keys stay.
	if room := m.height - len(head) - len(foot); room > 0 && len(body) > room {
		body = append(body[:room-1], m.cut(faint.Render(fmt.Sprintf("  and %d lines more: make the window larger", len(body)-room+1))))
	}
	return strings.Join(append(append(head, body...), foot...), "\n")
}

func (m *Model) title() string {
	left := bold.Render(" Firstday station") + "  " + visible.Line(m.job.Organisation) + faint.Render("  kit "+m.job.KitID)
	right := ""
	if !m.job.Expires.IsZero() {
		right = "enrols until " + m.job.Expires.Format(time.DateOnly)
	}
	if m.job.Order != "" {
		right = "order " + visible.Line(m.job.Order) + "  " + right
	}
	return m.cut(left + strings.Repeat(" ", max(2, m.width-lipgloss.Width(left)-lipgloss.Width(right)-1)) + right)
}

func (m *Model) rule() string { return faint.Render(" " + strings.Repeat("─", max(0, m.width-2))) }

// line is that of a socket; what went wrong, and what to do, are lines below it.
func (m *Model) line(s station.Socket) []string {
	sign, state := " ", ""
	var below []string
	switch s.State {
	case station.SocketEmpty:
		return []string{m.cut(faint.Render("   " + pad(s.Port, portWidth) + "plug in a stick"))}
	case station.SocketWaiting:
		sign, state = amber.Render("•"), "waiting for its volume"
	case station.SocketBusy:
		sign, state = amber.Render("▶"), m.progress(s)
	case station.SocketGood:
		sign, state = green.Render("✔"), green.Render("done, take it out")
	case station.SocketFailed:
		sign, state = red.Render("✘"), red.Render("failed")
	case station.SocketRefused:
		sign, state = red.Render("–"), "left alone"
	}
	for i, text := range []string{s.Message, s.Hint} {
		if text == "" {
			continue
		}
		for _, part := range strings.Split(lipgloss.Wrap(visible.Line(text), max(1, m.width-portWidth-4), " "), "\n") {
			if i == 0 {
				part = red.Render(part)
			}
			below = append(below, m.cut(strings.Repeat(" ", portWidth+3)+part))
		}
	}
	return append([]string{m.cut(" " + sign + " " + pad(s.Port, portWidth) + pad(diskName(s), diskWidth) + state)}, below...)
}

func diskName(s station.Socket) string {
	name := strings.TrimSpace(s.Disk.Vendor + " " + s.Disk.Model)
	if name == "" {
		name = s.Disk.Name
	}
	size := fmt.Sprintf(" %.0f GB", float64(s.Disk.Size)/1e9)
	return lipgloss.NewStyle().MaxWidth(diskWidth-1-len(size)).Render(visible.Line(name)) + size
}

func (m *Model) progress(s station.Socket) string {
	part := 0.0
	if s.Total > 0 {
		part = min(1, float64(s.Done)/float64(s.Total))
	}
	full := int(part * barWidth)
	text := amber.Render(strings.Repeat("█", full)) + faint.Render(strings.Repeat("░", barWidth-full))
	text += fmt.Sprintf(" %3.0f %%  %s", part*100, s.Phase)
	if seconds := m.now.Sub(s.Since).Seconds(); seconds >= 1 && s.Done > 0 {
		text += faint.Render(fmt.Sprintf("  %.0f MB/s", float64(s.Done)/1e6/seconds))
	}
	return text
}

func (m *Model) count() string {
	text := fmt.Sprintf(" %d done", m.good)
	if m.job.Wanted > 0 {
		text = fmt.Sprintf(" %d of %d done", m.good, m.job.Wanted)
	}
	text = bold.Render(text)
	if m.failed > 0 {
		text += red.Render(fmt.Sprintf("   %d failed", m.failed))
	}
	if n := m.busy(); n > 0 {
		text += fmt.Sprintf("   %d at work", n)
	}
	if m.job.Wanted > 0 && m.good >= m.job.Wanted {
		text += green.Render("   the order is complete")
	}
	return m.cut(text + faint.Render("   "+m.now.Sub(m.begun).Truncate(time.Second).String()))
}

func (m *Model) keys() []string {
	switch {
	case m.stopped:
		return []string{m.cut(" Stopping. Sticks that are not whole are being marked so.")}
	case m.asked:
		return []string{m.cut(amber.Render(fmt.Sprintf(" %d sticks are being written: q again leaves them incomplete, any other key goes on.", m.busy())))}
	case m.job.Formats:
		return []string{m.cut(" Every stick that is plugged in is " + bold.Render("formatted") + ": all that is on it is lost.   q ends")}
	}
	return []string{m.cut(faint.Render(" q ends"))}
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(1, width-lipgloss.Width(s)))
}

// cut keeps a line on the screen.
func (m *Model) cut(s string) string { return lipgloss.NewStyle().MaxWidth(m.width).Render(s) }
