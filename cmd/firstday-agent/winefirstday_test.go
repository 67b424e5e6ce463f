package main

import (
	"bytes"
	"encoding/binary"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/api"
	"firstday.dev/internal/testadministrator"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
)

// packed builds a package for the directory, signed by somebody, and gives what
// Windows makes of it: a folder with its files, and what to run there.
func packed(t *testing.T, admin *testadministrator.Administrator, service *testdirectory.Service, signer *testpki.Entity, root string) (dir, line string) {
	t.Helper()
	certificate, key := signer.WritePEM(t, "")
	admin.Configure(fmt.Sprintf("version: 1\norganisation: {name: Acme}\ndirectory: {url: %q, pin: %q}\nsigning: {certificate: %q, key: %q}\n", service.At.URL, service.At.Pin, certificate, key))
	agents := testagents.Windows(t, overlay(t, []string{"accounts_windows.go", "window_windows.go"}))
	admin.Firstday("build", "windows", "--mint", "--mint-uses", "1", "--agents", agents, "--level", "fast")
	admin.Firstday("verify", "kit", "--root", root)
	return testagents.Unpack(t, filepath.Join(admin.Dir, "kit", "Acme.ppkg"))
}

// The first day of a laptop, from the package to the uninstallation: what an
// administrator builds, Windows installs and two employees see. In the package
// there is all that is shipped but for what Wine cannot do (testdata/wine): it makes
// no accounts, and logs nobody on for the window. To the tile, which is loaded as
// LogonUI does, the service is SYSTEM.
func TestWindowsFirstDay(t *testing.T) {
	t.Parallel()
	service := testdirectory.New(t)
	service.Change(func(s *api.Settings) { s.Windows.SSAP = false })
	admin := testadministrator.New(t, service)
	p := winetest.New(t)
	pki := testpki.New(t)
	p.Trust(pki.Root.Certificate())
	// Windows are there without a screen, too.
	mustRun(t, p, t.TempDir(), `reg.exe add HKCU\Software\Wine\Drivers /v Graphics /d null /f`, 0)
	knowsProviders(t, p)
	untouched := snapshot(t, p, allKeys)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the service's log:\n%s", serviceLog(t, p))
		}
	})

	dir, line := packed(t, admin, service, pki.CodeRSA, pki.RootFile(t))
	mustRun(t, p, dir, line, exitOK)
	waitUntil(t, "the agent to be healthy", func() bool { return isHealthy(p, dir) })

	host, folder := person(t, p, "signin")
	there := func(name string) {
		t.Helper()
		waitUntil(t, name, func() bool { _, err := os.Stat(filepath.Join(folder, name)); return err == nil })
	}
	there("hidden.txt")
	admin.Firstday("settings", "set", "windows.ssap", "on")
	there("address.txt")
	address := said(t, folder, "address.txt")
	if seen := photographed(t, filepath.Join(folder, "picture.png")); seen != address {
		t.Errorf("a camera reads %q, people %q", seen, address)
	}
	there("window.txt")
	t.Logf("the window: %q", said(t, folder, "window.txt"))
	number, err := service.MustHire("ann").SignIn(t.Context(), service.At, address)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "number.txt"), []byte(number), 0o600); err != nil {
		t.Fatal(err)
	}
	there("logon.bin")
	const password = "Größe-Ωμέγα-9 密 😀"
	compareWithDocument(t, address, said(t, folder, "seen.txt"))
	computer := strings.ToUpper(service.OnlyDevice().Facts.Name)
	if diff := cmp.Diff([]string{computer[:min(len(computer), 15)], "ann", password}, unpacked(t, []byte(said(t, folder, "logon.bin")))); diff != "" {
		t.Errorf("logged on with (-want +got):\n%s", diff)
	}
	ended(t, host, folder)
	lookBack(t, p, service, dir, password)

	// What the sign-in came to is shown for a moment.
	waitUntil(t, "the sign-in to be hidden", func() bool {
		_, after, _ := strings.Cut(serviceLog(t, p), "a surface logs on")
		return strings.Contains(after, `"msg":"sign-in","state":"hidden"`)
	})
	host, folder = person(t, p, "next")
	there("none.txt")
	status(t, p, dir, exitOK)
	if _, err := os.Stat(filepath.Join(folder, "shown.txt")); err == nil {
		t.Error("the second employee is offered a sign-in")
	}
	admin.Firstday("settings", "set", "windows.users", "2")
	there("shown.txt")
	admin.Firstday("settings", "set", "windows.ssap", "off")
	there("gone.txt")
	ended(t, host, folder)

	mustRun(t, p, dir, `"C:\Program Files\Firstday\Agent\1.2.3\firstday-agent.exe" uninstall`, exitOK)
	waitUntil(t, "the agent's file is deleted", func() bool {
		left, _ := filepath.Glob(p.Path(`windows\Temp\firstday-*`))
		return len(left) == 0
	})
	if diff := cmp.Diff(untouched, snapshot(t, p, allKeys)); diff != "" {
		t.Errorf("left behind (-before +after):\n%s", diff)
	}
}

func said(t *testing.T, folder, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(folder, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

var update = flag.Bool("update", false, "write what the tile shows into docs/windows-signin.md")

// compareWithDocument compares what the tile showed with what people read of it.
func compareWithDocument(t *testing.T, address, shown string) {
	t.Helper()
	page, code, _ := strings.Cut(address, "?code=")
	shown = strings.NewReplacer(page, "https://directory.acme.example/signin", code, "BCDF-GHJK").Replace(shown)
	const document, begin, end = "../../docs/windows-signin.md", "<!-- tile -->\n```text\n", "```\n<!-- end of tile -->\n"
	data, err := os.ReadFile(document)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, found := strings.Cut(string(data), begin)
	documented, tail, ended := strings.Cut(rest, end)
	switch {
	case !found || !ended:
		t.Fatalf("%s has no place for it", document)
	case *update:
		if err := os.WriteFile(document, []byte(head+begin+shown+end+tail), 0o644); err != nil {
			t.Fatal(err)
		}
	default:
		if diff := cmp.Diff(documented, shown); diff != "" {
			t.Errorf("%s (-documented +shown):\n%s", document, diff)
		}
	}
}

// serviceLog is the service's own log, empty when there is none any more.
func serviceLog(t *testing.T, p *winetest.Prefix) string {
	t.Helper()
	log, err := os.ReadFile(p.Path(`ProgramData/Firstday/log/service.jsonl`))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	return string(log)
}

// photographed is what a camera reads in a picture.
func photographed(t *testing.T, picture string) string {
	t.Helper()
	out, err := exec.Command(testtool.Need(t, "zbarimg"), "--quiet", "--raw", "-Sdisable", "-Sqrcode.enable", picture).Output()
	if err != nil {
		t.Errorf("no camera can read %s: %v", picture, err)
	}
	return strings.TrimSpace(string(out))
}

// ended wants the sign-in screen to have ended well, with the DLL unloaded.
func ended(t *testing.T, host *winetest.Running, folder string) {
	t.Helper()
	if res := host.Wait(); res.Code != 0 {
		t.Errorf("%+v", res)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Error(err)
	}
}

// lookBack looks at what the first sign-in has left: an account, the directory's
// knowledge of it, and a log without secrets.
func lookBack(t *testing.T, p *winetest.Prefix, service *testdirectory.Service, dir, password string) {
	t.Helper()
	bound, err := service.Device(t.Context(), service.OnlyDevice().ID)
	if err != nil || len(bound.Users) != 1 || bound.Users[0].State != api.Bound || bound.Users[0].Account != "ann" {
		t.Errorf("%+v, %v", bound, err)
	}
	store, err := accounts.MemoryIn(api.Windows, p.Path(`ProgramData/Firstday/accounts.json`))
	if err != nil || !store.CheckPassword("ann", password) {
		t.Errorf("ann cannot sign in with the password: %v", err)
	}
	if log := serviceLog(t, p); strings.Contains(log, "Größe") || !strings.Contains(log, "a surface logs on") {
		t.Errorf("the log:\n%s", log)
	}
	if s := status(t, p, dir, exitOK); s.Tile.State != agent.TileOn || s.PIN.Ready || !strings.Contains(s.PIN.Reason, "there is no TPM") {
		t.Errorf("%+v, %+v", s.Tile, s.PIN)
	}
}

// unpacked reads a KERB_INTERACTIVE_UNLOCK_LOGON by its pointers.
func unpacked(t *testing.T, b []byte) (texts []string) {
	t.Helper()
	for at := 8; at < 56; at += 16 {
		if len(b) < 64 {
			t.Fatalf("%d bytes", len(b))
		}
		length, from := int(binary.LittleEndian.Uint16(b[at:])), int(binary.LittleEndian.Uint64(b[at+8:]))
		if from < 64 || from+length > len(b) {
			t.Fatalf("%d bytes at %d of %d", length, from, len(b))
		}
		units := make([]uint16, length/2)
		if err := binary.Read(bytes.NewReader(b[from:from+length]), binary.LittleEndian, units); err != nil {
			t.Fatal(err)
		}
		texts = append(texts, string(utf16.Decode(units)))
	}
	return texts
}
