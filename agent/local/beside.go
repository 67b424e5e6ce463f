package local

import (
	"context"

	"firstday.dev/agent/signin"
)

// SurfaceBeside is the window beside Apple's login window, among the surfaces.
const SurfaceBeside = "beside"

// besides is the sign-in as that window sees it. Where the organisation wants none,
// nothing is offered. It logs nobody on, and is not told what others could.
type besides struct{ SignIn }

// NextIn tells screens, or that there is nothing to show.
func (b besides) NextIn(ctx context.Context, session string, serial int64) (signin.Screen, error) {
	s, err := b.SignIn.NextIn(ctx, session, serial)
	if err != nil {
		return signin.Screen{}, err
	}
	if !s.Beside {
		return signin.Screen{Serial: s.Serial, State: signin.Hidden, Online: s.Online, Why: s.Why, Device: s.Device}, nil
	}
	s.CanLogon = false
	return s, nil
}

// Act passes on what the person did, as long as something is offered.
func (b besides) Act(ctx context.Context, a signin.Action) error {
	s, err := b.SignIn.NextIn(ctx, a.Session, 0) // it does not wait: no screen has this number
	switch {
	case err != nil:
		return err
	case !s.Beside:
		return signin.ErrStale
	}
	a.Surface = 0
	return b.SignIn.Act(ctx, a)
}

// Logon is for who stands in the place of Apple's login window.
func (besides) Logon(context.Context, int64, int64) ([]byte, error) { return nil, errDenied }
