package signinpage

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"firstday.dev/internal/visible"
)

// Part is something that a surface of Windows shows of a screen, by its id: a text, a
// field to type into, or the picture.
type Part struct{ ID, Text string }

// Tile is what the tile of Windows' sign-in screen shows, in its order, as
// native/credential.c of agent/credprov does; tests there compare it.
func Tile(s *Screen) (parts []Part) {
	add := func(id, text string) {
		if text != "" {
			parts = append(parts, Part{id, text})
		}
	}
	add("title", s.Title)
	add("message", s.Message)
	add("code", s.UserCode)
	add("address", s.URI)
	for _, f := range s.Fields {
		add("label."+f.Name, f.Label)
	}
	for _, a := range s.Actions {
		if a.Rank == "primary" {
			add("submit", a.Label) // the arrow beside what is typed last
		}
	}
	for _, a := range s.Actions {
		if a.Rank != "primary" || len(s.Fields) == 0 {
			add("link."+a.Name, a.Label)
		}
	}
	add("note", s.Text)
	return parts
}

// The window's words, as agent/window has them.
const (
	wordAddress = "Address"
	wordCode    = "Code"
	wordLeft    = "Time left"
	wordNetwork = "Connection"
	wordOnline  = "Connected"
	wordDevice  = "This device"
	wordSerial  = "Serial number"
	wordHelp    = "Help:"
	wordPicture = "QR code. Or open %s and type %s."
	maxAddress  = 160 // characters; a longer one is left out
)

// HasWindow tells whether Windows shows the window beside the tile with a screen.
func HasWindow(s *Screen) bool { return s.Page == "" && (s.State == "waiting" || s.State == "number") }

// Window is what the window beside the tile shows, in its order, as agent/window
// does; tests there compare it.
func Window(s *Screen) (parts []Part) {
	add := func(id, text string) {
		if text != "" {
			parts = append(parts, Part{id, text})
		}
	}
	fact := func(id, label, value string) {
		if value != "" {
			add(id+".label", label)
			add(id, value)
		}
	}
	add("title", s.Title)
	add("message", s.Message)
	if len(s.QR) > 0 {
		add("picture", fmt.Sprintf(wordPicture, s.URI, s.UserCode))
	}
	for _, f := range s.Fields {
		add("field.label", f.Label)
		parts = append(parts, Part{ID: "field"})
	}
	fact("address", wordAddress, s.URI)
	fact("code", wordCode, s.UserCode)
	fact("left", wordLeft, minutes(s.Left))
	fact("network", wordNetwork, wordOnline)
	fact("device", wordDevice, s.Name)
	if s.Name != "" {
		add("device.detail", s.Model+" · "+wordSerial+" "+s.SerialNumber)
	}
	add("text", visible.Line(s.Text))
	if help := visible.Line(s.Help); help != "" && utf8.RuneCountInString(help) <= maxAddress {
		add("help", wordHelp+" "+help)
	}
	for _, a := range s.Actions {
		if a.Name == "cancel" || a.Name == "elsewhere" || a.Name == "submit" && len(s.Fields) > 0 {
			add("button."+a.Name, a.Label)
		}
	}
	return parts
}

// minutes shows seconds as 9:58.
func minutes(seconds string) string {
	n, err := strconv.Atoi(seconds)
	if err != nil {
		return ""
	}
	return fmt.Sprintf("%d:%02d", n/60, n%60)
}

// Class is what kind of part it is, without whose it is: label, link, button and so on.
func (p Part) Class() string {
	if i := strings.LastIndexByte(p.ID, '.'); i >= 0 && (p.ID[i:] == ".label" || p.ID[i:] == ".detail") {
		return p.ID[i+1:]
	}
	kind, _, _ := strings.Cut(p.ID, ".")
	return kind
}

// Typed tells that below the part there is something to type into.
func (p Part) Typed() bool { return strings.HasPrefix(p.ID, "label.") }
