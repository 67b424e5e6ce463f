package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpostgres"
	"firstday.dev/simulate/employee"
)

// The database goes away like in a power cut and comes back, again and again,
// while devices enrol on three replicas: who asks again is let in once, and
// nothing is lost.
func TestPostgreSQLRestartsUnderLoad(t *testing.T) {
	const laptops, restarts = 90, 3
	server := testpostgres.Start(t)
	t.Cleanup(server.Stop) // after the replicas
	dir, database := t.TempDir(), server.Database(t)
	replicas := []*Directory{open(t, dir, database), open(t, dir, database), open(t, dir, database)}
	key := mint(t, replicas[0], api.NewConnectKey{Uses: laptops})

	var refused atomic.Int64
	var wg sync.WaitGroup
	ids := make([]uuid.UUID, laptops)
	for i := range laptops {
		l := newLaptop(t, fmt.Sprint("S", i))
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 30 * time.Millisecond)
			for attempt := 0; ; attempt++ {
				e, err := replicas[(i+attempt)%len(replicas)].Enroll(t.Context(), l.request(t, key.Secret), "192.0.2.7")
				if err == nil {
					ids[i] = e.DeviceID
					return
				}
				refused.Add(1)
				if !unavailable(err) || attempt > 100 {
					t.Errorf("laptop %d: %v", i, err)
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	for range restarts {
		time.Sleep(400 * time.Millisecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()

	keys, err := replicas[0].Keys(t.Context(), uuid.Nil)
	if err != nil || keys[0].Uses != laptops {
		t.Errorf("%d uses are taken, %v", keys[0].Uses, err)
	}
	seen := make(map[uuid.UUID]bool)
	for _, id := range ids {
		if seen[id] {
			t.Errorf("device %v is two laptops", id)
		}
		seen[id] = true
	}
	if _, entries := checkAudit(t, replicas[0]); entries != laptops+1 {
		t.Errorf("%d entries in the audit log", entries)
	}
	t.Logf("%d attempts found no database", refused.Load())

	// The replicas hear of each other again.
	old, err := replicas[1].Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, err := replicas[1].SetSettings(t.Context(), "token:ann", old)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		answer, err := replicas[2].CheckIn(t.Context(), ids[0], new(api.CheckInRequest))
		return err == nil && answer.Version == now.Revision
	})
}

// PostgreSQL goes away and comes back while people sign in on three replicas:
// each has their device in the end, once.
func TestPostgreSQLRestartsWhilePeopleSignIn(t *testing.T) {
	const people, restarts = 24, 3
	server := testpostgres.Start(t)
	t.Cleanup(server.Stop) // after the replicas
	dir, database := t.TempDir(), server.Database(t)
	var replicas []*Directory
	var at []api.Directory
	for range 3 {
		d := open(t, dir, database)
		d.limits.logins = newLimit(100_000, time.Minute) // all of them are behind one address
		d.limits.codes = newLimit(100_000, time.Minute)
		d.limits.starts = newLimit(100_000, time.Minute) // and begins anew as often as it takes
		replicas = append(replicas, d)
		at = append(at, serve(t, d))
		d.PagesURL = at[len(at)-1].URL
	}
	change(t, replicas[0], func(s *api.Settings) { s.SecondFactor = false })
	key := mint(t, replicas[0], api.NewConnectKey{Uses: people})
	var told atomic.Int64
	var wg sync.WaitGroup
	devices := make([]uuid.UUID, people)
	for i := range people {
		user := newUser(t, replicas[0], fmt.Sprint("user", i))
		l := newLaptop(t, fmt.Sprint("S", i))
		e := enroll(t, replicas[0], l, key.Secret)
		devices[i] = e.DeviceID
		who := &seat{
			at: at[i%len(at)], told: &told, user: user.Name,
			device: client(t, at[i%len(at)], &tls.Certificate{Certificate: e.Certificates, PrivateKey: l.key}),
		}
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 60 * time.Millisecond)
			if err := who.signIn(t.Context()); err != nil {
				t.Errorf("%s: %v", user.Name, err)
			}
		})
	}
	for range restarts {
		time.Sleep(300 * time.Millisecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()
	eventually(t, func() bool { return replicas[0].store.read.PingContext(t.Context()) == nil }) // what is left of old connections
	for i, device := range devices {
		v, err := replicas[0].Device(t.Context(), device)
		if err != nil {
			t.Fatal(err)
		}
		if len(v.Users) != 1 || v.Users[0].State != api.Bound || v.Users[0].User.Name != fmt.Sprint("user", i) {
			t.Errorf("device %d has %+v", i, v.Users)
		}
	}
	bound := 0
	for e, err := range replicas[0].Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Action == "user.bind" {
			bound++
		}
	}
	if checkAudit(t, replicas[0]); bound != people {
		t.Errorf("%d were bound", bound)
	}
	if told.Load() == 0 {
		t.Error("nobody noticed")
	}
	t.Logf("%d people signed in; %d calls found no database", people, told.Load())
}

// seat is a device with somebody in front of it, who starts again as long as it
// does not work.
type seat struct {
	at     api.Directory
	device *api.Client
	user   string
	told   *atomic.Int64
}

func (s *seat) signIn(ctx context.Context) error {
	var err error
	for range 100 {
		if err = s.try(ctx); err == nil {
			return nil
		}
		// A sign-in whose answer was lost waits for nobody any more.
		var told *employee.PageError
		if !errors.Is(err, api.CodeUnavailable) && !errors.As(err, &told) && !errors.Is(err, api.CodeExpiredToken) && !errors.Is(err, api.CodeAccessDenied) {
			return err
		}
		s.told.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
	return err
}

func (s *seat) try(ctx context.Context) error {
	started, err := s.device.SignIn(ctx, new(api.SignInRequest))
	if err != nil {
		return err
	}
	who := &employee.Employee{Name: s.user, Password: annsPassword}
	number, err := who.SignIn(ctx, s.at, started.VerificationURIComplete)
	if err != nil {
		return err
	}
	var ticket *api.TokenResponse
	if err := s.again(func() (err error) {
		ticket, err = s.device.WhoSignedIn(ctx, &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number})
		return err
	}); err != nil {
		return err
	}
	return s.again(func() error {
		return s.device.CompleteSignIn(ctx, &api.CompleteRequest{Ticket: ticket.Ticket, Account: s.user, AccountID: "1000"})
	})
}

// again repeats a call that found no database, as agents do.
func (s *seat) again(call func() error) error {
	for {
		err := call()
		if !errors.Is(err, api.CodeUnavailable) {
			return err
		}
		s.told.Add(1)
		time.Sleep(100 * time.Millisecond)
	}
}
