package ppkg

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

// project is a customizations.xml with the given Common settings.
func project(common string) string {
	return `<?xml version="1.0" encoding="utf-8"?>
<WindowsCustomizations>
  <PackageConfig xmlns="urn:schemas-Microsoft-com:Windows-ICD-Package-Config.v1.0">
    <ID>{` + uuid.NameSpaceURL.String() + `}</ID>
    <Name>Policies</Name>
    <Version>1.0</Version>
    <OwnerType>ITAdmin</OwnerType>
    <Rank>0</Rank>
  </PackageConfig>
  <Settings xmlns="urn:schemas-microsoft-com:windows-provisioning"><Customizations><Common>
` + common + `
  </Common></Customizations></Settings>
</WindowsCustomizations>`
}

// compilePolicy compiles a project that says value of one policy.
func compilePolicy(t *testing.T, area, name, value string) (Parm, error) {
	t.Helper()
	text := fmt.Sprintf("<Policies><%s><%s>%s</%s></%s></Policies>", area, name, escapeText.Replace(value), name, area)
	p, err := ReadCustomizations(strings.NewReader(project(text)), nil)
	if err != nil {
		return Parm{}, err
	}
	tree, err := Compile(t.Context(), p, time.Unix(0, 0))
	if err != nil {
		return Parm{}, err
	}
	if len(tree.Entries) != 1 || len(tree.Entries[0].Parms) != 1 {
		t.Fatalf("entries = %v", tree.Entries)
	}
	return tree.Entries[0].Parms[0], nil
}

func TestPolicyTableIsLargeAndSpelled(t *testing.T) {
	count := 0
	seen := map[string]bool{}
	for _, areas := range policyTables {
		for area, rows := range areas {
			if seen[area] {
				t.Errorf("area %s is in two tables", area)
			}
			seen[area] = true
			for name, r := range rows {
				count++
				if !isName(area) || !isName(name) || r.Type == Boolean || r.csp != "" {
					t.Errorf("%s/%s: %+v is no row for a policy", area, name, r)
				}
				if _, err := r.value("1"); err != nil {
					t.Errorf("%s/%s refuses 1: %v", area, name, err)
				}
			}
		}
	}
	if count < 150 {
		t.Errorf("%d policies, want 150 at least", count)
	}
}

func TestPolicyValues(t *testing.T) {
	for _, test := range []struct {
		area, name, value string
		want              string
		typ               Type
	}{
		// Those seen in packages that icd.exe made (formats/ppkg.md §2.1a).
		{"Experience", "AllowCortana", "No", "0", Integer},
		{"ApplicationManagement", "AllowAllTrustedApps", "Yes", "1", Integer},
		{"TimeLanguageSettings", "ConfigureTimeZone", "Eastern Standard Time", "Eastern Standard Time", String},
		{"Start", "ConfigureStartPins", `{"pinnedList":[]}`, `{"pinnedList":[]}`, String},

		{"Camera", "AllowCamera", " yes ", "1", Integer},
		{"DeviceLock", "MinDevicePasswordLength", "12", "12", Integer},
		{"DeviceLock", "DevicePasswordEnabled", "0", "0", Integer},
		{"ApplicationManagement", "AllowAllTrustedApps", "65535", "65535", Integer},
		{"Power", "DisplayOffTimeoutPluggedIn", "<enabled/>", "<enabled/>", String},
		{"Browser", "HomePages", " https://a.example ", " https://a.example ", String},
	} {
		got, err := compilePolicy(t, test.area, test.name, test.value)
		if err != nil {
			t.Errorf("%s/%s = %q: %v", test.area, test.name, test.value, err)
			continue
		}
		want := Parm{
			Path: "Policies/" + test.area + "/" + test.name,
			Node: []string{"Policy", "Config", test.area},
			Name: test.name, Type: test.typ, Value: test.want,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s/%s = %q (-want +got):\n%s", test.area, test.name, test.value, diff)
		}
	}
}

// A label that is taken for the wrong number turns a protection off.
func TestPolicyLabelsAreNotGuessed(t *testing.T) {
	for _, test := range []struct{ area, name, value string }{
		{"DeviceLock", "DevicePasswordEnabled", "Yes"}, // 0 enables it
		{"Search", "DoNotUseWebResults", "Yes"},        // 0 is "do not use"
		{"System", "ConfigureTelemetryOptInSettingsUx", "Yes"},
		{"Browser", "AllowPopups", "Yes"},         // 1 blocks
		{"System", "AllowLocation", "Yes"},        // 1 leaves it to the user
		{"System", "AllowTelemetry", "Basic"},     // four values
		{"System", "AllowExperimentation", "Yes"}, // three values
		{"Camera", "AllowCamera", "Enabled"},
		{"Camera", "AllowCamera", ""},
		{"DeviceLock", "MinDevicePasswordLength", "twelve"},
		{"DeviceLock", "MinDevicePasswordLength", "99999999999"},
	} {
		_, err := compilePolicy(t, test.area, test.name, test.value)
		var setting *SettingError
		if !errors.Is(err, ErrValue) || !errors.As(err, &setting) || setting.Line == 0 {
			t.Errorf("%s/%s = %q: error %v", test.area, test.name, test.value, err)
		}
	}
}

func TestUnknownPolicyNeedsItsType(t *testing.T) {
	_, err := compilePolicy(t, "Camera", "AllowMirror", "1")
	var setting *SettingError
	if !errors.Is(err, ErrUnknownSetting) || !errors.As(err, &setting) || setting.Path != "Policies/Camera/AllowMirror" || setting.Line == 0 {
		t.Errorf("error = %v", err)
	}
}
