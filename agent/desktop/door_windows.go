package desktop

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

var (
	user32                 = windows.NewLazySystemDLL("user32.dll")
	procOpenWindowStation  = user32.NewProc("OpenWindowStationW")
	procCloseWindowStation = user32.NewProc("CloseWindowStation")
	procOpenDesktop        = user32.NewProc("OpenDesktopW")
	procCloseDesktop       = user32.NewProc("CloseDesktop")
)

// Where Windows has people sign in.
const (
	stationName = "WinSta0"
	desktopName = "Winlogon"
)

// What a program needs that shows one window, in the words of winuser.h. It gets
// neither clipboard nor screen contents, no hooks, no journals, no other desktop
// and no way to end Windows.
const (
	stationAccess = winstaEnumDesktops | winstaReadAttributes | winstaAccessGlobalAtoms | windows.READ_CONTROL
	desktopAccess = desktopReadObjects | desktopCreateWindow | desktopCreateMenu | desktopEnumerate | desktopWriteObjects | windows.READ_CONTROL

	winstaEnumDesktops      = 0x1
	winstaReadAttributes    = 0x2
	winstaAccessGlobalAtoms = 0x20 // where names of window classes and messages live

	desktopReadObjects  = 0x1
	desktopCreateWindow = 0x2
	desktopCreateMenu   = 0x4
	desktopEnumerate    = 0x40
	desktopWriteObjects = 0x80
)

// KeepDoor is the doorkeeper: it lets the logon in whose SID it reads, says so,
// and takes that back when its input ends. It has to run in the session of the
// desktop, as who may change that desktop's access list: SYSTEM.
func KeepDoor(in io.Reader, out io.Writer) error {
	text, err := readLogonSID(in)
	if err != nil {
		return err
	}
	d, err := openDoor(text)
	if err == nil {
		defer d.close()
		err = d.open()
	}
	if _, told := io.WriteString(out, doorAnswer(err)); told != nil {
		err = errors.Join(err, told)
	}
	if err == nil {
		_, err = io.Copy(io.Discard, in)
	}
	if d != nil {
		err = errors.Join(err, d.shut())
	}
	return err
}

// door is the window station and its desktop, and who is let in.
type door struct {
	station, desktop windows.Handle
	sid              []byte
}

func openDoor(logon string) (d *door, err error) {
	sid, err := windows.StringToSid(logon)
	if err != nil {
		return nil, fmt.Errorf("the SID %s: %w", logon, err)
	}
	d = &door{sid: unsafe.Slice((*byte)(unsafe.Pointer(sid)), sid.Len())}
	const access = windows.READ_CONTROL | windows.WRITE_DAC
	if d.station, err = openUserObject(procOpenWindowStation, stationName, 0, access); err != nil {
		return nil, fmt.Errorf("opening the window station %s: %w", stationName, err)
	}
	// In the window station of this process, which was started there.
	if d.desktop, err = openUserObject(procOpenDesktop, desktopName, 0, 0, access); err != nil {
		d.close()
		return nil, fmt.Errorf("opening the desktop %s: %w", desktopName, err)
	}
	return d, nil
}

// openUserObject opens by name, with whatever follows the name.
func openUserObject(proc *windows.LazyProc, name string, rest ...uintptr) (windows.Handle, error) {
	text, err := windows.UTF16PtrFromString(name)
	if err != nil {
		return 0, err
	}
	h, _, err := proc.Call(append([]uintptr{uintptr(unsafe.Pointer(text))}, rest...)...)
	runtime.KeepAlive(text)
	if h == 0 {
		return 0, err
	}
	return windows.Handle(h), nil
}

func (d *door) close() {
	if d.desktop != 0 {
		_, _, _ = procCloseDesktop.Call(uintptr(d.desktop)) // nothing to be done about it
	}
	if d.station != 0 {
		_, _, _ = procCloseWindowStation.Call(uintptr(d.station))
	}
}

func (d *door) open() error { return d.change(grant) }
func (d *door) shut() error { return d.change(revoke) }

// change changes both lists, as far as it goes.
func (d *door) change(edit func(acl, sid []byte, mask uint32) ([]byte, error)) error {
	err := changeAccess(d.station, func(acl []byte) ([]byte, error) { return edit(acl, d.sid, stationAccess) })
	if err != nil {
		err = fmt.Errorf("the access list of %s: %w", stationName, err)
	}
	other := changeAccess(d.desktop, func(acl []byte) ([]byte, error) { return edit(acl, d.sid, desktopAccess) })
	if other != nil {
		other = fmt.Errorf("the access list of %s: %w", desktopName, other)
	}
	return errors.Join(err, other)
}

// changeAccess changes the access list of a window station or desktop. Where
// there is none, everybody may do everything, and nothing changes.
func changeAccess(h windows.Handle, edit func([]byte) ([]byte, error)) error {
	sd, err := windows.GetSecurityInfo(h, windows.SE_WINDOW_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	dacl, _, err := sd.DACL()
	if errors.Is(err, windows.ERROR_OBJECT_NOT_FOUND) || err == nil && dacl == nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("reading it: %w", err)
	}
	changed, err := edit(aclBytes(dacl))
	if err != nil {
		return err
	}
	err = windows.SetSecurityInfo(h, windows.SE_WINDOW_OBJECT, windows.DACL_SECURITY_INFORMATION, nil, nil, (*windows.ACL)(unsafe.Pointer(&changed[0])), nil)
	if err != nil {
		return fmt.Errorf("changing it: %w", err)
	}
	return nil
}

// aclBytes gives the list as it lies in memory: its size is in its third and
// fourth byte.
func aclBytes(acl *windows.ACL) []byte {
	head := unsafe.Slice((*byte)(unsafe.Pointer(acl)), aclHeader)
	return unsafe.Slice((*byte)(unsafe.Pointer(acl)), int(head[2])|int(head[3])<<8)
}
