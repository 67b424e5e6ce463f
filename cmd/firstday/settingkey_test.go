package main

import (
	"reflect"
	"strings"
	"testing"

	"firstday.dev/api"
)

func TestSettingByItsKey(t *testing.T) {
	for _, test := range []struct {
		key, value string
		want       func(*api.Settings)
	}{
		{"windows.ssap", "off", func(s *api.Settings) { s.Windows.SSAP = false }},
		{"macos.ssap", "true", func(*api.Settings) {}},
		{"linux.users", "0", func(s *api.Settings) { s.Linux.Users = 0 }},
		{"windows.permission", "administrator", func(s *api.Settings) { s.Windows.Permission = api.Administrator }},
		{"windows.hello", "offered", func(s *api.Settings) { s.Windows.Hello = api.HelloOffered }},
		{"macos.domains", "acme.example, acme.test", func(s *api.Settings) { s.MacOS.Domains = []string{"acme.example", "acme.test"} }},
		{"macos.signInBuilds", "24*,25A354", func(s *api.Settings) { s.MacOS.Builds = []string{"24*", "25A354"} }},
		{"macos.signInWindow", "instead", func(s *api.Settings) { s.MacOS.Window = api.WindowInstead }},
		{"logo", "", func(*api.Settings) {}},
		{"macos.domains", "", func(*api.Settings) {}},
		{"secondFactor", "off", func(s *api.Settings) { s.SecondFactor = false }},
	} {
		got, want := api.DefaultSettings(), api.DefaultSettings()
		test.want(&want)
		if err := setSetting(&got, test.key, test.value); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s %s: %+v, %v", test.key, test.value, got, err)
		}
	}
	for _, test := range []struct{ key, value, says string }{
		{"windows.ssap", "perhaps", "neither on nor off"},
		{"windows.users", "many", "not a number"},
		{"windows.users", "-1", "users"},
		{"windows", "off", "several settings"},
		{"windows.", "off", "windows.ssap"},
		{"windows.ssap.x", "off", "no setting"},
		{"", "off", "no setting"},
		{"windows.pin", "maybe", "pin"},
		{"macos.hello", "offered", "hello"},
		{"windows.signInWindow", "instead", "signInWindow"},
		{"logo", "settingkey_test.go", "no PNG"},
		{"logo", "missing.png", "missing.png"},
	} {
		s := api.DefaultSettings()
		if err := setSetting(&s, test.key, test.value); err == nil || !strings.Contains(err.Error(), test.says) {
			t.Errorf("%s %s: %v", test.key, test.value, err)
		}
	}
}
