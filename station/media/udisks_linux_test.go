package media

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// What udisks says becomes an error that tells what to do.
func TestUdisks(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir)
	if err := udisks(t.Context(), "unmount", "/dev/sdb1"); err == nil || err.Error() != "/dev/sdb1: only root may unmount it where udisks is not installed" {
		t.Errorf("not installed: %v", err)
	}
	says := func(script string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, "udisksctl"), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	says(`[ "$*" = "power-off --no-user-interaction --block-device /dev/sdb" ]`)
	if err := udisks(t.Context(), "power-off", "/dev/sdb"); err != nil {
		t.Error(err)
	}
	says("echo 'Error unmounting /dev/sdb1: GDBus.Error:org.freedesktop.UDisks2.Error.DeviceBusy: target is busy' >&2; exit 1")
	if err := udisks(t.Context(), "unmount", "/dev/sdb1"); !errors.Is(err, ErrBusy) {
		t.Errorf("busy: %v", err)
	}
	says("echo 'Error: NotAuthorized' >&2; exit 1")
	if err := udisks(t.Context(), "unmount", "/dev/sdb1"); err == nil || !strings.HasSuffix(err.Error(), "exit status 1: Error: NotAuthorized") {
		t.Errorf("not permitted: %v", err)
	}
}
