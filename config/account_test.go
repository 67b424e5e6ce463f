package config

import "testing"

func TestUserNames(t *testing.T) {
	for _, name := range []string{
		"rescue", "firstday-admin", "Admin", "a", "Jörg Müller", "twenty-characters-xx", "console", "com10", "it.admin", "_", "netzwerk", "systems",
	} {
		if why := badUserName(name); why != "" {
			t.Errorf("%q %s", name, why)
		}
	}
	for name, want := range map[string]string{
		"":                      "is empty",
		"  ":                    "is empty",
		"...":                   "has nothing but dots and spaces",
		". .":                   "has nothing but dots and spaces",
		"dot.":                  "ends with a dot",
		" a":                    "begins or ends with a space",
		"twenty-one-characters": "has more than 20 characters, the most Windows allows",
		"a\u202eb":              "holds a character that cannot be shown",
		"CON":                   "is that of a Windows device",
		"nul.txt":               "is that of a Windows device",
		"Lpt1":                  "is that of a Windows device",
		"administrator":         "is one that Windows has already",
		"GUEST":                 "is one that Windows has already",
		"defaultaccount":        "is one that Windows has already",
		"WDAGUtilityAccount":    "is one that Windows has already",
		"system":                "is one that Windows has already",
		"Network Service":       "is one that Windows has already",
		"local service":         "is one that Windows has already",
		"nt authority":          "is one that Windows has already",
		"builtin":               "is one that Windows has already",
		"invité":                "is one that Windows has already",
	} {
		if got := badUserName(name); got != want {
			t.Errorf("%q %s, want %s", name, got, want)
		}
	}
	for _, c := range "\"/\\[]:;|=,+*?<>@%" {
		if got := badUserName("x" + string(c) + "y"); got != `holds one of " / \ [ ] : ; | = , + * ? < > @ %` {
			t.Errorf("%q %s", c, got)
		}
	}
}
