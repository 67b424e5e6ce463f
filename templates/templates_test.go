package templates

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/config"
)

var update = flag.Bool("update", false, "rewrite the golden files")

var starters = map[string]Starter{
	"starter":        {Organisation: "Acme", DirectoryURL: "https://directory.acme.example", Schema: config.SchemaID},
	"starter-pinned": {Organisation: "Söhne: #1 \"Best\"\n", DirectoryURL: "https://d.example:8443/x", Pin: "sha256:" + strings.Repeat("0a", 32), Schema: "./firstday.schema.json"},
}

func TestStarter(t *testing.T) {
	for name, s := range starters {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := s.Write(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, name+".yaml", b.Bytes())
		})
	}
}

// TestStarterIsAccepted loads what `firstday init` writes.
func TestStarterIsAccepted(t *testing.T) {
	for _, s := range []Starter{
		starters["starter"],
		{Organisation: `Tom's "Söhne": #1 & true`, DirectoryURL: "https://d.example", Pin: "sha256:" + strings.Repeat("0a", 32)},
		{Organisation: "true", DirectoryURL: "https://d.example"},
		{Organisation: "0x10", DirectoryURL: "https://d.example"},
		{Organisation: "- {a: b}", DirectoryURL: "https://d.example"},
	} {
		name := filepath.Join(t.TempDir(), "firstday.yaml")
		f, err := os.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Write(f); err != nil {
			t.Fatal(err)
		}
		f.Close()
		c, err := config.Load(name)
		if err != nil {
			t.Errorf("%q: %v", s.Organisation, err)
			continue
		}
		if c.Organisation.Name != s.Organisation || c.Directory.URL != s.DirectoryURL || c.Directory.Pin != s.Pin {
			t.Errorf("%+v came back as %+v, %+v", s, c.Organisation, c.Directory)
		}
		if len(c.Warnings) > 0 {
			t.Errorf("%q: %v", s.Organisation, c.Warnings)
		}
	}
}

// TestStarterExamplesAreAccepted removes the marks before the examples: each
// must be what config understands, or it would mislead.
func TestStarterExamplesAreAccepted(t *testing.T) {
	var b bytes.Buffer
	if err := starters["starter"].Write(&b); err != nil {
		t.Fatal(err)
	}
	_, body, _ := strings.Cut(b.String(), "\n\n") // after the words at the top
	var lines []string
	for _, line := range strings.Split(body, "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		text, example := strings.CutPrefix(strings.TrimSpace(line), "# ")
		switch {
		case !example:
			lines = append(lines, line)
		case strings.Contains(text, "…"): // stands for digits
		case isExample(text):
			lines = append(lines, indent+strings.TrimPrefix(line[len(indent):], "# "))
		}
	}
	if len(lines) < 45 {
		t.Fatalf("found %d lines only", len(lines))
	}
	text := strings.Join(lines, "\n")
	if _, err := config.Parse("firstday.yaml", []byte(text)); err != nil {
		t.Errorf("%v in\n%s", err, text)
	}
}

// isExample tells YAML from a sentence: a key in camel case or with a slash,
// or an item of a list.
func isExample(text string) bool {
	text = strings.TrimSpace(text)
	key, _, found := strings.Cut(text, ":")
	return strings.HasPrefix(text, "- ") || found && !strings.Contains(key, " ")
}

func TestInstructions(t *testing.T) {
	full := Instructions{
		Organisation: "Müller & Söhne", HelpURL: "https://help.acme.example",
		Package: "Acme.ppkg", Catalog: "Acme.cat",
		PackageID: "1f0c9bb2-33ab-4ad6-9e0a-5f1e2a3b4c5d", PackageVersion: "1.2", Size: 5 << 30,
		SHA256: strings.Repeat("0a", 32), AgentVersion: "0.1.0",
		Built:     time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC),
		ExpiresAt: time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC),
		Signer:    "Acme IT (issued by Acme Code Signing CA)",
		HideOOBE:  true, SignIn: true, BreakGlass: "rescue", ComputerName: "ACME-%SERIAL%",
		WiFi: []string{"Office", "Lab 5"}, Payloads: []string{"7z2408-x64.msi", "vpn-setup.exe"},
		Secrets: []CarriedSecret{{Kind: "connect key"}, {"password of the administrator", "rescue"}, {"Wi-Fi password", "Office"}},
	}
	plain := Instructions{
		Organisation: "Acme", Package: "Acme.ppkg", Catalog: "Acme.cat",
		PackageID: full.PackageID, PackageVersion: "1.0", Size: 30 << 20, SHA256: full.SHA256, AgentVersion: "0.1.0", Built: full.Built,
	}
	throwaway := plain
	throwaway.Signer, throwaway.Throwaway = "DO NOT TRUST Acme", true
	for name, data := range map[string]Instructions{"full": full, "plain": plain, "throwaway": throwaway} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := data.Write(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, "instructions-"+name+".md", b.Bytes())
		})
	}
}

func TestMacInstructions(t *testing.T) {
	plain := MacInstructions{
		Organisation: "Acme", Package: "Acme.pkg", Profile: "Acme.mobileconfig", Identifier: "dev.firstday.kit.acme",
		PackageID: "1f0c9bb2-33ab-4ad6-9e0a-5f1e2a3b4c5d", PackageVersion: "1.0", SHA256: strings.Repeat("0a", 32),
		AgentVersion: "0.1.0", Program: `"/Library/x y/firstday-agent"`, MinimumVersion: "13.0", Built: time.Date(2026, 11, 23, 12, 30, 0, 0, time.UTC),
	}
	full := plain
	full.Organisation, full.HelpURL, full.Manifest, full.SignIn = "Müller & Söhne", "https://help.acme.example", "manifest.plist", true
	full.Signer, full.Notarised = "Developer ID Installer: Acme", true
	full.ExpiresAt = time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC)
	full.Secrets = []CarriedSecret{{Kind: "connect key"}}
	throwaway := plain
	throwaway.Signer, throwaway.Throwaway = "DO NOT TRUST Acme", true
	for name, data := range map[string]MacInstructions{"full": full, "plain": plain, "throwaway": throwaway} {
		t.Run(name, func(t *testing.T) {
			var b bytes.Buffer
			if err := data.Write(&b); err != nil {
				t.Fatal(err)
			}
			golden(t, "instructions-mac-"+name+".md", b.Bytes())
		})
	}
}

// TestMarkdownStaysText puts names into the text that would be marks.
func TestMarkdownStaysText(t *testing.T) {
	for in, want := range map[string]string{
		"<script>*x*":   `\<script\>\*x\*`,
		"a\n# b":        `a \# b`,
		"Tom & Jerry":   `Tom \& Jerry`,
		"[x](http://y)": `\[x\](http://y)`,
	} {
		if got := markdown(in); got != want {
			t.Errorf("markdown(%q) = %s, want %s", in, got, want)
		}
	}
	for in, want := range map[string]string{"a": "`a`", "a`b": "``a`b``", "`": "`` ` ``"} {
		if got := code(in); got != want {
			t.Errorf("code(%q) = %s, want %s", in, got, want)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	name = filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("%s (-want +got):\n%s", name, diff)
	}
}
