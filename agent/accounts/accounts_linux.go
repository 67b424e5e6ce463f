package accounts

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firstday.dev/internal/visible"
)

// linuxStore changes accounts with the tools of shadow-utils, which know of
// locks, subordinate ids, SELinux and caches.
//
// A disabled account is one that expired long ago, which every way to sign in
// asks about, ssh keys too; its password is locked besides. So usermod(8)
// advises. The tag is in the field "other" of the comment.
type linuxStore struct{ root string }

// Open gives the accounts of the running system, or, with a root, those of the
// system in that folder, which does not run. Changing those needs chroot(2).
func Open(root string) (Store, error) {
	if root == "" {
		return linuxStore{}, nil
	}
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return linuxStore{root}, nil
}

func (s linuxStore) Find(_ context.Context, name string) (*Account, error) {
	a, _, err := s.user(name)
	return a, err
}

func (s linuxStore) List(context.Context) ([]Account, error) {
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	var people []Account
	for _, u := range db.users {
		if u.isPerson() {
			people = append(people, db.account(u))
		}
	}
	return people, nil
}

func (s linuxStore) CheckFree(ctx context.Context, name string) error {
	if err := linuxPlatform.checkName(name); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	db, err := s.read()
	if err != nil {
		return err
	}
	return s.checkFree(ctx, db, name)
}

func (s linuxStore) Create(ctx context.Context, n New) (*Account, error) {
	if err := n.check(linuxPlatform); err != nil {
		return nil, err
	}
	db, err := s.read()
	if err != nil {
		return nil, err
	}
	if err := s.checkFree(ctx, db, n.Name); err != nil {
		return nil, err
	}
	if n.Administrator && db.administrators == "" {
		return nil, errNoAdministrators
	}
	if err := s.add(ctx, n); err != nil {
		return nil, errors.Join(err, s.takeBack(ctx, n))
	}
	if err := s.furnish(ctx, n, db.administrators); err != nil {
		return nil, errors.Join(err, s.takeBack(ctx, n))
	}
	made, err := s.Find(ctx, n.Name)
	if err != nil {
		return nil, errors.Join(err, s.takeBack(ctx, n))
	}
	return made, nil
}

var errNoAdministrators = errors.New("the system has no group sudo or wheel: nobody can be an administrator")

// checkFree also asks the services of nsswitch.conf(5): a name of the
// organisation's LDAP is taken as well.
func (s linuxStore) checkFree(ctx context.Context, db *database, name string) error {
	if by := db.takenBy(name); by != "" {
		return taken(name, by)
	}
	if s.root == "" {
		for _, kind := range []string{"passwd", "group"} {
			err := s.run(ctx, nil, "getent", kind, name)
			if err == nil {
				return taken(name, "getent "+kind+" knows it")
			}
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != 2 { // not found
				return err
			}
		}
	}
	home := s.path(homeOf(name))
	if _, err := os.Lstat(home); !errors.Is(err, fs.ErrNotExist) {
		return errors.Join(taken(name, home+" is there"), err)
	}
	return nil
}

// homeOf is where homes are, whatever useradd's defaults say: a home has to be
// on this device.
func homeOf(name string) string { return "/home/" + name }

// add makes the account in one step, tagged and locked. A kill leaves nothing,
// or an account with the tag.
func (s linuxStore) add(ctx context.Context, n New) error {
	args := []string{
		"--create-home", "--home-dir", homeOf(n.Name), "--user-group", "--expiredate", longAgo,
		"--comment", gecos{linuxPlatform.fullName(n.FullName), "", "", "", mark(n.Tag, true)}.String(),
	}
	if _, err := os.Stat(s.path("/bin/bash")); err == nil {
		args = append(args, "--shell", "/bin/bash") // Debian's default is not what people expect
	}
	err := s.run(ctx, nil, "useradd", append(args, "--", n.Name)...)
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == 9 { // useradd(8): username or group name already in use
		return taken(n.Name, err.Error())
	}
	return err
}

// longAgo is 2 January 1970: shadow(5) warns of 0.
const longAgo = "1"

func (s linuxStore) furnish(ctx context.Context, n New, administrators string) error {
	if err := s.setPassword(ctx, n.Name, n.Password); err != nil {
		return err
	}
	if err := s.lock(ctx, n.Name); err != nil || !n.Administrator {
		return err
	}
	return s.run(ctx, nil, "gpasswd", "--add", n.Name, administrators)
}

// takeBack undoes a Create that failed. The context of the call may be why.
func (s linuxStore) takeBack(ctx context.Context, n New) error {
	ctx = context.WithoutCancel(ctx)
	a, err := s.Find(ctx, n.Name)
	if errors.Is(err, ErrNotFound) || err == nil && a.Tag != n.Tag {
		return nil // it was never made, or somebody else was faster
	}
	return errors.Join(err, s.Remove(ctx, n.Name))
}

// setPassword gives PAM the password, and with it to the policy of this
// system. It unlocks the password; that the account expired remains.
func (s linuxStore) setPassword(ctx context.Context, name string, password []byte) error {
	line := slices.Concat([]byte(name), []byte(":"), password, []byte("\n"))
	defer clear(line)
	var args []string
	if s.root != "" { // has no PAM that could be used from here
		args = []string{"--crypt-method", s.cryptMethod()}
	}
	err := s.run(ctx, line, "chpasswd", args...)
	if err != nil && (strings.Contains(err.Error(), "BAD PASSWORD") || strings.Contains(err.Error(), "pam_chauthtok")) {
		return fmt.Errorf("%w: %w", ErrPassword, err)
	}
	return err
}

func (s linuxStore) lock(ctx context.Context, name string) error {
	return s.run(ctx, nil, "usermod", "--lock", "--expiredate", longAgo, "--", name)
}

func (s linuxStore) Enable(ctx context.Context, name string) error {
	a, g, err := s.user(name)
	if err != nil || !a.Disabled && !a.Unused {
		return err
	}
	args := []string{"--unlock", "--expiredate", ""}
	if a.Unused { // usermod writes the comment before it opens the account
		g[otherField] = mark(a.Tag, false)
		args = append(args, "--comment", g.String())
	}
	if err := s.run(ctx, nil, "usermod", append(args, "--", name)...); err != nil {
		return err
	}
	if a, _, err = s.user(name); err == nil && a.Disabled {
		return fmt.Errorf("account %s has no password: %w", name, ErrPassword) // usermod only warns
	}
	return err
}

func (s linuxStore) Disable(ctx context.Context, name string) error {
	if _, _, err := s.user(name); err != nil {
		return err
	}
	return s.lock(ctx, name)
}

func (s linuxStore) Remove(ctx context.Context, name string) error {
	a, _, err := s.user(name)
	if err != nil {
		return err
	}
	if err := a.unusedOfOurs(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	// The home first: once the account is gone, nothing tells whose it was. And not
	// by userdel, which leaves one that a killed useradd did not give away yet.
	if a.Home == homeOf(name) {
		if err := os.RemoveAll(s.path(a.Home)); err != nil {
			return err
		}
	}
	removeErr := s.run(ctx, nil, "userdel", "--remove", "--", name) // and its mailbox
	db, err := s.read()
	if err != nil {
		return errors.Join(removeErr, err)
	}
	if _, _, err := db.find(name); err == nil {
		return errors.Join(removeErr, fmt.Errorf("userdel left account %s", name))
	}
	// userdel leaves the group where login.defs(5) does not tell it otherwise.
	if g := db.group(name); g != nil && len(g.members) == 0 {
		if err := s.run(ctx, nil, "groupdel", name); err != nil {
			return err
		}
	}
	return nil // what else userdel says is of things that were not there to be removed
}

func (s linuxStore) SetAdministrator(ctx context.Context, name string, administrator bool) error {
	db, err := s.read()
	if err != nil {
		return err
	}
	a, _, err := db.find(name)
	if err != nil || a.Administrator == administrator {
		return err
	}
	if administrator {
		if db.administrators == "" {
			return errNoAdministrators
		}
		return s.run(ctx, nil, "gpasswd", "--add", name, db.administrators)
	}
	for _, g := range administratorGroups {
		if db.isMember(name, g) {
			if err := s.run(ctx, nil, "gpasswd", "--delete", name, g); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s linuxStore) SetPassword(ctx context.Context, name string, password []byte) error {
	a, _, err := s.user(name)
	if err != nil {
		return err
	}
	if err := a.unusedOfOurs(); err != nil {
		return err
	}
	return s.resetPassword(ctx, a, password)
}

func (s linuxStore) ResetPassword(ctx context.Context, name, id string, password []byte) error {
	a, _, err := s.user(name)
	if err != nil {
		return err
	}
	if err := a.mayReset(id); err != nil {
		return err
	}
	return s.resetPassword(ctx, a, password)
}

// resetPassword is for who has made sure that no person loses by it.
func (s linuxStore) resetPassword(ctx context.Context, a *Account, password []byte) error {
	if err := linuxPlatform.checkPassword(password); err != nil {
		return err
	}
	if err := s.setPassword(ctx, a.Name, password); err != nil || !a.Disabled {
		return err
	}
	return s.lock(ctx, a.Name)
}

func (s linuxStore) SetFullName(ctx context.Context, name, fullName string) error {
	_, g, err := s.user(name)
	if err != nil {
		return err
	}
	g[0] = linuxPlatform.fullName(fullName)
	return s.run(ctx, nil, "usermod", "--comment", g.String(), "--", name)
}

func (s linuxStore) path(name string) string { return filepath.Join(s.root, name) }

const (
	// toolLimit bounds each tool; a hook of the administrator's may hang.
	toolLimit = time.Minute
	maxSaid   = 300 // bytes of what a tool says that go into an error
)

// toolFolders are where the tools are, on a device where nobody has to set a
// PATH for the agent.
var toolFolders = []string{"/usr/sbin", "/usr/bin", "/sbin", "/bin"}

// run runs one of the system's tools. What it says about an error goes into the
// error. A tool that changes something is not killed because the context ends.
func (s linuxStore) run(ctx context.Context, stdin []byte, name string, args ...string) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	path, err := findTool(name)
	if err != nil {
		return err
	}
	if s.root != "" {
		args = slices.Concat([]string{"--root", s.root}, args)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), toolLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Env = []string{"LC_ALL=C.UTF-8", "PATH=" + strings.Join(toolFolders, ":")}
	cmd.Dir = "/"
	cmd.Stdin = bytes.NewReader(stdin)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	cmd.WaitDelay = time.Second
	if err := cmd.Run(); err != nil {
		said := strings.Join(strings.FieldsFunc(out.String(), func(r rune) bool { return r == '\n' }), "; ")
		return fmt.Errorf("%s: %w: %s", name, err, visible.Line(said[:min(len(said), maxSaid)]))
	}
	return nil
}

func findTool(name string) (string, error) {
	for _, dir := range toolFolders {
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%s is not installed: %w", name, exec.ErrNotFound)
}
