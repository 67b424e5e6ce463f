package accounts

// What shadow-utils did is judged by reading its files here, and by openssl for
// the hashes.

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testroot"
	"firstday.dev/internal/testtool"
)

func openScratch(t *testing.T) linuxStore {
	t.Helper()
	s, err := Open(testroot.New(t))
	if err != nil {
		t.Fatal(err)
	}
	return s.(linuxStore)
}

func lineOf(t *testing.T, root, file, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if strings.HasPrefix(line, name+":") {
			return strings.TrimSpace(line)
		}
	}
	return ""
}

func TestLinuxAccountInTheFiles(t *testing.T) {
	s := openScratch(t)
	n := jane()
	n.Administrator = true
	a, err := s.Create(t.Context(), n)
	if err != nil {
		t.Fatal(err)
	}
	want := &Account{
		ID: "1501", Name: "jane", FullName: "Jane Doe", Administrator: true, Disabled: true,
		Tag: "T-1", Unused: true, Home: "/home/jane",
	}
	if diff := cmp.Diff(want, a); diff != "" {
		t.Error(diff)
	}
	if got := lineOf(t, s.root, "etc/passwd", "jane"); got != "jane:x:1501:1501:Jane Doe,,,,firstday/T-1/unused:/home/jane:/bin/bash" {
		t.Error(got)
	}
	if got := lineOf(t, s.root, "etc/shadow", "jane"); !strings.HasPrefix(got, "jane:!$6$") || !strings.HasSuffix(got, ":1:") {
		t.Error(got)
	}
	for name, want := range map[string]string{"sudo": "sudo:x:27:jane", "jane": "jane:x:1501:"} {
		if got := lineOf(t, s.root, "etc/group", name); got != want {
			t.Error(got)
		}
	}
	if _, err := os.Stat(filepath.Join(s.root, "home/jane/.bashrc")); err != nil {
		t.Error(err)
	}
	if err := s.Enable(t.Context(), "jane"); err != nil {
		t.Fatal(err)
	}
	if got := lineOf(t, s.root, "etc/passwd", "jane"); got != "jane:x:1501:1501:Jane Doe,,,,firstday/T-1:/home/jane:/bin/bash" {
		t.Error(got)
	}
	if !testroot.CanSignIn(t, s.root, "jane", "correct horse") {
		t.Error("nobody can sign in")
	}
}

// A kill between the tools, or within one of them.
func TestLinuxWhatAKillLeaves(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, s linuxStore){
		"after useradd": func(*testing.T, linuxStore) {},
		"without a home": func(t *testing.T, s linuxStore) {
			if err := os.RemoveAll(s.path("/home/jane")); err != nil {
				t.Fatal(err)
			}
		},
		"without an entry in shadow": func(t *testing.T, s linuxStore) { cut(t, s.path("/etc/shadow")) },
		"without a group":            func(t *testing.T, s linuxStore) { cut(t, s.path("/etc/group")); cut(t, s.path("/etc/gshadow")) },
		"where groups are not the users'": func(t *testing.T, s linuxStore) {
			if err := os.WriteFile(s.path("/etc/login.defs"), []byte("USERGROUPS_ENAB no\n"), 0o644); err != nil {
				t.Fatal(err)
			}
		},
		"with the password set": func(t *testing.T, s linuxStore) {
			if err := s.setPassword(t.Context(), "jane", []byte("correct horse")); err != nil {
				t.Fatal(err)
			}
			if testroot.CanSignIn(t, s.root, "jane", "correct horse") {
				t.Error("somebody can sign in already")
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := openScratch(t)
			if err := s.add(t.Context(), jane()); err != nil {
				t.Fatal(err)
			}
			damage(t, s)
			left, err := s.Find(t.Context(), "jane")
			if err != nil || left.Tag != "T-1" || !left.Unused || !left.Disabled {
				t.Fatalf("left: %+v, %v", left, err)
			}
			if _, err := s.Create(t.Context(), jane()); !errors.Is(err, ErrExists) {
				t.Errorf("made over it: %v", err)
			}
			if err := s.Remove(t.Context(), "jane"); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Create(t.Context(), jane()); err != nil {
				t.Error(err)
			}
		})
	}
}

// cut takes away a file's last line.
func cut(t *testing.T, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(strings.TrimSuffix(string(text), "\n"), "\n")
	if err := os.WriteFile(file, []byte(strings.Join(lines[:len(lines)-1], "")), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestLinuxEnableNeedsAPassword(t *testing.T) {
	s := openScratch(t)
	if err := s.add(t.Context(), jane()); err != nil {
		t.Fatal(err)
	}
	if err := s.Enable(t.Context(), "jane"); !errors.Is(err, ErrPassword) {
		t.Errorf("got %v", err)
	}
}

// fakeTool puts a shell script in the place of a tool.
func fakeTool(t *testing.T, name, script string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	old := toolFolders
	toolFolders = append([]string{dir}, toolFolders...)
	t.Cleanup(func() { toolFolders = old })
}

func TestLinuxCreateTakesBack(t *testing.T) {
	for _, tool := range []string{"useradd", "chpasswd", "usermod", "gpasswd"} {
		t.Run(tool, func(t *testing.T) {
			s := openScratch(t)
			fakeTool(t, tool, "echo it is broken >&2; exit 1")
			n := jane()
			n.Administrator = true
			if _, err := s.Create(t.Context(), n); err == nil || !strings.Contains(err.Error(), tool+": exit status 1: it is broken") {
				t.Errorf("got %v", err)
			}
			if _, err := s.Find(t.Context(), "jane"); !errors.Is(err, ErrNotFound) {
				t.Errorf("left: %v", err)
			}
			if by := lineOf(t, s.root, "etc/group", "jane") + lineOf(t, s.root, "etc/shadow", "jane"); by != "" {
				t.Error(by)
			}
		})
	}
	s := openScratch(t)
	other := jane()
	other.Tag = "other"
	if err := s.add(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	if err := s.takeBack(t.Context(), jane()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Find(t.Context(), "jane"); err != nil {
		t.Errorf("somebody else's account went: %v", err)
	}
}

func TestLinuxNamesInTheWay(t *testing.T) {
	s := openScratch(t)
	if err := errors.Join(os.Mkdir(s.path("/home/joe"), 0o755), os.Symlink("nowhere", s.path("/home/ann"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"www", "users", "staff", "joe", "ann"} {
		n := jane()
		n.Name = name
		if _, err := s.Create(t.Context(), n); !errors.Is(err, ErrExists) || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if people, err := s.List(t.Context()); err != nil || len(people) > 0 {
		t.Errorf("people: %v, %v", people, err)
	}
}

func TestLinuxAdministratorsAreSudoOrWheel(t *testing.T) {
	for group, want := range map[string]error{"sudo": nil, "wheel": nil, "games": errNoAdministrators} {
		s := openScratch(t)
		for _, file := range []string{"/etc/group", "/etc/gshadow"} {
			text, err := os.ReadFile(s.path(file))
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(s.path(file), []byte(strings.Replace(string(text), "sudo:", group+":", 1)), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		n := jane()
		n.Administrator = true
		if _, err := s.Create(t.Context(), n); !errors.Is(err, want) {
			t.Errorf("%s: %v", group, err)
		}
		n.Administrator = false
		if want != nil { // the first one was not even begun
			if _, err := s.Create(t.Context(), n); err != nil {
				t.Fatal(err)
			}
		}
		if err := s.SetAdministrator(t.Context(), "jane", true); !errors.Is(err, want) {
			t.Errorf("%s: %v", group, err)
		}
		if a, err := s.Find(t.Context(), "jane"); err != nil || a.Administrator != (want == nil) {
			t.Errorf("%s: %+v, %v", group, a, err)
		}
	}
}

func TestLinuxReadsStrangeFiles(t *testing.T) {
	s := openScratch(t)
	for file, text := range map[string]string{
		"/etc/passwd": "root:x:0:0:root:/root:/bin/bash\n\n:x:1:1::/:\nshort:x:1\nnumber:x:many:1::/:/bin/sh\n+::::::\n" +
			"old:hash:1001:1001:a,b,c,d,e,f:/home/old:/bin/sh\nlong:x:1002:1002:,,,,x:/home/long:/bin/sh\ngone:x:1003:1003:::/bin/sh",
		"/etc/shadow": "root:*:19000:0:99999:7:::\nlong:$6$x:19000:0:99999:7::99999999999999999999:\nlong2\n",
	} {
		if err := os.WriteFile(s.path(file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := s.List(t.Context())
	want := []Account{
		{ID: "1001", Name: "old", FullName: "a", Home: "/home/old"},
		{ID: "1002", Name: "long", Home: "/home/long"},
		{ID: "1003", Name: "gone", Disabled: true},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
	if err := os.Remove(s.path("/etc/shadow")); err != nil {
		t.Fatal(err)
	}
	if _, err := s.List(t.Context()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("without shadow: %v", err)
	}
}

// killedIn is set in the processes that TestLinuxCreateIsKilled starts.
const killedIn = "FIRSTDAY_TEST_KILLED_IN"

// The agent and the tool that it runs, killed at many moments.
func TestLinuxCreateIsKilled(t *testing.T) {
	if root := os.Getenv(killedIn); root != "" {
		s := linuxStore{root}
		if _, err := s.Create(t.Context(), jane()); err != nil {
			t.Fatal(err)
		}
		return
	}
	s := openScratch(t)
	// The tool becomes this process's child, and dead only when it is waited for:
	// until then its locks are those of a process that lives.
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	left := 0
	for delay := time.Millisecond; delay < 40*time.Millisecond; delay += 1500 * time.Microsecond {
		cmd := exec.Command(os.Args[0], "-test.run=^TestLinuxCreateIsKilled$")
		cmd.Env = append(os.Environ(), killedIn+"="+s.root)
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(delay) // it is chance that is wanted here
		if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		_ = cmd.Wait()
		for err := error(nil); err == nil || errors.Is(err, unix.EINTR); {
			_, err = unix.Wait4(-cmd.Process.Pid, nil, 0, nil)
		}
		a, err := s.Find(t.Context(), "jane")
		if err == nil {
			left++
			if a.Tag != "T-1" || !a.Unused || !a.Disabled {
				t.Fatalf("after %v there is %+v", delay, a)
			}
			err = s.Remove(t.Context(), "jane")
		} else if errors.Is(err, ErrNotFound) {
			err = nil
		}
		if err != nil {
			t.Fatalf("after %v: %v", delay, err)
		}
	}
	t.Logf("an account was left %d times", left)
	if _, err := s.Create(t.Context(), jane()); err != nil {
		t.Error(err)
	}
}

func FuzzLinuxDatabase(f *testing.F) {
	f.Add("jane:x:1501:1501:Jane Doe,1,2,3,firstday/T-1/unused:/home/jane:/bin/bash\n", "jane:!$6$x$y:19000:0:99999:7::1:\n", "sudo:x:27:jane,,joe\nwheel:x:1:\n")
	f.Add("a:b\n\n:::::::\nx:*:-1::,,,,,,::\n", "x:::::::-1:\nx:::::::99999999999999999999:", ":::\nsudo:::,\n")
	f.Fuzz(func(t *testing.T, passwd, shadow, group string) {
		db := parseDatabase(passwd, shadow, group)
		for _, u := range db.users {
			a, g, err := db.find(u.name)
			if err != nil || a.Name != u.name || db.takenBy(u.name) == "" {
				t.Fatalf("%+v: %+v, %v", u, a, err)
			}
			if again := readGECOS(g.String()); readGECOS(again.String()) != again {
				t.Fatalf("%q, then %q", again, readGECOS(again.String()))
			}
			if a.Tag != "" && !tagPattern.MatchString(a.Tag) {
				t.Fatalf("tag %q", a.Tag)
			}
		}
	})
}

// What the tools are told is seen by every process: no password is in it.
func TestLinuxPasswordsGoThroughStandardInput(t *testing.T) {
	s := openScratch(t)
	log := filepath.Join(t.TempDir(), "seen")
	for _, name := range []string{"useradd", "chpasswd", "usermod", "gpasswd"} {
		path, err := findTool(name)
		if err != nil {
			t.Fatal(err)
		}
		fakeTool(t, name, "{ echo \"$@\"; env; } >> "+log+"\nexec "+path+" \"$@\"\n")
	}
	n := jane()
	n.Administrator = true
	if _, err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := s.SetPassword(t.Context(), "jane", []byte("another horse")); err != nil {
		t.Fatal(err)
	}
	seen, err := os.ReadFile(log)
	if err != nil || !strings.Contains(string(seen), "--crypt-method") || strings.Contains(string(seen), "horse") {
		t.Errorf("%v\n%s", err, seen)
	}
}

// resetBreakGlass is about an administrator whom somebody else made.
func resetBreakGlass(t *testing.T, s Store) {
	t.Helper()
	if out, err := exec.Command("useradd", "--groups", "sudo", "rescue").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	a, err := s.Find(t.Context(), "rescue")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ResetPassword(t.Context(), "rescue", a.ID+"1", []byte("a third horse")); !errors.Is(err, ErrNotBreakGlass) {
		t.Errorf("of another ID: %v", err)
	}
	before := lineOf(t, "/", "etc/shadow", "rescue")
	if err := s.ResetPassword(t.Context(), "rescue", a.ID, []byte("a third horse")); err != nil || lineOf(t, "/", "etc/shadow", "rescue") == before {
		t.Errorf("reset: %v", err)
	}
	if err := s.SetAdministrator(t.Context(), "rescue", false); err != nil {
		t.Fatal(err)
	}
	if err := s.ResetPassword(t.Context(), "rescue", a.ID, []byte("a fourth horse")); !errors.Is(err, ErrNotBreakGlass) {
		t.Errorf("of no administrator: %v", err)
	}
}

// The running system, with its PAM and name services, but with files of our own
// in the place of /etc/passwd and the like.
func TestLinuxRunningSystem(t *testing.T) {
	testmount.Apart(t, func() { runningSystem(t) })
}

func runningSystem(t *testing.T) {
	testroot.Live(t, testroot.New(t))
	s, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	n := jane()
	n.Administrator = true
	if _, err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), n); !errors.Is(err, ErrExists) {
		t.Errorf("again: %v", err)
	}
	if testroot.CanSignIn(t, "/", "jane", "correct horse") {
		t.Error("somebody can sign in already")
	}
	if err := errors.Join(s.SetPassword(t.Context(), "jane", []byte("another horse")), s.Enable(t.Context(), "jane")); err != nil {
		t.Fatal(err)
	}
	shadow := lineOf(t, "/", "etc/shadow", "jane")
	hash := strings.Split(shadow, ":")[1]
	check := exec.Command(testtool.Need(t, "perl"), "-e", `my $h = shift; my $p = <STDIN>; chomp $p; exit(crypt($p, $h) eq $h ? 0 : 1)`, hash)
	check.Stdin = strings.NewReader("another horse\n")
	if err := check.Run(); err != nil {
		t.Errorf("the password in %s: %v", shadow, err)
	}
	if err := s.Remove(t.Context(), "jane"); !errors.Is(err, ErrNotOurs) {
		t.Errorf("removed: %v", err)
	}
	resetBreakGlass(t, s)
	n.Name = "joe"
	if _, err := s.Create(t.Context(), n); err != nil {
		t.Fatal(err)
	}
	if err := s.Remove(t.Context(), "joe"); err != nil {
		t.Fatal(err)
	}
	// Root is above pam_pwquality unless an administrator says otherwise; a policy
	// that says no to everything stands for it.
	policy := []byte("password requisite pam_deny.so\n")
	if err := os.WriteFile("/etc/pam.d/chpasswd", policy, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Create(t.Context(), n); !errors.Is(err, ErrPassword) {
		t.Errorf("against the policy: %v", err)
	}
	if _, err := s.Find(t.Context(), "joe"); !errors.Is(err, ErrNotFound) {
		t.Errorf("left: %v", err)
	}
}
