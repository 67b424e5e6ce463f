package directory

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/simulate/employee"
)

// racers is how many race.
const racers = 1000

// serveAll lets replicas answer on loopback, and has patience with everybody
// behind its one address.
func serveAll(t *testing.T, replicas []*Directory) (at []api.Directory) {
	for _, d := range replicas {
		for _, l := range []**limit{&d.limits.codes, &d.limits.logins, &d.limits.starts, &d.limits.polls, &d.strangers.refusals} {
			*l = newLimit(100*racers, time.Minute)
		}
		at = append(at, serve(t, d))
		d.PagesURL = at[len(at)-1].URL
	}
	return at
}

// outcome is what came of the calls of a race, by replica.
type outcome struct {
	mu            sync.Mutex
	won, lost     []int
	running, most int
	again         int // told to come again
}

func newOutcome(replicas int) *outcome {
	return &outcome{won: make([]int, replicas), lost: make([]int, replicas)}
}

// call counts a call, and how many are made at the same time. As devices do, it
// comes again where a busy machine has no answer in time.
func (o *outcome) call(t *testing.T, replica int, lost api.Code, f func() error) {
	o.mu.Lock()
	o.running++
	o.most = max(o.most, o.running)
	o.mu.Unlock()
	err := f()
	again := 0
	for ; errors.Is(err, api.CodeUnavailable); again++ {
		err = f()
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.running--
	o.again += again
	switch {
	case err == nil:
		o.won[replica]++
	case errors.Is(err, lost):
		o.lost[replica]++
	default:
		t.Error(err)
	}
}

// judge makes sure that so many won, and that it was a race on each replica.
func (o *outcome) judge(t *testing.T, want int) {
	t.Helper()
	won, lost := 0, 0
	for i := range o.won {
		won, lost = won+o.won[i], lost+o.lost[i]
		if o.won[i]+o.lost[i] < racers/len(o.won)-1 {
			t.Errorf("replica %d was asked %d times", i, o.won[i]+o.lost[i])
		}
	}
	if won != want || lost != racers-want {
		t.Errorf("%d won, %d lost", won, lost)
	}
	if o.most < racers/2 {
		t.Errorf("only %d raced at the same time", o.most)
	}
	t.Logf("%d raced, up to %d at the same time: %d won (by replica %v), %d lost (%v), %d were told to come again", racers, o.most, won, o.won, lost, o.lost, o.again)
}

// However many devices race for a key on however many replicas, as many as it
// allows get in. All of them come over the network.
func TestThousandEnrolmentsOnAKeyForTen(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		const uses = 10
		key := mint(t, replicas[0], api.NewConnectKey{Uses: uses})
		at := serveAll(t, replicas)
		o := newOutcome(len(at))
		begin := make(chan struct{})
		var group sync.WaitGroup
		for i := range racers {
			r, replica := newLaptop(t, fmt.Sprint("S", i)).request(t, key.Secret), i%len(at)
			c := client(t, at[replica], nil)
			group.Go(func() {
				<-begin
				o.call(t, replica, api.CodeKeySpent, func() error { _, err := c.Enroll(t.Context(), r); return err })
			})
		}
		close(begin)
		group.Wait()
		o.judge(t, uses)
		if keys, err := replicas[0].Keys(t.Context(), uuid.Nil); err != nil || keys[0].Uses != uses {
			t.Errorf("the key has %d uses, %v", keys[0].Uses, err)
		}
		if _, entries := checkAudit(t, replicas[0]); entries != racers+1 {
			t.Errorf("%d entries in the audit log", entries)
		}
	})
}

// However many devices race for an order over two keys on however many replicas, as
// many as it says get in by both together.
func TestThousandEnrolmentsOnAnOrderOfTen(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		const quantity = 10
		first := replicas[0]
		o := order(t, first, api.NewOrder{PO: "PO-4711", Quantity: quantity})
		keys := []*api.MintedConnectKey{mint(t, first, api.NewConnectKey{OrderID: o.ID}), mint(t, first, api.NewConnectKey{OrderID: o.ID})}
		at := serveAll(t, replicas)
		outcome := newOutcome(len(at))
		begin := make(chan struct{})
		var group sync.WaitGroup
		for i := range racers {
			r, replica := newLaptop(t, fmt.Sprint("S", i)).request(t, keys[i/len(at)%len(keys)].Secret), i%len(at)
			c := client(t, at[replica], nil)
			group.Go(func() {
				<-begin
				outcome.call(t, replica, api.CodeOrderComplete, func() error { _, err := c.Enroll(t.Context(), r); return err })
			})
		}
		close(begin)
		group.Wait()
		outcome.judge(t, quantity)
		orders, err := first.Orders(t.Context(), "PO-4711", uuid.Nil)
		if err != nil || orders[0].Used != quantity || orders[0].CompletedAt.IsZero() {
			t.Errorf("the order is %+v, %v", orders[0], err)
		}
		minted, err := first.Keys(t.Context(), uuid.Nil)
		if err != nil || minted[0].Uses+minted[1].Uses != quantity || minted[0].RevokedAt.IsZero() || minted[1].RevokedAt.IsZero() {
			t.Errorf("the keys are %+v and %+v, %v", minted[0], minted[1], err)
		}
		if units, err := first.OrderUnits(t.Context(), o.ID, ""); err != nil || len(units) != quantity {
			t.Errorf("%d devices have come, %v", len(units), err)
		}
		if _, entries := checkAudit(t, first); entries != racers+4 { // the order, two keys, and that it is complete
			t.Errorf("%d entries in the audit log", entries)
		}
	})
}

// A thousand people sign in on one device at once: it is one's. Each has signed
// in on the pages before; then all want the slot.
func TestThousandSignInsForOneSlot(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first := replicas[0]
		at := serveAll(t, replicas)
		change(t, first, func(s *api.Settings) { s.SecondFactor = false })
		own := newLaptop(t, "S1")
		e := enroll(t, first, own, mint(t, first, api.NewConnectKey{}).Secret)
		var devices []*api.Client // the one device, at each replica
		for _, a := range at {
			devices = append(devices, client(t, a, &tls.Certificate{Certificate: e.Certificates, PrivateKey: own.key}))
		}
		newUsers(t, first, racers)
		o := newOutcome(len(at))
		begin := make(chan struct{})
		var ready, group sync.WaitGroup
		pages := make(chan struct{}, 8)
		for i := range racers {
			replica := i % len(at)
			device, name := devices[replica], fmt.Sprintf("user%d", i)
			ready.Add(1)
			group.Go(func() {
				pages <- struct{}{}
				ask, err := comeReady(t.Context(), device, at[replica], name)
				<-pages
				ready.Done()
				if err != nil {
					t.Errorf("%s: %v", name, err)
					return
				}
				<-begin
				o.call(t, replica, api.CodeSlotTaken, func() error {
					ticket, err := device.WhoSignedIn(t.Context(), ask)
					if err != nil {
						return err
					}
					return device.CompleteSignIn(t.Context(), &api.CompleteRequest{Ticket: ticket.Ticket, Account: name})
				})
			})
		}
		ready.Wait()
		close(begin)
		group.Wait()
		o.judge(t, 1)
		v, err := first.Device(t.Context(), e.DeviceID)
		if err != nil || len(v.Users) != 1 || v.Users[0].State != api.Bound {
			t.Errorf("the device has %+v, %v", v, err)
		}
		checkAudit(t, first)
	})
}

// comeReady starts a sign-in and goes through its pages, up to where the device
// asks who has signed in.
func comeReady(ctx context.Context, device *api.Client, at api.Directory, name string) (*api.TokenRequest, error) {
	started, err := device.SignIn(ctx, new(api.SignInRequest))
	if err != nil {
		return nil, err
	}
	who := &employee.Employee{Name: name, Password: annsPassword}
	number, err := who.SignIn(ctx, at, started.VerificationURIComplete)
	return &api.TokenRequest{DeviceCode: started.DeviceCode, Number: number}, err
}

// newUsers makes users with the password annsPassword, named user0 and so on.
func newUsers(t *testing.T, d *Directory, n int) {
	t.Helper()
	var users []api.NewUser
	for i := range n {
		users = append(users, api.NewUser{Name: fmt.Sprintf("user%d", i)})
	}
	if _, err := d.CreateUsers(t.Context(), "token:ann", users); err != nil {
		t.Fatal(err)
	}
	hash, err := hashPassword(t.Context(), annsPassword, made)
	if err != nil {
		t.Fatal(err)
	}
	if err := d.change(t.Context(), func(tx *transaction) error {
		_, err := tx.exec(`UPDATE users SET password = $1, temporary = 0`, hash)
		return err
	}); err != nil {
		t.Fatal(err)
	}
}
