package signin

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// onSmallDisk is set in the process that has a small disk of its own: it is
// where that is.
const onSmallDisk = "FIRSTDAY_TEST_SMALL_DISK"

// smallDisk is the size of that disk, in bytes.
const smallDisk = 1 << 20

// The disk becomes full at each point of making an account, and so before each
// write of what the agent remembers. As soon as there is room all comes to its
// end: nobody gets half an account or two, and who is bound gets in without a
// restart.
func TestDiskIsFullAtEachPoint(t *testing.T) {
	dir := os.Getenv(onSmallDisk)
	if dir == "" {
		dir := t.TempDir()
		cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
		cmd.Env = append(os.Environ(), onSmallDisk+"="+dir)
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
		if os.Geteuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
		}
		out, err := cmd.CombinedOutput()
		if errors.Is(err, syscall.EPERM) {
			t.Skip("no mount namespaces here")
		}
		t.Logf("%s", out)
		if err != nil {
			t.Error(err)
		}
		return
	}
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprint("size=", smallDisk)); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	failed := 0
	for at := 1; ; at++ {
		folder := filepath.Join(dir, fmt.Sprint(at))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		store, d := accounts.Memory(api.Windows), newFakeDirectory()
		a := newAccounts(t, store, folder)
		passed := 0
		fill := func(string) {
			if passed++; passed == at {
				fillDisk(t, ballast)
			}
		}
		d.point = fill
		store.Fault = func(s accounts.Step) error { fill(s.Call); return nil }
		_, err := a.Make(t.Context(), d, d.order())
		if passed < at {
			if err != nil {
				t.Errorf("on a disk with room: %v", err)
			}
			break
		}
		when := fmt.Sprintf("full at %d, %v", at, err)
		if err != nil {
			failed++
			if !errors.Is(err, api.CodeAccount) {
				t.Errorf("%s: not told by its code", when)
			}
		}
		a.Settle(t.Context(), d) // still full
		if err := os.Remove(ballast); err != nil {
			t.Fatal(err)
		}
		a.Settle(t.Context(), d)
		if a.Interrupted() {
			t.Fatalf("%s: it does not go on when there is room", when)
		}
		consistent(t, when, store, d)
		if len(d.bound) == 0 {
			if _, err := a.Make(t.Context(), d, d.order()); err != nil {
				t.Fatalf("%s, then again: %v", when, err)
			}
		}
		consistent(t, when+", then again", store, d)
		if !store.CheckPassword("ann", annsPassword) {
			t.Errorf("%s: she does not get in", when)
		}
	}
	if failed < 5 {
		t.Errorf("the disk was full %d times only", failed)
	}
	t.Logf("%d accounts met a full disk", failed)
}

// fillDisk leaves no room at all.
func fillDisk(t *testing.T, ballast string) {
	t.Helper()
	f, err := os.Create(ballast)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	block := make([]byte, 4096)
	for err == nil {
		_, err = f.Write(block)
	}
	if !errors.Is(err, unix.ENOSPC) {
		t.Fatal(err)
	}
}
