package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"

	"firstday.dev/agent/devicekey"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
)

// These run under Wine too, see TestUnderWine.

// tempDir is t.TempDir for Wine, which os.RemoveAll does not get along with.
func tempDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "firstday-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := removeTree(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func openWindows(t *testing.T) System {
	t.Helper()
	s, err := Open("")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestWindowsArchIsNative(t *testing.T) {
	arch, err := openWindows(t).Arch()
	if err != nil || arch != "amd64" && arch != "arm64" {
		t.Errorf("%q, %v", arch, err)
	}
	if older := nativeSystemMachine(); older != imageFileMachineAMD64 && older != imageFileMachineARM64 {
		t.Errorf("the older way gives %#x", older)
	}
}

// In the TPM where there is one; Wine has none.
func TestWindowsMakesAKey(t *testing.T) {
	s := openWindows(t)
	tpm := devicekey.NewTPM(s.OpenTPM)
	path := filepath.Join(tempDir(t), "device.key")
	k, err := devicekey.MakeInTPM(path, tpm)
	if err != nil {
		k, err = devicekey.MakeInFile(path, err)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("in the %s: %q, %+v", k.Storage(), k.Reason(), tpm.Identity())
	if k, err = devicekey.Read(path, tpm); err != nil {
		t.Fatal(err)
	}
	if _, err := certificateRequest(k); err != nil {
		t.Error(err)
	}
	if none := k.Reason() != "" && !k.TPMFailed(); none != (tpm.Identity() == nil) || (k.Storage() == api.KeyInTPM) == none {
		t.Errorf("it is in the %s: %q", k.Storage(), k.Reason())
	}
}

func TestWindowsBootsHaveNames(t *testing.T) {
	s := openWindows(t)
	first := s.BootID()
	if second := s.BootID(); first == "" || second != first {
		t.Errorf("%q, then %q", first, second)
	}
	if err := errors.Join(removeBootKey(), removeBootKey()); err != nil {
		t.Error(err)
	}
	if third := s.BootID(); third == "" || third == first {
		t.Errorf("another boot has the name %q", third)
	}
	if err := removeBootKey(); err != nil {
		t.Error(err)
	}
}

func TestWindowsFolderAccessIsWellFormed(t *testing.T) {
	for _, sddl := range []string{adminsOnlySDDL, everyoneSDDL} {
		sd, err := windows.SecurityDescriptorFromString(sddl)
		if err != nil {
			t.Fatal(err)
		}
		if control, _, err := sd.Control(); err != nil || control&windows.SE_DACL_PROTECTED == 0 {
			t.Errorf("%s inherits: %v", sddl, err)
		}
		owner, _, err := sd.Owner()
		if err != nil || !isTrusted(owner) {
			t.Errorf("%s: owner %v, %v", sddl, owner, err)
		}
	}
	everybody, err := windows.CreateWellKnownSid(windows.WinWorldSid)
	if err != nil {
		t.Fatal(err)
	}
	if isTrusted(everybody) {
		t.Error("everybody is trusted")
	}
}

func TestWindowsMakeFolderTwice(t *testing.T) {
	s := openWindows(t)
	dir := filepath.Join(tempDir(t), "a", "b")
	for range 2 {
		if err := s.MakeFolder(dir, AdminsOnly); err != nil {
			t.Fatal(err)
		}
	}
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := s.MakeFolder(file, AdminsOnly); err == nil {
		t.Error("a file was taken for a folder")
	}
}

func TestWindowsLockIsHeldByOne(t *testing.T) {
	s := openWindows(t)
	file := filepath.Join(tempDir(t), "lock")
	unlock, err := s.Lock(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 250*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, file); !errors.Is(err, ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	if err := unlock(false); err != nil {
		t.Fatal(err)
	}
	if unlock, err = s.Lock(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	if err := unlock(true); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Lstat(file); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file: %v", err)
	}
}

// startShell runs a command as if it were a payload.
func startShell(t *testing.T, s System, arguments string) Process {
	t.Helper()
	shell, err := exec.LookPath("cmd.exe")
	if err != nil {
		t.Fatal(err)
	}
	p, err := s.StartPayload("exe", shell, "/d /c "+arguments)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return p
}

func TestWindowsPayloadProcess(t *testing.T) {
	s := openWindows(t)
	code, err := startShell(t, s, "exit -5").Wait(t.Context())
	if err != nil || code != -5 {
		t.Errorf("code %d, %v", code, err)
	}

	// Found again by another process's id of it, awaited, and ended.
	p := startShell(t, s, "ping -n 60 127.0.0.1")
	found, err := s.FindProcess(p.ID())
	if err != nil {
		t.Fatal(err)
	}
	defer found.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := found.Wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it ended: %v", err)
	}
	for range 2 {
		if err := p.Kill(); err != nil {
			t.Errorf("killing: %v", err)
		}
	}
	if code, err := found.Wait(t.Context()); err != nil || code != 1 {
		t.Errorf("after the kill: code %d, %v", code, err)
	}

	// The same number is not the same process.
	other := p.ID()
	other.Created++
	if _, err := s.FindProcess(other); !errors.Is(err, ErrNoProcess) {
		t.Errorf("got %v", err)
	}
	if _, err := s.FindProcess(ProcessID{PID: 0x7ffffffc}); !errors.Is(err, ErrNoProcess) {
		t.Errorf("got %v", err)
	}
}

// What a payload starts in its first moment ends with it.
func TestWindowsPayloadTakesItsChildrenAlong(t *testing.T) {
	s := openWindows(t)
	mark := filepath.Join(tempDir(t), "mark")
	// The child writes the mark anew as long as it lives.
	p := startShell(t, s, `cmd.exe /d /c "for /l %i in (1,1,300) do (echo %i> `+mark+` & ping -n 2 127.0.0.1 > nul)"`)
	alive := func() bool { _, err := os.Lstat(mark); return err == nil }
	for range 200 {
		if alive() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if !alive() {
		t.Fatal("the child does not run")
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveAll(mark); err != nil {
		t.Fatal(err)
	}
	time.Sleep(3 * time.Second)
	if alive() {
		t.Error("the child runs on")
	}
}

func TestWindowsServiceThatDoesNotListenIsEnded(t *testing.T) {
	p := startShell(t, openWindows(t), "ping -n 60 127.0.0.1")
	deaf, err := openService(uint32(p.ID().PID))
	if err != nil {
		t.Fatal(err)
	}
	defer deaf.close()
	if deaf.gone() {
		t.Fatal("it is not there")
	}
	if err := deaf.end(errors.New("deaf")); err != nil || !deaf.gone() {
		t.Errorf("gone %v, %v", deaf.gone(), err)
	}
	if err := deaf.stop(t.Context(), nil); err != nil {
		t.Errorf("whose process is gone has stopped, whatever the service manager says: %v", err)
	}
}

// A process that nobody can open any more has ended.
func TestWindowsServiceThatDied(t *testing.T) {
	const never = 0x7ffffffc
	if _, err := openService(never); !errors.Is(err, errNoSuchProcess) {
		t.Errorf("got %v", err)
	}
	if _, err := openService(0); err == nil || errors.Is(err, errNoSuchProcess) {
		t.Errorf("a service that has no process yet: %v", err)
	}
}

// placed has its folders where the test wants them.
type placed struct {
	System
	layout Layout
}

func (p placed) Layout() Layout { return p.layout }

// An agent that hangs holds up nobody who stops the service, and it is seen why.
func TestWindowsServiceThatHangs(t *testing.T) {
	dir := tempDir(t)
	never := make(chan struct{})
	defer close(never)
	h := &handler{
		ctx: t.Context(), patience: 50 * time.Millisecond, agent: &Agent{System: placed{openWindows(t), Layout{Data: dir}}},
		run: func(context.Context) error { hangHere(never); return nil },
	}
	requests, status := make(chan svc.ChangeRequest, 3), make(chan svc.Status, 9)
	requests <- svc.ChangeRequest{Cmd: svc.Stop}
	requests <- svc.ChangeRequest{Cmd: svc.Stop}
	if specific, code := h.Execute(nil, requests, status); specific || code != 0 || !errors.Is(h.err, errStuck) {
		t.Errorf("%v %d, %v", specific, code, h.err)
	}
	for _, want := range []svc.State{svc.Running, svc.StopPending} {
		if s := <-status; s.State != want {
			t.Errorf("state %v, want %v", s.State, want)
		}
	}
	log, err := os.ReadFile(h.agent.System.Layout().ServiceLog())
	if err != nil || !strings.Contains(string(log), "the agent does not end") || !strings.Contains(string(log), "hangHere") {
		t.Errorf("%v, the log: %s", err, log)
	}
}

func hangHere(never <-chan struct{}) { <-never }

func TestWindowsRemoveAllWaitsForAnOpenFile(t *testing.T) {
	s := openWindows(t)
	dir := filepath.Join(tempDir(t), "a")
	if err := os.MkdirAll(filepath.Join(dir, "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "b", "file"))
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(300*time.Millisecond, func() { _ = f.Close() })
	for range 2 {
		if err := s.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Lstat(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("left: %v", err)
	}
}

func TestWindowsWriteFileWaitsForAReader(t *testing.T) {
	path := filepath.Join(tempDir(t), "report.json")
	if err := statefile.WriteBytes(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(200*time.Millisecond, func() { _ = f.Close() })
	if err := statefile.WriteBytes(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != "new" {
		t.Errorf("%q, %v", got, err)
	}
}

// The tile removes the file in which it counts its starts at any time, also while
// its folder is looked through.
func TestWindowsTakesFoldersWhoseFilesGo(t *testing.T) {
	s, dir := openWindows(t), filepath.Join(tempDir(t), "folder")
	if err := s.MakeFolder(dir, Everyone); err != nil {
		t.Fatal(err)
	}
	stop, stopped := make(chan struct{}), make(chan struct{})
	defer func() { close(stop); <-stopped }()
	go func() {
		defer close(stopped)
		for n := 0; ; n++ {
			select {
			case <-stop:
				return
			default:
				starts := filepath.Join(dir, fmt.Sprintf("%d.starts", n%20))
				_ = os.WriteFile(starts, nil, 0o600) // a folder that is looked at may hold it for a moment
				_ = os.Remove(starts)
			}
		}
	}()
	for range 200 {
		if err := s.MakeFolder(dir, Everyone); err != nil {
			t.Fatal(err)
		}
	}
}

// A folder that is there already may be somebody's trap.
func TestWindowsTakesOnlyPlainFolders(t *testing.T) {
	s, dir := openWindows(t), tempDir(t)
	plain, elsewhere := filepath.Join(dir, "plain"), filepath.Join(dir, "elsewhere")
	if err := errors.Join(os.MkdirAll(filepath.Join(plain, "inside"), 0o755), os.Mkdir(elsewhere, 0o755),
		os.WriteFile(filepath.Join(plain, "file"), []byte("ours"), 0o600)); err != nil {
		t.Fatal(err)
	}
	if err := s.MakeFolder(plain, AdminsOnly); err != nil {
		t.Errorf("a plain folder: %v", err)
	}
	if err := s.MakeFolder(filepath.Join(plain, "file"), AdminsOnly); err == nil {
		t.Error("a file is taken for a folder")
	}
	for name, link := range map[string]string{"itself": filepath.Join(dir, "junction"), "inside": filepath.Join(plain, "inside", "junction")} {
		if out, err := exec.Command("cmd", "/c", "mklink", "/J", link, elsewhere).CombinedOutput(); err != nil {
			t.Logf("%s: no junctions here: %v\n%s", name, err, out)
			continue
		}
		if info, err := os.Lstat(link); err != nil || info.Mode()&(os.ModeSymlink|os.ModeIrregular) == 0 {
			t.Logf("%s: the junction is none: %v", name, err) // Wine 8 says it made one
			continue
		}
		taken := plain
		if name == "itself" {
			taken = link
		}
		if err := s.MakeFolder(taken, AdminsOnly); err == nil {
			t.Errorf("%s: a junction is followed", name)
		}
		if err := os.Remove(link); err != nil {
			t.Error(err)
		}
	}
}
