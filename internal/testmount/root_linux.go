package testmount

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// Root makes a system of files that has nobody but root and services.
func Root(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"etc/passwd":       "root:x:0:0:root:/root:/bin/bash\nwww:x:33:33:www:/var/www:/usr/sbin/nologin\nbot:x:1500:1500::/:/usr/sbin/nologin\n",
		"etc/shadow":       "root:*:19000:0:99999:7:::\nwww:*:19000:0:99999:7:::\nbot:!:19000:0:99999:7:::\n",
		"etc/group":        "root:x:0:\nsudo:x:27:\nwww:x:33:\nusers:x:100:\nStaff:x:50:\nbot:x:1500:\n",
		"etc/gshadow":      "root:*::\nsudo:*::\nwww:*::\nusers:*::\nStaff:*::\nbot:!::\n",
		"etc/login.defs":   "ENCRYPT_METHOD SHA512\nUID_MIN 1000\nUID_MAX 60000\nUSERGROUPS_ENAB yes\n",
		"etc/skel/.bashrc": "# hello\n",
		"bin/bash":         "",
		"home/.keep":       "",
	} {
		file := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// Live puts the files of a root that Root made in the place of the running
// system's own, with PAM and its configuration as they are. It is for tests
// that are Apart.
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
