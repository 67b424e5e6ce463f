package desktop

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/webview"
)

// Opener starts windows on the sign-in desktop. It has to be SYSTEM.
type Opener struct {
	// Program is this very program, which has both commands.
	Program string
	// LogOn logs our account on, as a batch job.
	LogOn func(context.Context) (windows.Token, error)
	// Folder is where the browsers of windows with pages write, each in a folder of
	// its own. Empty: the windows have a code, and write nothing.
	Folder string
	// Remove removes what is at a path: files, folders with all in them, and links.
	Remove func(path string) error
	Log    *slog.Logger
}

// Wipe removes what browsers have left. None may be open.
func (o *Opener) Wipe() error { return (&folders{root: o.Folder, remove: o.Remove}).wipe() }

const signInDesktop = stationName + `\` + desktopName

// Open starts a window, for [Keeper].
func (o *Opener) Open(ctx context.Context) (Window, error) {
	session, err := consoleSession()
	if err != nil {
		return nil, err
	}
	logon, err := o.LogOn(ctx)
	if err != nil {
		return nil, fmt.Errorf("logging the sign-in window's account on: %w", err)
	}
	defer logon.Close() //nolint:errcheck // the process has its own
	sid, err := logonOf(logon)
	if err != nil {
		return nil, err
	}
	token, err := windowToken(logon, session)
	if err != nil {
		return nil, err
	}
	defer token.Close() //nolint:errcheck // the process has its own
	w := &window{log: o.Log}
	start := &command{kind: codeKind, token: token, program: o.Program, desktop: signInDesktop}
	if o.Folder != "" {
		start.kind, w.folders = pagesKind, &folders{root: o.Folder, make: makeFolderFor(logon), remove: o.Remove}
		if start.folder, err = w.fresh(); err != nil {
			return nil, err
		}
	}
	if w.doorkeeper, err = o.letIn(ctx, session, sid); err != nil {
		return nil, fmt.Errorf("letting the sign-in window onto the desktop: %w", err)
	}
	w.process, err = start.start()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("starting the sign-in window: %w", err), w.shutOut())
	}
	o.Log.InfoContext(ctx, "the sign-in window was started", "pid", w.pid, "session", session)
	return w, nil
}

// doorTime is how long the doorkeeper may take to open.
const doorTime = 5 * time.Second

// letIn starts a doorkeeper and waits until the way is open. Its job does not
// end with this process, so that it can shut the door then.
func (o *Opener) letIn(ctx context.Context, session uint32, sid string) (*process, error) {
	token, err := doorkeeperToken(session)
	if err != nil {
		return nil, err
	}
	defer token.Close() //nolint:errcheck // the process has its own
	d, err := (&command{kind: doorkeeperKind, token: token, program: o.Program, desktop: signInDesktop}).start()
	if err != nil {
		return nil, err
	}
	err = d.SetDeadline(time.Now().Add(doorTime))
	stop := context.AfterFunc(ctx, func() { _ = d.SetDeadline(time.Now()) })
	if err == nil {
		_, err = d.Write([]byte(sid + "\n"))
	}
	if err == nil {
		err = readDoorAnswer(d)
	}
	stop()
	if err != nil {
		if code, itself, ended := d.End(); ended == nil && itself && code != 0 {
			err = fmt.Errorf("%w (%w)", err, exitError(code))
		}
		return nil, err
	}
	return d, nil
}

// window is a window, and who lets it in for as long as it is there.
type window struct {
	*process
	*folders   // that its browser writes to; nil: it has none
	doorkeeper *process
	log        *slog.Logger
}

// End ends the process, then takes back what its logon was allowed.
func (w *window) End() error {
	code, itself, err := w.process.End()
	if shut := w.shutOut(); shut != nil {
		w.log.Warn("the sign-in window's logon is still let onto the desktop", "error", shut)
	}
	if w.folders != nil {
		if left := w.wipe(); left != nil { // the next one will
			w.log.Warn("what the browser wrote was not wiped", "error", left)
		}
	}
	switch {
	case err != nil:
		return fmt.Errorf("ending the sign-in window: %w", err)
	case !itself:
		w.log.Warn("the sign-in window did not go, and was ended")
		return nil
	case code != 0:
		return fmt.Errorf("the sign-in window: %w", exitError(code))
	}
	return nil
}

func (w *window) shutOut() error {
	code, itself, err := w.doorkeeper.End()
	if err != nil {
		return err
	}
	if !itself {
		return errors.New("the doorkeeper did not end")
	}
	if code != 0 {
		return exitError(code)
	}
	return nil
}

// exitError is the exit code of a process that did not end well.
type exitError uint32

func (e exitError) Error() string {
	if f := webview.FailureError(e); f.Known() {
		return f.Error()
	}
	if windows.NTStatus(e) == windows.STATUS_DLL_INIT_FAILED {
		return "Windows did not let it onto the desktop"
	}
	return fmt.Sprintf("it ended with code %#x", uint32(e))
}

// makeFolderFor makes folders that only the system and whom the token is of may use.
func makeFolderFor(t windows.Token) func(dir string) error {
	return func(dir string) error {
		user, err := t.GetTokenUser()
		if err != nil {
			return os.NewSyscallError("GetTokenInformation", err)
		}
		const all, modify = "FA", "0x1301bf"
		sd, err := windows.SecurityDescriptorFromString("D:P(A;OICI;" + all + ";;;SY)(A;OICI;" + all + ";;;BA)(A;OICI;" + modify + ";;;" + user.User.Sid.String() + ")")
		if err != nil {
			return err
		}
		sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
		sa.Length = uint32(unsafe.Sizeof(*sa))
		name, err := windows.UTF16PtrFromString(dir)
		if err != nil {
			return err
		}
		if err := windows.CreateDirectory(name, sa); err != nil {
			return &os.PathError{Op: "mkdir", Path: dir, Err: err}
		}
		return nil
	}
}
