//go:build amd64 || arm64

package loginplugin_test

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ebitengine/purego"

	"firstday.dev/internal/testvectors"
)

// Ann signs in on a new Mac, and is logged on with the password that she has just
// chosen. It is in no memory of the plug-in's after that.
func TestShippedSignIn(t *testing.T) {
	m := newMac(t)
	m.watches = true
	m.withPage()
	s := serve(m)
	left := make(chan string, 1)
	e := m.begin("login", nil, func(e *engine) { // when the result is given, not only in the end
		e.again = func(*engine) { left <- m.left("word 1") + m.left("776F72642031") }
	})
	waiting := s.signsIn("waiting")
	m.say("show")
	if m.cocoa.shown != firstPage {
		t.Errorf("it shows %q", m.cocoa.shown)
	}
	m.say("refresh")
	if got := m.sees("refreshed"); got.Code != "offline" || got.Message == "" {
		t.Errorf("%+v", got)
	}
	close(s.directory.approved)
	password := m.sees("password")
	if password.Serial == waiting.Serial || len(password.Fields) != 2 {
		t.Errorf("%+v", password)
	}
	typed := "field password pass %25 word 1 ü\nfield again pass %25 word 1 ü\n"
	m.say(inFrame + "apple") // which is not heard
	m.say(typed + "act submit " + password.Serial)
	e.loggedOn("ann", annsPassword)
	if !strings.Contains(s.log.String(), "session=100021") || strings.Contains(s.log.String(), "word 1") {
		t.Error("the session is not in the log, or the password is")
	}
	<-m.dropped
	for _, secret := range []string{"word 1", "776F72642031"} { // as the service sends it
		if !m.wiped(secret) {
			t.Errorf("%q was in no buffer that is wiped", secret)
		}
	}
	if when := <-left + m.left("word 1"); when != "" {
		t.Errorf("it is still in %s", when)
	}
	for _, call := range []string{"FirstdayLoginWindow setCanBecomeVisibleWithoutLogin:", "WKWebViewConfiguration setWebsiteDataStore:", "WKWebsiteDataStore nonPersistentDataStore",
		"FirstdayLoginWindow orderFrontRegardless", "FirstdayLoginWindow close", "WKUserContentController removeScriptMessageHandlerForName:"} {
		if !slices.Contains(m.cocoa.calls, call) && call != "WKWebsiteDataStore nonPersistentDataStore" {
			t.Errorf("%s is not called", call)
		}
	}
	if n := strings.Count(strings.Join(m.cocoa.calls, "\n"), "nonPersistentDataStore"); n != 2 {
		t.Errorf("%d web views of two keep nothing", n)
	}
}

// Who has an account logs on with it, and needs neither a network nor an agent.
func TestShippedLocalLogin(t *testing.T) {
	for name, c := range map[string]struct{ says, user, password string }{
		"a password":  {"login\nbob\n100%25 x", "bob", "100% x"},
		"no password": {"login\nguest\n", "guest", ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			ready := make(chan struct{}, 1)
			m.cocoa.load = func() { ready <- struct{}{} }
			e := m.begin("login", nil)
			<-ready
			m.say("login\n\n")
			m.say(c.says)
			m.say("login\neve\nx")
			e.loggedOn(c.user, c.password)
		})
	}
}

// The person may always have Apple's login window: by the page, and by a key that
// no page keeps away.
func TestShippedAppleOnRequest(t *testing.T) {
	for name, ask := range map[string]func(*mac){
		"by the page": func(m *mac) { m.say("apple") },
		"by a key":    func(m *mac) { m.presses("a", 0, true) },
		"with Shift":  func(m *mac) { m.presses("A", 0, true) },
		"in French": func(m *mac) {
			m.presses("q", 0, false)
			m.presses("a", 12, true)
		},
		"in Russian": func(m *mac) {
			m.presses("\u044b", 1, false)
			m.presses("\u0444", 0, true)
		},
		"by a key of no letter": func(m *mac) { m.presses("", 0, true) },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			serve(m)
			e := m.begin("login", nil)
			m.sees("ready")
			ask(m)
			e.fell("asked")
		})
	}
}

// presses presses a key with Control, Option and Command: what it is in the layout of
// the keyboard, and where it is. It is the one that leads back, or goes on to the page.
func (m *mac) presses(letter string, place int, back bool) {
	m.t.Helper()
	var taken uintptr
	m.onMain(func() {
		c := &m.cocoa
		c.mu.Lock()
		event := c.made("NSEvent", letter)
		c.keyCode = place
		var window uintptr
		for at, o := range c.objects {
			if o.class == "FirstdayLoginWindow" {
				window = at
			}
		}
		c.mu.Unlock()
		taken, _, _ = purego.SyscallN(plugin.symbols["-[FirstdayLoginWindow performKeyEquivalent:]"], window, 0, event)
	})
	if taken&0xff != 0 != back { // a BOOL
		m.t.Errorf("%q at %d leads back: %v", letter, place, !back)
	}
}

// Whatever the agent's service does, there is one result in the end, with no name,
// and the reason.
func TestShippedWithoutGoodService(t *testing.T) {
	hello := func(conn net.Conn) bool {
		return hears(conn, "hello 1 login-window 100021") && write(conn, "hello 1\nagent=1.2.3\n\n")
	}
	for name, c := range map[string]struct {
		speak func(net.Conn)
		pass  time.Duration
		why   string
	}{
		"nobody is there":            {pass: 15 * time.Second, why: "no-agent"},
		"it hangs up":                {func(net.Conn) {}, 15 * time.Second, "no-agent"},
		"it never greets":            {silence, 20 * time.Second, "agent-broken"},
		"it greets otherwise":        {func(c net.Conn) { write(c, "HTTP/1.1 400 Bad Request\r\n\r\n") }, 0, "agent-broken"},
		"it is of another kind":      {func(c net.Conn) { write(c, "hello 2\n\n"); silence(c) }, 0, "agent-broken"},
		"it has no room":             {func(c net.Conn) { write(c, "error busy\n\n"); silence(c) }, 0, "agent-broken"},
		"it never shows anything":    {func(c net.Conn) { hello(c); silence(c) }, 30 * time.Second, "agent-broken"},
		"it stops in a block":        {func(c net.Conn) { hello(c); write(c, "screen 7\nstate=re"); silence(c) }, 30 * time.Second, "agent-broken"},
		"it stops after a screen":    {func(c net.Conn) { hello(c); write(c, "screen 7\nstate=ready\n\n"); silence(c) }, 30 * time.Second, "agent-broken"},
		"it hangs up, over and over": {func(c net.Conn) { hello(c); hears(c, "watch 0") }, 0, "agent-lost"},
		"it gives what nobody asked": {func(c net.Conn) { hello(c); write(c, "ok logon\nblob=616E6E0068756E\n\n"); silence(c) }, 0, "agent-broken"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			var served <-chan struct{}
			if c.speak != nil {
				connected := make(chan struct{}, 100)
				served = connected
				m.plays(func(conn net.Conn) {
					connected <- struct{}{}
					c.speak(conn)
				})
			}
			e := m.begin("login", nil)
			if served != nil {
				<-served
			}
			stop := make(chan struct{})
			done := make(chan struct{})
			go func() { // time passes, in steps in which all can be heard
				defer close(done)
				for left := c.pass; left > 0; left -= time.Second {
					select {
					case <-stop:
						return
					case <-time.After(20 * time.Millisecond):
						m.pass(time.Second)
					}
				}
			}()
			e.fell(c.why)
			close(stop)
			<-done
		})
	}
}

func write(conn net.Conn, text string) bool {
	_, err := io.WriteString(conn, text)
	return err == nil
}

// Each vector that a surface must hang up on ends with Apple's login window, as does
// a stream that ends within a block.
func TestShippedBrokenFrames(t *testing.T) {
	streams, want := testvectors.Service(t, vectors)
	tried := 0
	for name, stream := range streams {
		if !strings.HasSuffix(want[name], "refused") || strings.HasPrefix(name, "half-") {
			continue
		}
		tried++
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			m.plays(func(conn net.Conn) {
				if hears(conn, "hello 1 login-window 100021") && write(conn, "hello 1\n\n") && write(conn, string(stream)) {
					silence(conn)
				}
			})
			m.begin("login", nil).fell("agent-broken")
		})
	}
	if tried < 30 {
		t.Errorf("%d vectors", tried)
	}
}

// Hostile streams, and a person who types: one result each time, and never a name.
func TestShippedAnyFrames(t *testing.T) {
	count := 10000
	if runtime.GOARCH == "arm64" { // which is emulated, as a rule
		count = 1000
	}
	all := testvectors.Frames(t, vectors, 11, count)
	random := rand.New(rand.NewPCG(7, 11))
	m := newMac(t)
	opened := make(chan struct{}, 1)
	m.cocoa.load = func() { opened <- struct{}{} }
	next := make(chan []byte)
	m.plays(func(conn net.Conn) {
		_ = write(conn, "hello 1\n\n") && write(conn, string(<-next)) && write(conn, "\n\n\n") // an empty block is none, whatever came before
		silence(conn)
	})
	for range count {
		size := int(all[0]) | int(all[1])<<8 | int(all[2])<<16 | int(all[3])<<24
		e := m.begin("login", nil)
		<-opened
		if random.IntN(2) == 0 {
			m.say("field password hunter22\nact submit 7")
		}
		next <- all[4:][:size]
		all = all[4+size:]
		e.fell("agent-broken")
		for len(m.cocoa.told) > 0 {
			<-m.cocoa.told
		}
	}
}

// The agent's service ends, in each state: what was typed is gone, and so is the
// window, if it does not come back.
func TestShippedServiceEndsInEachState(t *testing.T) {
	for _, state := range []string{"ready", "waiting", "password", "creating"} {
		t.Run(state, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			s := serve(m)
			e := m.begin("login", nil)
			s.signsIn(state)
			s.stop()
			m.pass(16 * time.Second)
			if result := <-e.results; result == allow && e.context["username"] != "" && state == "creating" {
				e.results <- result // it was done before
				e.loggedOn("ann", annsPassword)
				return
			} else {
				e.results <- result
			}
			e.fell("no-agent")
		})
	}
}

// An agent that starts anew, as one that is upgraded does, finds the window there,
// and the person goes on.
func TestShippedServiceComesBack(t *testing.T) {
	m := newMac(t)
	m.withPage()
	s := serve(m)
	e := m.begin("login", nil)
	s.signsIn("password")
	s.stop()
	m.sees("lost")
	m.say("field password lost\nfield again lost\nact submit 1")
	s.listen()
	again := m.sees("password")
	m.say("field password pass %25 word 1 ü\nfield again pass %25 word 1 ü\nact submit " + again.Serial)
	e.loggedOn("ann", annsPassword)
}

// Who has unlocked the disk is logged on once, if no policy is against it.
func TestShippedFileVault(t *testing.T) {
	carol := map[string]string{"fvusername": "carol\x00", "fvpassword": "s3cret\x00"}
	t.Run("once", func(t *testing.T) {
		m := newMac(t)
		m.withPage()
		s := serve(m)
		s.unlocks.Store(1)
		m.begin("login", carol).loggedOn("carol", "s3cret")
		if slices.Contains(m.cocoa.calls, "FirstdayLoginWindow close") {
			t.Error("there was a window")
		}
		e := m.begin("login", carol)
		m.sees("ready")
		m.say("apple")
		e.fell("asked")
	})
	t.Run("not by policy", func(t *testing.T) {
		m := newMac(t)
		m.withPage()
		m.noUnlock = true
		s := serve(m)
		s.unlocks.Store(1)
		e := m.begin("login", carol)
		m.sees("ready")
		m.say("apple")
		e.fell("asked")
		if s.unlocks.Load() != 1 {
			t.Error("it was asked for")
		}
	})
	t.Run("without a password", func(t *testing.T) {
		m := newMac(t)
		m.withPage()
		s := serve(m)
		s.unlocks.Store(1)
		e := m.begin("login", map[string]string{"fvusername": "carol\x00"})
		m.sees("ready")
		m.say("apple")
		e.fell("asked")
	})
	t.Run("without an agent", func(t *testing.T) {
		m := newMac(t)
		e := m.begin("login", carol)
		<-m.tried
		m.pass(16 * time.Second)
		e.fell("no-agent")
	})
}

// What people type goes to root, and to nobody else.
func TestShippedImpostor(t *testing.T) {
	m := newMac(t)
	m.withPage()
	m.impostor = true
	heard := make(chan string, 100)
	m.plays(func(conn net.Conn) {
		said, _ := io.ReadAll(conn)
		heard <- string(said)
	})
	e := m.begin("login", nil)
	if said := <-heard; said != "" {
		t.Errorf("it was told %q", said)
	}
	m.pass(16 * time.Second)
	e.fell("no-agent")
}

// A page that never listens, or is gone again and again, is no login window.
func TestShippedPageIsLost(t *testing.T) {
	t.Run("at once", func(t *testing.T) {
		m := newMac(t)
		loading := make(chan struct{}, 10)
		m.cocoa.load = func() { loading <- struct{}{} }
		serve(m)
		e := m.begin("login", nil)
		<-loading
		m.pass(21 * time.Second)
		e.fell("page")
	})
	t.Run("again and again", func(t *testing.T) {
		m := newMac(t)
		m.withPage()
		serve(m)
		e := m.begin("login", nil)
		for i := range 3 {
			m.sees("ready")
			m.onMain(func() {
				m.cocoa.mu.Lock()
				handler, page := m.cocoa.handler, m.cocoa.page
				m.cocoa.mu.Unlock()
				purego.SyscallN(plugin.symbols["-[FirstdayLoginHost webViewWebContentProcessDidTerminate:]"], handler, 0, page)
			})
			if i < 2 {
				continue
			}
		}
		e.fell("page")
	})
}

// macOS takes the mechanism back at any moment: nothing is said after that, and
// nothing is left.
func TestShippedTakenBack(t *testing.T) {
	for _, state := range []string{"", "ready", "waiting", "password", "creating"} {
		t.Run("in "+state, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			s := serve(m)
			e := m.begin("login", nil)
			if state != "" {
				s.signsIn(state)
			}
			e.takeBack()
			select {
			case r := <-e.results:
				if state != "creating" {
					t.Errorf("result %d", r)
				}
			default:
			}
		})
	}
	t.Run("while a frame comes", func(t *testing.T) {
		m := newMac(t)
		m.plays(func(conn net.Conn) {
			write(conn, "\n")
			silence(conn)
		})
		begun := make(chan *engine)
		then := func() { (<-begun).takeBack() }
		m.received.Store(&then)
		e := m.begin("login", nil)
		begun <- e
		<-m.dropped
		if len(e.results) > 0 || len(e.hints) > 0 {
			t.Errorf("%d results, hints %q", len(e.results), e.hints)
		}
	})
	t.Run("while the result is given", func(t *testing.T) {
		m := newMac(t)
		m.withPage()
		serve(m)
		e := m.begin("login", nil, func(e *engine) { e.again = func(e *engine) { m.call(mechanismDeactivate, e.mechanism) } })
		m.sees("ready")
		m.say("login\nbob\nx")
		e.loggedOn("bob", "x")
	})
	t.Run("and gives it again", func(t *testing.T) {
		m := newMac(t)
		m.withPage()
		serve(m)
		e := m.begin("login", nil)
		for range 5 {
			m.sees("ready")
			m.onMain(func() { m.call(mechanismDeactivate, e.mechanism); m.call(mechanismInvoke, e.mechanism) })
		}
		m.sees("ready")
		m.say("login\nbob\nx")
		e.loggedOn("bob", "x")
	})
}

// An engine that takes no password has no half of it.
func TestShippedEngineRefuses(t *testing.T) {
	m := newMac(t)
	m.withPage()
	serve(m)
	e := m.begin("login", nil, func(e *engine) { e.refuses = "password" })
	m.sees("ready")
	m.say("login\nbob\nx")
	if r := e.ends(); r != allow || e.hints["firstday.fallback"] != "engine\x00" || e.context["password"] != "" {
		t.Errorf("result %d, hints %q", r, e.hints)
	}
}

// Several people's login windows are apart: what one has typed lets nobody else in.
func TestShippedTwoSessions(t *testing.T) {
	m := newMac(t)
	m.withPage()
	s := serve(m)
	first := m.begin("login", nil)
	last := s.signsIn("password")
	firstHandler := m.cocoa.handler
	second := m.begin("login", nil)
	m.sees("password")
	m.onMain(func() {
		message := m.cocoa.message(fmt.Sprintf("field password pass %%25 word 1 ü\nfield again pass %%25 word 1 ü\nact submit %s", last.Serial))
		purego.SyscallN(plugin.symbols["-[FirstdayLoginHost userContentController:didReceiveScriptMessage:]"], firstHandler, 0, 0, message)
	})
	if r := <-first.results; r != allow || first.context["username"] != "ann\x00" {
		t.Errorf("result %d for %q", r, first.context["username"])
	}
	m.say("apple")
	if r := <-second.results; r != allow || second.context["username"] != "" || second.hints["firstday.fallback"] != "asked\x00" {
		t.Errorf("result %d for %q", r, second.context["username"])
	}
	first.results, second.results = make(chan uint32, 1), make(chan uint32, 1)
	first.destroy()
	second.takeBack()
}
