package credprov_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testcredprov"
	"firstday.dev/signinpage"
)

// What administrators are shown of the tile beforehand is what it shows.
func TestWindowsTileIsAsRecorded(t *testing.T) {
	h := screen(t)
	must(t, h.KnowNegotiate())
	d := newDesk(hidden)
	d.serve(t)
	serial := int64(100)
	for _, password := range []api.PasswordMode{api.ChoosePassword, api.VerifyPassword} {
		settings := api.DefaultSettings().Windows
		settings.Password, settings.Window, settings.Text = password, api.WindowWeb, "Questions? Call <b>4711</b>."
		screens, err := signinpage.Beforehand(api.Windows, "Société", &settings)
		must(t, err)
		for step, r := range screens {
			serial++
			s := signin.Screen{Serial: serial, State: signin.State(r.State), Title: r.Title, Message: r.Message, Text: r.Text, UserCode: r.UserCode, URI: r.URI, Online: true}
			for _, f := range r.Fields {
				s.Fields = append(s.Fields, signin.Field{Name: f.Name, Label: f.Label, Secret: f.Kind != "text" && f.Kind != "digits"})
			}
			for _, a := range r.Actions {
				s.Actions = append(s.Actions, signin.ActionButton{Name: signin.ActionName(a.Name), Label: a.Label, Primary: a.Rank == "primary"})
			}
			d.puts(s)
			var want []string
			for _, p := range signinpage.Tile(r) {
				want = append(want, p.Text)
			}
			if err := h.Wait(func(tile *testcredprov.Tile) bool { return cmp.Equal(tile.Shown(), want) }); err != nil {
				t.Errorf("%s (-shown +recorded):\n%s", step, cmp.Diff(h.Tile.Shown(), want))
			}
		}
	}
}
