//go:build unix

package page

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/signin"
	"firstday.dev/api"
	"firstday.dev/signinpage"
)

// The login window in a browser, against the agent's service and a directory.
func TestLoginWindow(t *testing.T) {
	s := newSight(t)
	for name, test := range map[string]func(*testing.T, *sight){
		"keyboard": keyboard, "pages here": pagesHere, "people": logsIn, "silent": needsNoService, "refused": refusals, "failures": failures,
		"refresh": refreshes, "network": networks, "joins": joins, "portal": portal, "wlan": wlans, "panels": panels, "languages": languages, "http": overHTTP, "hostile": hostile, "contrast": contrast, "beside": overApples, "pictures": pictures,
	} {
		t.Run(name, func(t *testing.T) { test(t, s) })
	}
	s.Content()
}

// Who has no mouse comes from the login window to an account, by a telephone.
func keyboard(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	ann := w.MustHire("ann")
	w.See("Admin of Acme")
	w.See("Sign in once")
	w.look("ready")
	w.tab("button[value=start]")
	w.Key("\r")
	w.wished(Show)
	w.look("visiting")
	w.tab("#visit button[value=elsewhere]")
	w.Key("\r")
	w.wished(Shut)
	w.See("Point the camera")
	w.See("Time left: 9:")
	w.look("waiting")
	for _, theme := range themes {
		w.Prefer(theme...)
		if got := seenBy(t, w.Picture()); got != w.signIn.Screen().QR {
			t.Errorf("a telephone reads %q", got)
		}
	}
	number, err := ann.SignIn(t.Context(), w.At, w.signIn.Screen().QR)
	if err != nil {
		t.Fatal(err)
	}
	w.See("Type the number")
	w.look("number")
	w.tab("input[name=number]")
	w.Key("\r") // nothing is typed
	w.See("Please fill in: Number")
	w.Key("1000\r")
	w.See("That is not the number")
	w.look("number wrong")
	w.tab("input[name=number]")
	w.Key(number + "\r")
	w.See("At least 8 characters")
	w.look("password")
	w.tab("input[name=password]")
	w.Key("short")
	w.tab("input[name=again]")
	w.Key("short\r")
	w.See("It needs at least 8 characters.")
	w.See("Choose a password for your account on this device. At least 8 characters.") // still
	w.tab("input[name=password]")
	w.Key("of this device")
	w.tab("input[name=again]")
	w.Key("of that device\r")
	w.See("The two passwords are not the same.")
	w.look("passwords differ")
	w.tab("input[name=password]")
	w.Key("of this 100% ü")
	w.tab("input[name=again]")
	w.Key("of this 100% ü\r")
	logon, err := w.ends()
	if err != nil || logon.Name != "ann" || string(logon.Password) != "of this 100% ü" || !w.accounts.CheckPassword("ann", "of this 100% ü") {
		t.Errorf("%+v, %v", logon, err)
	}
	if state := w.signIn.Screen().State; state != signin.Done {
		t.Error(state)
	}
}

// The organisation's page is shown in the other web view, of which the head stays.
func pagesHere(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	ann := w.MustHire("ann")
	w.Click("button[value=start]")
	w.wished(Show)
	w.See("Use your phone instead")
	if height := w.Is(`document.getElementById("head").getBoundingClientRect().bottom`); height != "72" {
		t.Errorf("the head has %s points", height)
	}
	w.host.Closed() // it crashed
	w.See("The page was closed, or did not come.")
	w.look("page closed")
	w.Click("#step button.primary")
	w.wished(Show)
	w.Run(`firstday.take({kind: "screen", serial: "900", state: "number", online: "yes", title: "Almost there", message: "Type the number that the page shows.", qr: [], fields: [{name: "number", kind: "digits", label: "Number"}],
		actions: [{name: "submit", rank: "primary", label: "Next"}, {name: "cancel", rank: "secondary", label: "Cancel"}, {name: "elsewhere", rank: "secondary", label: "Use your phone instead"}]})`)
	w.See("Type the number that the page shows.") // above that page, which stays
	w.look("number of the page")
	w.tab("#visit input[name=number]")
	w.Key("\r")
	w.Await(`document.activeElement.name == "number"`)
	w.Key("47\r")
	for _, online := range []bool{false, true} { // what the service shows
		if err := w.signIn.Reached(t.Context(), online); err != nil {
			t.Fatal(err)
		}
	}
	w.See("Go on in the window.")
	if len(w.wishes) > 0 {
		t.Error("the page with the number is shut")
	}
	address := w.host.Address()
	if !strings.HasPrefix(address, w.At.URL) || !w.host.MayShow(w.At.URL+"/signin/x") || w.host.MayShow("https://evil.example/") {
		t.Errorf("the page is %s", address)
	}
	if number, err := ann.SignIn(t.Context(), w.At, address); err != nil || number != "" {
		t.Fatal(number, err)
	}
	w.wished(Shut)
	w.See("Welcome, Example ann")
	w.Write("input[name=password]", "of this device")
	w.Click(".reveal")
	if kind := w.Is(`document.querySelector("input[name=password]").type`); kind != "text" {
		t.Errorf("what is revealed is a field of %s", kind)
	}
	w.look("revealed")
	w.Click(".reveal")
	w.Run(`document.querySelector("input[name=password]").dispatchEvent(new KeyboardEvent("keydown", { key: "A", modifierCapsLock: true }))`)
	w.See("Caps Lock is on.")
	w.Click("button[value=cancel]")
	w.See("Sign in once")
	w.See("Admin of Acme")
}

// Who has an account logs in as ever.
func logsIn(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.See("María Müller")
	if got := w.Text(".badge"); got != "Managed" {
		t.Error(got)
	}
	w.tab(".person")
	w.Key("\t\r") // the second
	w.SeeNo(".person")
	w.look("chosen")
	w.Key("\x1b") // Escape
	w.Await(`document.activeElement.textContent.includes("María")`)
	w.tab("#other")
	w.Key("\r")
	w.Await(`document.activeElement.name == "name"`)
	w.look("other")
	w.Key("\r")
	w.See("Please type your name.")
	w.Click("#back")
	w.Await(`document.activeElement.id == "other"`)
	w.Click("li:nth-child(2) .person")
	w.Await(`document.activeElement.name == "password"`)
	w.Key("100% wrong\r")
	if logon, err := w.ends(); err != nil || logon.Name != "maria" || string(logon.Password) != "100% wrong" {
		t.Errorf("%+v, %v", logon, err)
	}

	w = s.opens(newMac(t))
	w.desk.says("users", "ok users\nlist=no\n")
	w.Click("#refresh")
	w.SeeNo(".person")
	w.look("fields")
	w.Write("input[name=name]", "ann")
	w.Write("input[name=password]", "\n") // an empty one
	if logon, err := w.ends(); err != nil || logon.Name != "ann" || len(logon.Password) != 0 {
		t.Errorf("%+v, %v", logon, err)
	}
}

// Nobody is locked out by a service that is not there, does not know the page's
// questions, or goes.
func needsNoService(t *testing.T, s *sight) {
	m := newMac(t)
	m.stop()
	w := s.opens(m)
	w.Await(`document.activeElement.name == "name"`)
	w.look("silent")
	w.Click("#network")
	w.See("Network: not known")
	w.Key("\x1b")
	w.Click("#restart")
	w.Click("#panel .primary")
	w.See("does not answer at the moment")
	w.Key("\x1b")
	w.Click("#apple")
	if _, err := w.ends(); !errors.Is(err, ErrApple) {
		t.Error(err)
	}

	m = newMac(t)
	for _, verb := range verbs {
		m.desk.says(verb, "error unknown\nmessage=the agent does not know "+verb+"\n")
	}
	w = s.opens(m)
	w.See("Sign in once")
	w.Await(`document.querySelector("#login input")`)
	w.Click("#network")
	w.See("The agent on this Mac cannot do this yet.")
	w.Key("\x1b")
	m.stop()
	w.See("You can log in all the same.")
	w.SeeNo("#step")
	w.Write("input[name=name]", "ann")
	w.Write("input[name=password]", "hunter22")
	m.serve()
	w.See("Sign in once")
	w.Click("#login .primary")
	if logon, err := w.ends(); err != nil || logon.Name != "ann" || string(logon.Password) != "hunter22" {
		t.Errorf("%+v, %v", logon, err)
	}
}

// What the real service and directory refuse is said in words, and there is a way on.
func refusals(t *testing.T, s *sight) {
	m := newMac(t)
	if _, err := m.accounts.Create(t.Context(), accounts.New{Name: "ann", Password: []byte("x"), Tag: "other"}); err != nil {
		t.Fatal(err)
	}
	w := s.opens(m)
	ann := m.MustHire("ann")
	w.Click("button[value=start]")
	w.wished(Show)
	if _, err := ann.SignIn(t.Context(), w.At, w.host.Address()); err != nil {
		t.Fatal(err)
	}
	w.wished(Shut)
	w.See(api.Explain(api.CodeAccountExists).Employee)
	w.look("account exists")
	m.Stop()
	w.Click("button[value=retry]")
	w.See(api.Explain(api.CodeOffline).Employee)
	m.Serve()
	w.Click("button[value=close]")
	m.Change(func(s *api.Settings) {
		s.MacOS.Text, s.MacOS.HelpURL = "Questions? Call <b>4711</b>.", "https://help.acme.example/first-day"
	})
	w.Click("#refresh")
	w.See("Questions? Call <b>4711</b>.")
	w.See("https://help.acme.example/first-day")
	w.look("text and help")
	m.Change(func(s *api.Settings) { s.MacOS.SSAP = false })
	w.Click("#refresh")
	w.SeeNo("#step")
	w.See("Admin of Acme")
}

// Each failure there may be is shown as the service says it, and can be left.
func failures(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.See("Sign in once")
	for _, p := range api.Problems {
		w.Run(`firstday.take({kind: "screen", serial: "900", state: "failed", code: ` + quote(string(p.Code)) + `, title: "This did not work", message: ` + quote(p.Employee) + `, fields: [], qr: [], actions: [{name: "retry", rank: "primary", label: "Try again"}, {name: "close", rank: "secondary", label: "Close"}]})`)
		if got := w.Is(`document.getElementById("step-message").textContent + document.getElementById("step-message").getAttribute("role") + document.activeElement.id`); got != p.Employee+"alert"+"step-title" {
			t.Errorf("%s is shown as %s", p.Code, got)
		}
	}
	w.Click("button[value=retry]") // of a screen that is not there
	if err := w.signIn.Reached(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	w.See(api.Explain(api.CodeOffline).Employee)
	w.SeeNo("button[value=retry]")
}

func refreshes(t *testing.T, s *sight) {
	m := newMac(t)
	w := s.opens(m)
	w.Click("#refresh")
	w.See("The directory was asked just now; this device is up to date.")
	m.Stop()
	w.Click("#refresh")
	w.See(api.Explain(api.CodeOffline).Employee)
	w.Await(`!document.getElementById("refresh").disabled`)
	w.look("offline")
	m.Serve()
}

// The same page by http, as other programs may show it.
func overHTTP(t *testing.T, s *sight) {
	server := httptest.NewServer(http.FileServerFS(signinpage.Files))
	defer server.Close()
	w := s.opens(newMac(t))
	w.Open(server.URL + "/index.html")
	w.See("Sign in once")
	w.look("http")
}

// What comes from outside is text, and nothing else.
func hostile(t *testing.T, s *sight) {
	m := newMac(t)
	const tag = "<img src=x onerror=toHost('apple')>"
	m.desk.says("users", "ok users\nlist=yes\nuser=a"+tag+" managed "+tag+"\nuser=x\nuser=\n")
	m.desk.says("network", "ok network\nlink=wifi\nname="+tag+"\nwifi=on\nnetwork=x\nnetwork=open new 9 "+tag+"\nnetwork=password saved -1 "+tag+"\nidentity=1 "+tag+"\nportal=javascript:alert(1)\ninternet=captive\ndirectory=later\n")
	m.desk.says("info", "ok info\ncomputer="+tag+"\naddress=\naddress=en0\n")
	m.desk.says("logo", "ok logo\npng="+tag+"\n")
	m.Change(func(s *api.Settings) { s.MacOS.Text = tag })
	m.hears()
	w := s.opens(m)
	w.See(tag)
	w.Click("#network")
	w.See(tag + "\n")
	w.Click("[data-key=portal]")
	w.See("This did not work.")
	if w.host.Address() != "" {
		t.Error("a script is shown as a portal")
	}
	w.Click("#info")
	w.See("About this Mac")
	w.Key("\x1b")
	if count := w.Is(`document.querySelectorAll("img").length`); count != "1" || w.Is(`document.getElementById("logo").hidden`) != "true" {
		t.Errorf("there are %s pictures", count)
	}
}

// Who asks for more contrast, or for the system's own colours, gets them.
func contrast(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.See("Sign in once")
	for _, theme := range [][]string{
		{"prefers-contrast", "more"}, {"prefers-contrast", "more", "prefers-color-scheme", "dark"},
		{"forced-colors", "active"}, {"forced-colors", "active", "prefers-color-scheme", "dark"},
	} {
		what := strings.Join(theme, " ")
		w.Prefer(theme...)
		w.Axe("ready, " + what)
		w.Click("#network")
		w.See("with a password")
		w.Axe("network, " + what)
		w.Key("\x1b")
		w.Click("#other")
		w.Axe("other, " + what)
		w.Click("#back")
	}
}

// Over Apple's login window there is the sign-in alone: people log in there.
func overApples(t *testing.T, s *sight) {
	m := newMac(t)
	w := s.opens(m)
	w.Open("about:blank")
	w.Open(file(t) + "#beside")
	w.See("Sign in once")
	w.SeeNo("#people")
	w.look("beside")
	w.Click("button[value=start]")
	w.wished(Show)
	w.Click("#visit button[value=cancel]")
	w.wished(Shut)
	w.Await(`document.activeElement.id == "apple"`)
	m.stop()
	w.See("The agent on this Mac does not answer at the moment.")
	w.SeeNo("#login")
	w.Click("#apple")
	if _, err := w.ends(); !errors.Is(err, ErrApple) {
		t.Error(err)
	}
}
