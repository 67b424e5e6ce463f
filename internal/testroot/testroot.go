// Package testroot makes Linux systems of files for tests: scratch roots in
// which real tools make real accounts.
package testroot

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/internal/testtool"
)

// New makes a system of files that has nobody but root, a service and a robot.
// It skips the test for who may not change accounts.
func New(tb testing.TB) string {
	tb.Helper()
	if os.Geteuid() != 0 {
		tb.Skip("only root can change accounts")
	}
	for _, tool := range []string{"useradd", "usermod", "userdel", "groupdel", "chpasswd", "gpasswd", "openssl"} {
		testtool.Need(tb, tool, "/usr/sbin/"+tool)
	}
	root := tb.TempDir()
	if err := os.Chmod(root, 0o755); err != nil {
		tb.Fatal(err)
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
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			tb.Fatal(err)
		}
	}
	return root
}

// CanSignIn reads shadow(5) as PAM would: with SHA-512 hashes only.
func CanSignIn(tb testing.TB, root, name, password string) bool {
	tb.Helper()
	text, err := os.ReadFile(filepath.Join(root, "etc/shadow"))
	if err != nil {
		tb.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if f[0] != name {
			continue
		}
		hash := strings.Split(f[1], "$")
		if len(hash) != 4 || hash[0] != "" || hash[1] != "6" {
			return false
		}
		cmd := exec.Command("openssl", "passwd", "-6", "-salt", hash[2], "-stdin")
		cmd.Stdin = strings.NewReader(password + "\n")
		out, err := cmd.Output()
		if err != nil {
			tb.Fatal(err)
		}
		return strings.TrimSpace(string(out)) == f[1] && f[7] == ""
	}
	return false
}
