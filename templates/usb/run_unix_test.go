//go:build unix

package usb

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"firstday.dev/internal/testtool"
)

const (
	stagedFolder = "Library/Application Support/Firstday/FirstBoot"
	stagedDaemon = "Library/LaunchDaemons/dev.firstday.firstboot.plist"
	dataVolume   = "Macintosh HD - Data"
)

// mac is a machine with a stick: the tools that Recovery has and no others, a
// folder of volumes, one of which is the stick.
type mac struct {
	t       *testing.T
	shell   string
	tools   string
	volumes string
	env     []string
}

// recoveryTools are those of the tools in Recovery that the scripts may use.
var recoveryTools = []string{"cp", "mv", "rm", "mkdir", "chmod", "ls", "df", "sync", "date", "openssl"}

// eachShell runs a test on a Mac in Recovery, by every shell that the script
// must understand. Bash 3.2 in the role of sh is what Apple ships.
func eachShell(t *testing.T, test func(t *testing.T, m *mac)) {
	for _, shell := range []string{"dash", "bash"} {
		t.Run(shell, func(t *testing.T) {
			m := &mac{t: t, shell: testtool.Need(t, shell), tools: t.TempDir(), volumes: filepath.Join(t.TempDir(), "the volumes")}
			for _, tool := range recoveryTools {
				if err := os.Symlink(testtool.Need(t, tool), filepath.Join(m.tools, tool)); err != nil {
					t.Fatal(err)
				}
			}
			m.tool("chown", `echo "chown $*" >>"$0.log"`) // not everybody who tests is root
			m.tool("ioreg", `printf '%s\n' '+-o J314' '    "IOPlatformSerialNumber" = "C02XYZ123"' '    "x" = "y"'`)
			m.env = []string{"PATH=" + m.tools, "FIRSTDAY_VOLUMES=" + m.volumes, "BASH_COMPAT=3.2", "__OSINSTALL_ENVIRONMENT=1"}
			m.writeStick("the package of Acme")
			test(t, m)
		})
	}
}

// tool puts a script in the place of a tool.
func (m *mac) tool(name, script string) {
	m.t.Helper()
	path := filepath.Join(m.tools, name)
	_ = os.Remove(path)
	if err := os.WriteFile(path, []byte("#!"+m.shell+"\n"+script+"\n"), 0o755); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mac) path(name string) string { return filepath.Join(m.volumes, name) }

func (m *mac) write(name, text string) {
	m.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(m.path(name)), 0o755), os.WriteFile(m.path(name), []byte(text), 0o644)); err != nil {
		m.t.Fatal(err)
	}
}

func (m *mac) read(name string) string {
	m.t.Helper()
	b, err := os.ReadFile(m.path(name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		m.t.Fatal(err)
	}
	return string(b)
}

func (m *mac) exists(name string) bool {
	_, err := os.Lstat(m.path(name))
	return err == nil
}

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func (m *mac) writeStick(pkg string) {
	m.t.Helper()
	m.write("MY STICK/Acme & Söhne.pkg", pkg)
	m.write("MY STICK/._Acme & Söhne.pkg", "what a Mac leaves on FAT")
	m.write("MY STICK/logs/.keep", "")
	m.write("MY STICK/SHA256SUMS", sum("x")+"  Acme.ppkg\n"+sum(pkg)+"  Acme & Söhne.pkg\n")
	added := ""
	for name, text := range map[string]string{RunFile: Run, FirstBootInstallFile: FirstBootInstall, FirstBootDaemonFile: FirstBootDaemon} {
		m.write("MY STICK/"+name, text)
		added += sum(text) + "  " + name + "\n"
	}
	m.write("MY STICK/"+SumsFile, added)
}

// volume makes one with the data of a macOS.
func (m *mac) volume(name string) {
	m.write(name+"/private/var/db/.AppleSetupDone", "")
	m.write(name+"/Library/LaunchDaemons/com.example.plist", "")
}

func (m *mac) command(answer string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	c := exec.Command(m.shell, append([]string{m.path("MY STICK/run")}, args...)...)
	c.Env, c.Stdin = m.env, strings.NewReader(answer)
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	return c, &out
}

// run runs the stick's script, which must end with a code and say something.
func (m *mac) run(code int, says, answer string, args ...string) {
	m.t.Helper()
	c, out := m.command(answer, args...)
	_ = c.Run()
	if got := c.ProcessState.ExitCode(); got != code || !strings.Contains(out.String(), says) {
		m.t.Errorf("run %q: code %d, want %d and %q:\n%s", args, got, code, says, out)
	}
	if strings.Contains(out.String(), "not found") {
		m.t.Errorf("run %q: a tool is missing in Recovery:\n%s", args, out)
	}
}

// clean: nothing of ours is on a volume.
func (m *mac) clean(volume string) {
	m.t.Helper()
	entries, err := os.ReadDir(m.path(volume + "/Library/LaunchDaemons"))
	if err != nil || len(entries) != 1 || m.exists(volume+"/"+stagedFolder) || m.exists(volume+"/"+stagedFolder+".part") {
		m.t.Errorf("%s: something was left: %v, %v", volume, entries, err)
	}
}

func TestRunPreparesAMac(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.write("Macintosh HD/System/Library/CoreServices/SystemVersion.plist", "")
		m.write("Macintosh HD/private/var/db/x", "") // a firmlink, as it may look
		m.write("Macintosh HD/Library/x", "")
		m.write("macOS Base System/System/Installation/x", "")
		m.volume("macOS Base System")
		m.volume(dataVolume)
		m.write("Photos/Library/x", "")
		m.run(0, "Restart the Mac", "")
		if got := m.read(dataVolume + "/" + stagedFolder + "/package.pkg"); got != "the package of Acme" {
			t.Errorf("the package is %q", got)
		}
		if m.read(dataVolume+"/"+stagedDaemon) != FirstBootDaemon || m.read(dataVolume+"/"+stagedFolder+"/install") != FirstBootInstall {
			t.Error("the daemon is not there")
		}
		if m.exists(dataVolume + "/" + stagedFolder + "/allow-untrusted") {
			t.Error("an untrusted signer would be taken")
		}
		for name, want := range map[string]fs.FileMode{stagedFolder: 0o700, stagedFolder + "/package.pkg": 0o600, stagedDaemon: 0o644} {
			if info, err := os.Stat(m.path(dataVolume + "/" + name)); err != nil || info.Mode().Perm() != want {
				t.Errorf("%s: %v, %v", name, info.Mode(), err)
			}
		}
		owners, err := os.ReadFile(filepath.Join(m.tools, "chown.log"))
		if err != nil || !strings.Contains(string(owners), "chown -R 0:0 ") {
			t.Errorf("%s, %v", owners, err)
		}
		if log := m.read("MY STICK/logs/C02XYZ123.log"); !strings.Contains(log, "prepared "+dataVolume) {
			t.Errorf("the log says %q", log)
		}

		// Once more: it is there already. A newer stick takes its place.
		m.run(0, "already", "")
		m.writeStick("a newer package")
		m.run(0, "Restart the Mac", "", "--allow-untrusted", "--volume", dataVolume)
		if got := m.read(dataVolume + "/" + stagedFolder + "/package.pkg"); got != "a newer package" || !m.exists(dataVolume+"/"+stagedFolder+"/allow-untrusted") {
			t.Errorf("the package is %q", got)
		}
	})
}

func TestRunAsksWhichVolume(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.volume("Data")
		m.volume("Other Mac - Data")
		m.run(3, "no volume was chosen", "")
		for _, answer := range []string{"0\n", "3\n", "x\n", "-1\n", "99999999999999999999\n", "\n"} {
			m.run(3, "not one of the numbers", answer)
		}
		m.clean("Data")
		m.run(0, "  2  Other Mac - Data", "2\n")
		m.clean("Data")
		if !m.exists("Other Mac - Data/" + stagedDaemon) {
			t.Error("nothing is on the volume that was chosen")
		}
		m.run(0, "Restart the Mac", "", "--volume", m.path("Data")+"/")
		m.run(3, "is no volume with the data of a Mac", "", "--volume", "MY STICK")
	})
}

func TestRunRefuses(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.run(3, "there is no volume of a Mac", "")
		m.volume("Data")
		m.run(2, "usage", "", "--what")
		m.run(2, "--volume lacks a volume", "", "--volume")
		m.run(2, "exclude each other", "", "--volume", "Data", "--running")
		m.run(0, "Exit codes", "", "--help")

		m.tool("df", `printf '%s\n' 'Filesystem 1024-blocks Used Available Capacity Mounted on' '/dev/disk3s1 100000 80000 20000 80% /Volumes/My Data'`)
		m.run(4, "Data has 20000 KiB free, 20480 are needed", "")
		m.tool("df", `exit 1`)
		m.run(0, "it cannot be found out how much room there is", "")
		if err := errors.Join(os.RemoveAll(m.path("Data/Library/Application Support")), os.Remove(m.path("Data/"+stagedDaemon))); err != nil {
			t.Fatal(err)
		}

		m.write("MY STICK/Other.pkg", "")
		m.run(1, "more than one package", "")
		if err := os.Remove(m.path("MY STICK/Other.pkg")); err != nil {
			t.Fatal(err)
		}
		m.write("MY STICK/first-boot/install", "rm -rf /")
		m.run(5, "first-boot/install is not what", "")
		m.writeStick("the package")
		m.write("MY STICK/Acme & Söhne.pkg", "the packagf")
		m.run(5, "Acme & Söhne.pkg is not what", "")
		m.write("MY STICK/SHA256SUMS", sum("x")+"  Acme.ppkg\n")
		m.run(5, "does not list Acme & Söhne.pkg", "")
		if err := os.Remove(m.path("MY STICK/SHA256SUMS")); err != nil {
			t.Fatal(err)
		}
		m.run(5, "SHA256SUMS is missing", "")
		m.writeStick("the package")
		m.tool("openssl", "exit 1")
		m.run(5, "cannot be computed", "")
		m.tool("shasum", `[ "$1 $2" = "-a 256" ] && echo "`+sum("the package")+`  -"`)
		m.run(5, "first-boot/install is not what", "") // it says so of every file
		if err := os.Remove(m.path("MY STICK/Acme & Söhne.pkg")); err != nil {
			t.Fatal(err)
		}
		m.run(1, "there is no package for Macs", "")
		m.clean("Data")
	})
}

// What goes wrong while the package is put on the Mac leaves nothing there.
func TestRunLeavesNothingHalfMade(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.volume("Data")
		for tool, script := range map[string]string{
			"cp":    `printf x >"$2"; exit 1`, // the disk is full
			"mv":    `exit 1`,                 // or goes away
			"chown": `exit 1`,                 // who runs this is not root
			"chmod": `exit 1`,
		} {
			m.tool(tool, script)
			m.run(1, "cannot be put on Data", "")
			m.clean("Data")
			if tool == "chown" {
				m.tool(tool, "")
				continue
			}
			if err := errors.Join(os.Remove(filepath.Join(m.tools, tool)), os.Symlink(testtool.Need(t, tool), filepath.Join(m.tools, tool))); err != nil {
				t.Fatal(err)
			}
		}
		m.tool("cp", `printf x >"$2"`) // reads back other bytes than were written
		m.run(5, "is not what was copied", "")
		m.clean("Data")
		if err := os.Symlink("/", m.path("Data/Library/Application Support")); err == nil {
			t.Fatal("the folder should be there")
		}
		if err := errors.Join(os.RemoveAll(m.path("Data/Library/Application Support/Firstday")), os.Symlink(t.TempDir(), m.path("Data/Library/Application Support/Firstday"))); err != nil {
			t.Fatal(err)
		}
		m.run(1, "is a link", "")
	})
}

func TestRunIsInterrupted(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.volume("Data")
		real := testtool.Need(t, "cp")
		m.tool("cp", `"`+real+`" "$1" "$2"; echo >"$0.began"; while :; do "`+testtool.Need(t, "sleep")+`" 1; done`)
		c, out := m.command("")
		c.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		for range 600 {
			if _, err := os.Stat(filepath.Join(m.tools, "cp.began")); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		if err := syscall.Kill(-c.Process.Pid, syscall.SIGINT); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait()
		if c.ProcessState.ExitCode() != 130 || !strings.Contains(out.String(), "interrupted") {
			t.Errorf("%v\n%s", c.ProcessState, out)
		}
		m.clean("Data")
	})
}

// On a Mac that runs the package is installed at once, by root only.
func TestRunInstalls(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.env = m.env[:3] // not Recovery
		m.run(1, "there is no installer here", "")
		m.tool("installer", `echo "installer $*"; exit "${EXIT:-0}"`)
		m.tool("id", "echo 501")
		m.run(1, "only root can install", "")
		m.tool("id", "echo 0")
		m.run(0, "installer -pkg "+m.path("MY STICK/Acme & Söhne.pkg")+" -target /\n", "")
		m.run(0, "-target / -allowUntrusted\n", "", "--running", "--allow-untrusted")
		m.env = append(m.env, "EXIT=1")
		m.run(1, "did not take", "")
		if log := m.read("MY STICK/logs/C02XYZ123.log"); strings.Count(log, "installed") != 2 || !strings.Contains(log, "failed (1)") {
			t.Errorf("the log says %q", log)
		}
	})
}

// firstBoot starts a Mac that the stick has prepared.
func (m *mac) firstBoot(volume string) int {
	m.t.Helper()
	c := exec.Command(m.shell, m.path(volume+"/"+stagedFolder+"/install"))
	c.Env = m.env
	if out, err := c.CombinedOutput(); c.ProcessState == nil || len(out) > 0 {
		m.t.Fatalf("%v\n%s", err, out)
	}
	return c.ProcessState.ExitCode()
}

func TestFirstBoot(t *testing.T) {
	eachShell(t, func(t *testing.T, m *mac) {
		m.volume("Data")
		m.write("Data/private/var/log/x", "")
		if err := os.Symlink("private/var", m.path("Data/var")); err != nil {
			t.Fatal(err)
		}
		log := "Data/private/var/log/firstday-firstboot.log"
		m.run(0, "Restart the Mac", "")

		// The Mac is not ready, then it is.
		m.tool("installer", "echo not now; exit 1")
		if code := m.firstBoot("Data"); code != 1 || !strings.Contains(m.read(log), "not now") || !m.exists("Data/"+stagedDaemon) {
			t.Errorf("code %d, log %s", code, m.read(log))
		}
		m.tool("installer", `echo "installer $*"`)
		if code := m.firstBoot("Data"); code != 0 || !strings.Contains(m.read(log), "-pkg "+m.path("Data/"+stagedFolder+"/package.pkg")+" -target "+m.path("Data")+"\n") {
			t.Errorf("code %d, log %s", code, m.read(log))
		}
		m.clean("Data")

		// It never is.
		m.run(0, "Restart the Mac", "", "--allow-untrusted")
		m.tool("installer", `echo "installer $*"; exit 1`)
		for n := 1; m.firstBoot("Data") != 0; n++ {
			if n == 30 {
				t.Fatal("it is not given up")
			}
		}
		if !strings.Contains(m.read(log), "given up") || !strings.Contains(m.read(log), "-allowUntrusted") {
			t.Errorf("log %s", m.read(log))
		}
		m.clean("Data")

		// The package was damaged meanwhile: installer is not asked.
		m.run(0, "Restart the Mac", "")
		m.write("Data/"+stagedFolder+"/package.pkg", "other bytes")
		m.tool("installer", `echo asked; exit 0`)
		if code := m.firstBoot("Data"); code != 0 || strings.Contains(m.read(log), "asked") || !strings.Contains(m.read(log), "damaged") {
			t.Errorf("code %d, log %s", code, m.read(log))
		}
		m.clean("Data")
	})
}
