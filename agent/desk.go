package agent

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/authdb"
	"firstday.dev/agent/local"
	"firstday.dev/agent/reach"
	"firstday.dev/agent/wifi"
	"firstday.dev/api"
)

// loginDesk answers login windows what they ask beside the sign-in, see [local.Desk].
// It looks at nothing before somebody asks.
type loginDesk struct {
	*Agent
	store    accounts.Store
	managed  func() ([]string, error) // names of the directory's people here
	heard    func() api.CheckInResponse
	console  console                      // nil: this system has no login window of ours
	policies []string                     // files with macOS' own settings of its login window, the stronger first
	airs     func() (air, error)          // opens what joins Wi-Fi
	reaches  func() (reachability, error) // opens what looks at the way out
	people   latest[local.Users]
	facts    latest[api.Facts]

	mu     sync.Mutex
	closed bool
	air    air          // nil: not opened, or there is none
	reach  reachability // nil: not opened
	joined wifi.Progress
}

// console is what a system with a login window has.
type console interface {
	authdb.Commands
	Seats() (Seats, error)
}

// air is [wifi.Radio].
type air interface {
	Network(context.Context) wifi.Status
	Scan()
	Join(wifi.Join) error
	SetPower(ctx context.Context, on bool) error
	Close()
}

// reachability is [reach.Watch].
type reachability interface {
	State(context.Context) reach.State
	Refresh()
	Close()
}

// newDesk makes the desk of a membership. Close ends it.
func (a *Agent) newDesk(m *member) *loginDesk {
	d := &loginDesk{Agent: a, store: m.accounts.Store, managed: m.accounts.Open, policies: loginPolicies}
	d.heard = func() (heard api.CheckInResponse) {
		if r := m.current(); r != nil {
			heard = r.Heard
		}
		return heard
	}
	if w := a.System.LoginWindow(); w != nil {
		d.console = w
	}
	d.airs = func() (air, error) {
		r, err := wifi.Open(a.log())
		if err != nil {
			return nil, err // not a nil *wifi.Radio in an interface
		}
		return r, nil
	}
	d.reaches = func() (reachability, error) {
		p, err := reach.NewProbe(m.enrollment.Directory)
		if err != nil {
			return nil, err
		}
		return reach.NewWatch(p), nil
	}
	return d
}

// Close ends what goes on.
func (d *loginDesk) Close() {
	d.mu.Lock()
	d.closed = true
	air, reach := d.air, d.reach
	d.mu.Unlock()
	if air != nil {
		air.Close()
	}
	if reach != nil {
		reach.Close()
	}
}

// Users gives who may log in. A system that is slow to say is not waited for.
func (d *loginDesk) Users(ctx context.Context) (local.Users, error) {
	return d.people.get(ctx, d.listPeople)
}

func (d *loginDesk) listPeople(ctx context.Context) (local.Users, error) {
	list, err := d.store.List(ctx)
	if err != nil {
		return local.Users{}, err
	}
	managed, err := d.managed()
	if err != nil { // they can log in all the same
		d.log().WarnContext(ctx, "it is not known whose accounts are managed", "error", err)
	}
	policy, err := d.policy(ctx)
	if err != nil {
		d.log().WarnContext(ctx, "the settings of macOS' login window are not known; no names are shown", "error", err)
	}
	u := local.Users{List: !policy.fields && d.heard().Settings.UserList != api.ListFields}
	if !u.List {
		return u, nil
	}
	for _, a := range list {
		if a.Disabled || a.Hidden || a.Unused || policy.hides(a) {
			continue
		}
		u.All = append(u.All, local.User{Name: a.Name, Managed: slices.Contains(managed, a.Name), Label: a.FullName})
	}
	slices.SortStableFunc(u.All, func(a, b local.User) int {
		return strings.Compare(strings.ToLower(cmp.Or(a.Label, a.Name)), strings.ToLower(cmp.Or(b.Label, b.Name)))
	})
	return u, nil
}

// Info tells what the device is. A Mac asks its own tools for that, which may be slow.
func (d *loginDesk) Info(ctx context.Context) (local.Info, error) {
	f, err := d.facts.get(ctx, func(context.Context) (api.Facts, error) { return d.System.Facts() })
	if err != nil {
		return local.Info{}, err
	}
	i := local.Info{
		Computer: fact(f.Name), Serial: fact(f.Serial), Model: fact(strings.TrimSpace(f.Manufacturer + " " + f.Model)),
		OS: fact(strings.TrimSpace(f.OS + " " + f.OSVersion)), Agent: d.Version, Organisation: d.heard().Organisation,
	}
	i.Addresses, err = interfaceAddresses()
	if err != nil {
		d.log().WarnContext(ctx, "the addresses of this device are not known", "error", err)
	}
	if air, _, err := d.open(); err == nil && air != nil {
		radio := air.Network(ctx).Device
		for n := range i.Addresses {
			if i.Addresses[n].Interface == radio {
				i.Addresses[n].Kind = string(local.LinkWiFi)
			}
		}
	}
	return i, nil
}

// interfaceAddresses are those of interfaces that are connected. Of one without an
// address that others could use, only a card that could have one is told.
func interfaceAddresses() (all []local.Address, err error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	for _, i := range interfaces {
		if i.Flags&net.FlagLoopback != 0 || i.Flags&net.FlagUp == 0 || i.Flags&net.FlagRunning == 0 {
			continue
		}
		addresses, err := i.Addrs()
		if err != nil {
			return all, fmt.Errorf("%s: %w", i.Name, err)
		}
		a := local.Address{Interface: i.Name, Kind: kindOfInterface(i), MAC: i.HardwareAddr.String()}
		found := false
		for _, at := range addresses {
			if n, ok := at.(*net.IPNet); ok && n.IP.IsGlobalUnicast() {
				a.IP, found = n.IP.String(), true
				all = append(all, a)
			}
		}
		if !found && a.Kind != otherInterface {
			all = append(all, a)
		}
	}
	return all, nil
}

const otherInterface = "other"

// kindOfInterface knows cards by their names, as Linux and macOS give them; a Mac's
// Wi-Fi is among its Ethernets.
func kindOfInterface(i net.Interface) string {
	wireless, _ := filepath.Glob(filepath.Join("/sys/class/net", i.Name, "wireless"))
	switch {
	case len(wireless) > 0:
		return string(local.LinkWiFi)
	case len(i.HardwareAddr) == 6 && (strings.HasPrefix(i.Name, "en") || strings.HasPrefix(i.Name, "eth")):
		return string(local.LinkEthernet)
	}
	return otherInterface
}

// shutdown is the system's own, which tells programs before it ends them.
const shutdown = "/sbin/shutdown"

// shutdownTime is what it gets to begin.
const shutdownTime = 10 * time.Second

// Power restarts the device or shuts it down, unless somebody is logged in.
func (d *loginDesk) Power(ctx context.Context, p local.Power) error {
	if d.console == nil {
		return errors.ErrUnsupported
	}
	seats, err := d.console.Seats()
	if err != nil {
		return err
	}
	if seats.People > 0 {
		return local.ErrOthers
	}
	how := "-h"
	if p == local.Restart {
		how = "-r"
	}
	d.log().Log(ctx, LevelNotice, "somebody at the login window ends this system", "restart", p == local.Restart)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), shutdownTime) // whoever asked may go
	defer cancel()
	_, stderr, err := d.console.Run(ctx, nil, shutdown, how, "now")
	if err != nil {
		return fmt.Errorf("%s: %w: %.200q", shutdown, err, stderr)
	}
	return nil
}

// Logo is the organisation's. What is no picture as a directory takes it is not handed
// to what draws at the login window.
func (d *loginDesk) Logo(ctx context.Context) ([]byte, error) {
	logo := d.heard().Logo
	if err := api.CheckLogo(logo); err != nil {
		d.log().WarnContext(ctx, "the organisation's logo is not shown", "error", err)
		return nil, nil
	}
	return logo, nil
}

// latest is something that takes its time: who asks waits for it as long as they
// can, and then gets what was known before. It is asked for once at a time.
type latest[T any] struct {
	mu     sync.Mutex
	asking *asked[T] // nil: nobody asks
	known  *asked[T] // the last that came to something; nil: none
}

// asked is one answer, for all who wait for it: the next may be asked for before
// they have read it.
type asked[T any] struct {
	done  chan struct{} // closed once there are value and err
	value T
	err   error
}

// latestTime is how long an answer may take before another try.
const latestTime = 30 * time.Second

func (l *latest[T]) get(ctx context.Context, ask func(context.Context) (T, error)) (value T, err error) {
	l.mu.Lock()
	if l.asking == nil {
		a := &asked[T]{done: make(chan struct{})}
		l.asking = a
		go func() {
			defer close(a.done)
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), latestTime)
			defer cancel()
			a.value, a.err = ask(ctx)
			l.mu.Lock()
			defer l.mu.Unlock()
			l.asking = nil
			if a.err == nil {
				l.known = a
			}
		}()
	}
	a := l.asking
	l.mu.Unlock()
	select {
	case <-a.done:
		return a.value, a.err
	case <-ctx.Done():
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.known == nil {
		return value, ctx.Err()
	}
	return l.known.value, nil
}

var _ local.Desk = (*loginDesk)(nil)
