package testroot

import (
	"errors"
	"os"
	"os/exec"
	"testing"

	"golang.org/x/sys/unix"
)

// Live puts the files of a root that Root made in the place of the running
// system's own, with PAM and its configuration as they are. It is for tests
// that run apart, see testmount.Apart.
func Live(t *testing.T, root string) {
	t.Helper()
	if out, err := exec.Command("cp", "-a", "/etc/pam.d", "/etc/security", root+"/etc/").CombinedOutput(); err != nil {
		t.Fatalf("%v %s", err, out)
	}
	for _, dir := range []string{"/etc", "/home", "/var/lib", "/var/mail", "/var/log"} {
		err := errors.Join(os.MkdirAll(root+dir, 0o755), unix.Mount(root+dir, dir, "", unix.MS_BIND, ""))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	}
}
