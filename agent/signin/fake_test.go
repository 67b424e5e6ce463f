package signin

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// fakeDirectory has one slot for one device, as the real one does.
type fakeDirectory struct {
	mu       sync.Mutex
	person   api.Person
	password api.PasswordMode
	pin      api.PINPolicy
	number   string
	approved chan struct{} // closed when somebody has signed in
	claims   int           // tickets given
	ticket   api.Secret    // that holds
	bound    []string      // accounts
	origins  []string      // of pages shown on the device itself
	anchors  [][]byte      // by which the first of them is known
	asked    []bool        // whether sign-ins were for the same device
	ended    []api.Secret  // sign-ins that were cancelled
	down     error         // what each call gives, if not nil

	// point is called before and after each call, and may not come back.
	point func(string)
}

func newFakeDirectory() *fakeDirectory {
	return &fakeDirectory{
		person:   api.Person{ID: uuid.MustParse("01900000-0000-7000-8000-000000000001"), Name: "ann", Email: "ann@acme.example", FullName: "Ann Example"},
		password: api.ChoosePassword, approved: make(chan struct{}), point: func(string) {},
	}
}

func (d *fakeDirectory) call(name string, f func() error) error {
	d.point(name)
	d.mu.Lock()
	err := d.down
	if err == nil {
		err = f()
	}
	d.mu.Unlock()
	d.point(name + " done")
	return err
}

func (d *fakeDirectory) fail(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.down = err
}

func (d *fakeDirectory) SignIn(_ context.Context, r *api.SignInRequest) (*api.SignInResponse, error) {
	out := &api.SignInResponse{DeviceCode: "device code", UserCode: "BCDF-GHJK", VerificationURI: "https://acme.example/signin", VerificationURIComplete: "https://acme.example/signin?code=BCDF-GHJK", ExpiresIn: 600, Interval: 5}
	d.mu.Lock()
	d.asked = append(d.asked, r.SameDevice)
	d.mu.Unlock()
	return out, d.call("signin", func() error {
		if r.SameDevice {
			out.DeviceCode, out.UserCode, out.VerificationURIComplete = "same device code", "ZZZZ-ZZZZ", "https://acme.example/signin?code=ZZZZ-ZZZZ"
			out.Origins, out.Anchors = d.origins, d.anchors
		}
		return nil
	})
}

func (d *fakeDirectory) WhoSignedIn(ctx context.Context, r *api.TokenRequest) (*api.TokenResponse, error) {
	select {
	case <-d.approved:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	var out *api.TokenResponse
	return out, d.call("token", func() error {
		switch {
		case d.number != "" && r.Number == "":
			return api.Refuse(api.CodeNumberRequired, "")
		case r.Number != d.number:
			return api.Refuse(api.CodeNumberWrong, "")
		case len(d.bound) > 0:
			return api.Refuse(api.CodeSlotTaken, "")
		}
		d.claims++
		d.ticket = api.Secret(fmt.Sprintf("ticket %d", d.claims))
		out = &api.TokenResponse{User: d.person, Ticket: d.ticket, ExpiresIn: 600, Password: d.password, Permission: api.Standard, PIN: d.pin}
		return nil
	})
}

const annsPassword = "correct horse battery"

func (d *fakeDirectory) ConfirmPassword(_ context.Context, r *api.PasswordRequest) error {
	return d.call("password", func() error {
		if r.Password != annsPassword {
			return api.Refuse(api.CodeCredentials, "")
		}
		return nil
	})
}

func (d *fakeDirectory) CompleteSignIn(_ context.Context, r *api.CompleteRequest) error {
	return d.call("complete", func() error {
		if r.Ticket != d.ticket {
			return api.Refuse(api.CodeTicket, "")
		}
		if len(d.bound) == 0 {
			d.bound = append(d.bound, r.Account)
		}
		return nil
	})
}

func (d *fakeDirectory) CancelSignIn(_ context.Context, r *api.CancelRequest) error {
	return d.call("cancel", func() error {
		d.ended = append(d.ended, r.DeviceCode)
		if len(d.bound) == 0 {
			d.ticket = ""
		}
		return nil
	})
}

func newAccounts(t testing.TB, store accounts.Store, folder string) *Accounts {
	t.Helper()
	return &Accounts{Store: store, Platform: api.Windows, Folder: folder, Log: slog.New(slog.DiscardHandler)}
}

// anns is what the directory orders.
func (d *fakeDirectory) order() order {
	d.claims++
	d.ticket = api.Secret(fmt.Sprintf("ticket %d", d.claims))
	return order{user: d.person, password: annsPassword, ticket: d.ticket, deviceCode: "device code"}
}
