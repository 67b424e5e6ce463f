package agent_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/simulate/employee"
)

const (
	// killsVariable asks for more kills than an ordinary run has time for.
	killsVariable = "FIRSTDAY_TEST_KILLS"
	fewKills      = 40

	desks        = 3  // people who sign in at the same time
	rareUses     = 10 // of a connect key that many laptops bring
	onesPassword = "of this device"
)

// office is what is killed again and again, and who works there meanwhile.
type office struct {
	t       *testing.T
	dir     string
	at      api.Directory
	admin   *api.Client
	key     api.Secret // of a connect key that is good for all
	rare    api.Secret // of one that is not
	victims struct {
		sync.Mutex
		directory *process
		agents    map[*process]bool
	}
	creating chan *process // whose agent makes an account just now
	killing  atomic.Bool

	mu       sync.Mutex
	finished []*desk
	laptops  map[uuid.UUID]string // without anybody in front of them
	refused  int                  // who came with the rare key, too late
}

// Directory and agents are killed at any moment, in a row, while devices enrol,
// people sign in, accounts are made and admins bind and unbind. At the end each
// device is its user's: nobody is bound twice, no slot is lost, no key was used
// too often, nothing is missing from the audit log, and no account is half made
// or there twice.
func TestKilledAgainAndAgain(t *testing.T) {
	kills := fewKills
	if text := os.Getenv(killsVariable); text != "" {
		var err error
		if kills, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	o := openOffice(t)
	var work sync.WaitGroup
	for range desks {
		work.Go(o.work)
	}
	o.kill(kills, &work)
	o.killing.Store(false)
	work.Wait()
	o.stop()
	if !t.Failed() {
		o.judge(kills)
	}
}

func openOffice(t *testing.T) *office {
	t.Helper()
	o := &office{t: t, dir: t.TempDir(), creating: make(chan *process), laptops: make(map[uuid.UUID]string)}
	o.killing.Store(true)
	o.victims.agents = make(map[*process]bool)
	address := freeAddress(t)
	s := testdirectory.In(t, o.dir, address)
	o.at = s.At
	o.key, o.rare = s.MustMint(api.NewConnectKey{Label: "all", Uses: 10_000}), s.MustMint(api.NewConnectKey{Label: "rare", Uses: rareUses})
	s.Change(func(s *api.Settings) { s.SecondFactor = false }) // a code is good once in half a minute
	owner, err := s.CreateToken(t.Context(), "system", api.NewToken{Name: "ann", Role: api.Owner, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	s.Stop()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if o.admin, err = api.NewClient(o.at, nil); err != nil {
		t.Fatal(err)
	}
	o.admin.Token = owner.Secret
	o.start(o.dir, address)
	return o
}

// freeAddress is one that no client is given as its own while the directory is
// gone: below those of net.ipv4.ip_local_port_range.
func freeAddress(t *testing.T) string {
	t.Helper()
	for range 100 {
		address := fmt.Sprint("127.0.0.1:", 20_000+mathrand.N(10_000))
		l, err := net.Listen("tcp", address)
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return address
	}
	t.Fatal("no port is free")
	return ""
}

// kill kills now the directory, now an agent. Half of the time it waits for an
// account that is being made.
func (o *office) kill(kills int, work *sync.WaitGroup) {
	count := 0
	for range kills {
		var victim *process
		select {
		case victim = <-o.creating:
			time.Sleep(mathrand.N(accountTime))
		case <-time.After(20*time.Millisecond + mathrand.N(1200*time.Millisecond)):
		}
		for range 2 {
			count++
			serial, withRareKey := fmt.Sprint("S", count), count%2 == 0
			work.Go(func() { o.enroll(serial, withRareKey) })
		}
		v := &o.victims
		v.Lock()
		switch {
		case mathrand.N(2) == 0:
			victim = v.directory
		case victim == nil:
			for victim = range v.agents { // any of them
				break
			}
		}
		v.Unlock()
		if victim != nil {
			victim.kill()
		}
	}
}

// persist repeats what finds no directory.
func (o *office) persist(f func() error) error {
	for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(20 * time.Millisecond) {
		err := f()
		if err == nil || !errors.Is(err, api.ErrUnreachable) && !errors.Is(err, api.CodeUnavailable) && !errors.Is(err, api.CodeTooMany) || time.Now().After(deadline) {
			return err
		}
	}
}

// enroll brings a laptop that nobody sits in front of.
func (o *office) enroll(serial string, withRareKey bool) {
	connectKey := o.key
	if withRareKey {
		connectKey = o.rare
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		o.t.Error(err)
		return
	}
	csr, err := x509.CreateCertificateRequest(rand.Reader, new(x509.CertificateRequest), key)
	if err != nil {
		o.t.Error(err)
		return
	}
	facts := api.Facts{Platform: api.Windows, Serial: serial, Name: serial, OS: "Windows 11 Pro", OSVersion: "10.0.26100", Arch: "amd64", KeyStorage: api.KeyInFile}
	c, err := api.NewClient(o.at, nil)
	if err != nil {
		o.t.Error(err)
		return
	}
	defer c.Close()
	var id uuid.UUID
	err = o.persist(func() error {
		e, err := c.Enroll(context.Background(), &api.EnrollRequest{ConnectKey: connectKey, Facts: facts, CertificateRequest: csr})
		if err == nil {
			id = e.DeviceID
		} else if withRareKey && errors.Is(err, api.CodeTooMany) { // it was refused to others before
			return api.Refuse(api.CodeKeySpent, "%v", err)
		}
		return err
	})
	o.mu.Lock()
	defer o.mu.Unlock()
	switch other := o.laptops[id]; {
	case withRareKey && errors.Is(err, api.CodeKeySpent):
		o.refused++
	case err != nil:
		o.t.Errorf("%s: %v", serial, err)
	case other != "":
		o.t.Errorf("%s and %s are one device", serial, other)
	default:
		o.laptops[id] = serial
	}
}

// stop ends the victims.
func (o *office) stop() {
	o.victims.Lock()
	defer o.victims.Unlock()
	o.victims.directory.end()
	for p := range o.victims.agents {
		p.end()
	}
}

// judge looks at what is left.
func (o *office) judge(kills int) {
	t := o.t
	s := testdirectory.In(t, o.dir, strings.TrimPrefix(o.at.URL, "https://"))
	var log bytes.Buffer
	entries := make(map[string]int) // by action, subject and user
	enc := json.NewEncoder(&log)
	for e, err := range s.Audit(t.Context(), 0) {
		if err != nil {
			t.Fatal(err)
		}
		if err := enc.Encode(e); err != nil {
			t.Fatal(err)
		}
		var detail struct{ User, Account string }
		if err := json.Unmarshal(e.Detail, &detail); err != nil {
			t.Fatal(err)
		}
		entries[e.Action]++
		entries[e.Action+" "+e.Subject+" "+detail.User+detail.Account]++
	}
	proof, err := api.VerifyAudit(&log)
	if err != nil {
		t.Error(err)
	}
	devices := len(o.laptops) + len(o.finished)
	keys, err := s.Keys(t.Context(), uuid.Nil)
	if err != nil || len(keys) != 2 {
		t.Fatalf("%d keys, %v", len(keys), err)
	}
	uses := 0
	for _, k := range keys {
		ledger, err := s.KeyUses(t.Context(), k.ID)
		if err != nil {
			t.Error(err)
		}
		taken := 0
		for _, u := range ledger {
			if u.Refusal == "" {
				taken++
			}
		}
		if taken != k.Uses || k.Uses > k.MaxUses {
			t.Errorf("key %s has %d of %d uses, and %d in its ledger", k.Label, k.Uses, k.MaxUses, taken)
		}
		uses += k.Uses
	}
	if uses != devices || entries["device.enroll"] != devices {
		t.Errorf("%d devices by %d uses, %d in the audit log", devices, uses, entries["device.enroll"])
	}
	for _, d := range o.finished {
		d.judge(s, entries)
	}
	t.Logf("%d kills: %d devices by %d uses of keys (%d refused), %d accounts bound, %d unbound, %d resumed after a kill, %d audit entries in one chain",
		kills, devices, uses, o.refused, entries["user.bind"], entries["device.unbind"], o.resumed(), proof.Entries)
}

// resumed counts the agents that found an account to be brought to its end.
func (o *office) resumed() (n int) {
	for _, d := range o.finished {
		logs, err := filepath.Glob(filepath.Join(d.dir, "root/var/lib/firstday/log/service*"))
		if err != nil {
			o.t.Error(err)
		}
		for _, path := range logs {
			text, err := os.ReadFile(path)
			if err != nil {
				o.t.Error(err)
			}
			n += strings.Count(string(text), "an account was interrupted")
		}
	}
	return n
}

// judge makes sure that the device is as its people left it.
func (d *desk) judge(s *testdirectory.Service, entries map[string]int) {
	t := d.office.t
	v, err := s.Device(t.Context(), d.id)
	if err != nil {
		t.Error(err)
		return
	}
	state := make(map[string]api.BindingState)
	for _, b := range v.Users {
		state[b.User.Name] = b.State
	}
	if len(v.Users) != 2 || state[d.first.Name] != api.Bound || state[d.second.Name] != api.Unbound {
		t.Errorf("%s has the users %v", d.serial, state)
	}
	list, err := d.accounts.List(t.Context())
	if err != nil || len(list) != 2 {
		t.Errorf("%s has the accounts %+v, %v", d.serial, list, err)
	}
	for _, a := range list {
		if a.Tag == "" || a.Unused || a.Disabled != (state[a.Name] == api.Unbound) {
			t.Errorf("%s: account %+v of who is %s", d.serial, a, state[a.Name])
		}
	}
	if !d.accounts.CheckPassword(d.first.Name, onesPassword) {
		t.Errorf("%s: %s has another password", d.serial, d.first.Name)
	}
	subject := " device:" + d.id.String() + " "
	for what, want := range map[string]int{
		"user.bind" + subject + d.first.Name: 2, "user.bind" + subject + d.second.Name: 1,
	} {
		if entries[what] != want {
			t.Errorf("%s: %d entries %s, want %d", d.serial, entries[what], what, want)
		}
	}
}

// desk is a device with people in front of it, one after the other.
type desk struct {
	office        *office
	serial, dir   string
	id            uuid.UUID
	agent         *process
	accounts      *accounts.InMemory
	first, second *person
}

// person is an employee who has the password from IT, or the one that replaces
// it: the directory may have been killed before or after it was changed.
type person struct {
	employee.Employee
	temporary string
}

// work lets people come to one new device after the other.
func (o *office) work() {
	for o.killing.Load() && !o.t.Failed() {
		if err := o.oneDesk(); err != nil {
			o.t.Error(err)
		}
	}
}

var serials atomic.Int64

func (o *office) oneDesk() error {
	serial := fmt.Sprint("d", serials.Add(1))
	d := &desk{office: o, serial: serial, dir: filepath.Join(o.dir, serial)}
	var err error
	if d.first, err = o.hire(serial + "a"); err != nil {
		return err
	}
	if d.second, err = o.hire(serial + "b"); err != nil {
		return err
	}
	if err := d.prepare(); err != nil {
		return err
	}
	d.agent = o.start(d.dir, "")
	err = errors.Join(err, d.enrolled())
	for _, step := range []func() error{
		func() error { return d.signIn(d.first) },
		func() error { return d.unbind(d.first) },
		func() error { return d.bind(d.second) },
		func() error { return d.signIn(d.second) },
		func() error { return d.unbind(d.second) },
		func() error { return d.signIn(d.first) }, // has an account here
		func() error { return d.closed(d.second) },
	} {
		if err == nil {
			err = step()
		}
	}
	o.victims.Lock()
	delete(o.victims.agents, d.agent)
	o.victims.Unlock()
	d.agent.end()
	o.mu.Lock()
	defer o.mu.Unlock()
	o.finished = append(o.finished, d)
	if err != nil {
		return fmt.Errorf("%s: %w", serial, err)
	}
	return nil
}

// prepare does what an installation does.
func (d *desk) prepare() error {
	data := filepath.Join(d.dir, "root/var/lib/firstday")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return err
	}
	writeEnrollment(d.office.t, data, d.office.at, d.office.key)
	var err error
	d.accounts, err = accounts.MemoryIn(api.Linux, filepath.Join(d.dir, "accounts.json"))
	return err
}

// writeEnrollment brings what an installation leaves in the agent's folder.
func writeEnrollment(t *testing.T, data string, at api.Directory, key api.Secret) {
	t.Helper()
	text, err := json.Marshal(&api.Enrollment{
		Version: api.EnrollmentVersion, Organisation: "Acme", Directory: at, ConnectKey: key, PackageID: uuid.New(),
		Agents: []api.AgentFile{{File: "firstday-agent", Arch: "amd64", Version: "1.2.3", SHA256: strings.Repeat("0", 64)}},
	})
	if err != nil {
		t.Error(err)
	}
	if err := os.WriteFile(filepath.Join(data, "enrollment.json"), text, 0o600); err != nil {
		t.Error(err)
	}
}

// hire makes a user. What is told again is no other one.
func (o *office) hire(name string) (*person, error) {
	p := &person{employee.Employee{Name: name, NewPassword: "battery staple " + name}, "correct horse " + name}
	p.Password = p.temporary
	err := o.persist(func() error {
		_, err := o.admin.CreateUsers(context.Background(), []api.NewUser{{Name: name, Email: name + "@acme.example", Password: api.Secret(p.Password)}})
		return err
	})
	if errors.Is(err, api.CodeConflict) {
		err = nil
	}
	return p, err
}

// until asks again and again, until it is so.
func (d *desk) until(what string, is func() bool) error {
	for deadline := time.Now().Add(3 * time.Minute); !is(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			return fmt.Errorf("it does not come to that: %s; the screen shows %+v", what, d.agent.screen())
		}
	}
	return nil
}

func (d *desk) enrolled() error {
	return d.until("enrolment", func() bool {
		list, err := d.office.admin.Devices(context.Background())
		if err != nil {
			return false
		}
		for _, v := range list {
			if v.Facts.Serial == d.serial {
				d.id = v.ID
				return true
			}
		}
		return false
	})
}

func (d *desk) state(p *person) api.BindingState {
	v, err := d.office.admin.Device(context.Background(), d.id)
	if err != nil {
		return ""
	}
	for _, b := range v.Users {
		if b.User.Name == p.Name {
			return b.State
		}
	}
	return ""
}

func (d *desk) disabled(p *person) bool {
	found, err := d.accounts.Find(context.Background(), p.Name)
	return err == nil && found.Disabled
}

// interrupted tells whether an account is not at its end.
func (d *desk) interrupted() bool {
	_, err := os.Stat(filepath.Join(d.dir, "root/var/lib/firstday/signin.json"))
	return !errors.Is(err, os.ErrNotExist)
}

func (d *desk) bind(p *person) error {
	if err := d.office.persist(func() error { return d.office.admin.Bind(context.Background(), d.id, p.Name) }); err != nil {
		return err
	}
	return d.until(p.Name+"'s account to wait", func() bool { return d.disabled(p) })
}

func (d *desk) unbind(p *person) error {
	err := d.office.persist(func() error { return d.office.admin.Unbind(context.Background(), d.id, p.Name) })
	if errors.Is(err, api.CodeNotFound) && d.until("the state", func() bool { return d.state(p) == api.Unbound }) == nil {
		err = nil // the answer was lost
	}
	return err
}

func (d *desk) closed(p *person) error {
	return d.until(p.Name+"'s account to be closed", func() bool { return d.disabled(p) })
}

// signIn is what somebody does who wants to get in, whatever happens.
func (d *desk) signIn(p *person) error {
	var code, number string // of the sign-in that p has confirmed
	return d.until(p.Name+" to have the device", func() bool {
		screen := d.agent.screen()
		press := func(name signin.ActionName, fields map[string]string) {
			d.agent.press(signin.Action{Name: name, Fields: fields})
		}
		switch screen.State {
		case signin.Ready:
			press(signin.Start, nil)
		case signin.Waiting:
			if screen.UserCode == code {
				break
			}
			var err error
			code = screen.UserCode
			if number, err = d.office.identify(p, screen.QR); err != nil {
				code = ""
				press(signin.Cancel, nil)
			}
		case signin.Number:
			if number == "" || screen.Code != "" {
				press(signin.Cancel, nil) // the page with the number was lost
				break
			}
			press(signin.Submit, map[string]string{signin.FieldNumber: number})
		case signin.Password:
			press(signin.Submit, map[string]string{signin.FieldPassword: onesPassword, signin.FieldAgain: onesPassword})
		case signin.Failed, signin.Done:
			press(signin.Close, nil)
		}
		found, err := d.accounts.Find(context.Background(), p.Name)
		return err == nil && !found.Disabled && !d.interrupted() && d.state(p) == api.Bound
	})
}

// identify signs in on the pages, as far as the directory lives.
func (o *office) identify(p *person, address string) (string, error) {
	number, err := p.SignIn(context.Background(), o.at, address)
	var told *employee.PageError
	switch {
	case !errors.As(err, &told):
		return number, err
	case strings.Contains(err.Error(), api.Explain(api.CodeCredentials).Employee):
		if p.Password != p.temporary {
			p.Password = p.temporary
		} else {
			p.Password = p.NewPassword
		}
	case strings.Contains(err.Error(), api.Explain(api.CodeUserLocked).Employee):
		// Each attempt that was killed counts as a wrong password. IT helps.
		return "", errors.Join(err, o.reset(p))
	default:
		time.Sleep(2 * time.Second) // who types on and on is kept waiting
	}
	return "", err
}

func (o *office) reset(p *person) error {
	return o.persist(func() error {
		u, err := o.admin.ResetUser(context.Background(), p.Name)
		if err == nil {
			p.temporary = u.Password.Reveal()
			p.Password = p.temporary
		}
		return err
	})
}
