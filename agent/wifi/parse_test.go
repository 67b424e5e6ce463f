package wifi

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var opened = cmp.AllowUnexported(port{}, summary{}, sighting{})

func sample(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestPorts(t *testing.T) {
	macbook := readPorts(sample(t, "ports-macbook.txt"))
	want := []port{{"USB 10/100/1000 LAN", "en7"}, {"Thunderbolt Bridge", "bridge0"}, {"Wi-Fi", "en0"}, {"Thunderbolt 1", "en1"}, {"Thunderbolt 2", "en2"}}
	if diff := cmp.Diff(want, macbook, opened); diff != "" {
		t.Error(diff)
	}
	macmini := readPorts(sample(t, "ports-macmini.txt"))
	want = []port{{"Ethernet", "en0"}, {"Wi-Fi", "en1"}, {"Bluetooth PAN", "en3"}, {"Thunderbolt Bridge", "bridge0"}}
	if diff := cmp.Diff(want, macmini, opened); diff != "" {
		t.Error(diff)
	}
	var wireless, wired []string
	for _, p := range append(macbook, macmini...) {
		if p.wireless() {
			wireless = append(wireless, p.device)
		}
		if p.wired() {
			wired = append(wired, p.device)
		}
	}
	if diff := cmp.Diff([]string{"en0", "en1"}, wireless) + cmp.Diff([]string{"en7", "en0"}, wired); diff != "" {
		t.Error(diff)
	}
	// A device is an argument of a program that runs as root.
	for _, device := range []string{"-setairportpower", "en0 en1", "", "EN0", "../en0", "en99999"} {
		if got := readPorts("Hardware Port: Wi-Fi\nDevice: " + device + "\n"); got != nil {
			t.Errorf("%q is a device: %+v", device, got)
		}
	}
	if got := readPorts(strings.Repeat("Hardware Port: Ethernet\nDevice: en1\n", 1000)); len(got) != maxPorts {
		t.Errorf("%d ports", len(got))
	}
}

func TestPower(t *testing.T) {
	for text, want := range map[string]string{
		"Wi-Fi Power (en0): On\n":  "on",
		"Wi-Fi Power (en0): Off\n": "off",
		"AirPort Power (en0): On":  "on",
		"Wi-Fi Power (en1): On\n":  "error",
		"en0 is not a Wi-Fi interface.\n** Error: Error obtaining wireless information.\n": "error",
		"Wi-Fi Power (en0): Maybe\n": "error",
		"":                           "error",
	} {
		on, err := readPower(text, "en0")
		got := "off"
		if on {
			got = "on"
		}
		if err != nil {
			got = "error"
		}
		if got != want {
			t.Errorf("%q is %s, %v", text, got, err)
		}
	}
}

func TestSaved(t *testing.T) {
	want := []string{"Büro Süd", " Acme Guest ", "Acme 802.1X", "Preferred networks on en0:"}
	if diff := cmp.Diff(want, readSaved(sample(t, "saved.txt"))); diff != "" {
		t.Error(diff)
	}
	if got := readSaved("en9 is not a Wi-Fi interface.\n"); got != nil {
		t.Error(got)
	}
	if got := readSaved("P:\n" + strings.Repeat("\ta\n", 5000) + "\t" + strings.Repeat("x", 33)); len(got) != maxSaved {
		t.Error(len(got))
	}
}

func TestCurrent(t *testing.T) {
	for text, want := range map[string]string{
		"Current Wi-Fi Network: Büro Süd\n":                                     "Büro Süd",
		"Current Wi-Fi Network:  Acme: Guest \n":                                " Acme: Guest ",
		"Current AirPort Network: Acme":                                         "Acme",
		"You are not associated with an AirPort network.\n":                     "",
		"You are not associated with an AirPort network.\nWi-Fi power is off\n": "",
		"All Wi-Fi network services are disabled.\n":                            "",
		"Current Wi-Fi Network: <redacted>\n":                                   "",
		"Current Wi-Fi Network: a\nb\n":                                         "",
	} {
		if got := readCurrent(text); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestSummary(t *testing.T) {
	for name, want := range map[string]summary{
		"summary-14.txt":      {active: true, wireless: true, name: "Büro Süd", security: "WPA2_PSK"},
		"summary-15.6.txt":    {active: true, wireless: true, withheld: true, security: "WPA2_PSK"},
		"summary-wired.txt":   {active: true},
		"summary-idle.txt":    {wireless: true},
		"summary-hostile.txt": {wireless: true},
	} {
		if diff := cmp.Diff(want, readSummary(sample(t, name)), opened); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestProfile(t *testing.T) {
	for name, want := range map[string][]sighting{
		"profile-13.json": {
			{"Büro Süd", SecurityPassword, -42}, {"Acme Guest", SecurityOpen, -70}, {"Acme 802.1X", SecurityEnterprise, -56},
		},
		"profile-14.json": {
			{"Acme", SecurityPassword, -48}, {"Hotel", SecurityOpen, 0}, {"Acme Old", SecurityEnterprise, -90}, {"Of tomorrow", SecurityPassword, 0},
		},
		"profile-26-redacted.json": {
			{"", SecurityPassword, -51}, {"", SecurityPassword, 0}, {"", SecurityPassword, -48},
		},
		"profile-off.json": nil,
	} {
		seen, err := readProfile([]byte(sample(t, name)), "en0")
		if diff := cmp.Diff(want, seen, opened); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	for name, text := range map[string]string{
		"another device": sample(t, "profile-off.json"),
		"nothing":        "",
		"not JSON":       "Wi-Fi:\n\n      Software Versions:\n",
		"another shape":  `{"SPAirPortDataType": {"spairport_airport_interfaces": 5}}`,
		"cut off":        sample(t, "profile-13.json")[:900],
	} {
		if seen, err := readProfile([]byte(text), "en5"); err == nil {
			t.Errorf("%s: %+v", name, seen)
		}
	}
	// A number in a name's place costs that network, and no other.
	text := strings.Replace(sample(t, "profile-13.json"), `"_name" : "Acme Guest"`, `"_name" : 5`, 1)
	if seen, err := readProfile([]byte(text), "en0"); err != nil || len(seen) != 3 || named(seen[1]) || !named(seen[2]) {
		t.Errorf("%+v, %v", seen, err)
	}
	many := `{"SPAirPortDataType":[{"spairport_airport_interfaces":[{"_name":"en0","spairport_airport_local_wireless_networks":[{}` +
		strings.Repeat(`,{"_name":"a"}`, 5000) + `]}]}]}`
	if seen, err := readProfile([]byte(many), "en0"); err != nil || len(seen) != maxSightings {
		t.Errorf("%d, %v", len(seen), err)
	}
}

func TestWhatNetworksetupSaysOfAJoin(t *testing.T) {
	const failed = "Failed to join network Acme.\nError: "
	for _, test := range []struct {
		text     string
		security Security
		want     Code
	}{
		{"", SecurityPassword, ""},
		{"\n", SecurityPassword, ""},
		{"Could not find network Acme.\n", SecurityPassword, CodeNotFound},
		{failed + "-3900  The operation couldn’t be completed.", SecurityPassword, CodePassword},
		{failed + "-3924  The operation couldn’t be completed. (com.apple.wifi.apple80211API.error error -3924.)", SecurityPassword, CodePassword},
		{failed + "-3925  x", SecurityPassword, CodePassword},
		{failed + "1  x", SecurityEnterprise, CodeIdentity},
		{failed + "-3900  x", SecurityOpen, CodeRefused},
		{failed + "-3905  x", SecurityPassword, CodeTimeout},
		{failed + "-3913  x", SecurityPassword, CodeRefused},
		{failed + "-3930  x", SecurityPassword, CodeRefused},
		{failed + "-3931  tmpErr", SecurityPassword, CodeFailed},
		{failed + "-99999999999  x", SecurityPassword, CodeFailed},
		{"Failed to join network Error: -3905.\nError: -3924  x", SecurityPassword, CodePassword},
		{"You cannot join a network when Wi-Fi power is off.", SecurityPassword, CodeFailed},
		{"en9 is not a Wi-Fi interface.", SecurityPassword, CodeFailed},
	} {
		err := readJoin(test.text, "Acme", test.security)
		got := Code("")
		if err != nil {
			got = codeOf(err)
		}
		if got != test.want {
			t.Errorf("%q is %q: %v", test.text, got, err)
		}
		if err != nil && strings.Contains(err.Error(), "Acme") {
			t.Errorf("the log would hold a name: %v", err)
		}
	}
}

func TestSecurityOfCoreWLAN(t *testing.T) {
	for want, all := range map[Security][][]int{
		SecurityOpen:       {{0}, {14}, {0, 15}},
		SecurityPassword:   {{1}, {4, 5}, {13}, {11, 13}, {3}, {}, {99}},
		SecurityEnterprise: {{9}, {12}, {9, 10}, {6}, {9, 4}},
	} {
		for _, supported := range all {
			got := securityOfCoreWLAN(func(n int) bool {
				for _, s := range supported {
					if s == n {
						return true
					}
				}
				return false
			})
			if got != want {
				t.Errorf("%v is %s", supported, got)
			}
		}
	}
}

func TestStrength(t *testing.T) {
	for dBm, want := range map[int]int{0: 0, 10: 0, -30: 4, -55: 4, -56: 3, -65: 3, -66: 2, -75: 2, -76: 1, -85: 1, -86: 0, -120: 0} {
		if got := (sighting{dBm: dBm}).strength(); got != want {
			t.Errorf("%d dBm is %d", dBm, got)
		}
	}
}

func TestList(t *testing.T) {
	seen := []sighting{
		{"Acme", SecurityOpen, -40}, // somebody's, to be taken for Acme's
		{"Acme", SecurityPassword, -60},
		{"Acme", SecurityPassword, -80},
		{"", SecurityOpen, -20},
		{"Zoo", SecurityOpen, -50},
		{"Hotel", SecurityOpen, -50},
		{"Home", SecurityPassword, -84},
	}
	want := []Network{
		{"Home", SecurityPassword, true, 1},
		{"Acme", SecurityPassword, false, 4},
		{"Hotel", SecurityOpen, false, 4},
		{"Zoo", SecurityOpen, false, 4},
	}
	if diff := cmp.Diff(want, list(seen, []string{"Away", "Home"}, false)); diff != "" {
		t.Error(diff)
	}
	// Withheld, the saved ones are all there is, as macOS orders them.
	want = []Network{{"Work", SecurityPassword, true, 0}, {"Home", SecurityPassword, true, 0}}
	if diff := cmp.Diff(want, list([]sighting{{"", SecurityOpen, -20}}, []string{"Work", "Home"}, true)); diff != "" {
		t.Error(diff)
	}
	var many []sighting
	for i := range 500 {
		many = append(many, sighting{name: strings.Repeat("n", 1+i%32) + string(rune('a'+i/32)), dBm: -50})
	}
	if got := list(many, nil, false); len(got) != maxNetworks {
		t.Error(len(got))
	}
}

func TestPick(t *testing.T) {
	seen := []sighting{
		{"Acme", SecurityOpen, -20}, {"Acme", SecurityPassword, -70}, {"Acme", SecurityPassword, -50},
		{"", SecurityOpen, -10}, {"Hotel", SecurityOpen, -60}, {"Corp", SecurityEnterprise, -60}, {"Home", SecurityPassword, -60},
	}
	for name, test := range map[string]struct {
		join Join
		want int
		code Code
	}{
		"the strongest that asks":     {Join{Name: "Acme", Password: []byte("p")}, 2, ""},
		"open":                        {Join{Name: "Hotel"}, 4, ""},
		"identity":                    {Join{Name: "Corp", Identity: "i"}, 5, ""},
		"password for 802.1X":         {Join{Name: "Corp", Password: []byte("p")}, -1, CodeIdentity},
		"nothing for 802.1X":          {Join{Name: "Corp"}, -1, CodeIdentity},
		"no password":                 {Join{Name: "Home"}, -1, CodePassword},
		"a password for an open one":  {Join{Name: "Hotel", Password: []byte("p")}, -1, CodeNotFound},
		"an identity for another one": {Join{Name: "Home", Identity: "i"}, -1, CodeNotFound},
	} {
		got, err := pick(seen, test.join)
		if got != test.want || (err == nil) != (test.code == "") || err != nil && codeOf(err) != test.code {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
	if _, err := pick(seen, Join{Name: "Gone"}); !errors.Is(err, errNotSeen) {
		t.Error(err)
	}
}

func TestJoinsThatAreNone(t *testing.T) {
	for name, j := range map[string]Join{
		"no name":       {},
		"long":          {Name: strings.Repeat("ü", 17)},
		"two lines":     {Name: "a\nb"},
		"NUL":           {Name: "a\x00"},
		"not UTF-8":     {Name: "\xff"},
		"two passwords": {Name: "a", Password: []byte("a\nb")},
		"long password": {Name: "a", Password: make([]byte, maxPassword+1)},
		"bytes":         {Name: "a", Password: []byte("\xff")},
		"long identity": {Name: "a", Identity: strings.Repeat("a", maxLabel+1)},
	} {
		err := j.check()
		if err == nil {
			t.Errorf("%s is one", name)
		}
	}
	if err := (Join{Name: strings.Repeat("ü", 16), Password: []byte("pass wörd")}).check(); err != nil {
		t.Error(err)
	}
}

func TestCurrentIsFirst(t *testing.T) {
	for version, want := range map[string]bool{"26.0": true, "26": true, "27.1.2": true, "15.6.1": false, "13.0": false, "": false, "x": false} {
		if currentIsFirst(version) != want {
			t.Error(version)
		}
	}
}

func TestAddressesOfThisDevice(t *testing.T) {
	all, err := interfaceAddresses()
	if err != nil {
		t.Fatal(err)
	}
	loopback := false
	for _, list := range all {
		for _, a := range list {
			loopback = loopback || a.IsLoopback()
			if a.Is4In6() {
				t.Error(a)
			}
		}
	}
	if !loopback {
		t.Errorf("%v", all)
	}
	for text, want := range map[string]bool{
		"192.168.1.5": true, "2001:db8::1": true, "fd00::1": true, "169.254.1.1": false, "fe80::1": false, "127.0.0.1": false, "0.0.0.0": false, "ff02::1": false,
	} {
		if usable(netip.MustParseAddr(text)) != want {
			t.Error(text)
		}
	}
}
