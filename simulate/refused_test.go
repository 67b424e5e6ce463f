package simulate

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// nowhere is a directory that nobody asks.
var nowhere = api.Directory{URL: "https://directory.acme.test"}

func catalogOf(path string) string { return strings.TrimSuffix(path, ".ppkg") + ".cat" }

func TestWindowsPackagesThatAreRefused(t *testing.T) {
	var strict, arm, macOnWindows Options
	strict.Trust.RequireSignature = true
	arm.Device.Arch = "arm64"
	macOnWindows.Device.Platform = api.Windows
	e := func(change func(*api.Enrollment)) *api.Enrollment {
		e := enrollment(t, api.Windows, nowhere, "fk_x")
		if change != nil {
			change(e)
		}
		return e
	}
	whole := func(t *testing.T) []string {
		return []string{provisioningPackage(t, e(nil), ppkg.Command{})}
	}
	for name, c := range map[string]struct {
		o    Options
		make func(t *testing.T) []string
		want error
		// said is in the story, or the error
		said string
	}{
		"two packages": {Options{}, func(t *testing.T) []string { return append(whole(t), whole(t)...) }, ErrSeveral, ""},
		"another's catalog": {Options{}, func(t *testing.T) []string {
			p, other := whole(t), whole(t)
			if err := os.Rename(catalogOf(other[0]), catalogOf(p[0])); err != nil {
				t.Fatal(err)
			}
			return p
		}, catalog.ErrMismatch, ""},
		"broken catalog": {Options{}, func(t *testing.T) []string {
			p := whole(t)
			flip(t, catalogOf(p[0]), 0)
			return p
		}, catalog.ErrFormat, ""},
		"flipped byte": {Options{}, func(t *testing.T) []string {
			p := whole(t)
			flip(t, p[0], 220)
			return p
		}, catalog.ErrMismatch, ""},
		"unsigned":   {strict, whole, signing.ErrNoSignature, ""},
		"not a file": {Options{}, func(t *testing.T) []string { return []string{t.TempDir()} }, nil, "not a file"},
		"not there":  {Options{}, func(*testing.T) []string { return []string{"missing.ppkg"} }, fs.ErrNotExist, ""},
		"not a wim":  {Options{}, func(t *testing.T) []string { return []string{text(t, "x.ppkg", strings.Repeat("no package ", 100))} }, nil, "wim"},
		"a letter":   {Options{}, func(t *testing.T) []string { return []string{text(t, "x.txt", "dear sir")} }, nil, "called .ppkg"},
		"empty":      {Options{}, func(t *testing.T) []string { return []string{text(t, "x.ppkg", "")} }, nil, "too short"},
		"for Macs": {macOnWindows, func(t *testing.T) []string {
			return []string{writeProduct(t, macProduct(t, enrollment(t, api.MacOS, nowhere, "fk_x")))}
		}, ErrRefused, "it is for macos"},
		"other agent": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(func(e *api.Enrollment) { e.Agents[0].SHA256 = digest("another") }), ppkg.Command{})}
		}, kit.ErrIntegrity, "the enrollment says"},
		"other agent for this machine": {arm, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(func(e *api.Enrollment) { e.Agents[1].SHA256 = digest("another") }), ppkg.Command{})}
		}, kit.ErrIntegrity, "the enrollment says"},
		"other credential provider": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(func(e *api.Enrollment) { e.Agents[0].CredentialProvider.SHA256 = digest("another") }), ppkg.Command{})}
		}, kit.ErrIntegrity, "firstday-credprov-amd64.dll in it has SHA-256"},
		"no credential provider": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(func(e *api.Enrollment) { e.Agents[0].CredentialProvider = api.CarriedFile{} }), ppkg.Command{})}
		}, kit.ErrOutdated, "build the package again"},
		"payload is not the one": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(func(e *api.Enrollment) {
				e.Payloads = []api.Payload{{File: "setup.exe", Kind: "exe", SHA256: digest("another")}}
			}), ppkg.Command{})}
		}, agent.ErrEnrollment, "setup.exe"},
		"no agent for the machine": {arm, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(func(e *api.Enrollment) { e.Agents = e.Agents[:1] }), ppkg.Command{})}
		}, agent.ErrArchitecture, "arm64"},
		"agent that does not start": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(nil), ppkg.Command{Line: `"firstday-agent-arm64.exe" install`})}
		}, agent.ErrArchitecture, "does not start on amd64"},
		"agent that is told something else": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(nil), ppkg.Command{Line: `firstday-agent-amd64 install --enrollment C:\x`})}
		}, ErrCommand, "--enrollment"},
		"agent that is not told anything": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(nil), ppkg.Command{Line: `firstday-agent-amd64.exe`})}
		}, ErrCommand, "not with install"},
		"settings that providers refuse": {Options{}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(nil), ppkg.Command{}, ppkg.ComputerName("%SERIAL%"))}
		}, ErrSetting, "not digits alone"},
		"code that is no success": {Options{ExitCode: func(string) int { return 5 }}, func(t *testing.T) []string {
			return []string{provisioningPackage(t, e(nil), ppkg.Command{Line: "cmd /c setup.cmd", StopOnFailure: true})}
		}, ErrCommand, "it ended with code 5"},
	} {
		t.Run(name, func(t *testing.T) {
			o := c.o
			o.Device.Serial = "12345"
			o.Patience = 50 * time.Millisecond // some get as far as a directory that is not there
			_, s, err := simulation(t, o, c.make(t)...)
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Fatalf("%v, want %v\n%s", err, c.want, s)
			}
			if !strings.Contains(err.Error(), c.said) {
				t.Errorf("%v does not say %q", err, c.said)
			}
			if c.want == ErrSeveral || c.said == "not a file" || c.want == fs.ErrNotExist { //nolint:errorlint // the very value
				return
			}
			s.mustTell(t, " failed ")
		})
	}
}

func text(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestMacPackagesThatAreRefused(t *testing.T) {
	var strict, old, windows Options
	strict.Trust.RequireSignature = true
	old.Device.OSVersion = "12.7.6"
	windows.Device.Platform = api.Windows
	failing := Options{ExitCode: func(string) int { return 1 }}
	product := func(change func(*pkgbuild.Product)) func(t *testing.T) string {
		return func(t *testing.T) string {
			p := macProduct(t, enrollment(t, api.MacOS, nowhere, "fk_x"))
			if change != nil {
				change(p)
			}
			return writeProduct(t, p)
		}
	}
	whole := product(nil)
	retouched := func(change func(t *testing.T, dir string)) func(t *testing.T) string {
		return func(t *testing.T) string {
			path := whole(t)
			retouch(t, path, func(dir string) { change(t, dir) })
			return path
		}
	}
	replace := func(file, from, to string) func(t *testing.T, dir string) {
		return func(t *testing.T, dir string) {
			path := filepath.Join(dir, file)
			b, err := os.ReadFile(path)
			if err != nil || !strings.Contains(string(b), from) {
				t.Fatalf("%s: %v\n%s", file, err, b)
			}
			if err := os.WriteFile(path, []byte(strings.ReplaceAll(string(b), from, to)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	for name, c := range map[string]struct {
		o    Options
		make func(t *testing.T) string
		want error
		said string
	}{
		"unsigned": {strict, whole, signing.ErrNoSignature, ""},
		"flipped byte": {Options{}, func(t *testing.T) string {
			path := whole(t)
			b, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			flip(t, path, int64(bytes.Index(b, []byte{0x1f, 0x8b})+40)) // in the payload
			return path
		}, nil, "contents"},
		"no Bom": {Options{}, retouched(func(t *testing.T, dir string) {
			if err := os.Remove(filepath.Join(dir, "firstday.pkg", "Bom")); err != nil {
				t.Fatal(err)
			}
		}), pkgbuild.ErrContents, "Bom"},
		"Bom of something else": {Options{}, retouched(func(t *testing.T, dir string) {
			f, err := os.Create(filepath.Join(dir, "firstday.pkg", "Bom"))
			if err != nil {
				t.Fatal(err)
			}
			defer f.Close()
			if err := bom.Write(f, []bom.Entry{{Path: ".", Mode: bom.ModeDir | 0o755}}); err != nil {
				t.Fatal(err)
			}
		}), pkgbuild.ErrContents, "is not in the Bom"},
		"no component": {Options{}, retouched(replace("Distribution", "#firstday.pkg", "#elsewhere.pkg")), pkgbuild.ErrFormat, "elsewhere.pkg"},
		"Intel only": {Options{}, product(func(p *pkgbuild.Product) {
			p.HostArchitectures = []string{"x86_64"}
			p.Components[0].Payload = fstest.MapFS{"Library/Acme/readme": {}} // somebody else's
		}), ErrRefused, "without Rosetta"},
		"newer macOS":       {old, whole, ErrRefused, "it needs macOS 13.0, this Mac has 12.7.6"},
		"not for this disk": {Options{}, retouched(replace("Distribution", `enable_localSystem="true"`, `enable_localSystem="false"`)), ErrRefused, "domains"},
		"on Windows":        {windows, whole, ErrRefused, "it is for macos"},
		"script that fails": {failing, product(func(p *pkgbuild.Product) {
			p.Components[0].Scripts = fstest.MapFS{"postinstall": {Data: []byte("#!/bin/sh\nexit 1\n")}}
		}), ErrCommand, "postinstall ended with code 1"},
		"daemon that anybody may change": {Options{}, product(func(p *pkgbuild.Product) {
			p.Components[0].Attributes = func(path string, info fs.FileInfo) pkgbuild.Attributes {
				a := pkgbuild.DefaultAttributes(path, info)
				if "/"+path == macos.DaemonPath {
					a.Mode = 0o666
				}
				return a
			}
		}), pkgbuild.ErrFormat, "writable by root alone"},
		"other agent": {Options{}, product(func(p *pkgbuild.Product) {
			tree := p.Components[0].Payload.(fstest.MapFS)
			for name, f := range tree {
				if filepath.Base(name) == macos.Executable {
					tree[name] = &fstest.MapFile{Data: []byte("another"), Mode: f.Mode}
				}
			}
		}), kit.ErrIntegrity, "the enrollment says"},
	} {
		t.Run(name, func(t *testing.T) {
			_, s, err := simulation(t, c.o, c.make(t))
			if err == nil || c.want != nil && !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.said) {
				t.Fatalf("%v, want %v %q\n%s", err, c.want, c.said, s)
			}
			s.mustTell(t, " failed ")
		})
	}
}

// The directory's refusals come out with their codes.
func TestDirectoryRefuses(t *testing.T) {
	d, _ := newDirectory(t, api.NewConnectKey{})
	for want, n := range map[api.Code]api.NewConnectKey{
		api.CodeKeySerial:   {Serials: []string{"ANOTHER"}},
		api.CodeKeyPlatform: {Platforms: []api.Platform{api.Windows}},
		api.CodeKeyExpired:  {Life: api.Duration(time.Millisecond)},
		api.CodeKeyRevoked:  {},
		api.CodeKeyUnknown:  {},
	} {
		k, err := d.Mint(context.Background(), "token:ann", n)
		if err != nil {
			t.Fatal(err)
		}
		secret := k.Secret
		switch want {
		case api.CodeKeyRevoked:
			if err := d.RevokeKey(t.Context(), "token:ann", k.ID); err != nil {
				t.Fatal(err)
			}
		case api.CodeKeyUnknown:
			secret = "fdk_no-such-key"
		}
		e := enrollment(t, api.MacOS, d.At, secret)
		if want == api.CodeKeyExpired {
			e.ExpiresAt = &k.ExpiresAt
		}
		_, s, err := simulation(t, Options{Device: Device{Serial: "S1"}}, writeProduct(t, macProduct(t, e)))
		if api.CodeOf(err) != want {
			t.Errorf("%v, want %s\n%s", err, want, s)
		}
		s.mustTell(t, api.Explain(want).IT, api.Explain(want).Employee)
	}
}

// Nobody answers: the wait ends, and the device can go on another time.
func TestNobodyAnswers(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	d.Stop()
	sandbox := filepath.Join(t.TempDir(), "sandbox")
	path := provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{})
	_, s, err := simulation(t, Options{Sandbox: sandbox, Patience: 300 * time.Millisecond}, path)
	if !errors.Is(err, ErrNotEnrolled) || !errors.Is(err, api.ErrUnreachable) {
		t.Fatalf("%v\n%s", err, s)
	}
	s.mustTell(t, "no directory answers, the agent tries again")
	d.Serve()
	if _, s, err := simulation(t, Options{Sandbox: sandbox}); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	d.OnlyDevice()
}

// Windows remembers packages, and a package may forbid others.
func TestWindowsRemembersPackages(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	sandbox := filepath.Join(t.TempDir(), "sandbox")
	first := enrollment(t, api.Windows, d.At, key)
	run := func(version string, settings ...ppkg.Setting) error {
		t.Helper()
		e := *first
		e.PackageVer = version
		_, _, err := simulation(t, Options{Sandbox: sandbox}, provisioningPackage(t, &e, ppkg.Command{}, settings...))
		return err
	}
	if err := run("1.1"); err != nil {
		t.Fatal(err)
	}
	for version, said := range map[string]string{"1.1": "0x800700B7", "1.0": "0x800700B7"} {
		if err := run(version, ppkg.HideOobe(), ppkg.User("admin", "a long password", ppkg.Administrators)); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), said) {
			t.Errorf("version %s: %v", version, err)
		}
	}
	if err := run("1.2", ppkg.Policy("Security", "RequireProvisioningPackageSignature", ppkg.Integer, "1")); err != nil {
		t.Fatal(err)
	}
	if err := run("1.3"); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), policySigning) {
		t.Errorf("an unsigned package: %v", err)
	}
}

func TestSandboxesKeepTheirDevice(t *testing.T) {
	sandbox := t.TempDir()
	open := func(d Device) error {
		m, err := Open(Options{Sandbox: sandbox, Device: d})
		if err != nil {
			return err
		}
		return m.Close()
	}
	if err := open(Device{}); err == nil {
		t.Error("a device of no platform")
	}
	if err := open(Device{Platform: api.Windows, Serial: "S1"}); err != nil {
		t.Fatal(err)
	}
	for _, d := range []Device{{Platform: api.MacOS}, {Serial: "S2"}, {Arch: "arm64"}} {
		if err := open(d); !errors.Is(err, ErrOtherDevice) {
			t.Errorf("%+v: %v", d, err)
		}
	}
	m, err := Open(Options{Sandbox: sandbox, Device: Device{Serial: "S1", Name: "whatever"}})
	if err != nil {
		t.Fatal(err)
	}
	if err := open(Device{}); !errors.Is(err, ErrBusy) {
		t.Errorf("twice at once: %v", err)
	}
	if err := m.PowerOn(t.Context()); err != nil {
		t.Error(err)
	}
	if err := m.Close(); err != nil {
		t.Error(err)
	}
	if _, _, err := simulation(t, Options{Sandbox: sandbox}); !errors.Is(err, agent.ErrNotInstalled) {
		t.Errorf("without an agent: %v", err)
	}
	if err := os.WriteFile(filepath.Join(sandbox, stateFile), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := open(Device{}); err == nil {
		t.Error("a damaged state")
	}
}
