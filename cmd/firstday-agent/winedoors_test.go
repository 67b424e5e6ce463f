package main

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"
	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
	"firstday.dev/internal/winetest"
)

// doors are the ways by which an administrator gets in when nothing else works:
// remote desktop, safe mode, and how Windows signs people in.
var doors = []string{
	`SYSTEM\CurrentControlSet\Control\Terminal Server`,
	`SYSTEM\CurrentControlSet\Control\SafeBoot`,
	`SOFTWARE\Microsoft\Windows NT\CurrentVersion\Winlogon`,
	`SOFTWARE\Microsoft\Windows\CurrentVersion\Policies\System`,
	`SOFTWARE\Microsoft\Windows\CurrentVersion\Authentication`,
}

// The agent is installed, enrols, gives somebody an account and changes the
// break-glass password: the doors are as they were, and behind them stands the
// same administrator.
func TestWindowsLeavesDoorsOpen(t *testing.T) {
	t.Parallel()
	p := winetest.New(t)
	knowsProviders(t, p)
	for _, key := range doors { // Wine lacks some; and a value that is set is one that could be changed
		mustRun(t, p, t.TempDir(), fmt.Sprintf(`reg.exe add "HKLM\%s" /v fDenyTSConnections /t REG_DWORD /d 0 /f`, key), 0)
	}
	look := func() (lines []string) {
		for _, key := range doors {
			lines = append(lines, p.Registry(key)...)
		}
		return lines
	}
	before := look()
	service, p, d := offeringIn(t, p)
	store, err := accounts.MemoryIn(api.Windows, p.Path(`ProgramData/Firstday/accounts.json`))
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Add(accounts.Account{Name: "rescue", Administrator: true}, "of the package"); err != nil {
		t.Fatal(err)
	}
	was, err := store.Find(t.Context(), "rescue")
	if err != nil {
		t.Fatal(err)
	}
	recovery, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	service.Change(func(s *api.Settings) { s.RecoveryKey = recovery.Recipient().String() })
	device := service.OnlyDevice().ID
	waitUntil(t, "the password to change", func() bool {
		list, err := service.Reveal(t.Context(), "token:ann", device, &api.RevealRequest{Reason: "test"})
		return err == nil && list[0].Confirmed
	})
	surface := p.Command(winetest.Build(t, "firstday.dev/cmd/firstday-agent/testdata/surface", "amd64"))
	address := strings.TrimSpace(mustRun(t, p, d.dir, surface+" start", 0).Stdout)
	number, err := service.MustHire("ann").SignIn(t.Context(), service.At, address)
	if err != nil {
		t.Fatal(err)
	}
	mustRun(t, p, d.dir, surface+" finish "+number, 0)

	// What is new is the tile, beside the others.
	is := slices.DeleteFunc(look(), func(line string) bool { return strings.HasPrefix(line, providerKey+`\`) })
	if diff := cmp.Diff(before, is); diff != "" {
		t.Errorf("the doors (-was +is):\n%s", diff)
	}
	still, err := store.Find(t.Context(), "rescue")
	if diff := cmp.Diff(was, still); diff != "" || err != nil {
		t.Errorf("the administrator, %v (-was +is):\n%s", err, diff)
	}
	if store.CheckPassword("rescue", "of the package") {
		t.Error("the password of the package still opens the account")
	}
}
