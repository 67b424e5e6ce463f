package wifi

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// mac is a Mac with what its programs say of it. Each takes a tenth of a second.
type mac struct {
	t  *testing.T
	mu sync.Mutex

	networks map[string]*ether
	on       bool
	current  string // the network that it is joined to
	since    time.Time
	saved    []string
	cable    bool // something is at the other end
	wired    bool // and gives an address

	version  int  // 14: names are told; 15: not by networksetup; 26: by nobody
	noWiFi   bool // it has none
	broken   map[string]error
	stuck    map[string]bool // these never end by themselves
	says     string          // networksetup of a join, whatever happens
	switched int             // how often
	ran      []string

	leaves     bool     // a network that is not saved any more
	remembered []string // saved networks, how and with which password
}

// ether is what is in the air under a name.
type ether struct {
	security  Security
	password  string
	identity  string
	hidden    bool
	dBm       int
	noAddress bool
	drops     bool // it takes who joins off again, after a second
	silent    bool // it lets nobody know that it does not want to
}

var errExit = errors.New("exit status 10")

func (m *mac) Run(ctx context.Context, stdin []byte, path string, args ...string) ([]byte, []byte, error) {
	m.mu.Lock()
	m.ran = append(m.ran, path+" "+strings.Join(args, " "))
	word := args[0]
	stuck, broken := m.stuck[word], m.broken[word]
	m.mu.Unlock()
	takes := 100 * time.Millisecond
	if stuck {
		takes = time.Hour
	}
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return nil, nil, ctx.Err()
	}
	if broken != nil {
		return nil, []byte("** Error: of some kind\n"), broken
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	out, err := m.answer(path, args, string(stdin))
	return []byte(out), nil, err
}

func (m *mac) answer(path string, args []string, stdin string) (string, error) {
	if len(args) > 1 && args[1] != "en0" && args[1] != "en7" && path != systemProfiler {
		return "", fmt.Errorf("asked about %q", args[1])
	}
	switch args[0] {
	case "-listallhardwareports":
		text := sample(m.t, "ports-macbook.txt")
		if m.noWiFi {
			text = strings.ReplaceAll(text, "Wi-Fi", "Bluetooth PAN")
		}
		return text, nil
	case "-getairportpower":
		return fmt.Sprintf("Wi-Fi Power (en0): %s\n", map[bool]string{true: "On", false: "Off"}[m.on]), nil
	case "-setairportpower":
		m.switched++
		m.on = args[2] == "on"
		if !m.on {
			m.current = ""
		}
		return "", nil
	case "-listpreferredwirelessnetworks":
		return "Preferred networks on en0:\n\t" + strings.Join(m.saved, "\n\t") + "\n", nil
	case "-getairportnetwork":
		if m.version >= 15 || m.current == "" {
			return "You are not associated with an AirPort network.\n", errExit
		}
		return "Current Wi-Fi Network: " + m.current + "\n", nil
	case "getsummary":
		switch {
		case args[1] == "en7" && m.cable:
			return sample(m.t, "summary-wired.txt"), nil
		case args[1] == "en7" || m.current == "" || m.networks[m.current].drops && time.Since(m.since) > time.Second:
			return sample(m.t, "summary-idle.txt"), nil
		}
		text := sample(m.t, "summary-14.txt")
		if m.version >= 26 {
			text = sample(m.t, "summary-15.6.txt")
		}
		if m.networks[m.current].security == SecurityOpen {
			text = strings.ReplaceAll(text, "WPA2_PSK", "NONE")
		}
		return strings.ReplaceAll(text, "Büro Süd", m.current), nil
	case "-json":
		return m.profile(), nil
	case "-addpreferredwirelessnetworkatindex":
		m.saved = append([]string{args[2]}, slices.DeleteFunc(m.saved, func(s string) bool { return s == args[2] })...)
		m.remembered = append(m.remembered, strings.Join(args[2:], " ")+" < "+strings.TrimSpace(stdin))
		return "", nil
	case "-removepreferredwirelessnetwork":
		m.saved = slices.DeleteFunc(m.saved, func(s string) bool { return s == args[2] })
		if m.leaves {
			m.current = ""
		}
		return "Removed " + args[2] + " from the preferred networks list\n", nil
	case "-setairportnetwork":
		said := m.associate(args[2], strings.TrimSuffix(stdin, "\n"), len(args) > 3 && args[3] == "-")
		if m.current == args[2] && !slices.Contains(m.saved, args[2]) {
			m.saved = append([]string{args[2]}, m.saved...) // it saves what it joins
		}
		return said, nil
	}
	return "", fmt.Errorf("%s %q", path, args)
}

func (m *mac) profile() string {
	var b strings.Builder
	for _, s := range m.seen(m.version >= 26) {
		name := s.name
		if name == "" {
			name = redacted
		}
		mode := map[Security]string{SecurityOpen: "none", SecurityPassword: "wpa2_personal", SecurityEnterprise: "wpa2_enterprise"}[s.security]
		fmt.Fprintf(&b, `,{"_name":%q,"spairport_security_mode":"spairport_security_mode_%s","spairport_signal_noise":"%d dBm / -95 dBm"}`, name, mode, s.dBm)
	}
	return `{"SPAirPortDataType":[{"spairport_airport_interfaces":[{"_name":"en0","spairport_airport_other_local_wireless_networks":[` +
		strings.TrimPrefix(b.String(), ",") + `]}]}]}`
}

func (m *mac) seen(withheld bool) (all []sighting) {
	for name, n := range m.networks {
		if n.hidden {
			continue
		}
		if withheld {
			name = ""
		}
		all = append(all, sighting{name, n.security, n.dBm})
	}
	slices.SortFunc(all, func(a, b sighting) int { return strings.Compare(a.name, b.name) })
	return all
}

// associate says what networksetup does. The keychain has the passwords of what is saved.
func (m *mac) associate(name, password string, given bool) string {
	n := m.networks[name]
	switch {
	case m.says != "":
		return m.says
	case !m.on:
		return "You cannot join a network when Wi-Fi power is off.\n"
	case n == nil:
		return "Could not find network " + name + ".\n"
	case n.silent:
		return ""
	case given && n.password != "" && password != n.password || !given && n.password != "" && !slices.Contains(m.saved, name):
		m.current = ""
		return "Failed to join network " + name + ".\nError: -3924  The operation couldn’t be completed.\n"
	}
	m.joined(name)
	m.saved = append([]string{name}, slices.DeleteFunc(m.saved, func(s string) bool { return s == name })...)
	return ""
}

func (m *mac) joined(name string) { m.current, m.since = name, time.Now() }

// addresses come two seconds after a network was joined.
func (m *mac) addresses() (map[string][]netip.Addr, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := map[string][]netip.Addr{"lo0": {netip.MustParseAddr("127.0.0.1")}, "en0": {netip.MustParseAddr("fe80::1")}}
	if n := m.networks[m.current]; n != nil && n.drops && time.Since(m.since) > time.Second {
		m.current = ""
	}
	if m.wired {
		all["en7"] = []netip.Addr{netip.MustParseAddr("192.168.2.50")}
	}
	switch n := m.networks[m.current]; {
	case n == nil:
	case n.drops: // the address is that of before
		all["en0"] = append(all["en0"], netip.MustParseAddr("192.168.1.50"))
	case n.noAddress:
		all["en0"] = append(all["en0"], netip.MustParseAddr("169.254.7.7"))
	case time.Since(m.since) >= 2*time.Second:
		all["en0"] = append(all["en0"], netip.MustParseAddr("192.168.1.50"))
	}
	return all, nil
}

// core is CoreWLAN on that Mac, where it is told names or not.
type core struct {
	m       *mac
	refuses int           // the number it refuses with; 0: it does not
	takes   time.Duration // for everything but the name
	calls   []string
}

func (c *core) wait(call string) {
	c.m.mu.Lock()
	c.calls = append(c.calls, call)
	takes := c.takes
	c.m.mu.Unlock()
	time.Sleep(takes)
}

func (c *core) name(string) string {
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.m.version >= 14 {
		return ""
	}
	return c.m.current
}

func (c *core) scan(string) ([]sighting, error) {
	c.wait("scan")
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.refuses != 0 {
		return nil, associateError(c.refuses, SecurityPassword, errors.New("no scan"))
	}
	return c.m.seen(c.m.version >= 14), nil
}

func (c *core) associate(_ string, j Join) error {
	c.wait("associate")
	c.m.mu.Lock()
	defer c.m.mu.Unlock()
	if c.refuses != 0 {
		return associateError(c.refuses, SecurityPassword, errors.New("no join"))
	}
	if c.m.version >= 14 {
		return errNotSeen
	}
	var seen []sighting
	for name, n := range c.m.networks {
		seen = append(seen, sighting{name, n.security, n.dBm})
	}
	at, err := pick(seen, j)
	if err != nil {
		return err
	}
	n := c.m.networks[seen[at].name]
	if n.password != string(j.Password) || n.identity != j.Identity {
		c.m.current = ""
		return associateError(-3925, n.security, errors.New("no handshake"))
	}
	c.m.joined(seen[at].name)
	return nil
}

// acme is a Mac among networks.
func acme(t *testing.T, version int) *mac {
	return &mac{
		t: t, version: version, on: true, saved: []string{"Home"}, broken: map[string]error{}, stuck: map[string]bool{},
		networks: map[string]*ether{
			"Acme":    {security: SecurityPassword, password: "correct horse", dBm: -50},
			"Hotel":   {security: SecurityOpen, dBm: -60},
			"Corp":    {security: SecurityEnterprise, identity: "0123", dBm: -70},
			"Home":    {security: SecurityPassword, password: "at home", dBm: -80},
			"Secret":  {security: SecurityPassword, password: "correct horse", hidden: true, dBm: -60},
			"Nothing": {security: SecurityOpen, noAddress: true, dBm: -60},
			"Drops":   {security: SecurityOpen, hidden: true, drops: true},
			"Silent":  {security: SecurityOpen, silent: true, dBm: -60},
		},
	}
}

// radio is that Mac's, without CoreWLAN.
func (m *mac) radio() *Radio {
	r := newRadio(m, slog.New(slog.DiscardHandler))
	r.addresses = m.addresses
	r.savedFirst = m.version >= 26
	return r
}

// secretly fails where a password was on a command line.
func (m *mac) secretly() {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, line := range m.ran {
		for _, n := range m.networks {
			if n.password != "" && strings.Contains(line, n.password) || strings.Contains(line, "wrong horse") {
				m.t.Errorf("everybody can see a password: %s", line)
			}
		}
	}
}
