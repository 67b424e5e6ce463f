package wifi

import (
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
)

func FuzzPorts(f *testing.F) {
	for _, name := range []string{"ports-macbook.txt", "ports-macmini.txt"} {
		f.Add(sample(f, name))
	}
	f.Add("Hardware Port: Wi-Fi\nDevice: en0 -x\n\x00Device: en1")
	f.Fuzz(func(t *testing.T, text string) {
		ports := readPorts(text)
		if len(ports) > maxPorts {
			t.Errorf("%d ports", len(ports))
		}
		for _, p := range ports {
			if !deviceName.MatchString(p.device) || p.name == "" || p.wireless() && p.wired() {
				t.Errorf("%+v", p)
			}
		}
	})
}

// What networksetup and ipconfig write, whichever it is.
func FuzzNames(f *testing.F) {
	for _, name := range []string{"saved.txt", "summary-14.txt", "summary-15.6.txt", "summary-wired.txt", "summary-idle.txt", "summary-hostile.txt"} {
		f.Add(sample(f, name))
	}
	f.Add("Current Wi-Fi Network: Acme\n")
	f.Add("Wi-Fi Power (en0): On\n")
	f.Fuzz(func(t *testing.T, text string) {
		names := append(readSaved(text), readCurrent(text))
		s := readSummary(text)
		names = append(names, s.name)
		for _, n := range names {
			if n != "" && (!showable(n) || (Join{Name: n}).check() != nil) {
				t.Errorf("%q is a name", n)
			}
		}
		if len(names) > maxSaved+2 || s.withheld && s.name != "" {
			t.Errorf("%d names, %+v", len(names), s)
		}
		readPower(text, "en0")
	})
}

func FuzzProfile(f *testing.F) {
	for _, name := range []string{"profile-13.json", "profile-14.json", "profile-26-redacted.json", "profile-off.json"} {
		f.Add([]byte(sample(f, name)))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		seen, err := readProfile(text, "en0")
		if len(seen) > maxSightings || err != nil && seen != nil {
			t.Errorf("%d networks, %v", len(seen), err)
		}
		for _, n := range list(seen, []string{"Acme"}, true) {
			if !showable(n.Name) || n.Name == redacted || n.Strength < 0 || n.Strength > 4 || wants(n.Security) < 0 {
				t.Errorf("%+v", n)
			}
		}
	})
}

func FuzzJoinAnswer(f *testing.F) {
	f.Add("Could not find network Acme.\n", "Acme", "secret")
	f.Add("Failed to join network Acme.\nError: -3924  The operation couldn’t be completed.", "Acme", "")
	f.Add("secret secret", "s", "secret")
	f.Fuzz(func(t *testing.T, text, name, password string) {
		if (Join{Name: name, Password: []byte(password)}).check() != nil {
			return
		}
		err := readJoin(withoutPassword(text, []byte(password)), name, SecurityPassword)
		if (err == nil) != (strings.TrimSpace(withoutPassword(text, []byte(password))) == "") {
			t.Errorf("%q is %v", text, err)
		}
		if err != nil && codeOf(err) == "" {
			t.Errorf("%q has no code", text)
		}
	})
}

func FuzzIdentity(f *testing.F) {
	pki := testpki.New(f)
	f.Add(pki.NoEKU.Certificate().Raw)
	f.Add(pki.Server.Certificate().Raw)
	f.Add(pki.Root.Certificate().RawSubject)
	f.Fuzz(func(t *testing.T, der []byte) {
		if id, ok := identityOf(der, time.Now()); ok && (id.Label == "" || len(id.Label) > maxLabel || len(id.ID) != 32) {
			t.Errorf("%+v", id)
		}
	})
}
