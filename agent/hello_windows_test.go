package agent

import (
	"testing"

	"golang.org/x/sys/windows/registry"
)

// What Windows says of its sessions, Wine does not: there is one, of nobody whose
// token it gives. That a page opens there, nothing here has seen work.
func TestWindowsSessions(t *testing.T) {
	sessions, err := windowsSystem{}.Sessions()
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range sessions {
		if s.User == "" {
			t.Errorf("a session of nobody: %+v", s)
		}
	}
	if err := (windowsSystem{}).OpenPage(session{ID: 4711, User: "S-1-5-21-1-2-3-1004"}, helloPage); err == nil {
		t.Error("a page opens in a session that there is not")
	}
}

func TestWindowsHelloPolicy(t *testing.T) {
	const user = `S-1-5-21-1-2-3-1004`
	for name, test := range map[string]struct {
		root   registry.Key
		path   string
		value  string
		number uint32
		want   bool
	}{
		"none":                    {0, "", "", 0, false},
		"Hello is on":             {registry.LOCAL_MACHINE, passportPolicy, "Enabled", 1, false},
		"Hello is off":            {registry.LOCAL_MACHINE, passportPolicy, "Enabled", 0, true},
		"nobody is to be led":     {registry.LOCAL_MACHINE, passportPolicy, "DisablePostLogonProvisioning", 1, true},
		"everybody is":            {registry.LOCAL_MACHINE, passportPolicy, "DisablePostLogonProvisioning", 0, false},
		"off for the user":        {registry.USERS, user + `\` + passportPolicy, "Enabled", 0, true},
		"off for somebody else":   {registry.USERS, `S-1-5-21-1-2-3-1005\` + passportPolicy, "Enabled", 0, false},
		"another value is no one": {registry.LOCAL_MACHINE, passportPolicy, "UseBiometrics", 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			if test.root != 0 {
				k, _, err := registry.CreateKey(test.root, test.path, registry.SET_VALUE)
				if err != nil {
					t.Fatal(err)
				}
				if err := k.SetDWordValue(test.value, test.number); err != nil {
					t.Fatal(err)
				}
				if err := k.Close(); err != nil {
					t.Fatal(err)
				}
				t.Cleanup(func() {
					if err := registry.DeleteKey(test.root, test.path); err != nil {
						t.Error(err)
					}
				})
			}
			if got, err := (windowsSystem{}).HelloForbidden(user); err != nil || got != test.want {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
}
