//go:build amd64 || arm64

package loginplugin_test

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/local"
)

// What the page asks reaches the service one thing at a time, and its answers the
// page, whichever they are.
func TestShippedAsks(t *testing.T) {
	m := newMac(t)
	m.watches = true
	m.withPage()
	steps := []struct{ says, hears, answer, error string }{
		{"ask users", "users", "ok users\nlist=yes\nuser=ann managed Ann %25 <Example>\n\n", ""},
		{"ask network", "network", "ok network\nlink=none\n\n", ""},
		{"ask scan", "scan", "ok scan\n\n", ""},
		{"field name Caf\u00e9\nfield password 100%25 hunter22\nask join", "field name Caf\u00e9\nfield password 100%25 hunter22\njoin", "ok join\n\n", ""},
		{"ask wifi on", "wifi on", "ok wifi\n\n", ""},
		{"ask wifi off", "wifi off", "error failed\nmessage=why\n\n", "failed"},
		{"ask info", "info", "ok info\ncomputer=MAC-1\n\n", ""},
		{"ask power restart", "power restart", "error others\n\n", "others"},
		{"ask power shutdown", "power shutdown", "error unknown\n\n", "unknown"},
		{"ask logo", "logo", "ok logo\n" + strings.Repeat("png="+strings.Repeat("A", 900)+"\n", 36) + "\n", ""},
	}
	m.plays(func(conn net.Conn) {
		ok := hears(conn, "hello 1 login-window 100021") && write(conn, "hello 1\n\nscreen 7\nstate=hidden\n\n")
		for _, step := range steps {
			ok = ok && hears(conn, step.hears) && write(conn, step.answer)
		}
		silence(conn)
	})
	e := m.begin("login", nil)
	m.sees("hidden")
	m.say("ask logon 7")
	m.sees("malformed")
	var all []told
	for _, step := range steps {
		m.say(step.says)
		got := m.sees("answer")
		if verb := strings.Fields(step.hears[strings.LastIndex(step.hears, "\n")+1:])[0]; got.Verb != verb || got.Error != step.error {
			t.Errorf("%s: %+v", step.says, got)
		}
		all = append(all, got)
	}
	if diff := cmp.Diff([][2]string{{"list", "yes"}, {"user", "ann managed Ann % <Example>"}}, all[0].Pairs); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if all[5].Message != "why" || len(all[9].Pairs) != 36 || len(all[9].Pairs[35][1]) != 900 || len(all[2].Pairs) != 0 {
		t.Errorf("%+v", all)
	}
	if where := m.left("hunter22"); where != "" {
		t.Errorf("the network's password is still in %s", where)
	}
	m.say("apple")
	e.fell("asked")
}

// macDesk is what the service tells of the Mac, and does to it.
type macDesk struct {
	mu   sync.Mutex
	done []string
}

func (d *macDesk) did(what string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.done = append(d.done, what)
	return nil
}

func (d *macDesk) Users(context.Context) (local.Users, error) {
	return local.Users{List: true, All: []local.User{{Name: "ann", Managed: true, Label: "Ann 100 %"}}}, d.did("users")
}

func (d *macDesk) Network(context.Context) (local.Network, error) {
	return local.Network{Link: local.LinkWiFi, Internet: local.ReachCaptive, Directory: local.ReachNo, Portal: "http://login.cafe.example/", WiFi: local.WiFiOn}, d.did("network")
}

func (d *macDesk) Scan(context.Context) error { return d.did("scan") }

func (d *macDesk) Join(_ context.Context, j local.Join) error {
	return d.did(fmt.Sprintf("join %s %s %v %s", j.Name, j.Password, j.Hidden, j.Identity))
}

func (d *macDesk) SetWiFi(_ context.Context, on bool) error { return d.did(fmt.Sprintf("wifi %v", on)) }

func (d *macDesk) Info(context.Context) (local.Info, error) {
	return local.Info{Computer: "MAC-1"}, d.did("info")
}

func (d *macDesk) Power(_ context.Context, p local.Power) error {
	return errors.Join(d.did("power "+string(p)), local.ErrOthers)
}

func (d *macDesk) Logo(context.Context) ([]byte, error) {
	return bytes.Repeat([]byte{0xff}, local.MaxLogo), d.did("logo")
}

// The agent's service takes all of it, and what it answers reaches the page.
func TestShippedAsksTheService(t *testing.T) {
	m := newMac(t)
	m.withPage()
	desk := new(macDesk)
	serve(m, func(s *service) { s.desk = desk })
	e := m.begin("login", nil)
	m.sees("ready")
	answers := make(map[string]told)
	for _, text := range []string{
		"ask users", "ask network", "ask scan", "field name Caf\u00e9 100%25\nfield password p\nfield hidden yes\nfield identity 1\nask join",
		"ask wifi off", "ask info", "ask power restart", "ask logo",
	} {
		m.say(text)
		got := m.sees("answer")
		answers[got.Verb] = got
	}
	want := []string{"users", "network", "scan", "join Caf\u00e9 100% p true 1", "wifi false", "info", "power restart", "logo"}
	if diff := cmp.Diff(want, desk.done); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	size := 0
	for _, p := range answers["logo"].Pairs {
		row, err := base64.StdEncoding.DecodeString(p[1])
		if err != nil {
			t.Error(err)
		}
		size += len(row)
	}
	if size != local.MaxLogo || answers["power"].Error != "others" || answers["join"].Error != "" || !slices.Contains(answers["users"].Pairs, [2]string{"user", "ann managed Ann 100 %"}) {
		t.Errorf("%d bytes, %+v", size, answers["users"])
	}
	m.say("portal")
	if m.cocoa.shown != "http://login.cafe.example/" {
		t.Errorf("it shows %q", m.cocoa.shown)
	}
	m.say("apple")
	e.fell("asked")
}

// A service that knows no such request says so, and the sign-in goes on.
func TestShippedAsksAnOlderService(t *testing.T) {
	m := newMac(t)
	m.withPage()
	s := serve(m)
	e := m.begin("login", nil)
	password := s.signsIn("password")
	m.say("ask later")
	m.sees("malformed")
	m.say("ask users")
	m.say("ask info")
	for range 2 {
		if got := m.sees("answer"); got.Error != "unknown" || got.Verb != "users" && got.Verb != "info" {
			t.Errorf("%+v", got)
		}
	}
	m.say("field password pass %25 word 1 ü\nfield again pass %25 word 1 ü\nact submit " + password.Serial)
	e.loggedOn("ann", annsPassword)
}

// An answer has its time, and a service that is gone has none.
func TestShippedAskWithoutAnswer(t *testing.T) {
	begin := func(t *testing.T, then func(net.Conn)) (*mac, *engine) {
		m := newMac(t)
		m.withPage()
		m.plays(func(conn net.Conn) {
			if hears(conn, "hello 1 login-window 100021") && write(conn, "hello 1\n\nscreen 7\nstate=ready\n\n") && hears(conn, "info") {
				then(conn)
			}
		})
		e := m.begin("login", nil)
		m.sees("ready")
		m.say("ask info")
		return m, e
	}
	t.Run("it is silent", func(t *testing.T) {
		asked := make(chan struct{})
		m, e := begin(t, func(conn net.Conn) {
			close(asked)
			silence(conn)
		})
		m.say("ask info")
		if got := m.sees("answer"); got.Verb != "info" || got.Error != "busy" {
			t.Errorf("%+v", got)
		}
		<-asked
		m.pass(21 * time.Second)
		e.fell("agent-broken")
	})
	t.Run("it hangs up", func(t *testing.T) {
		m, e := begin(t, func(net.Conn) {})
		m.sees("lost")
		m.sees("ready") // another connection
		m.say("ask info")
		m.sees("lost")
		m.say("apple")
		e.fell("asked")
	})
}
