package local

import (
	"context"
	"errors"
	"testing"

	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

// offered is a sign-in that shows one screen.
type offered struct {
	screen signin.Screen
	acted  []signin.Action
}

func (o *offered) NextIn(context.Context, string, int64) (signin.Screen, error) { return o.screen, nil }

func (o *offered) Act(_ context.Context, a signin.Action) error {
	o.acted = append(o.acted, a)
	return nil
}

func (*offered) Logon(context.Context, int64, int64) ([]byte, error) { return []byte("secret"), nil }

// The window beside Apple's is told all of a screen but that somebody could be logged
// on by it, and nothing at all where it is not wanted.
func TestBesideIsToldWhereItIsWanted(t *testing.T) {
	screen := signin.Screen{
		Serial: 7, State: signin.Done, Title: "Welcome", Account: "ann", CanLogon: true, Online: true, Why: api.CodeSlotTaken,
		Device: signin.Device{Organisation: "Acme"}, Actions: []signin.ActionButton{{Name: signin.Close}},
	}
	for _, wanted := range []bool{true, false} {
		o := &offered{screen: screen}
		o.screen.Beside = wanted
		s, err := besides{o}.NextIn(t.Context(), "", 0)
		if err != nil || s.CanLogon || s.Serial != 7 || s.Device.Organisation != "Acme" {
			t.Errorf("wanted %v: %+v, %v", wanted, s, err)
		}
		if told := s.State == signin.Done && s.Account == "ann" && len(s.Actions) == 1; told != wanted {
			t.Errorf("wanted %v: %+v", wanted, s)
		}
		if !wanted && s.State != signin.Hidden {
			t.Errorf("not wanted: %s", s.State)
		}
		err = besides{o}.Act(t.Context(), signin.Action{Name: signin.Close, Serial: 7, Surface: 3})
		if wanted && (err != nil || len(o.acted) != 1) || !wanted && (!errors.Is(err, signin.ErrStale) || len(o.acted) != 0) {
			t.Errorf("wanted %v: %v, %+v", wanted, err, o.acted)
		}
		if pair, err := (besides{o}).Logon(t.Context(), 7, 3); !errors.Is(err, errDenied) || pair != nil {
			t.Errorf("wanted %v: %q, %v", wanted, pair, err)
		}
	}
}
