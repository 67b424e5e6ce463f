//go:build unix

package page

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// networkWith is a network that a Mac may be in, as the service tells.
func networkWith(more string) string {
	return "ok network\ninternet=yes\ndirectory=yes\nwifi=on\nnetwork=password saved 4 Acme\nnetwork=open new 2 Café — guests\nnetwork=enterprise new 3 Acme-Secure\nnetwork=password new 1 Neighbour\nidentity=7 Laptop of Acme\n" + more
}

// The three states, the list, the switch, and why there is none.
func networks(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.Await(`document.getElementById("network").getAttribute("aria-label") == "Network. Wi-Fi: Acme. Internet: reachable. Acme: reachable"`)
	w.tab("#network")
	w.Key("\r")
	w.See("with a password, very good")
	w.look("networks")
	var got []string
	for line := range strings.Lines(w.Is(`[...document.querySelectorAll(".network")].map(b => b.textContent).join("\n")`)) {
		got = append(got, strings.TrimSpace(line))
	}
	want := []string{"Acme connected, saved, with a password, very good", "Acme-Secure of an organisation, good", "Café — guests open, fair", "Neighbour with a password, weak"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.Key("\x1b")
	w.Await(`document.activeElement.id == "network"`)

	for what, c := range map[string]struct{ answer, see string }{
		"ethernet":  {"ok network\nlink=ethernet\ninternet=no\ndirectory=no\nwifi=none\n", "This Mac has no Wi-Fi."},
		"off":       {"ok network\nlink=none\ninternet=no\ndirectory=no\nwifi=off\nwithheld=off\n", "Off"},
		"location":  {"ok network\nlink=wifi\ninternet=yes\ndirectory=yes\nwifi=on\nwithheld=location\n", "macOS does not tell the names of networks here."},
		"failed":    {"ok network\nlink=none\ninternet=no\nwifi=on\nwithheld=failed\n", "The networks could not be listed."},
		"a new why": {"ok network\nlink=none\ninternet=no\nwifi=on\nwithheld=later\n", "The networks could not be listed."},
		"scanning":  {"ok network\nlink=none\ninternet=unknown\nwifi=on\nscanning=yes\n", "Looking for networks …"},
		"nothing":   {"ok network\nlink=none\ninternet=unknown\nwifi=on\n", "No network is in reach."},
	} {
		w.desk.says("network", c.answer)
		w.Click("#network")
		w.See(c.see)
		w.look(what)
		if off := what == "ethernet" || what == "off"; (w.Is(`!!document.querySelector("[data-key=typed]")`) == "true") == off {
			t.Errorf("%s: the name cannot be typed, or can without Wi-Fi", what)
		}
		w.Key("\x1b")
	}
	w.desk.says("network", networkWith("link=none\nwifi=off\n")) // the last switch counts
	w.desk.says("network", "ok network\nlink=none\nwifi=off\n")
	w.Click("#network")
	w.Await(`document.querySelector("[role=switch]")?.ariaChecked == "false"`)
	w.Click("[role=switch]")
	w.desk.says("network", networkWith("link=none\n"))
	w.Await(`document.querySelector("[role=switch]")?.ariaChecked == "true"`)
	w.desk.says("wifi", "error denied\n")
	w.Click("[role=switch]")
	w.See("This is not allowed here.")
	if diff := cmp.Diff([]string{"wifi on", "wifi off"}, w.desk.heard("wifi")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	w.desk.says("scan", "error busy\n")
	w.Click("[data-key=again]")
	w.Await(`document.activeElement.dataset.key == "again"`)
}

// A network is joined in each way there is, and what came of it is said.
func joins(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.desk.says("network", networkWith("link=none\n"))
	w.Click("#network")
	w.Click(".networks li:nth-child(1) button") // saved
	w.See("Joining Acme …")
	w.look("joining")
	w.desk.says("network", networkWith("link=none\njoin=failed\njoincode=password\njoinname=Acme\n"))
	w.See("The password is wrong.")
	w.look("join, wrong password")
	w.Await(`document.activeElement.name == "secret"`)
	w.desk.says("network", networkWith("link=none\njoin=running\njoinname=Acme\n"))
	w.Key("hunter 22%\r")
	w.See("Joining Acme …")
	w.desk.says("network", networkWith("link=wifi\nname=Acme\njoin=done\njoinname=Acme\n"))
	w.See("Acme is joined.")

	w.Click(".networks li:nth-child(2) button") // of an organisation
	w.See("Laptop of Acme")
	w.look("identity")
	w.desk.says("network", networkWith("link=none\njoin=failed\njoincode=identity\njoinname=Acme-Secure\n"))
	w.Click("#panel .primary")
	w.See("The network does not take this identity.")

	w.Click("[data-key=typed]")
	w.See("The network is hidden")
	w.look("typed")
	w.tab("input[name=ssid]")
	w.Key("Hidden net")
	w.tab("input[name=hidden]")
	w.Key(" ")
	w.desk.says("network", networkWith("link=none\njoin=failed\njoincode=not_found\njoinname=Hidden net\n"))
	w.tab("#panel .primary")
	w.Key("\r")
	w.See("There is no such network in reach.")
	for code, text := range map[string]string{
		"timeout": "The network does not answer.", "no_address": "The network gives this Mac no address.", "refused": "The network refuses this Mac.",
		"failed": "The network could not be joined.", "later": "The network could not be joined.",
	} {
		w.desk.says("network", networkWith("link=none\njoin=failed\njoincode="+code+"\njoinname=Café — guests\n"))
		w.Click(".networks li:nth-child(3) button")
		w.See(text)
	}
	w.desk.says("join", "error busy\n")
	w.Click(".networks li:nth-child(3) button")
	w.See("The network could not be joined.")
	want := []string{
		"field name Acme\njoin", "field name Acme\nfield password hunter 22%25\njoin", "field name Acme-Secure\nfield identity 7\njoin",
		"field name Hidden net\nfield hidden yes\njoin",
	}
	if diff := cmp.Diff(want, w.desk.heard("join")[:4]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// Where a network wants people to sign in to it, its page is shown, until it lets
// them through.
func portal(t *testing.T, s *sight) {
	m := newMac(t)
	captive := networkWith("link=wifi\nname=Hotel\n")
	captive = strings.Replace(captive, "internet=yes\n", "internet=captive\nportal=http://portal.hotel.example/\n", 1)
	m.desk.says("network", captive)
	w := s.opens(m)
	w.Click("#network")
	w.See("Internet: the network asks you to sign in")
	w.look("captive")
	w.Click("[data-key=portal]")
	w.wished(Portal)
	w.See("Done")
	w.look("portal")
	if w.host.Address() != "http://portal.hotel.example/" || !w.host.MayShow("https://pay.example/") {
		t.Errorf("the page is %s", w.host.Address())
	}
	w.Click("#visit button")
	w.wished(Shut)
	w.Click("#network")
	w.Click("[data-key=portal]")
	w.wished(Portal)
	m.desk.says("network", networkWith("link=wifi\nname=Hotel\n"))
	w.wished(Shut)
	w.See("The internet is reachable.")
	if w.host.MayShow("https://pay.example/") {
		t.Error("a portal is shown where there is none")
	}
}

// In the login window of macOS the host sees what the service may not, and joins what
// it cannot.
func wlans(t *testing.T, s *sight) {
	w := s.opens(newMac(t))
	w.desk.says("network", "ok network\nlink=none\nwifi=on\nwithheld=location\nnetwork=password saved 0 Acme\n")
	joins := make(chan string, 10)
	w.wlan = func(said string) string {
		if said == "wlan scan" {
			return `{"kind":"answer","verb":"wlan","pairs":[["network","password new 4 Acme"],["network","open new 3 Café"]]}`
		}
		joins <- said
		return `{"kind":"answer","verb":"wlan","pairs":[["join","done"],["joinname","Café"]]}`
	}
	w.Click("#network")
	w.See("Café")
	if got := w.Is(`[...document.querySelectorAll(".network")].map(b => b.textContent).join()`); got != "Acme saved, with a password, very good,Café open, good" {
		t.Error(got)
	}
	w.SeeNo(".withheld")
	w.desk.says("network", "ok network\nlink=none\nwifi=on\njoin=failed\njoincode=not_found\njoinname=Café\n")
	w.Click(".networks li:nth-child(2) button")
	w.See("Café is joined.")
	if got := <-joins; got != "field name Café\nwlan join" {
		t.Errorf("%q", got)
	}
}
