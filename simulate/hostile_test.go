package simulate

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/ppkg"
	"firstday.dev/templates/macos"
)

func machine(t *testing.T, platform api.Platform) *Machine {
	t.Helper()
	m, err := Open(Options{Sandbox: t.TempDir(), Device: Device{Platform: platform, Serial: "S1"}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
	return m
}

// Nothing that a payload says leads out of the disk, or to two places at once.
func TestPayloadsStayOnTheDisk(t *testing.T) {
	const file, folder, link = cpio.ModeRegular | 0o6777, cpio.ModeDir | 0o755, cpio.ModeSymlink | 0o755
	for name, c := range map[string]struct {
		files []onVolume
		bad   bool
	}{
		"plain":             {[]onVolume{{Path: "/a", Mode: folder}, {Path: "/a/b", Mode: file}}, false},
		"twice":             {[]onVolume{{Path: "/a", Mode: file}, {Path: "/a", Mode: file}}, false},
		"link":              {[]onVolume{{Path: "/a", Mode: link, Target: "/etc"}}, false},
		"behind a link":     {[]onVolume{{Path: "/a", Mode: link, Target: "/etc"}, {Path: "/a/b", Mode: file}}, true},
		"behind its shadow": {[]onVolume{{Path: "/a", Mode: link, Target: "/etc"}, {Path: "/A/b", Mode: file}}, true},
		"behind a file":     {[]onVolume{{Path: "/a", Mode: file}, {Path: "/a/b", Mode: file}}, true},
		"two cases":         {[]onVolume{{Path: "/a", Mode: file}, {Path: "/A", Mode: file}}, true},
		"upwards":           {[]onVolume{{Path: "/../a", Mode: file}}, true},
		"not clean":         {[]onVolume{{Path: "/a//b", Mode: file}}, true},
	} {
		m := machine(t, api.MacOS)
		i := &installer{Machine: m, placed: make(map[string]onVolume)}
		var err error
		for _, f := range c.files {
			err = errors.Join(err, i.placeFile(t.Context(), f, 1, strings.NewReader("x")))
		}
		if (err != nil) != c.bad || err != nil && !errors.Is(err, pkgbuild.ErrUnsafe) {
			t.Errorf("%s: %v", name, err)
		}
		if links := linksBelow(t, m.host(".")); links > 0 {
			t.Errorf("%s: %d links were made", name, links)
		}
		info, err := os.Stat(m.host("a/b"))
		if name == "plain" && (err != nil || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0) {
			t.Errorf("%v, %v", info, err)
		}
	}
}

func linksBelow(t *testing.T, dir string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err == nil && e.Type()&fs.ModeSymlink != 0 {
			n++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// A link among the agent's own folders would let the agent write elsewhere.
func TestALinkInThePlaceOfTheDataFolder(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	outside := t.TempDir()
	p := macProduct(t, enrollment(t, api.MacOS, d.At, key))
	tree := p.Components[0].Payload.(fstest.MapFS)
	delete(tree, macos.DataFolder[1:]+"/"+api.EnrollmentFile)
	tree[macos.DataFolder[1:]] = &fstest.MapFile{Mode: fs.ModeSymlink | 0o755, Data: []byte(outside)}
	_, s, err := simulation(t, Options{Patience: time.Second}, writeProduct(t, p))
	if err == nil {
		t.Errorf("no error:\n%s", s)
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("the agent wrote %v, %v", left, err)
	}
}

// What is in the folder of the command is what is installed, whatever the package
// was when it was looked at.
func TestFilesOfTheCommandAreLookedAtOnceMore(t *testing.T) {
	const dll, program = "firstday-credprov-amd64.dll", "firstday-agent-amd64.exe"
	for _, c := range []struct {
		file    string
		content []byte // nil: none
	}{{dll, nil}, {dll, []byte("another")}, {program, nil}, {program, []byte("another")}} {
		w := &provisioning{Machine: machine(t, api.Windows)}
		if err := w.makeFolders(commandFolder); err != nil {
			t.Fatal(err)
		}
		e := enrollment(t, api.Windows, api.Directory{URL: "https://directory.acme.test"}, "fk_x")
		files := map[string][]byte{api.EnrollmentFile: encode(t, e), dll: tile(t, "amd64"), program: tile(t, "amd64")}
		files[c.file] = c.content
		for name, content := range files {
			if content == nil {
				continue
			}
			if err := os.WriteFile(w.host(filepath.Join(commandFolder, name)), content, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := w.runCommand(t.Context(), &ppkg.CommandInfo{Line: program + " install"}, commandFolder)
		if !errors.Is(err, agent.ErrEnrollment) || !strings.Contains(err.Error(), c.file) {
			t.Errorf("%s is %q: %v", c.file, c.content, err)
		}
		if found, err := w.hasAgent(); found || err != nil {
			t.Errorf("%s is %q: the agent is installed (%v)", c.file, c.content, err)
		}
	}
}

func TestTheSystemKeepsTheAgentOnTheDisk(t *testing.T) {
	m := machine(t, api.Windows)
	sys := m.System()
	outside := t.TempDir()
	for name, err := range map[string]error{
		"a folder elsewhere":    sys.MakeFolder(outside, agent.Everyone),
		"what lies elsewhere":   sys.RemoveAll(outside),
		"a program elsewhere":   sys.Register(t.Context(), filepath.Join(outside, "agent")),
		"no service to start":   sys.StartService(t.Context()),
		"a folder in the way":   errors.Join(os.MkdirAll(m.host("ProgramData"), 0o700), os.WriteFile(m.host("ProgramData/Firstday"), nil, 0o600), unless(sys.MakeFolder(sys.Layout().Data, agent.AdminsOnly))),
		"a program that is not": errors.Join(sys.Register(t.Context(), sys.Layout().Agent("1.2.3")), unless(sys.StartService(t.Context()))),
	} {
		if err == nil || errors.Is(err, errNothing) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if runtime.GOOS != "windows" {
		if err := os.Symlink(outside, m.host("link")); err != nil {
			t.Fatal(err)
		}
		if err := sys.MakeFolder(m.host("link/x"), agent.AdminsOnly); err == nil {
			t.Error("a folder behind a link")
		}
	}
	if left, err := os.ReadDir(outside); err != nil || len(left) > 0 {
		t.Errorf("outside is %v, %v", left, err)
	}
}

// errNothing: an error was expected, and there is none.
var errNothing = errors.New("nothing went wrong")

func unless(err error) error {
	if err == nil {
		return errNothing
	}
	return err
}

func TestOneInstallationAtATime(t *testing.T) {
	m := machine(t, api.MacOS)
	sys := m.System()
	file := filepath.Join(t.TempDir(), "install.lock")
	unlock, err := sys.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	short, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := sys.Lock(short, file); !errors.Is(err, agent.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := unlock(true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(file); !os.IsNotExist(err) {
		t.Errorf("the file is left: %v", err)
	}
	if _, err := sys.Lock(t.Context(), file); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

// The agent takes itself off a simulated device without a trace.
func TestUninstall(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	for _, path := range []string{
		provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{}),
		writeProduct(t, macProduct(t, enrollment(t, api.MacOS, d.At, key))),
	} {
		sandbox := t.TempDir()
		if _, s, err := simulation(t, Options{Sandbox: sandbox}, path); err != nil {
			t.Fatalf("%v\n%s", err, s)
		}
		m, err := Open(Options{Sandbox: sandbox})
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(m.PowerOn(t.Context()), m.agent("1.2.3").Uninstall(t.Context())); err != nil {
			t.Error(err)
		}
		for _, left := range []string{m.System().Layout().Program, m.System().Layout().Data, m.host(macos.DaemonPath)} {
			if _, err := os.Lstat(left); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", left, err)
			}
		}
		if has, err := m.hasAgent(); has || err != nil {
			t.Errorf("there is a service: %v, %v", has, err)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}
}

// What launchd would ignore is an error, whatever checked the package before.
func TestLaunchdRules(t *testing.T) {
	const good = "/Library/LaunchDaemons/com.example.job.plist"
	program := onVolume{Path: "/usr/local/bin/job", Mode: cpio.ModeRegular | 0o755}
	plist := func(label, program string) string {
		return string(bytes.ReplaceAll(macos.LaunchDaemon(program), []byte(macos.Label), []byte(label)))
	}
	for name, c := range map[string]struct {
		job     onVolume
		text    string
		program onVolume
		said    string // "": good
	}{
		"good":                {onVolume{Mode: 0o644}, plist("com.example.job", program.Path), program, ""},
		"of nobody's program": {onVolume{Mode: 0o644}, plist("com.example.job", "/usr/bin/true"), program, ""},
		"writable":            {onVolume{Mode: 0o664}, plist("com.example.job", program.Path), program, "0664"},
		"somebody's":          {onVolume{Mode: 0o644, UID: 501}, plist("com.example.job", program.Path), program, "501:0"},
		"staff's":             {onVolume{Mode: 0o644, GID: 20}, plist("com.example.job", program.Path), program, "0:20"},
		"no list":             {onVolume{Mode: 0o644}, "hello", program, "plist: "},
		"no label":            {onVolume{Mode: 0o644}, plist("", program.Path), program, "Label"},
		"relative":            {onVolume{Mode: 0o644}, plist("com.example.job", "job"), program, "absolute"},
		"no program":          {onVolume{Mode: 0o644}, plist("com.example.job", program.Path), onVolume{Path: program.Path, Mode: cpio.ModeRegular | 0o644}, "not executable"},
		"a folder":            {onVolume{Mode: 0o644}, plist("com.example.job", program.Path), onVolume{Path: program.Path, Mode: cpio.ModeDir | 0o755}, "not executable"},
		"anybody's program":   {onVolume{Mode: 0o644}, plist("com.example.job", program.Path), onVolume{Path: program.Path, Mode: cpio.ModeRegular | 0o777}, "changed by others"},
		"binary":              {onVolume{Mode: 0o644}, "bplist00", program, ""},
	} {
		i := &installer{Machine: machine(t, api.MacOS), placed: make(map[string]onVolume)}
		c.job.Path, c.job.Mode = good, c.job.Mode|cpio.ModeRegular
		err := errors.Join(
			i.placeFile(t.Context(), c.job, 0, strings.NewReader(c.text)),
			i.placeFile(t.Context(), c.program, 0, strings.NewReader("")),
			i.checkDaemon(c.job))
		if (err == nil) != (c.said == "") || err != nil && !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v, want %q", name, err, c.said)
		}
	}
}
