package signinpage

import (
	_ "embed"
	"encoding/json"
	"strings"

	"firstday.dev/api"
)

// Screen is one of the sign-in, as the page takes it.
type Screen struct {
	Kind         string   `json:"kind"`
	Serial       string   `json:"serial"`
	State        string   `json:"state"`
	Online       string   `json:"online"`
	Left         string   `json:"left,omitempty"` // seconds
	Title        string   `json:"title"`
	Message      string   `json:"message"`
	Text         string   `json:"text,omitempty"`
	Help         string   `json:"help,omitempty"`
	UserCode     string   `json:"usercode,omitempty"`
	URI          string   `json:"uri,omitempty"`
	Page         string   `json:"page,omitempty"` // yes: the directory's pages are shown with it
	Account      string   `json:"account,omitempty"`
	Name         string   `json:"name,omitempty"`
	SerialNumber string   `json:"serialnumber,omitempty"`
	Model        string   `json:"model,omitempty"`
	OS           string   `json:"os,omitempty"`
	Organisation string   `json:"organisation,omitempty"`
	Fields       []Field  `json:"fields"`
	Actions      []Action `json:"actions"`
	QR           []string `json:"qr"`
}

// Field is something to type; its kind is text, digits, secret or secret-digits.
type Field struct {
	Name  string `json:"name"`
	Kind  string `json:"kind"`
	Label string `json:"label"`
}

// Action is something to press; its rank is primary or secondary.
type Action struct {
	Name  string `json:"name"`
	Rank  string `json:"rank"`
	Label string `json:"label"`
}

// Recorded are the screens that the agent's sign-in was seen to show, by name, with
// the places that the organisation fills: a test of agent/signin wrote them, and says
// when they are not what is shown any more.
//
//go:embed recorded.json
var recorded []byte

// What stands in the recording for what an organisation chooses.
const (
	PlaceOrganisation = "{organisation}"
	PlaceText         = "{text}"
	PlaceHelp         = "https://{help}/"
)

// Steps are those of a sign-in, in their order.
const (
	StepReady    = "ready"
	StepPage     = "page" // the directory's pages, on the device
	StepWaiting  = "waiting"
	StepNumber   = "number"
	StepPassword = "password"
	StepPIN      = "pin"
	StepCreating = "creating"
	StepDone     = "done"
)

// Steps are all of them.
var Steps = []string{StepReady, StepPage, StepWaiting, StepNumber, StepPassword, StepPIN, StepCreating, StepDone}

// Beforehand gives what people will see of the sign-in, by step, where devices of a
// platform have the settings. There is no screen where the sign-in is off.
func Beforehand(p api.Platform, organisation string, s *api.PlatformSettings) (map[string]*Screen, error) {
	if !s.SSAP {
		return nil, nil
	}
	var all map[string]*Screen
	if err := json.Unmarshal(recorded, &all); err != nil {
		return nil, err
	}
	screens := make(map[string]*Screen)
	for _, step := range Steps {
		if screen := all[variant(step, p, s)]; screen != nil {
			screen.fill(organisation, s)
			screens[step] = screen
		}
	}
	return screens, nil
}

// variant names the recorded screen of a step; no screen has the name of a step that
// the settings leave out.
func variant(step string, p api.Platform, s *api.PlatformSettings) string {
	switch step {
	case StepPage:
		if p != api.MacOS && s.Window != api.WindowWeb {
			return ""
		}
	case StepPassword:
		return step + " " + string(s.Password)
	case StepPIN:
		if p != api.Windows {
			return "" // only there the system has them
		}
		return step + " " + string(s.PIN)
	}
	return step
}

// fill puts in what the organisation chooses.
func (s *Screen) fill(organisation string, settings *api.PlatformSettings) {
	put := func(text *string) { *text = strings.ReplaceAll(*text, PlaceOrganisation, organisation) }
	put(&s.Title)
	put(&s.Message)
	for i := range s.Actions {
		put(&s.Actions[i].Label)
	}
	s.Text, s.Help = strings.Replace(s.Text, PlaceText, settings.Text, 1), strings.Replace(s.Help, PlaceHelp, settings.HelpURL, 1)
	s.Organisation = organisation
}
