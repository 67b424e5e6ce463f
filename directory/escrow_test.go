package directory

import (
	"errors"
	"testing"
	"time"

	"filippo.io/age"
	"github.com/google/uuid"

	"firstday.dev/api"
)

func TestEscrow(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		var ahead time.Duration
		for _, r := range replicas {
			r.Now = func() time.Time { return time.Now().Add(ahead) }
		}
		device := newDevice(t, d, "S1")
		rotate := func(want bool) {
			t.Helper()
			if answer, err := d.CheckIn(t.Context(), device, new(api.CheckInRequest)); err != nil || answer.Rotate != want {
				t.Errorf("rotate %v, want %v, %v", answer.Rotate, want, err)
			}
		}
		identity, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		key := identity.Recipient().String()
		rotate(false)
		change(t, d, func(s *api.Settings) { s.RecoveryKey = key })
		rotate(true)
		send := func(sealed string) int64 {
			t.Helper()
			out, err := d.Escrow(t.Context(), device, &api.EscrowRequest{Account: "rescue", Sealed: []byte(sealed), RecoveryKey: key})
			if err != nil {
				t.Fatal(err)
			}
			return out.Number
		}
		reveal := func(want ...string) {
			t.Helper()
			list, err := d.Reveal(t.Context(), "token:ann", device, &api.RevealRequest{Reason: "locked out"})
			var got []string
			for _, e := range list {
				got = append(got, string(e.Sealed))
			}
			if err != nil || len(got) != len(want) {
				t.Fatalf("%q, %v, want %q", got, err, want)
			}
			for i := range want {
				if got[i] != want[i] {
					t.Errorf("%q, want %q", got, want)
				}
			}
		}
		if _, err := d.Reveal(t.Context(), "token:ann", device, &api.RevealRequest{Reason: "locked out"}); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("nothing is there: %v", err)
		}
		first := send("first")
		rotate(true) // nobody says that the account has it
		for range 2 {
			if _, err := d.Escrow(t.Context(), device, &api.EscrowRequest{Confirm: first}); err != nil {
				t.Fatal(err)
			}
		}
		rotate(false)
		reveal("first")
		rotate(false) // they are about to type it
		ahead += revealedLife
		rotate(true)
		second := send("second")
		third := send("third") // the device died before it confirmed
		reveal("third", "second", "first")
		if _, err := d.Escrow(t.Context(), device, &api.EscrowRequest{Confirm: third}); err != nil {
			t.Fatal(err)
		}
		rotate(false)
		ahead += revealedLife
		rotate(true) // somebody has seen it
		if _, err := d.Escrow(t.Context(), newDevice(t, d, "S2"), &api.EscrowRequest{Confirm: second}); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("another device's: %v", err)
		}
		if _, err := d.Escrow(t.Context(), device, &api.EscrowRequest{Confirm: send("fourth")}); err != nil {
			t.Fatal(err)
		}
		rotate(false)
		other, err := age.GenerateX25519Identity()
		if err != nil {
			t.Fatal(err)
		}
		change(t, d, func(s *api.Settings) { s.RecoveryKey = other.Recipient().String() })
		rotate(true)
		for name, r := range map[string]*api.EscrowRequest{
			"empty": {}, "no account": {Sealed: []byte("x"), RecoveryKey: key}, "no key": {Account: "a", Sealed: []byte("x")}, "large": {Account: "a", Sealed: make([]byte, 5000), RecoveryKey: key}, "negative": {Confirm: -1},
		} {
			if _, err := d.Escrow(t.Context(), device, r); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, reason := range []string{"", "  ", "a\nb"} {
			if _, err := d.Reveal(t.Context(), "token:ann", device, &api.RevealRequest{Reason: reason}); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("reason %q: %v", reason, err)
			}
		}
		if _, err := d.Reveal(t.Context(), "token:ann", uuid.New(), &api.RevealRequest{Reason: "x"}); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("no such device: %v", err)
		}
		checkAudit(t, d)
	})
}
