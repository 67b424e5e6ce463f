//go:build amd64 || arm64

package loginplugin_test

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/ebitengine/purego"
)

// firstPage is where a sign-in at this device begins.
const firstPage = "https://id.acme.example/signin?code=BCDFGHJK"

// gone waits until the second web view is.
func (m *mac) gone() {
	m.t.Helper()
	m.sees("shut")
	m.cocoa.mu.Lock()
	defer m.cocoa.mu.Unlock()
	if m.cocoa.calls[len(m.cocoa.calls)-1] != "FirstdayLoginView evaluateJavaScript:completionHandler:" || !slices.Contains(m.cocoa.calls, "FirstdayLoginView removeFromSuperview") {
		m.t.Error("the web view is still there")
	}
}

// showing is a Mac at whose login window somebody signs in, on the first page.
func showing(t *testing.T) (*mac, *service, *engine) {
	t.Helper()
	m := newMac(t)
	m.withPage()
	s := serve(m)
	e := m.begin("login", nil)
	s.signsIn("waiting")
	m.say("show")
	return m, s, e
}

// A sign-in leads to the organisation's directory, from there to its provider, and
// back; and nowhere else, by no link, redirect, frame or window.
func TestShippedPagesStayOnTheirOrigins(t *testing.T) {
	m := newMac(t)
	m.withPage()
	s := serve(m)
	e := m.begin("login", nil)
	if waiting := s.signsIn("waiting"); waiting.Page != "yes" {
		t.Errorf("%+v", waiting)
	}
	m.say("show")
	for address, want := range map[string]bool{
		firstPage: true, "https://id.acme.example/signin/done": true, "https://login.example:8443/authorize?x=https://evil.example/": true, "about:blank": true,
		"https://login.example/": false, "https://evil.example/": false, "http://id.acme.example/": false, "file:///etc/passwd": false, "https://id.acme.example@evil.example/": false,
		toKeep + "https://id.acme.example/setup.pkg": false, inWindow + "https://id.acme.example/terms": false, inWindow + "https://evil.example/": false,
	} {
		if got := m.mayLoad(m.cocoa.other, address); got != want {
			t.Errorf("it goes to %s: %v", address, got)
		}
	}
	if m.cocoa.shown != "https://id.acme.example/terms" { // in the place of the page
		t.Errorf("it shows %q", m.cocoa.shown)
	}
	for address, want := range map[string]bool{
		"https://id.acme.example/signin": true, "https://login.example:8443/": true,
		"https://evil.example/": false, "file:///etc/passwd": false, toKeep + "https://id.acme.example/setup.pkg": false, "": false,
	} {
		if got := m.mayShow(m.cocoa.other, address); got != want {
			t.Errorf("it shows what came from %s: %v", address, got)
		}
	}
	for address, want := range map[string]bool{indexURL: true, firstPage: false, "file:///etc/passwd": false, "about:blank": false} {
		if got := m.mayLoad(m.cocoa.page, address); got != want {
			t.Errorf("our page goes to %s: %v", address, got)
		}
	}
	// The provider has led back to the directory, which knows who it was: another
	// screen says so.
	close(s.directory.approved)
	m.sees("password")
	m.gone()
	if m.mayLoad(m.cocoa.other, firstPage) || m.mayShow(m.cocoa.other, firstPage) {
		t.Error("it goes on when the sign-in is over")
	}
	m.say("apple")
	e.fell("asked")
}

// The page, the service and what fails can shut the second web view, and it can be
// shown again.
func TestShippedPagesAreShut(t *testing.T) {
	for name, shut := range map[string]func(*mac, *service){
		"by the page":      func(m *mac, _ *service) { m.say("shut") },
		"by the service":   func(_ *mac, s *service) { s.stop() },
		"its process ends": func(m *mac, _ *service) { m.tellOf("webViewWebContentProcessDidTerminate:", 0) },
		"it does not load": func(m *mac, _ *service) { m.failsToLoad(-1009) }, // there is no network
	} {
		t.Run(name, func(t *testing.T) {
			m, s, e := showing(t)
			m.say("show")
			shut(m, s)
			m.gone()
			m.cocoa.mu.Lock()
			views := strings.Count(strings.Join(m.cocoa.calls, "\n"), "nonPersistentDataStore")
			m.cocoa.mu.Unlock()
			if views != 2 {
				t.Errorf("%d web views", views)
			}
			m.say("apple")
			e.fell("asked")
		})
	}
}

// Providers lead on from pages that are still loading: macOS tells that as the failure
// of the page before.
func TestShippedPagesLeadOn(t *testing.T) {
	m, _, e := showing(t)
	const cancelled = -999 // NSURLErrorCancelled
	m.failsToLoad(cancelled)
	if m.cocoa.has("removeFromSuperview") {
		t.Error("the page is shut")
	}
	if !m.mayLoad(m.cocoa.other, firstPage) {
		t.Error("it does not go on")
	}
	m.say("apple")
	e.fell("asked")
}

// Nobody who is at the login window is to have menus that look things up, open what
// they find, or keep it.
func TestShippedPagesHaveNoMenus(t *testing.T) {
	m, _, e := showing(t)
	c := &m.cocoa
	for _, view := range []uintptr{c.page, c.other} {
		c.mu.Lock()
		class, menu := c.objects[view].class, c.made("NSMenu", "")
		c.calls = append(c.calls, "before")
		c.mu.Unlock()
		open := plugin.symbols["-["+class+" willOpenMenu:withEvent:]"]
		if open == 0 {
			t.Fatalf("%s opens menus", class)
		}
		m.onMain(func() { purego.SyscallN(open, view, 0, menu, 0) })
		c.mu.Lock()
		if last := c.calls[len(c.calls)-1]; last != "NSMenu removeAllItems" {
			t.Errorf("%s: %s", class, last)
		}
		if previews := c.objects[view].previews; previews != "no" {
			t.Errorf("%s: previews of links: %q", class, previews)
		}
		c.mu.Unlock()
	}
	m.say("apple")
	e.fell("asked")
}

// has tells whether a selector was sent to anything.
func (c *cocoa) has(selector string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return slices.ContainsFunc(c.calls, func(call string) bool { return strings.HasSuffix(call, " "+selector) })
}

// failsToLoad is an error of NSURLErrorDomain.
func (m *mac) failsToLoad(code int) {
	m.cocoa.mu.Lock()
	problem := m.cocoa.made("NSError", strconv.Itoa(code))
	m.cocoa.mu.Unlock()
	m.tellOf("webView:didFailProvisionalNavigation:withError:", problem)
}

// tellOf tells the plug-in of something that has happened to the second web view.
func (m *mac) tellOf(what string, problem uintptr) {
	m.onMain(func() {
		m.cocoa.mu.Lock()
		handler, other := m.cocoa.handler, m.cocoa.other
		m.cocoa.mu.Unlock()
		purego.SyscallN(plugin.symbols["-[FirstdayLoginHost "+what+"]"], handler, 0, other, 0, problem)
	})
}

// What the network wants to be asked is shown while the service says that there is
// such a page, wherever in the web it leads, and takes the place of the sign-in's.
func TestShippedPortal(t *testing.T) {
	m := newMac(t)
	m.withPage()
	more := make(chan string)
	m.plays(func(conn net.Conn) {
		if !hears(conn, "hello 1 login-window 100021") ||
			!write(conn, "hello 1\n\nscreen 7\nstate=waiting\npage="+firstPage+"\norigin=https://id.acme.example\n\n") {
			return
		}
		for answer := range more {
			if !hears(conn, "network") || !write(conn, answer) {
				return
			}
		}
		silence(conn)
	})
	e := m.begin("login", nil)
	m.sees("waiting")
	m.say("portal")
	m.sees("malformed")
	m.say("show")
	m.say("ask network")
	more <- "ok network\ninternet=captive\nportal=http://login.cafe.example/?mac=%25\n\n"
	if got := m.sees("answer"); got.Verb != "network" || len(got.Pairs) != 2 {
		t.Errorf("%+v", got)
	}
	m.say("portal")
	if m.cocoa.shown != "http://login.cafe.example/?mac=%" {
		t.Errorf("it shows %q", m.cocoa.shown)
	}
	for address, want := range map[string]bool{
		"http://pay.example:8080/": true, "https://id.acme.example/": true, "about:blank": true,
		"file:///etc/passwd": false, "x-apple.systempreferences:": false, toKeep + "http://login.cafe.example/a.pkg": false, inWindow + "http://terms.example/": false,
	} {
		if got := m.mayLoad(m.cocoa.other, address); got != want {
			t.Errorf("it goes to %s: %v", address, got)
		}
	}
	if m.cocoa.shown != "http://terms.example/" {
		t.Errorf("it shows %q", m.cocoa.shown)
	}
	m.say("ask network")
	more <- "ok network\ninternet=yes\n\n"
	m.gone()
	if m.mayLoad(m.cocoa.other, "http://login.cafe.example/") {
		t.Error("it goes on when nothing is to be asked any more")
	}
	m.say("portal")
	m.sees("malformed")
	m.say("apple")
	e.fell("asked")
	close(more)
}
