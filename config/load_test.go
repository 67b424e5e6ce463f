package config

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// testNow is the clock of every test.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// TestBadFiles compares what a person sees for each file in testdata/bad with
// the text beside it.
func TestBadFiles(t *testing.T) {
	for _, name := range corpus(t, "bad") {
		base := strings.TrimSuffix(filepath.Base(name), ".yaml")
		t.Run(base, func(t *testing.T) {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			_, r := parse(base+".yaml", data, testNow)
			if len(r.errs) == 0 {
				t.Fatal("nothing was refused")
			}
			got := show(r.mistakes())
			if strings.Contains(got, "hunter2") {
				t.Errorf("the secret is shown:\n%s", got)
			}
			golden(t, strings.TrimSuffix(name, ".yaml")+".golden", []byte(got))
		})
	}
}

// show writes mistakes as the command line does.
func show(errs Errors) string {
	var b strings.Builder
	for _, e := range errs {
		fmt.Fprintf(&b, "error: %v\n", e)
		if e.Excerpt() != "" {
			fmt.Fprintln(&b, e.Excerpt())
		}
		if e.Hint != "" {
			fmt.Fprintf(&b, "hint: %s\n", e.Hint)
		}
	}
	return b.String()
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
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

// asConfig compares what a configuration says, not where it says it.
var asConfig = cmp.Options{
	cmp.AllowUnexported(SecretSource{}), cmpopts.IgnoreFields(SecretSource{}, "path"), cmpopts.IgnoreUnexported(Config{}),
}

func TestMinimalFileGetsDefaults(t *testing.T) {
	got := mustParse(t, "testdata/good/minimal.yaml")
	want := &Config{
		Version:      1,
		Organisation: Organisation{Name: "Acme", ID: "acme"},
		Directory:    Directory{URL: "https://directory.acme.example"},
		ConnectKey:   ConnectKey{SecretSource: SecretSource{Env: "FIRSTDAY_CONNECT_KEY", label: "connect key"}},
		Package:      Package{Name: "Acme", Version: "1.0", Owner: ITAdmin},
		Windows: Windows{
			HideOOBE:   true,
			BreakGlass: BreakGlass{Enabled: true, Name: "firstday-admin"},
			SignIn:     SignIn{Enabled: true, Permission: Standard},
		},
		MacOS: MacOS{
			Identifier: "dev.firstday.kit.acme", MinimumVersion: "13.0",
			SignIn: SignIn{Enabled: true, Permission: Standard},
		},
	}
	if diff := cmp.Diff(want, got, asConfig); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEveryKeyIsRead(t *testing.T) {
	got := mustParse(t, "testdata/good/everything.yaml")
	dir := func(name string) Path { return Path(filepath.Join("testdata", "good", name)) }
	folder, err := filepath.Abs(string(dir("")))
	if err != nil {
		t.Fatal(err)
	}
	secret := func(s SecretSource, label string) *SecretSource { s.label = label; return &s }
	hash := strings.Repeat("00112233445566778899aabbccddeeff", 2)
	hidden := []string{"FIRSTDAY_CONNECT_KEY", "LAB_WIFI"}
	arguments, silent := `INSTALLDIR="C:\7-Zip"`, "/S"
	want := &Config{
		Version:      1,
		Organisation: Organisation{Name: "Müller & Söhne", ID: "mueller"},
		Directory:    Directory{URL: "https://directory.acme.example/firstday", Pin: "sha256:" + hash},
		ConnectKey: ConnectKey{
			SecretSource: SecretSource{Env: "FIRSTDAY_CONNECT_KEY", label: "connect key"},
			Expires:      time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC),
		},
		Package: Package{Name: "Müller", Version: "2.10", Owner: ITAdmin, Rank: 5},
		Windows: Windows{
			ComputerName: "MS-%SERIAL%",
			HideOOBE:     true,
			BreakGlass:   BreakGlass{Enabled: true, Name: "rescue", Password: secret(SecretSource{Prompt: true}, "password of rescue")},
			SignIn: SignIn{Enabled: true, Permission: Standard,
				Text: "Your IT department is on floor 2.", HelpURL: "https://help.acme.example"},
			WiFi: []WiFi{
				{SSID: "Müller Büro", Security: WPA2, Password: secret(SecretSource{File: dir("secrets/wifi")}, `password of Wi-Fi "Müller Büro"`)},
				{SSID: "Lab", Security: WPA3, Hidden: true, Password: secret(SecretSource{Env: "LAB_WIFI"}, `password of Wi-Fi "Lab"`)},
				{SSID: "Guests", Security: Open},
				{Profile: dir("enterprise.xml")},
			},
			RootCertificates: []RootCertificate{{File: dir("root-ca.pem")}, {File: resolve("testdata/good", "C:/pki/old.der")}},
			Policies: Policies{
				{"Experience", "AllowCortana", PolicyInteger, "0"},
				{"Start", "ConfigureStartPins", PolicyString, `{"pinnedList": []}`},
				{"System", "AllowTelemetry", PolicyInteger, "1"},
				{"Camera", "AllowCamera", PolicyInteger, "1"},
				{"Chrome~Policy~googlechrome", "HomepageLocation", PolicyString,
					"<enabled/>\n<data id=\"HomepageLocation\" value=\"https://acme.example\"/>\n"},
				{"Privacy", "Sample", PolicyBoolean, "true"},
			},
			Payloads: []Payload{
				{File: Path(filepath.FromSlash("testdata/installers/7z2408-x64.msi")), Kind: MSI, Arguments: &arguments,
					SuccessCodes: []int{0}, RebootCodes: []int{3010, 1641}, SHA256: hash},
				{File: dir("vpn.exe"), Kind: EXE, Arguments: &silent, SuccessCodes: []int{0, 1638}, RebootCodes: []int{3010}},
			},
		},
		MacOS: MacOS{
			Identifier: "com.mueller.firstday", MinimumVersion: "14.2", DownloadURL: "https://mdm.acme.example/Müller.pkg",
			SignIn: SignIn{Permission: Administrator},
			Signing: MacSigning{
				Application: &Signing{
					PKCS12:    dir("application.p12"),
					Password:  secret(SecretSource{Env: "APPLE_PASSWORD"}, "password of the programs' signing key"),
					Timestamp: []string{"http://timestamp.apple.com/ts01"},
					Folder:    folder, Hidden: hidden,
				},
				Installer: &Signing{Certificate: dir("installer.pem"), Key: dir("installer.key"), Folder: folder, Hidden: hidden},
			},
			Notary: &Notary{Issuer: "57246542-96fe-1a63-e053-0824d011072a", KeyID: "2X9R4HXF34", Key: dir("AuthKey.p8")},
		},
		Signing: &Signing{
			PKCS12:         dir("codesign.p12"),
			Password:       secret(SecretSource{Env: "CODESIGN_PASSWORD"}, "password of the signing key"),
			Timestamp:      []string{"http://timestamp.digicert.com"},
			TimestampRoots: []RootCertificate{{File: dir("tsa.pem")}},
			Folder:         folder,
			Hidden:         hidden,
		},
	}
	if diff := cmp.Diff(want, got, asConfig); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAliasesStandForValues(t *testing.T) {
	c := mustParse(t, "testdata/good/aliases.yaml")
	if c.Package.Name != "Acme" || c.Windows.WiFi[1].Password.Env != "WIFI" || c.Windows.BreakGlass.Password != nil {
		t.Errorf("got %+v", c)
	}
	if got := c.Windows.WiFi[1].Password.Label(); got != `password of Wi-Fi "Two"` {
		t.Errorf("label is %s", got)
	}
}

func TestWindowsLineEndsAndByteOrderMark(t *testing.T) {
	data, err := os.ReadFile("testdata/good/minimal.yaml")
	if err != nil {
		t.Fatal(err)
	}
	want := mustParse(t, "testdata/good/minimal.yaml")
	data = append([]byte("\ufeff"), bytes.ReplaceAll(data, []byte("\n"), []byte("\r\n"))...)
	c, r := parse("testdata/good/minimal.yaml", data, testNow)
	if len(r.errs) > 0 {
		t.Fatal(r.errs)
	}
	if diff := cmp.Diff(want, c, asConfig); diff != "" {
		t.Error(diff)
	}
	_, r = parse("x.yaml", []byte("\ufeffversion: 1\r\norganisation: 5\r\n"), testNow)
	if got := r.mistakes()[len(r.errs)-1].Excerpt(); got != "    2 | organisation: 5\n      |               ^" {
		t.Errorf("excerpt is %q", got)
	}
}

// TestHostileFilesAreCheap gives the worst inputs of the allowed size a
// deadline: the YAML library's own time for them is minutes.
func TestHostileFilesAreCheap(t *testing.T) {
	fill := func(s string) string { return strings.Repeat(s, MaxSize/len(s)) }
	for name, text := range map[string]string{
		"flow lists":    fill("["),
		"flow mappings": fill("{a: "),
		"block lists":   fill("- "),
		"keys":          fill("a:\n"),
		"same keys":     fill("version: 1\n"),
		"anchors":       fill("&a "),
		"tags":          fill("!a "),
		"commas":        "[" + fill(",")[1:],
		"one word":      fill("x"),
		"quoted":        `"` + fill(`\n`)[2:] + `"`,
		"comments":      fill("#\n"),
		"stairs":        stairs(),
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if _, err := Parse("x.yaml", []byte(text)); err == nil {
				t.Error("accepted")
			}
			if d := time.Since(start); d > 5*time.Second {
				t.Errorf("took %v", d)
			}
		})
	}
	if _, err := Parse("x.yaml", make([]byte, MaxSize+1)); err == nil || !strings.Contains(err.Error(), "more than 1048576 bytes") {
		t.Errorf("got %v", err)
	}
}

// stairs is a file in which each line lies deeper than the one before.
func stairs() string {
	var b strings.Builder
	for i := 0; b.Len() < MaxSize/2; i++ {
		b.WriteString(strings.Repeat(" ", i) + "a:\n")
	}
	return b.String()
}

func TestErrorsAreErrors(t *testing.T) {
	_, err := Parse("dir/firstday.yaml", []byte("version: 2\nx: 1\n"))
	var all Errors
	var one *Error
	if !errors.As(err, &all) || !errors.As(err, &one) {
		t.Fatalf("got %T", err)
	}
	last := all[len(all)-1]
	if last.File != "dir/firstday.yaml" || last.Line != 2 || last.Column != 1 || last.Path != "x" {
		t.Errorf("got %+v", last)
	}
	if got, want := strings.Count(err.Error(), "\n")+1, len(all); got != want {
		t.Errorf("%d lines for %d mistakes", got, want)
	}
	if _, err := Load("testdata/no-such-file.yaml"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("got %v", err)
	}
}

func TestWhatIsNoConfigurationFileIsAMistake(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]string{
		dir: "the configuration is not a file but a folder",
		string(write(t, dir, "large.yaml", strings.Repeat("#", 3<<20))): "the configuration has more than 1048576 bytes",
	} {
		_, err := Load(name)
		var mistakes Errors
		if !errors.As(err, &mistakes) || len(mistakes) != 1 || mistakes[0].Message != want || mistakes[0].Line != 0 || mistakes[0].Hint == "" {
			t.Errorf("%s: got %#v, want %s", name, err, want)
		}
	}
}

func TestErrorAt(t *testing.T) {
	c, err := Parse("x.yaml", []byte(minimal+"  payloads:\n    - file: a.msi\n      sha256: "+strings.Repeat("a", 64)+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	cause := errors.New("cause")
	for path, want := range map[string]string{
		"windows.payloads[0].sha256":    "x.yaml:9:15: a: cause\n    9 |       sha256: " + strings.Repeat("a", 64) + "\n      |               ^\nhint",
		"windows.payloads[0].arguments": "x.yaml:8:7: a: cause\n    8 |     - file: a.msi\n      |       ^\nhint",
		"connectKey":                    "x.yaml:4:1: a: cause\n    4 | connectKey: {env: FIRSTDAY_TEST_KEY}\n      | ^\nhint",
		"connectKey.env":                "x.yaml:4:19: a: cause\n    4 | connectKey: {env: FIRSTDAY_TEST_KEY}\n      |                   ^\nhint",
		"signing.key":                   "x.yaml: a: cause\n\nhint",
	} {
		e := c.ErrorAt(path, "hint", "%s: %w", "a", cause)
		if got := e.Error() + "\n" + e.Excerpt() + "\n" + e.Hint; got != want || e.Path != path || !errors.Is(e, cause) {
			t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
		}
	}
	if !errors.Is(Errors{c.ErrorAt("version", "", "%w and %w", os.ErrClosed, cause)}, cause) {
		t.Error("one of two causes is lost")
	}
	if got := (&Config{}).ErrorAt("version", "", "a\x1bb").Error(); got != `a\x1bb` {
		t.Errorf("of no file: %s", got)
	}
}

func mustParse(t *testing.T, name string) *Config {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	c, r := parse(name, data, testNow)
	if len(r.errs) > 0 {
		t.Fatal(show(r.errs))
	}
	return c
}

func FuzzParse(f *testing.F) {
	for _, folder := range []string{"good", "bad"} {
		names, _ := filepath.Glob(filepath.Join("testdata", folder, "*.yaml"))
		for _, name := range names {
			data, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			if len(data) < 4096 {
				f.Add(data)
			}
		}
	}
	s := resolvedSchema(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		c, r := parse("fuzz.yaml", data, testNow)
		if len(r.errs) > 0 {
			if r.errs = r.mistakes(); len(r.errs) > maxErrors+1 {
				t.Errorf("%d mistakes", len(r.errs))
			}
			for _, e := range r.errs {
				if e.Line < 0 || e.Line > len(r.lines)+1 || e.Message == "" || strings.Contains(e.Message, "\n") {
					t.Errorf("strange: %#v", e)
				}
			}
			return
		}
		if c.Windows.HideOOBE && !c.Windows.BreakGlass.Enabled {
			t.Error("nobody could sign in")
		}
		if slices.ContainsFunc(c.Windows.Payloads, func(p Payload) bool { return CheckPayloadName(p.Name()) != nil }) {
			t.Error("a payload's name is bad")
		}
		if doc, err := generic(data); err == nil {
			if err := s.Validate(doc); err != nil {
				t.Errorf("the schema refuses what Parse accepts: %v", err)
			}
		}
	})
}
