package config

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// parsePolicies reads a good file with these policies, one a line.
func parsePolicies(policies ...string) (*Config, error) {
	text := strings.TrimSuffix(minimal, "\n") + "\n  policies:\n"
	for _, p := range policies {
		text += "    " + p + "\n"
	}
	return Parse("x.yaml", []byte(text))
}

func TestPolicyValuesFollowTheTable(t *testing.T) {
	for line, want := range map[string]Policy{
		"Camera/AllowCamera: yes":                                  {"Camera", "AllowCamera", PolicyInteger, "1"},
		`Camera/AllowCamera: "No"`:                                 {"Camera", "AllowCamera", PolicyInteger, "0"},
		"Camera/AllowCamera: 0x1":                                  {"Camera", "AllowCamera", PolicyInteger, "1"},
		"Camera/AllowCamera: {type: integer, value: 77}":           {"Camera", "AllowCamera", PolicyInteger, "77"},
		"DeviceLock/MinDevicePasswordLength: 12":                   {"DeviceLock", "MinDevicePasswordLength", PolicyInteger, "12"},
		"DeviceLock/MinDevicePasswordLength: -1":                   {"DeviceLock", "MinDevicePasswordLength", PolicyInteger, "-1"},
		"TimeLanguageSettings/ConfigureTimeZone: Pacific Standard": {"TimeLanguageSettings", "ConfigureTimeZone", PolicyString, "Pacific Standard"},
		"Start/ConfigureStartPins: yes":                            {"Start", "ConfigureStartPins", PolicyString, "yes"},
		"Foo/Bar: {type: string, value: yes}":                      {"Foo", "Bar", PolicyString, "yes"},
		"Foo/Bar: {type: boolean, value: false}":                   {"Foo", "Bar", PolicyBoolean, "false"},
	} {
		c, err := parsePolicies(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if diff := cmp.Diff(Policies{want}, c.Windows.Policies); diff != "" || len(c.Warnings) > 0 {
			t.Errorf("%s (-want +got):\n%s%v", line, diff, c.Warnings)
		}
	}
}

// TestPolicyByAlias reads both forms from where they were written before.
func TestPolicyByAlias(t *testing.T) {
	c, err := parsePolicies("Camera/AllowCamera: &no no", "Browser/AllowFlash: *no",
		"Foo/A: &one {type: integer, value: 1}", "Foo/B: *one")
	if err != nil {
		t.Fatal(err)
	}
	want := Policies{
		{"Camera", "AllowCamera", PolicyInteger, "0"}, {"Browser", "AllowFlash", PolicyInteger, "0"},
		{"Foo", "A", PolicyInteger, "1"}, {"Foo", "B", PolicyInteger, "1"},
	}
	if diff := cmp.Diff(want, c.Windows.Policies); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestExplicitPolicyThatLooksWrongWarns(t *testing.T) {
	for line, want := range map[string]string{
		"Camera/AllowCamra: {type: integer, value: 0}":   "Camera/AllowCamra is not a policy known here",
		"Camera/AllowCamera: {type: string, value: yes}": "Camera/AllowCamera is of type integer in Microsoft's reference, not string",
	} {
		c, err := parsePolicies(line)
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		if len(c.Warnings) != 1 || c.Warnings[0].Message != want || c.Warnings[0].Line == 0 || c.Warnings[0].Hint == "" {
			t.Errorf("%s: warnings are %v, want %s", line, c.Warnings, want)
		}
	}
}

// TestUnknownPoliciesAreCheap looks for what was meant by a thousand of them.
func TestUnknownPoliciesAreCheap(t *testing.T) {
	var lines []string
	for i := range maxPolicies {
		lines = append(lines, fmt.Sprintf("Update/EngagedRestartTransitionScheduleFor%04d: 1", i))
	}
	start := time.Now()
	if _, err := parsePolicies(lines...); err == nil {
		t.Error("accepted")
	}
	if d := time.Since(start); d > 3*time.Second {
		t.Errorf("took %v", d)
	}
}
