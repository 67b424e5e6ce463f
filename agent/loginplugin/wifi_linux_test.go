//go:build amd64 || arm64

package loginplugin_test

import (
	"net"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// airport is the Mac's Wi-Fi, as CoreWLAN has it.
type airport struct {
	none, off bool // there is none; it is switched off
	networks  []beacon
	scanFails int // the code of an error
	joinFails int
	hold      chan struct{} // its calls wait until it is closed

	asked []string // what it was asked: selector and name
	joins []string // names and passwords
}

// beacon is a network that is seen.
type beacon struct {
	name     string // empty: it is withheld
	rssi     int
	security []uintptr
}

// CWSecurity.
const (
	openNetwork    = 0
	wpa2Personal   = 4
	wpa2Enterprise = 9
	wpa3Transition = 13
	owe            = 14
)

func (c *cocoa) fails(code int, at uintptr) uintptr {
	set(at, c.made("NSError", strconv.Itoa(code)))
	return 0
}

// sendWiFi is a message to an object of CoreWLAN's, or to what that gives.
func (c *cocoa) sendWiFi(self uintptr, selector string, a, b, third uintptr) (result uintptr, known bool) {
	name := "nil"
	if strings.HasPrefix(selector, "scanForNetworks") {
		c.mu.Lock()
		hold := c.wifi.hold
		if a != 0 {
			name = c.objects[a].text
		}
		c.mu.Unlock()
		if hold != nil {
			<-hold
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	w := &c.wifi
	o := c.objects[self]
	if o == nil {
		o = &object{class: classes[self]}
	}
	text := func(at uintptr) string {
		if at == 0 {
			return "nil"
		}
		return c.objects[at].text
	}
	seen := func() *beacon {
		i, _ := strconv.Atoi(o.text)
		return &w.networks[i]
	}
	switch o.class + " " + selector {
	case "CWWiFiClient sharedWiFiClient":
		return c.made("CWWiFiClient", ""), true
	case "CWWiFiClient interface":
		if w.none {
			return 0, true
		}
		return c.made("CWInterface", ""), true
	case "CWInterface powerOn":
		if w.off {
			return 0, true
		}
		return 1, true
	case "NSData dataWithBytes:length:":
		return c.made("NSData", string(bytesAt(a, b))), true
	case "CWInterface scanForNetworksWithName:error:", "CWInterface scanForNetworksWithSSID:error:":
		w.asked = append(w.asked, strings.Split(selector, ":")[0]+" "+name)
		if w.scanFails != 0 {
			return c.fails(w.scanFails, b), true
		}
		return c.made("NSSet", ""), true
	case "NSSet allObjects":
		return c.made("NSArray", ""), true
	case "NSArray count":
		return uintptr(len(w.networks)), true
	case "NSArray objectAtIndex:":
		return c.made("CWNetwork", strconv.Itoa(int(a))), true
	case "CWNetwork ssid":
		if seen().name == "" {
			return 0, true
		}
		return c.made("NSString", seen().name), true
	case "CWNetwork rssiValue":
		return uintptr(seen().rssi), true
	case "CWNetwork supportsSecurity:":
		if slices.Contains(seen().security, a) {
			return 1, true
		}
		return 0, true
	case "CWInterface associateToNetwork:password:error:":
		w.joins = append(w.joins, c.objects[a].text+" "+text(b))
		if w.joinFails != 0 {
			return c.fails(w.joinFails, third), true
		}
		return 1, true
	case "NSError code":
		code, _ := strconv.Atoi(o.text)
		return uintptr(code), true
	}
	return 0, false
}

// The page sees the networks that this host sees, and is told why names are missing.
func TestShippedWiFiScan(t *testing.T) {
	for name, c := range map[string]struct {
		wifi  airport
		pairs [][2]string
		err   string
	}{
		"several": {wifi: airport{networks: []beacon{
			{"Caf\u00e9 <1>", -70, []uintptr{openNetwork}}, {"", -30, []uintptr{wpa2Personal}}, {"Acme", -50, []uintptr{wpa2Enterprise, wpa2Personal}}, {"Caf\u00e9 <1>", -60, []uintptr{wpa3Transition}},
			{"Open", -99, []uintptr{owe}}, {strings.Repeat("x", 33), -20, []uintptr{openNetwork}}, {"Later", -80, []uintptr{99}},
			{"Twin", -85, []uintptr{wpa2Personal}}, {"Twin", -66, []uintptr{openNetwork}},
		}}, pairs: [][2]string{
			{"network", "enterprise new 4 Acme"}, {"network", "password new 3 Caf\u00e9 <1>"}, {"network", "password new 2 Twin"}, {"network", "password new 1 Later"}, {"network", "open new 0 Open"},
		}},
		"nothing":        {wifi: airport{}, pairs: [][2]string{}},
		"names withheld": {wifi: airport{networks: []beacon{{"", -30, nil}, {"", -40, nil}}}, pairs: [][2]string{{"withheld", "location"}}},
		"switched off":   {wifi: airport{off: true}, pairs: [][2]string{{"withheld", "off"}}},
		"it fails":       {wifi: airport{scanFails: -3906}, pairs: [][2]string{{"withheld", "failed"}}},
		"no Wi-Fi":       {wifi: airport{none: true}, err: "unknown"},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			ready := make(chan struct{}, 1)
			m.cocoa.load = func() {
				m.main <- func() { m.sayFrom(m.cocoa.message("ready")) }
				ready <- struct{}{}
			}
			m.cocoa.wifi = c.wifi
			e := m.begin("login", nil) // without an agent
			<-ready
			m.say("wlan scan")
			got := m.sees("answer")
			if got.Verb != "wlan" || got.Error != c.err || cmp.Diff(c.pairs, got.Pairs) != "" {
				t.Errorf("%+v", got)
			}
			m.say("apple")
			e.fell("asked")
		})
	}
}

// The page has this host join a network, by the strongest of its signals, and
// none that wants something else but bears its name. The password is in no memory of the plug-in's after that.
func TestShippedWiFiJoin(t *testing.T) {
	const said = "field name Caf\u00e9 100%25\nfield password hunter22\nwlan join"
	all := []beacon{
		{"Caf\u00e9 100%", -70, nil}, {"", -20, nil}, {"Other", -30, []uintptr{openNetwork}}, {"Caf\u00e9 100%", -50, nil}, {"Caf\u00e9 100%", -60, nil},
		// Somebody else's, which only bears the name.
		{"Caf\u00e9 100%", -10, []uintptr{openNetwork}}, {"Other", -10, []uintptr{wpa2Personal}},
	}
	for name, c := range map[string]struct {
		says, asks, joins, code string
		wifi                    airport
	}{
		"with a password":  {said, "scanForNetworksWithName Caf\u00e9 100%", "3 hunter22", "", airport{networks: all}},
		"hidden":           {"field hidden yes\n" + said, "scanForNetworksWithSSID Caf\u00e9 100%", "3 hunter22", "", airport{networks: all}},
		"open":             {"field name Other\nwlan join", "scanForNetworksWithName Other", "2 nil", "", airport{networks: all}},
		"not there":        {said, "scanForNetworksWithName Caf\u00e9 100%", "", "not_found", airport{networks: all[1:3]}},
		"only an open one": {said, "scanForNetworksWithName Caf\u00e9 100%", "", "not_found", airport{networks: all[5:]}},
		"no password":      {"field name Caf\u00e9 100%25\nwlan join", "scanForNetworksWithName Caf\u00e9 100%", "", "password", airport{networks: all[:5]}},
		"of an organisation": {said, "scanForNetworksWithName Caf\u00e9 100%", "", "identity", airport{networks: []beacon{
			{"Caf\u00e9 100%", -40, []uintptr{openNetwork}}, {"Caf\u00e9 100%", -50, []uintptr{wpa2Enterprise}}, {"Caf\u00e9 100%", -60, []uintptr{openNetwork}},
		}}},
		"switched off":   {said, "", "", "failed", airport{off: true}},
		"scan fails":     {said, "scanForNetworksWithName Caf\u00e9 100%", "", "timeout", airport{scanFails: -3905}},
		"wrong password": {said, "scanForNetworksWithName Caf\u00e9 100%", "3 hunter22", "password", airport{networks: all, joinFails: -3925}},
		"refused":        {said, "scanForNetworksWithName Caf\u00e9 100%", "3 hunter22", "refused", airport{networks: all, joinFails: -3913}},
		"not allowed":    {said, "scanForNetworksWithName Caf\u00e9 100%", "3 hunter22", "refused", airport{networks: all, joinFails: -3930}},
		"whatever":       {said, "scanForNetworksWithName Caf\u00e9 100%", "3 hunter22", "failed", airport{networks: all, joinFails: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			m.watches = true
			m.withPage()
			serve(m)
			m.cocoa.wifi = c.wifi
			e := m.begin("login", nil)
			m.sees("ready")
			m.say(c.says)
			got := m.sees("answer")
			want := [][2]string{{"join", "done"}}
			if c.code != "" {
				want = [][2]string{{"join", "failed"}, {"joincode", c.code}}
			}
			joinname := "Caf\u00e9 100%"
			if name == "open" {
				joinname = "Other"
			}
			if want = append(want, [2]string{"joinname", joinname}); got.Verb != "wlan" || got.Error != "" || cmp.Diff(want, got.Pairs) != "" {
				t.Errorf("%+v", got)
			}
			if asked, joined := strings.Join(m.cocoa.wifi.asked, ","), strings.Join(m.cocoa.wifi.joins, ","); asked != c.asks || joined != c.joins {
				t.Errorf("asked %q, joined %q", asked, joined)
			}
			m.say("apple")
			e.fell("asked")
			<-m.dropped
			if where := m.left("hunter22"); where != "" {
				t.Errorf("the password is still in %s", where)
			}
			if c.joins == "3 hunter22" && !m.wiped("hunter22") {
				t.Error("no buffer with the password is wiped")
			}
		})
	}
}

// patient is a service that answers each watch at once, whatever the clock says.
func patient(conn net.Conn) {
	ok := hears(conn, "hello 1 login-window 100021") && write(conn, "hello 1\n\nscreen 7\nstate=ready\n\n")
	for ok {
		ok = hears(conn, "watch 7") && write(conn, "ok watch\n\n")
		time.Sleep(5 * time.Millisecond)
	}
}

// CoreWLAN's calls may wait as long as they like: the page is told after half a
// minute, is not told another time, and may ask again when they are over; and nobody
// waits for them in the end.
func TestShippedWiFiIsSlow(t *testing.T) {
	for says, want := range map[string][][2]string{
		"wlan scan":               {{"withheld", "failed"}},
		"field name A\nwlan join": {{"join", "failed"}, {"joincode", "timeout"}, {"joinname", "A"}},
	} {
		t.Run(says, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			m.plays(patient)
			hold := make(chan struct{})
			m.cocoa.wifi = airport{networks: []beacon{{"A", -50, nil}}, hold: hold}
			e := m.begin("login", nil)
			m.sees("ready")
			m.say(says)
			m.say("wlan scan")
			if got := m.sees("answer"); got.Verb != "wlan" || got.Error != "busy" {
				t.Errorf("%+v", got)
			}
			for range 31 {
				m.pass(time.Second)
				time.Sleep(20 * time.Millisecond) // in which all can be heard
			}
			if got := m.sees("answer"); got.Verb != "wlan" || cmp.Diff(want, got.Pairs) != "" {
				t.Errorf("%+v", got)
			}
			m.say("wlan scan")
			if got := m.sees("answer"); got.Error != "busy" {
				t.Errorf("%+v", got)
			}
			close(hold)
			for got := (told{Error: "busy"}); got.Error == "busy"; { // the thread ends in its own time
				m.say("wlan scan")
				if got = m.sees("answer"); got.Error == "" && (len(got.Pairs) != 1 || got.Pairs[0][1] != "password new 4 A") {
					t.Errorf("%+v", got)
				}
			}
			m.say("apple")
			e.fell("asked")
			<-m.dropped
		})
	}
	t.Run("when the window is gone", func(t *testing.T) {
		m := newMac(t)
		m.watches = true
		m.withPage()
		serve(m)
		hold := make(chan struct{})
		m.cocoa.wifi = airport{hold: hold}
		e := m.begin("login", nil)
		m.sees("ready")
		m.say("field name A\nfield password hunter22\nwlan join")
		m.say("apple")
		e.fell("asked")
		close(hold)
		<-m.dropped
		for range 100 { // the thread wipes what it has when it has let the visit go
			if m.left("hunter22") == "" {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Error("the password is left")
	})
}
