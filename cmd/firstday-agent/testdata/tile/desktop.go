package main

import (
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/window"
)

var (
	user32             = windows.NewLazySystemDLL("user32.dll")
	createDesktop      = user32.NewProc("CreateDesktopW")
	enumDesktopWindows = user32.NewProc("EnumDesktopWindows")
	enumChildWindows   = user32.NewProc("EnumChildWindows")
	getClassName       = user32.NewProc("GetClassNameW")
	getWindowLong      = user32.NewProc("GetWindowLongW")
	sendMessageTimeout = user32.NewProc("SendMessageTimeoutW")
)

// desktop is the one that Windows signs people in on. Windows has it made, and Wine
// does not know it.
type desktop windows.Handle

func makeDesktop() (desktop, error) {
	name, err := windows.UTF16PtrFromString("Winlogon")
	if err != nil {
		return 0, err
	}
	const all = 0xf01ff
	h, _, err := createDesktop.Call(uintptr(unsafe.Pointer(name)), 0, 0, 0, all, 0)
	if h == 0 {
		return 0, os.NewSyscallError("CreateDesktop", err)
	}
	return desktop(h), nil
}

// await waits until the sign-in window shows what is wanted, and gives its texts,
// as a screen reader finds them; nil: there is no window.
func (d desktop) await(what string, wanted func(texts []string) bool) ([]string, error) {
	var texts []string
	for begun := time.Now(); time.Since(begun) < 30*time.Second; time.Sleep(50 * time.Millisecond) {
		if texts = d.texts(); wanted(texts) {
			return texts, nil
		}
	}
	return nil, fmt.Errorf("there is never %s on the desktop: %q", what, texts)
}

func (d desktop) texts() (texts []string) {
	for _, h := range enumerate(enumDesktopWindows, uintptr(d)) {
		// Not IsWindowVisible: the desktop itself has no screen here.
		const styles, visible = ^uintptr(15), 0x10000000 // GWL_STYLE, WS_VISIBLE
		if style, _, _ := getWindowLong.Call(h, styles); style&visible == 0 || className(h) != window.Class {
			continue
		}
		texts = append(texts, "") // it has nothing to say yet
		for _, child := range enumerate(enumChildWindows, h) {
			if text := textOf(child); text != "" {
				texts = append(texts, text)
			}
		}
	}
	return texts
}

var enumerated []uintptr

var collect = windows.NewCallback(func(h, _ uintptr) uintptr {
	enumerated = append(enumerated, h)
	return 1
})

func enumerate(proc *windows.LazyProc, of uintptr) []uintptr {
	enumerated = nil
	_, _, _ = proc.Call(of, collect, 0)
	return enumerated
}

func className(h uintptr) string {
	var buf [64]uint16
	n, _, _ := getClassName.Call(h, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	return windows.UTF16ToString(buf[:n])
}

// textOf gives the text of a control of another process.
func textOf(h uintptr) string {
	const getText, abortIfHung, milliseconds = 0x0d, 2, 5000
	var buf [1024]uint16
	var n uintptr
	ok, _, _ := sendMessageTimeout.Call(h, getText, uintptr(len(buf)), uintptr(unsafe.Pointer(&buf[0])), abortIfHung, milliseconds, uintptr(unsafe.Pointer(&n)))
	if ok == 0 {
		return "" // it has just gone
	}
	return windows.UTF16ToString(buf[:min(int(n), len(buf))])
}
