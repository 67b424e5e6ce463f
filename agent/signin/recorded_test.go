package signin

import (
	"encoding/json"
	"flag"
	"os"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
	"firstday.dev/signinpage"
)

var update = flag.Bool("update", false, "record the screens in signinpage anew")

// asPageTakes gives a screen as surfaces are told of it.
func asPageTakes(s Screen) *signinpage.Screen {
	yes := map[bool]string{true: "yes", false: "no"}
	p := &signinpage.Screen{
		Kind: "screen", Serial: "1", State: string(s.State), Online: yes[s.Online], Title: s.Title, Message: s.Message, Text: s.Text, Help: s.Help,
		UserCode: s.UserCode, URI: s.URI, Account: s.Account, Organisation: "Acme", Fields: []signinpage.Field{}, Actions: []signinpage.Action{}, QR: []string{},
	}
	if s.Page != "" {
		p.Page = "yes"
	}
	if !s.Ends.IsZero() {
		p.Left = strconv.Itoa(int(time.Until(s.Ends) / time.Second))
	}
	kinds := map[[2]bool]string{{false, false}: "text", {false, true}: "digits", {true, false}: "secret", {true, true}: "secret-digits"}
	for _, f := range s.Fields {
		p.Fields = append(p.Fields, signinpage.Field{Name: f.Name, Kind: kinds[[2]bool{f.Secret, f.Digits}], Label: f.Label})
	}
	for _, a := range s.Actions {
		rank := map[bool]string{true: "primary", false: "secondary"}[a.Primary]
		p.Actions = append(p.Actions, signinpage.Action{Name: string(a.Name), Rank: rank, Label: a.Label})
	}
	return p
}

// walk goes through a sign-in under settings, and gives what is shown by step.
func walk(t *testing.T, organisation string, p api.Platform, settings api.PlatformSettings) map[string]*signinpage.Screen {
	shown := make(map[string]*signinpage.Screen)
	synctest.Test(t, func(t *testing.T) {
		d := newFakeDirectory()
		d.origins, d.number, d.password, d.pin = annsOrigins, "47", settings.Password, settings.PIN
		s := begin(t, d)
		defer s.end()
		s.hears(func(r *api.CheckInResponse) { r.Organisation, r.Settings = organisation, settings })
		see := func(step string, state State) { shown[step] = asPageTakes(s.shows(state, "")) }
		see(signinpage.StepReady, Ready)
		if p == api.MacOS || settings.Window == api.WindowWeb {
			s.must(s.Act(t.Context(), Action{Name: Start, SameDevice: true}))
			see(signinpage.StepPage, Waiting)
			s.press(Elsewhere)
		} else {
			s.press(Start)
		}
		see(signinpage.StepWaiting, Waiting)
		close(d.approved)
		see(signinpage.StepNumber, Number)
		s.press(Submit, FieldNumber, "47")
		see(signinpage.StepPassword, Password)
		held, account := make(chan struct{}), map[string]string{FieldPassword: annsPassword, FieldAgain: annsPassword}
		s.d.point = func(call string) {
			if call == "complete" {
				<-held
			}
		}
		s.must(s.Act(t.Context(), Action{Name: Submit, Fields: account}))
		if p == api.Windows && settings.PIN != api.PINOff {
			see(signinpage.StepPIN, PIN)
			s.press(Submit, FieldPIN, "482915", FieldPINAgain, "482915")
		}
		see(signinpage.StepCreating, Creating)
		close(held)
		see(signinpage.StepDone, Done)
		for _, screen := range shown {
			screen.Organisation = organisation
		}
	})
	return shown
}

// What administrators are shown beforehand is what people are shown then.
func TestRecordedScreensAreShown(t *testing.T) {
	if *update {
		record(t)
		return // what was recorded is embedded in the next build
	}
	settings := api.DefaultSettings().Windows
	for _, p := range []api.Platform{api.Windows, api.MacOS} {
		for _, password := range []api.PasswordMode{api.ChoosePassword, api.VerifyPassword} {
			for _, policy := range []api.PINPolicy{api.PINOff, api.PINOffered, api.PINRequired} {
				for _, window := range []api.SignInWindow{"", api.WindowWeb} {
					if p == api.MacOS && (policy != api.PINOff || window != "") {
						continue // these are not of a Mac
					}
					s := settings
					s.Password, s.PIN, s.Window, s.Text, s.HelpURL = password, policy, window, "Questions? Call {organisation} <b>4711</b>.", "https://help.acme.example/first-day"
					got, err := signinpage.Beforehand(p, "Société {text}", &s)
					if err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(walk(t, "Société {text}", p, s), got); diff != "" {
						t.Errorf("%s, %s, PIN %s, window %q (-shown +recorded; -update records anew):\n%s", p, password, policy, window, diff)
					}
				}
			}
		}
	}
	settings.SSAP = false
	if got, err := signinpage.Beforehand(api.Windows, "Acme", &settings); err != nil || len(got) > 0 {
		t.Errorf("there is something to see where the sign-in is off: %v, %v", got, err)
	}
}

// record writes what is shown, with places for what organisations choose.
func record(t *testing.T) {
	t.Helper()
	all := make(map[string]*signinpage.Screen)
	for _, password := range []api.PasswordMode{api.ChoosePassword, api.VerifyPassword} {
		for _, policy := range []api.PINPolicy{api.PINOffered, api.PINRequired} {
			s := api.DefaultSettings().Windows
			s.Password, s.PIN, s.Window, s.Text, s.HelpURL = password, policy, api.WindowWeb, signinpage.PlaceText, signinpage.PlaceHelp
			for step, screen := range walk(t, signinpage.PlaceOrganisation, api.Windows, s) {
				switch step {
				case signinpage.StepPassword:
					step += " " + string(password)
				case signinpage.StepPIN:
					step += " " + string(policy)
				}
				screen.Organisation = ""
				all[step] = screen
			}
		}
	}
	text, err := json.MarshalIndent(all, "", "\t")
	if err == nil {
		err = os.WriteFile("../../signinpage/recorded.json", append(text, '\n'), 0o644) //nolint:gosec // a part of the source
	}
	if err != nil {
		t.Fatal(err)
	}
}
