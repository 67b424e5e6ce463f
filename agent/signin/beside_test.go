package signin

import (
	"testing"
	"testing/synctest"

	"firstday.dev/api"
)

// A screen tells whether the window beside the Mac's login window is wanted, hidden or
// not, and is another one when that changes.
func TestScreenTellsWhetherTheWindowIsWanted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := begin(t, newFakeDirectory())
		defer s.end()
		serial := int64(0)
		for _, free := range []bool{true, false} {
			for _, c := range []struct {
				window api.SignInWindow
				want   bool
			}{{"", true}, {api.WindowOff, false}, {api.WindowBeside, true}, {api.WindowInstead, false}} {
				s.hears(func(r *api.CheckInResponse) { r.Free, r.Settings.Window = free, c.window })
				screen := s.Screen()
				if screen.Beside != c.want || (screen.State == Ready) != free {
					t.Errorf("%q, free %v: %s, beside %v", c.window, free, screen.State, screen.Beside)
				}
				if screen.Serial == serial {
					t.Errorf("%q, free %v: surfaces do not hear of it", c.window, free)
				}
				serial = screen.Serial
			}
		}
	})
}
