//go:build unix

package agent

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/local"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
)

// The service of a device answers at its socket, by what the directory said.
func TestServiceHasADesk(t *testing.T) {
	d := testdirectory.New(t)
	var logo bytes.Buffer
	if err := png.Encode(&logo, image.NewGray(image.Rect(0, 0, 16, 16))); err != nil {
		t.Fatal(err)
	}
	d.Change(func(s *api.Settings) { s.Logo = logo.Bytes() })
	m := joining(t, d.At, d.MustMint(api.NewConnectKey{}))
	if err := m.accounts.Add(accounts.Account{Name: "rescue", FullName: "Rescue me"}, "of the rescue"); err != nil {
		t.Fatal(err)
	}
	address := surfacesOf(t, m)
	defer m.run()()
	m.becomes("enrolment", done)
	c := surface(t, address)
	info, err := c.Info(t.Context())
	if err != nil || info.Computer == "" || info.Serial != "SN-1" || info.Agent != "1.2.3" || info.Organisation != "Acme" {
		t.Errorf("%+v, %v", info, err)
	}
	users, err := c.Users(t.Context())
	if err != nil || !users.List || len(users.All) != 1 || users.All[0] != (local.User{Name: "rescue", Label: "Rescue me"}) {
		t.Errorf("%+v, %v", users, err)
	}
	if got, err := c.Logo(t.Context()); err != nil || !bytes.Equal(got, logo.Bytes()) {
		t.Errorf("a logo of %d bytes, %v", len(got), err)
	}
	var refused *local.RefusedError
	if err := c.Power(t.Context(), local.Restart); !errors.As(err, &refused) || refused.Word != "unknown" {
		t.Errorf("power, where there is no login window: %v", err)
	}
}
