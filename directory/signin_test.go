package directory

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

const annsPassword = "correct horse battery"

// newUser makes a user whose password is annsPassword, for good.
func newUser(t testing.TB, d *Directory, name string) *api.User {
	t.Helper()
	created, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{{Name: name, Email: name + "@acme.example", FullName: "Ann " + name}})
	if err != nil {
		t.Fatal(err)
	}
	hash, err := hashPassword(t.Context(), annsPassword, made)
	if err != nil {
		t.Fatal(err)
	}
	err = d.change(t.Context(), func(tx *transaction) error {
		_, err := tx.exec(`UPDATE users SET password = $1, temporary = 0 WHERE id = $2`, hash, created[0].ID.String())
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return &created[0].User
}

func newDevice(t testing.TB, d *Directory, serial string) uuid.UUID {
	t.Helper()
	return enroll(t, d, newLaptop(t, serial), mint(t, d, api.NewConnectKey{}).Secret).DeviceID
}

func change(t testing.TB, d *Directory, f func(*api.Settings)) {
	t.Helper()
	s, err := d.Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	f(&s.Settings)
	if _, err := d.SetSettings(t.Context(), "token:ann", s); err != nil {
		t.Fatal(err)
	}
}

func start(t testing.TB, d *Directory, device uuid.UUID) *api.SignInResponse {
	t.Helper()
	s, err := d.StartSignIn(t.Context(), device, new(api.SignInRequest), "192.0.2.7")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// approve signs a user in on another device, and gives the number.
func approve(t testing.TB, d *Directory, started *api.SignInResponse, user uuid.UUID) string {
	t.Helper()
	s, err := d.findSignIn(t.Context(), api.ParseUserCode(started.UserCode))
	if err != nil {
		t.Fatal(err)
	}
	number, err := d.approve(t.Context(), s, user, "198.51.100.9")
	if err != nil {
		t.Fatal(err)
	}
	return number
}

// signIn goes all the way.
func signInFully(t testing.TB, d *Directory, device, user uuid.UUID) error {
	t.Helper()
	started, err := d.StartSignIn(t.Context(), device, new(api.SignInRequest), "192.0.2.7")
	if err != nil {
		return err
	}
	number := approve(t, d, started, user)
	ticket, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number})
	if err != nil {
		return err
	}
	return d.CompleteSignIn(t.Context(), device, &api.CompleteRequest{Ticket: ticket.Ticket, Account: "ann", AccountID: "S-1-5-21-1"})
}

func TestSignIn(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		device, ann := newDevice(t, first, "S1"), newUser(t, first, "ann")
		started := start(t, first, device)
		ask := &api.TokenRequest{DeviceCode: started.DeviceCode}
		token := func(d *Directory, code api.Code) *api.TokenResponse {
			t.Helper()
			out, err := d.Token(t.Context(), device, ask)
			if api.CodeOf(err) != code {
				t.Errorf("the token call says %v, want %q", err, code)
			}
			return out
		}
		token(last, api.CodeAuthorizationPending)
		if _, err := last.Token(t.Context(), newDevice(t, first, "S2"), ask); !errors.Is(err, api.CodeExpiredToken) {
			t.Errorf("another device with the device code: %v", err)
		}
		number := approve(t, last, started, ann.ID)
		token(first, api.CodeNumberRequired)
		ask.Number = "00"
		token(last, api.CodeNumberWrong)
		ask.Number = number
		lost := token(first, "")
		got := token(last, "")
		if got == nil || got.User.Name != "ann" || got.Password != api.ChoosePassword || got.Permission != api.Standard || got.PIN != api.PINRequired {
			t.Fatalf("%+v", got)
		}
		done := &api.CompleteRequest{Ticket: lost.Ticket, Account: "ann", AccountID: "S-1"}
		if err := first.CompleteSignIn(t.Context(), device, done); !errors.Is(err, api.CodeTicket) {
			t.Errorf("a ticket that another one ended: %v", err)
		}
		done.Ticket = got.Ticket
		if err := first.CompleteSignIn(t.Context(), newDevice(t, first, "S3"), done); !errors.Is(err, api.CodeTicket) {
			t.Errorf("another device with the ticket: %v", err)
		}
		for range 2 { // the first answer was lost
			if err := first.CompleteSignIn(t.Context(), device, done); err != nil {
				t.Error(err)
			}
		}
		token(first, api.CodeTicket)
		v, err := last.Device(t.Context(), device)
		if err != nil || len(v.Users) != 1 || v.Users[0].State != api.Bound || v.Users[0].Account != "ann" || v.Users[0].User.ID != ann.ID {
			t.Errorf("the device has %+v, %v", v, err)
		}
		// PostgreSQL tells the other replicas a moment later.
		answer, err := first.CheckIn(t.Context(), device, new(api.CheckInRequest))
		if err != nil || answer.Free || len(answer.Users) != 1 {
			t.Errorf("the device hears %+v, %v", answer, err)
		}
		if _, err := first.StartSignIn(t.Context(), device, new(api.SignInRequest), ""); !errors.Is(err, api.CodeSlotTaken) {
			t.Errorf("a second one: %v", err)
		}
		checkAudit(t, first)
	})
}

// How many users a device may have is what the settings say.
func TestSlots(t *testing.T) {
	d := open(t, t.TempDir(), "")
	device := newDevice(t, d, "S1")
	var users []*api.User
	for i := range 4 {
		users = append(users, newUser(t, d, fmt.Sprintf("user%d", i)))
	}
	limit := func(n int) { change(t, d, func(s *api.Settings) { s.Windows.Users = n }) }
	expect := func(user int, code api.Code) {
		t.Helper()
		if err := signInFully(t, d, device, users[user].ID); api.CodeOf(err) != code {
			t.Errorf("user %d: %v, want %q", user, err, code)
		}
	}
	limit(2)
	expect(0, "")
	expect(0, api.CodeAlreadyBound)
	expect(1, "")
	expect(2, api.CodeSlotTaken)
	limit(0)
	expect(2, "")
	limit(1) // nobody is put out
	expect(3, api.CodeSlotTaken)
	for _, u := range users[:3] {
		if err := d.Unbind(t.Context(), "token:ann", device, u.Name); err != nil {
			t.Error(err)
		}
	}
	if err := d.Unbind(t.Context(), "token:ann", device, users[0].Name); !errors.Is(err, api.CodeNotFound) {
		t.Errorf("unbound twice: %v", err)
	}
	expect(1, "") // who had it before
	answer, err := d.CheckIn(t.Context(), device, new(api.CheckInRequest))
	if err != nil || answer.Free || len(answer.Users) != 3 || answer.Users[0].State != api.Bound || answer.Users[0].User.Name != "user1" || answer.Users[1].State != api.Unbound {
		t.Errorf("%+v, %v", answer, err)
	}
}

func TestBoundByAnAdmin(t *testing.T) {
	d := open(t, t.TempDir(), "")
	device, ann, bob := newDevice(t, d, "S1"), newUser(t, d, "ann"), newUser(t, d, "bob")
	for range 2 {
		if err := d.Bind(t.Context(), "token:ann", device, "ann@acme.example"); err != nil {
			t.Fatal(err)
		}
	}
	answer, err := d.CheckIn(t.Context(), device, new(api.CheckInRequest))
	if err != nil || answer.Free || len(answer.Users) != 1 || answer.Users[0].State != api.Awaiting {
		t.Errorf("%+v, %v", answer, err)
	}
	if err := signInFully(t, d, device, bob.ID); !errors.Is(err, api.CodeSlotTaken) {
		t.Errorf("somebody else: %v", err)
	}
	if err := signInFully(t, d, device, ann.ID); err != nil {
		t.Errorf("who it is for: %v", err)
	}
}

// A claim that is never completed returns the slot, and the one who was too
// late is told.
func TestClaimEnds(t *testing.T) {
	d := open(t, t.TempDir(), "")
	now := time.Now()
	d.Now = func() time.Time { return now }
	device, ann, bob := newDevice(t, d, "S1"), newUser(t, d, "ann"), newUser(t, d, "bob")
	claim := func(user uuid.UUID) (*api.SignInResponse, *api.TokenResponse, error) {
		started := start(t, d, device)
		number := approve(t, d, started, user)
		ticket, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number})
		return started, ticket, err
	}
	started, anns, err := claim(ann.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := claim(bob.ID); !errors.Is(err, api.CodeSlotTaken) {
		t.Errorf("while it is claimed: %v", err)
	}
	now = now.Add(api.TicketLife)
	if _, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode}); !errors.Is(err, api.CodeExpiredToken) {
		t.Errorf("the device code lives on: %v", err)
	}
	bobs, second, err := claim(bob.ID)
	if err != nil {
		t.Fatalf("after its end: %v", err)
	}
	late := &api.CompleteRequest{Ticket: anns.Ticket, Account: "ann"}
	if err := d.CompleteSignIn(t.Context(), device, late); !errors.Is(err, api.CodeTicket) {
		t.Errorf("too late: %v", err)
	}
	if err := d.CancelSignIn(t.Context(), device, &api.CancelRequest{DeviceCode: bobs.DeviceCode}); err != nil {
		t.Error(err)
	}
	if err := d.CompleteSignIn(t.Context(), device, &api.CompleteRequest{Ticket: second.Ticket, Account: "bob"}); !errors.Is(err, api.CodeTicket) {
		t.Errorf("cancelled, then completed: %v", err)
	}
	if err := signInFully(t, d, device, ann.ID); err != nil {
		t.Errorf("after it was cancelled: %v", err)
	}
}

func TestWhoMayNotSignIn(t *testing.T) {
	d := open(t, t.TempDir(), "")
	device, ann := newDevice(t, d, "S1"), newUser(t, d, "ann")
	refused := func(name string, code api.Code) {
		t.Helper()
		s, err := d.findSignIn(t.Context(), api.ParseUserCode(start(t, d, device).UserCode))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.approve(t.Context(), s, ann.ID, ""); !errors.Is(err, code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	change(t, d, func(s *api.Settings) { s.Windows.Domains = []string{"other.example"} })
	refused("of another domain", api.CodeDomain)
	change(t, d, func(s *api.Settings) { s.Windows.Domains = []string{"other.example", "acme.example"} })
	if err := d.SetUserState(t.Context(), "token:ann", "ann", api.UserDisabled); err != nil {
		t.Fatal(err)
	}
	refused("disabled", api.CodeUserDisabled)
	if err := d.SetUserState(t.Context(), "token:ann", "ann", api.UserActive); err != nil {
		t.Fatal(err)
	}
	started := start(t, d, device)
	number := approve(t, d, started, ann.ID)
	change(t, d, func(s *api.Settings) { s.Windows.SSAP = false })
	if _, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number}); !errors.Is(err, api.CodeSwitchedOff) {
		t.Errorf("switched off in the middle: %v", err)
	}
	if _, err := d.StartSignIn(t.Context(), device, new(api.SignInRequest), ""); !errors.Is(err, api.CodeSwitchedOff) {
		t.Errorf("switched off: %v", err)
	}
	change(t, d, func(s *api.Settings) { s.Windows.SSAP = true })
	pending := enroll(t, d, newLaptop(t, "S2"), mint(t, d, api.NewConnectKey{Approval: true}).Secret)
	if _, err := d.StartSignIn(t.Context(), pending.DeviceID, new(api.SignInRequest), ""); !errors.Is(err, api.CodeDevicePending) {
		t.Errorf("a device that waits: %v", err)
	}
	if err := d.RemoveDevice(t.Context(), "token:ann", device); err != nil {
		t.Fatal(err)
	}
	if _, err := d.StartSignIn(t.Context(), device, new(api.SignInRequest), ""); !errors.Is(err, api.CodeDeviceRemoved) {
		t.Errorf("a removed one: %v", err)
	}
}

func TestThreeWrongNumbersEndASignIn(t *testing.T) {
	d := open(t, t.TempDir(), "")
	device, ann := newDevice(t, d, "S1"), newUser(t, d, "ann")
	started := start(t, d, device)
	number := approve(t, d, started, ann.ID)
	for i, want := range []api.Code{api.CodeNumberWrong, api.CodeNumberWrong, api.CodeAccessDenied} {
		if _, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: "9"}); !errors.Is(err, want) {
			t.Errorf("try %d: %v", i+1, err)
		}
	}
	if _, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number}); !errors.Is(err, api.CodeAccessDenied) {
		t.Errorf("then the right one: %v", err)
	}
}

// Of two who approve the same sign-in the first one counts.
func TestApprovedOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		device := newDevice(t, replicas[0], "S1")
		started := start(t, replicas[0], device)
		var group sync.WaitGroup
		var winners atomic.Int64
		for i := range 20 {
			d, u := replicas[i%len(replicas)], newUser(t, replicas[0], fmt.Sprintf("user%d", i))
			s, err := d.findSignIn(t.Context(), api.ParseUserCode(started.UserCode))
			if err != nil {
				t.Fatal(err)
			}
			group.Go(func() {
				_, err := d.approve(t.Context(), s, u.ID, "")
				if err == nil {
					winners.Add(1)
				} else if !errors.Is(err, api.CodeExpiredToken) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if winners.Load() != 1 {
			t.Errorf("%d were first", winners.Load())
		}
	})
}

func TestPasswordIsConfirmed(t *testing.T) {
	d := open(t, t.TempDir(), "")
	change(t, d, func(s *api.Settings) { s.Windows.Password = api.VerifyPassword })
	device, ann := newDevice(t, d, "S1"), newUser(t, d, "ann")
	started := start(t, d, device)
	ticket, err := d.Token(t.Context(), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: approve(t, d, started, ann.ID)})
	if err != nil || ticket.Password != api.VerifyPassword {
		t.Fatalf("%+v, %v", ticket, err)
	}
	done := &api.CompleteRequest{Ticket: ticket.Ticket, Account: "ann"}
	if err := d.CompleteSignIn(t.Context(), device, done); !errors.Is(err, api.CodePasswordRequired) {
		t.Errorf("without the password: %v", err)
	}
	confirm := func(password, ticket api.Secret) error {
		return d.ConfirmPassword(t.Context(), device, &api.PasswordRequest{Ticket: ticket, Password: password})
	}
	if err := confirm("wrong", ticket.Ticket); !errors.Is(err, api.CodeCredentials) {
		t.Errorf("a wrong one: %v", err)
	}
	if err := confirm(annsPassword, "guess"); !errors.Is(err, api.CodeTicket) {
		t.Errorf("without a ticket: %v", err)
	}
	if err := d.CompleteSignIn(t.Context(), device, done); !errors.Is(err, api.CodePasswordRequired) {
		t.Errorf("after a wrong one: %v", err)
	}
	if err := confirm(annsPassword, ticket.Ticket); err != nil {
		t.Error(err)
	}
	if err := d.CompleteSignIn(t.Context(), device, done); err != nil {
		t.Error(err)
	}
}

// Who waits hears at once, whichever replica the browser spoke to.
func TestTokenWaits(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		device, ann := newDevice(t, first, "S1"), newUser(t, first, "ann")
		started := start(t, first, device)
		answer := make(chan error, 1)
		go func() {
			_, err := last.Token(context.WithoutCancel(t.Context()), device, &api.TokenRequest{DeviceCode: started.DeviceCode, Wait: 60})
			answer <- err
		}()
		approve(t, first, started, ann.ID)
		select {
		case err := <-answer:
			if !errors.Is(err, api.CodeNumberRequired) {
				t.Error(err)
			}
		case <-time.After(30 * time.Second):
			t.Fatal("nothing was heard")
		}
	})
}

func TestGuessersWait(t *testing.T) {
	d := open(t, t.TempDir(), "")
	now := time.Now()
	d.Now = func() time.Time { return now }
	newUser(t, d, "ann")
	login := func(password api.Secret) error {
		_, err := d.checkLogin(t.Context(), "ann", password)
		return err
	}
	for i := range freeFailures {
		if err := login("wrong"); !errors.Is(err, api.CodeCredentials) {
			t.Fatalf("guess %d: %v", i+1, err)
		}
	}
	var refused *api.Error
	if err := login(annsPassword); !errors.As(err, &refused) || refused.Code != api.CodeUserLocked || refused.RetryAfter == 0 {
		t.Fatalf("after %d guesses: %v", freeFailures, err)
	}
	now = now.Add(time.Duration(refused.RetryAfter) * time.Second)
	if err := login("wrong"); !errors.Is(err, api.CodeCredentials) {
		t.Error(err)
	}
	if err := login(annsPassword); !errors.As(err, &refused) || refused.RetryAfter <= int(firstLock/time.Second) {
		t.Errorf("the wait does not grow: %v", err)
	}
	now = now.Add(longestLock)
	if err := login(annsPassword); err != nil {
		t.Errorf("at the end: %v", err)
	}
	// A hundred at once have no more guesses than one after the other.
	var group sync.WaitGroup
	var guesses atomic.Int64
	for range 100 {
		group.Go(func() {
			if errors.Is(login("wrong"), api.CodeCredentials) {
				guesses.Add(1)
			}
		})
	}
	group.Wait()
	if n := guesses.Load(); n != freeFailures {
		t.Errorf("%d guesses at once", n)
	}
	if _, err := d.checkLogin(t.Context(), "nobody", "wrong"); !errors.Is(err, api.CodeCredentials) {
		t.Errorf("who is not known: %v", err)
	}
}

func TestSecondFactor(t *testing.T) {
	d := open(t, t.TempDir(), "")
	now := time.Now()
	d.Now = func() time.Time { return now }
	ann := newUser(t, d, "ann")
	key, err := newTOTP("Acme", "ann")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.setSecondFactor(t.Context(), ann.ID, key.Secret(), "000000x"); !errors.Is(err, api.CodeCredentials) {
		t.Errorf("without proof: %v", err)
	}
	codes, err := d.setSecondFactor(t.Context(), ann.ID, key.Secret(), totpOf(t, key.Secret(), now))
	if err != nil || len(codes) != recoveryCodes {
		t.Fatalf("%d codes, %v", len(codes), err)
	}
	check := func(name, typed string, code api.Code) {
		t.Helper()
		if err := d.checkSecondFactor(t.Context(), ann.ID, typed); api.CodeOf(err) != code {
			t.Errorf("%s: %v", name, err)
		}
	}
	check("the one used to set it up", totpOf(t, key.Secret(), now), api.CodeCredentials)
	now = now.Add(totpPeriod)
	check("the next", totpOf(t, key.Secret(), now), "")
	check("the same again", totpOf(t, key.Secret(), now), api.CodeCredentials)
	check("of a clock two steps off", totpOf(t, key.Secret(), now.Add(2*totpPeriod)), api.CodeCredentials)
	check("of a clock one step off", totpOf(t, key.Secret(), now.Add(totpPeriod)), "")
	check("a recovery code", strings.ToUpper(codes[3]), "")
	check("the same one again", codes[3], api.CodeCredentials)
	check("another one", codes[0], "")
	if _, err := d.ResetUser(t.Context(), "token:ann", "ann"); err != nil {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	check("after a reset", totpOf(t, key.Secret(), now), api.CodeCredentials)
}

func TestUsers(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		created, err := d.CreateUsers(t.Context(), "token:ann", []api.NewUser{
			{Name: " Ann ", Email: "Ann@Acme.example", FullName: "Ann Example"}, {Name: "bob", Password: "correct horse battery"},
		})
		if err != nil || created[0].Name != "ann" || created[0].Password == "" || created[1].Password != "" || !created[1].Temporary {
			t.Fatalf("%+v, %v", created, err)
		}
		if _, err := d.checkLogin(t.Context(), "ANN@acme.example", created[0].Password); err != nil {
			t.Errorf("with the password that was made: %v", err)
		}
		for name, users := range map[string][]api.NewUser{
			"nobody":         {},
			"nameless":       {{}},
			"a name taken":   {{Name: "carl"}, {Name: "ann"}},
			"address taken":  {{Name: "carl"}, {Name: "carla", Email: "ann@acme.example"}},
			"twice":          {{Name: "carl"}, {Name: "Carl"}},
			"no address":     {{Name: "carl", Email: "carl"}},
			"two lines":      {{Name: "carl", FullName: "a\nb"}},
			"short password": {{Name: "carl", Password: "short"}},
			"path":           {{Name: "../carl"}},
		} {
			if _, err := d.CreateUsers(t.Context(), "token:ann", users); !errors.Is(err, api.CodeBadRequest) && !errors.Is(err, api.CodeConflict) {
				t.Errorf("%s: %v", name, err)
			}
		}
		all, err := d.Users(t.Context(), "")
		if err != nil || len(all) != 2 || all[0].Name != "ann" {
			t.Errorf("%d users, %v: of those refused nobody may be here", len(all), err)
		}
		checkAudit(t, d)
	})
}

// A device that polls too often is told to slow down, as RFC 8628 §3.5 wants it.
func TestLimits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLimits()
		for range 60 {
			if _, ok := l.polls.take("device"); !ok {
				t.Fatal("refused too early")
			}
		}
		if _, ok := l.polls.take("device"); ok {
			t.Error("not refused")
		}
	})
}
