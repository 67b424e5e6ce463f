package desktop

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unsafe"

	"firstday.dev/agent/signin"
	"firstday.dev/agent/webview"
	"firstday.dev/api"
	"golang.org/x/sys/windows"
)

// These run under Wine, see TestUnderWine. There, tokens keep all privileges, of
// a job's limits only the end of the service counts, and desktops have access
// lists that nobody looks at.

// The tests' own program is both processes, and a service.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case WindowCommand, PagesCommand:
			pretendWindow()
		case DoorkeeperCommand:
			if err := KeepDoor(os.Stdin, os.Stdout); err != nil {
				os.Exit(7)
			}
			os.Exit(0)
		case "service":
			pretendService()
		}
	}
	os.Exit(m.Run())
}

// pretendWindow does what it is told.
func pretendWindow() {
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		switch word, rest, _ := strings.Cut(in.Text(), " "); word {
		case "say":
			fmt.Println(rest)
		case "environment":
			fmt.Println(strings.Join(slices.Sorted(maps.Keys(environment())), " "))
		case "folder":
			dir, _ := os.Getwd()
			fmt.Println(dir)
		case "errors":
			fmt.Fprintln(os.Stderr, "nobody reads this")
			fmt.Println("told")
		case "handle":
			fmt.Println(describe(rest))
		case "flood":
			for {
				if _, err := os.Stdout.Write(bytes.Repeat([]byte("x"), 1<<16)); err != nil {
					os.Exit(9)
				}
			}
		case "arguments":
			fmt.Println(strings.Join(os.Args[1:], " "))
		case "variable":
			fmt.Println(os.Getenv(rest))
		case "write":
			if err := os.WriteFile(filepath.Join(os.Getenv("TEMP"), rest), []byte("x"), 0o600); err != nil {
				fmt.Println(err)
			} else {
				fmt.Println("written")
			}
		case "start": // what does not end with its parent
			child := exec.Command(os.Args[0], PagesCommand)
			in, err := child.StdinPipe()
			if err == nil {
				err = child.Start()
			}
			if err == nil {
				_, err = io.WriteString(in, "hang\n")
			}
			fmt.Println(child.Process.Pid, err)
		case "failure":
			os.Exit(int(webview.ErrNoController))
		case "hang":
			time.Sleep(time.Hour)
		case "exit":
			os.Exit(3)
		}
	}
	os.Exit(0)
}

// environment gives the variables, but for those that Wine sets for itself.
func environment() map[string]string {
	set := make(map[string]string)
	for _, v := range os.Environ() {
		if name, value, _ := strings.Cut(v, "="); !strings.HasPrefix(name, "WINE") && name != "SystemDrive" {
			set[name] = value
		}
	}
	return set
}

// describe tells whether a handle, in hexadecimal, is one of this process's.
func describe(handle string) string {
	var h uint64
	_, _ = fmt.Sscanf(handle, "%x", &h)
	if err := windows.SetEvent(windows.Handle(h)); err != nil {
		return "none"
	}
	return "there"
}

var procCreateDesktop = user32.NewProc("CreateDesktopW")

// signInScreen makes the desktop that Windows signs people in on, and gives it
// an access list with something in it.
func signInScreen(t *testing.T) {
	t.Helper()
	text, err := windows.UTF16PtrFromString(desktopName)
	if err != nil {
		t.Fatal(err)
	}
	const all = 0xf01ff
	h, _, err := procCreateDesktop.Call(uintptr(unsafe.Pointer(text)), 0, 0, 0, all, 0)
	if h == 0 {
		t.Fatalf("CreateDesktop: %v", err)
	}
	t.Cleanup(func() { _, _, _ = procCloseDesktop.Call(h) })
	d, err := openDoor("S-1-5-5-0-1")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	for _, h := range []windows.Handle{d.station, d.desktop} {
		setAccess(t, h, "D:(D;;0x10;;;BU)(A;;0xf037f;;;SY)(A;;0xf037f;;;BA)")
	}
}

func setAccess(t *testing.T, h windows.Handle, sddl string) {
	t.Helper()
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		t.Fatal(err)
	}
	dacl, _, err := sd.DACL()
	if err != nil {
		t.Fatal(err)
	}
	if err := windows.SetSecurityInfo(h, windows.SE_WINDOW_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, dacl, nil); err != nil {
		t.Fatal(err)
	}
}

// doors gives the access lists of station and desktop as text.
func doors(t *testing.T) string {
	t.Helper()
	d, err := openDoor("S-1-5-5-0-1")
	if err != nil {
		t.Fatal(err)
	}
	defer d.close()
	var texts []string
	for _, h := range []windows.Handle{d.station, d.desktop} {
		sd, err := windows.GetSecurityInfo(h, windows.SE_WINDOW_OBJECT, windows.DACL_SECURITY_INFORMATION)
		if err != nil {
			t.Fatal(err)
		}
		texts = append(texts, sd.String())
	}
	return strings.Join(texts, " ")
}

// opener logs on as whoever runs the tests: nobody else has a token here.
func opener(t testing.TB) *Opener {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return &Opener{Program: exe, Log: slog.New(slog.DiscardHandler), LogOn: ownToken}
}

func ownToken(context.Context) (own windows.Token, err error) {
	err = windows.OpenProcessToken(windows.CurrentProcess(), windows.TOKEN_ALL_ACCESS, &own)
	return own, err
}

func open(t *testing.T) *window {
	t.Helper()
	w, err := opener(t).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w.(*window)
}

func TestWindowsOpensAndEnds(t *testing.T) {
	signInScreen(t)
	before := doors(t)
	event, err := windows.CreateEvent(&windows.SecurityAttributes{Length: 24, InheritHandle: 1}, 1, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(event)
	w := open(t)
	during := doors(t)
	if n := strings.Count(during, ";;;S-1-5-5-"); n != 2 {
		t.Errorf("the logon is in %d access lists: %s", n, during)
	}
	answers := bufio.NewScanner(w)
	ask := func(what, want string) {
		t.Helper()
		if _, err := io.WriteString(w, what+"\n"); err != nil {
			t.Fatal(err)
		}
		if !answers.Scan() || answers.Text() != want {
			t.Errorf("%s: %q, %v, want %q", what, answers.Text(), answers.Err(), want)
		}
	}
	ask("say hello", "hello")
	ask("errors", "told")
	ask("environment", "PATH SystemRoot")
	system, err := windows.GetSystemDirectory()
	if err != nil {
		t.Fatal(err)
	}
	ask("folder", system)
	ask(fmt.Sprintf("handle %x", event), "none") // though it can be inherited
	if err := w.End(); err != nil {
		t.Error(err)
	}
	if after := doors(t); after != before {
		t.Errorf("the access lists are %s, before %s", after, before)
	}
}

// A window that does not go when its input ends is ended; one that has gone by
// itself says how.
func TestWindowsEnds(t *testing.T) {
	signInScreen(t)
	for word, want := range map[string]string{"hang": "", "say nothing": "", "exit": "the sign-in window: it ended with code 0x3"} {
		before := doors(t)
		w := open(t)
		if _, err := io.WriteString(w, word+"\n"); err != nil {
			t.Fatal(err)
		}
		if word == "exit" {
			<-w.Ended()
		}
		got := ""
		if err := w.End(); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%s: %q, want %q", word, got, want)
		}
		select {
		case <-w.Ended():
		default:
			t.Errorf("%s: the process runs on", word)
		}
		if after := doors(t); after != before {
			t.Errorf("%s: the access lists are %s, before %s", word, after, before)
		}
	}
}

// waiting is a sign-in that waits for somebody with a telephone.
type waiting struct{}

func (waiting) Elsewhere(context.Context) error { return nil }
func (waiting) Screen() signin.Screen           { return signin.Screen{Serial: 2, State: signin.Waiting} }
func (s waiting) Next(ctx context.Context, serial int64) (signin.Screen, error) {
	if serial != s.Screen().Serial {
		return s.Screen(), nil
	}
	<-ctx.Done()
	return s.Screen(), ctx.Err()
}

// One that ends at once, or floods the service, is tried three times; then the
// sign-in goes on without.
func TestWindowsGivesUp(t *testing.T) {
	signInScreen(t)
	for word, want := range map[string][]string{
		"exit":  {"it ended with code 0x3"},
		"flood": {errSilent.Error(), "it ended with code 0x9"}, // whichever is seen first: it ends when it is hung up on
	} {
		before, tries := doors(t), 0
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		k := NewKeeper(waiting{})
		k.Vacant, k.Log, k.Open = func() bool { return true }, slog.New(slog.DiscardHandler), opener(t).Open
		k.Choice = func() api.SignInWindow { return api.WindowQR }
		k.Serve = func(ctx context.Context, conn io.ReadWriteCloser) {
			tries++
			defer conn.Close()
			defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
			_, _ = io.WriteString(conn, word+"\n")
			_, _ = bufio.NewReaderSize(io.LimitReader(conn, 1024), 1024).ReadString('\n')
		}
		problem := ""
		k.Report = func(_ context.Context, p string) { problem = p; cancel() }
		k.Started(TileSurface)
		k.Run(ctx)
		if tries != maxTries || !slices.ContainsFunc(want, func(one string) bool { return strings.Contains(problem, one) }) {
			t.Errorf("%s: given up after %d tries: %q, want %q", word, tries, problem, want)
		}
		if after := doors(t); after != before {
			t.Errorf("%s: the access lists are %s, before %s", word, after, before)
		}
	}
}

// pretendService opens a window, tells its number, and stays until it is killed.
func pretendService() {
	exe, err := os.Executable()
	if err != nil {
		os.Exit(8)
	}
	o := &Opener{Program: exe, Log: slog.New(slog.DiscardHandler), LogOn: ownToken}
	w, err := o.Open(context.Background())
	if err != nil {
		fmt.Println(err)
		os.Exit(8)
	}
	_, _ = io.WriteString(w, "hang\n")
	fmt.Println(w.(*window).pid)
	time.Sleep(time.Hour)
}

// The service is killed: the window goes with it, at once, and the doorkeeper
// takes back what it had allowed.
func TestWindowsGoesWithTheService(t *testing.T) {
	signInScreen(t)
	before := doors(t)
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	service := exec.Command(exe, "service")
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	var pid uint32
	if _, err := fmt.Fscan(out, &pid); err != nil {
		t.Fatal(err)
	}
	window, err := windows.OpenProcess(windows.SYNCHRONIZE, false, pid)
	if err != nil {
		t.Fatal(err)
	}
	defer windows.CloseHandle(window)
	if !strings.Contains(doors(t), ";;;S-1-5-5-") {
		t.Error("the door is not open")
	}
	if err := service.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = service.Wait() // it was killed
	if event, err := windows.WaitForSingleObject(window, 10_000); err != nil || event != windows.WAIT_OBJECT_0 {
		t.Errorf("the window is still there: %v", err)
	}
	for deadline := time.Now().Add(10 * time.Second); doors(t) != before; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the access lists are %s, before %s", doors(t), before)
		}
	}
}

// Who asks for the door gets it only for a logon, and hears why not.
func TestWindowsDoorkeeper(t *testing.T) {
	var out bytes.Buffer
	if err := KeepDoor(strings.NewReader("S-1-1-0\n"), &out); !errors.Is(err, errDoorLine) || out.Len() != 0 {
		t.Errorf("everyone: %v, %q", err, out.String())
	}
	// There is no such desktop yet.
	err := KeepDoor(strings.NewReader("S-1-5-5-0-77\n"), &out)
	if err == nil || !strings.HasPrefix(out.String(), "error opening the desktop Winlogon: ") {
		t.Errorf("without a desktop: %v, %q", err, out.String())
	}
	signInScreen(t)
	before := doors(t)
	in, service := io.Pipe()
	answers, doorkeeper := io.Pipe()
	ended := make(chan error, 1)
	go func() { ended <- KeepDoor(in, doorkeeper) }()
	if _, err := io.WriteString(service, "S-1-5-5-0-77\n"); err != nil {
		t.Fatal(err)
	}
	if err := readDoorAnswer(answers); err != nil {
		t.Error(err)
	}
	if n := strings.Count(doors(t), ";;;S-1-5-5-0-77)"); n != 2 {
		t.Errorf("the logon is in %d access lists", n)
	}
	_ = service.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if after := doors(t); after != before {
		t.Errorf("the access lists are %s, before %s", after, before)
	}
}

// Windows reads what grant writes, and keeps it as it is.
func TestWindowsReadsAccessLists(t *testing.T) {
	sid, err := windows.StringToSid("S-1-5-5-0-12345")
	if err != nil {
		t.Fatal(err)
	}
	raw := unsafe.Slice((*byte)(unsafe.Pointer(sid)), sid.Len())
	for before, want := range map[string]string{
		"D:":                               "D:(A;;CCDCLCDTLORC;;;S-1-5-5-0-12345)",
		"D:(A;;RPWP;;;SY)":                 "D:(A;;CCDCLCDTLORC;;;S-1-5-5-0-12345)(A;;RPWP;;;SY)",
		"D:(D;;CC;;;BU)(A;OICIIO;GA;;;SY)": "D:(D;;CC;;;BU)(A;;CCDCLCDTLORC;;;S-1-5-5-0-12345)(A;OICIIO;GA;;;SY)",
	} {
		sd, err := windows.SecurityDescriptorFromString(before)
		if err != nil {
			t.Fatal(err)
		}
		dacl, _, err := sd.DACL()
		if err != nil {
			t.Fatal(err)
		}
		acl, err := grant(aclBytes(dacl), raw, desktopAccess)
		if err != nil {
			t.Fatal(err)
		}
		if got := sddlOf(t, acl); got != want {
			t.Errorf("%s became %s, want %s", before, got, want)
		}
		if acl, err = revoke(acl, raw, desktopAccess); err != nil || sddlOf(t, acl) != before {
			t.Errorf("%s, %v after revoking, before %s", sddlOf(t, acl), err, before)
		}
	}
}

func sddlOf(t *testing.T, acl []byte) string {
	t.Helper()
	sd, err := windows.NewSecurityDescriptor()
	if err == nil {
		err = sd.SetDACL((*windows.ACL)(unsafe.Pointer(&acl[0])), true, false)
	}
	if err == nil {
		sd, err = sd.ToSelfRelative()
	}
	if err != nil {
		t.Fatal(err)
	}
	return sd.String()
}

// Where Windows does not say who is at the console, somebody may be.
func TestWindowsVacant(t *testing.T) {
	if session, err := consoleSession(); err != nil {
		t.Errorf("session %d, %v", session, err)
	}
	if Vacant() {
		t.Error("nobody is signed in, says Wine, which does not know")
	}
}
