package window

import (
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/signinpage"
)

// screenOf gives a recorded screen as the service would tell it.
func screenOf(t *testing.T, r *signinpage.Screen) *local.Screen {
	t.Helper()
	s := &local.Screen{Modules: r.QR, Screen: signin.Screen{
		State: signin.State(r.State), Title: r.Title, Message: r.Message, Text: r.Text, Help: r.Help, UserCode: r.UserCode, URI: r.URI, Online: true,
		Device: signin.Device{Name: r.Name, Serial: r.SerialNumber, Model: r.Model, Organisation: r.Organisation},
	}}
	if r.Left != "" {
		seconds, err := strconv.Atoi(r.Left)
		if err != nil {
			t.Fatal(err)
		}
		s.Ends = noon.Add(time.Duration(seconds) * time.Second)
	}
	for _, f := range r.Fields {
		s.Fields = append(s.Fields, signin.Field{Name: f.Name, Label: f.Label})
	}
	for _, a := range r.Actions {
		s.Actions = append(s.Actions, signin.ActionButton{Name: signin.ActionName(a.Name), Label: a.Label, Primary: a.Rank == "primary"})
	}
	return s
}

// What administrators are shown of the window beforehand is what it shows.
func TestRecordedWindowIsShown(t *testing.T) {
	settings := api.DefaultSettings().Windows
	for name, words := range map[string][2]string{
		"no words": {}, "words": {"Questions? Call 4711.", "https://help.acme.example/first-day"},
		"hostile": {"a\u202eb <b>", "https://help.acme.example/" + string(make([]rune, 200))},
	} {
		settings.Text, settings.HelpURL = words[0], words[1]
		screens, err := signinpage.Beforehand(api.Windows, "Acme", &settings)
		if err != nil {
			t.Fatal(err)
		}
		windows := 0
		for step, r := range screens {
			r.Name, r.SerialNumber, r.Model = "ACME-LAPTOP-0042", "5CG1234XYZ", "Latitude 7450"
			if r.UserCode != "" {
				r.QR = local.QRCode("https://acme.example/signin?code=" + r.UserCode)
			}
			s := screenOf(t, r)
			if !signinpage.HasWindow(r) {
				if showsCode(s) {
					t.Errorf("%s: the window is there at the step %s", name, step)
				}
				continue
			}
			windows++
			var lines []string
			for _, p := range signinpage.Window(r) {
				lines = append(lines, p.ID+"="+p.Text)
			}
			if diff := cmp.Diff(said(newPage(s, noon)), lines); diff != "" {
				t.Errorf("%s, %s (-shown +recorded):\n%s", name, step, diff)
			}
		}
		if windows != 2 {
			t.Errorf("%s: the window is there at %d steps", name, windows)
		}
	}
}
