package kit

import (
	"encoding/xml"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/saferwall/pe"

	"firstday.dev/internal/testagents"
)

// What Windows shows of our programs, and how it runs them, as another reader than
// ours finds it in those of a built package.
func TestProgramsSayWhatTheyAre(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	build(t, o)
	dir, _ := testagents.Unpack(t, filepath.Join(o.Output, "Acme.ppkg"))
	said := func(description, name, original string) map[string]string {
		return map[string]string{
			"CompanyName": "Firstday", "ProductName": "Firstday", "LegalCopyright": "Apache License 2.0",
			"FileDescription": description, "InternalName": name, "OriginalFilename": original,
			"FileVersion": testagents.Version, "ProductVersion": testagents.Version,
		}
	}
	for _, arch := range []string{"amd64", "arm64"} {
		for file, want := range map[string]map[string]string{
			"firstday-agent-" + arch + ".exe":    said("Firstday agent", "firstday-agent", "firstday-agent.exe"),
			"firstday-credprov-" + arch + ".dll": said("Firstday credential provider", "firstday-credprov", "firstday-credprov.dll"),
		} {
			program := parsed(t, filepath.Join(dir, file))
			got, err := program.ParseVersionResources()
			if diff := cmp.Diff(want, got); diff != "" || err != nil {
				t.Errorf("%s: the version resource (-want +got), %v:\n%s", file, err, diff)
			}
			manifest := manifestIn(t, program)
			if strings.HasSuffix(file, ".dll") {
				if manifest != "" {
					t.Errorf("%s would change how the sign-in screen runs: %s", file, manifest)
				}
				continue
			}
			checkManifest(t, file, manifest)
		}
	}
}

func parsed(t *testing.T, path string) *pe.File {
	t.Helper()
	f, err := pe.New(path, &pe.Options{DisableCertValidation: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	if err := f.Parse(); err != nil {
		t.Fatal(err)
	}
	return f
}

// manifestIn finds the program's manifest; "" if it has none.
func manifestIn(t *testing.T, f *pe.File) string {
	t.Helper()
	for _, kind := range f.Resources.Entries {
		if kind.ID != pe.RTManifest {
			continue
		}
		data := kind.Directory.Entries[0].Directory.Entries[0].Data.Struct
		manifest, err := f.GetData(data.OffsetToData, data.Size)
		if err != nil {
			t.Fatal(err)
		}
		return string(manifest)
	}
	return ""
}

func checkManifest(t *testing.T, file, manifest string) {
	t.Helper()
	var m struct {
		Level struct {
			Level    string `xml:"level,attr"`
			UIAccess string `xml:"uiAccess,attr"`
		} `xml:"trustInfo>security>requestedPrivileges>requestedExecutionLevel"`
		Systems []struct {
			ID string `xml:"Id,attr"`
		} `xml:"compatibility>application>supportedOS"`
		LongPathAware string `xml:"application>windowsSettings>longPathAware"`
		DPIAware      string `xml:"application>windowsSettings>dpiAware"`
		DPIAwareness  string `xml:"application>windowsSettings>dpiAwareness"`
	}
	if err := xml.Unmarshal([]byte(manifest), &m); err != nil {
		t.Fatalf("%s: %v: %s", file, err, manifest)
	}
	const windows10 = "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}"
	if m.Level.Level != "asInvoker" || m.Level.UIAccess != "false" || m.LongPathAware != "true" || len(m.Systems) != 1 || m.Systems[0].ID != windows10 ||
		!strings.Contains(m.DPIAwareness, "permonitorv2") && !strings.Contains(m.DPIAwareness, "PerMonitorV2") {
		t.Errorf("%s: %+v of %s", file, m, manifest)
	}
}
