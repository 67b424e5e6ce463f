//go:build unix

package beside

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/local"
	"firstday.dev/agent/page"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
)

const annsPassword = "of this % device"

// begins presses the button, and starts the sign-in on the page.
func (m *mac) begins() {
	m.t.Helper()
	m.sees(Picture{Button: signInWithAcme})
	m.beside.Pressed()
	m.says("act start SERIAL", m.hears(signin.Ready))
}

// signsIn goes as far as a state, on the page and on a telephone.
func (m *mac) signsIn(until signin.State) {
	m.t.Helper()
	m.begins()
	m.hears(signin.Waiting)
	if until == signin.Waiting {
		return
	}
	ann := m.directory.MustHire("ann")
	number, err := ann.SignIn(m.t.Context(), m.directory.At, m.signIn.Screen().QR)
	if err != nil {
		m.t.Fatal(err)
	}
	screen := m.hears(signin.Number)
	if until == signin.Number {
		return
	}
	m.says("field number "+number+"\nact submit SERIAL", screen)
	screen = m.hears(signin.Password)
	if until == signin.Password {
		return
	}
	m.says("field password "+escaped+"\nfield again "+escaped+"\nact submit SERIAL", screen)
	if until == signin.Creating {
		m.hears(signin.Creating)
		return
	}
	m.sees(Picture{Text: annIsReady, Button: wordClose})
}

var escaped = strings.ReplaceAll(annsPassword, "%", "%25")

// From nothing to the button, the page, the account, the words that send people to
// Apple's window, and back to nothing.
func TestTheFirstDay(t *testing.T) {
	m := newMac(t)
	m.signsIn(signin.Done)
	m.mu.Lock()
	all, told := slices.Clone(m.all), slices.Clone(m.told)
	m.mu.Unlock()
	want := []Picture{{Button: signInWithAcme}, {Page: 1, Title: signInWithAcme}, {Text: annIsReady, Button: wordClose}}
	if !slices.Equal(all, want) {
		t.Errorf("was to be seen: %+v", all)
	}
	for _, screen := range told {
		if screen.Logon != "" {
			t.Errorf("the page is told of a logon: %+v", screen)
		}
	}
	if !m.store.CheckPassword("ann", annsPassword) {
		t.Error("the account has another password")
	}
	m.beside.Pressed()
	m.sees(Picture{})
	log := m.log.String()
	if !strings.Contains(log, "surface=beside session=100003") || strings.Contains(log, "of this") || strings.Contains(log, "logs on") {
		t.Errorf("the log:\n%s", log)
	}
	if n := strings.Count(log, "request=logon"); n > 0 {
		t.Errorf("a logon was asked for %d times", n)
	}
}

// inEach runs a test in each state in which something is to be seen.
func inEach(t *testing.T, test func(t *testing.T, m *mac)) {
	states := map[string]func(*mac){
		"the button": func(m *mac) { m.sees(Picture{Button: signInWithAcme}) },
		"the page": func(m *mac) {
			m.sees(Picture{Button: signInWithAcme})
			m.beside.Pressed()
			m.hears(signin.Ready)
		},
	}
	for _, s := range []signin.State{signin.Waiting, signin.Number, signin.Password, signin.Creating, signin.Done} {
		states[string(s)] = func(m *mac) { m.signsIn(s) }
	}
	for name, until := range states {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMac(t)
			going := make(chan struct{})
			if name == string(signin.Creating) { // it takes as long as the test wants
				m.store.Fault = func(s accounts.Step) error {
					if s.Call == "create" {
						<-going
					}
					return nil
				}
			}
			stop := m.stop
			m.stop = func() {
				select {
				case <-going:
				default:
					close(going)
				}
				stop()
			}
			t.Cleanup(m.stop)
			until(m)
			test(t, m)
		})
	}
}

// A service that dies takes the windows with it, whatever they show, and they come
// back with it, as far as it offers anything.
func TestServiceIsKilledInEachState(t *testing.T) {
	inEach(t, func(t *testing.T, m *mac) {
		m.stop()
		m.sees(Picture{})
		m.serve()
		users := func() int {
			d, err := m.directory.Device(t.Context(), m.directory.OnlyDevice().ID)
			if err != nil {
				t.Fatal(err)
			}
			return len(d.Users)
		}
		m.until("end", func(now Picture, _ []told) bool {
			return now == Picture{Button: signInWithAcme} || now == Picture{} && users() > 0
		})
	})
}

// Where the organisation wants no window beside Apple's any more, it goes at once,
// whatever it shows; and it comes back when it is wanted again.
func TestSettingIsSwitchedOffInEachState(t *testing.T) {
	inEach(t, func(t *testing.T, m *mac) {
		m.wants(api.WindowOff)
		m.sees(Picture{})
		m.wants(api.WindowBeside)
		m.until("end", func(now Picture, _ []told) bool {
			over := slices.Contains([]signin.State{signin.Done, signin.Hidden}, m.signIn.Screen().State)
			return now == Picture{Button: signInWithAcme} || now == Picture{} && over
		})
	})
}

// Somebody who leaves in the middle ends the sign-in: whoever comes next finds the
// button, and not another's name on a page that asks for a password.
func TestWhoLeavesEndsTheSignIn(t *testing.T) {
	for name, leave := range map[string]func(*mac){
		"by the window":   func(m *mac) { m.beside.Closed() },
		"by the page":     func(m *mac) { m.says("apple", told{}) },
		"by logging on":   func(m *mac) { m.says("login\nbob\nhis password", told{}) },
		"as it is closed": func(m *mac) { m.end() },
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			m.signsIn(signin.Password)
			leave(m)
			for s := m.signIn.Screen(); s.State != signin.Ready; {
				var err error
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				if s, err = m.signIn.Next(ctx, s.Serial); err != nil {
					t.Fatal(err)
				}
				cancel()
			}
			want := Picture{Button: signInWithAcme}
			if name == "as it is closed" {
				want = Picture{}
			}
			m.sees(want)
			if strings.Contains(m.log.String(), "his password") {
				t.Error("the log has a password")
			}
		})
	}
}

// The page shows the organisation's pages in the second web view: those of the
// screen's origins, and no other; and no more when it says so.
func TestSecondWebView(t *testing.T) {
	m := newMac(t)
	m.sees(Picture{Button: signInWithAcme})
	m.beside.Pressed()
	m.says("act start SERIAL same-device", m.hears(signin.Ready))
	m.hears(signin.Waiting)
	address := m.signIn.Screen().Page
	if m.beside.MayShow(address) {
		t.Error("before the page has asked")
	}
	m.says("show", told{})
	m.sees(Picture{Page: 1, Title: signInWithAcme, Other: address})
	for other, may := range map[string]bool{address: true, m.directory.At.URL + "/else": true, "https://evil.example/": false, strings.Replace(address, "https", "http", 1): false, "about:blank": false} {
		if m.beside.MayShow(other) != may {
			t.Errorf("%s: %v", other, !may)
		}
	}
	m.says("shut", told{})
	m.sees(Picture{Page: 1, Title: signInWithAcme})
	m.says("show", told{})
	m.sees(Picture{Page: 1, Title: signInWithAcme, Other: address})
	m.beside.OtherLost()
	m.sees(Picture{Page: 1, Title: signInWithAcme})
	m.until("word that it is shut", func(_ Picture, all []told) bool {
		return slices.ContainsFunc(all, func(t told) bool { return t.Kind == "shut" })
	})
	if m.beside.MayShow(address) {
		t.Error("after it was lost")
	}
	m.beside.Closed()
	m.sees(Picture{Button: signInWithAcme})
	if m.beside.MayShow(address) {
		t.Error("after the page was closed")
	}
}

// The directory's pages come from whom the CA says that it told of, and a browser that
// knows that CA alone finds them there; all others the system knows, and before and after
// nobody is answered.
func TestSecondWebViewKnowsTheDirectorysCA(t *testing.T) {
	m := newMac(t)
	m.sees(Picture{Button: signInWithAcme})
	at, err := url.Parse(m.directory.At.URL)
	if err != nil {
		t.Fatal(err)
	}
	port, err := strconv.Atoi(at.Port())
	if err != nil {
		t.Fatal(err)
	}
	says := func(want page.Trust, certificate bool, host string, port int) [][]byte {
		t.Helper()
		by, anchors := m.beside.Trusts(certificate, host, port)
		if by != want || (len(anchors) > 0) != (want == page.Anchors) {
			t.Errorf("%s, port %d: %d, %d anchors", host, port, by, len(anchors))
		}
		return anchors
	}
	says(page.NothingSaid, true, at.Hostname(), port)
	m.beside.Pressed()
	m.says("act start SERIAL same-device", m.hears(signin.Ready))
	m.hears(signin.Waiting)
	says(page.NothingSaid, true, at.Hostname(), port)
	m.says("show", told{})
	m.sees(Picture{Page: 1, Title: signInWithAcme, Other: m.signIn.Screen().Page})
	roots := x509.NewCertPool()
	for _, der := range says(page.Anchors, true, at.Hostname(), port) {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			t.Fatal(err)
		}
		roots.AddCert(cert)
	}
	conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: roots}}).DialContext(t.Context(), "tcp", at.Host)
	if err != nil {
		t.Fatal(err)
	}
	conn.Close()
	says(page.System, true, at.Hostname(), port+1)
	says(page.System, true, "login.example", 443)
	says(page.NothingSaid, false, at.Hostname(), port)
	m.beside.Closed()
	m.sees(Picture{Button: signInWithAcme})
	says(page.NothingSaid, true, at.Hostname(), port)
}

// Another page in place of one that was lost is told what there is to show.
func TestPageIsLoadedAgain(t *testing.T) {
	m := newMac(t)
	m.begins()
	m.hears(signin.Waiting)
	m.beside.PageLost()
	m.sees(Picture{Page: 2, Title: signInWithAcme})
	m.hears(signin.Waiting)
}

// Nothing is shown before there is a session of the window server, and nothing when
// that has gone.
func TestSessionOfTheWindowServer(t *testing.T) {
	m := newMac(t)
	m.sees(Picture{Button: signInWithAcme})
	m.mu.Lock()
	m.blind = true
	m.mu.Unlock()
	m.sees(Picture{})
	m.mu.Lock()
	m.blind = false
	m.mu.Unlock()
	m.sees(Picture{Button: signInWithAcme})
}

// What no surface of this kind may do, the service denies.
func TestBesideLogsNobodyOn(t *testing.T) {
	m := newMac(t)
	m.signsIn(signin.Done)
	s := m.signIn.Screen()
	if !s.CanLogon {
		t.Fatal("the service has nothing to log on with, so that this shows nothing")
	}
	c := m.dials(t, local.InSession(local.SurfaceBeside, "100003"))
	screen, err := c.Next(t.Context(), 0)
	if err != nil || screen.State != signin.Done || screen.CanLogon {
		t.Errorf("%+v, %v", screen, err)
	}
	if pair, err := c.Logon(t.Context(), s.Serial); err == nil {
		t.Errorf("it is given %d bytes", len(pair))
	}
	m.wants(api.WindowInstead)
	m.sees(Picture{})
	if err := c.Act(t.Context(), signin.Action{Name: signin.Close, Serial: s.Serial}); err == nil {
		t.Error("it acts on what it is not shown")
	}
}
