package window

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// Class is the name of the window's class.
const Class = "FirstdaySignIn"

// Messages of our own.
const (
	wmScreen = wmApp     // there is another screen
	wmEnd    = wmApp + 1 // there will be none
)

// window is the window and all that is in it. Everything but what mu guards
// belongs to the thread that runs it.
type window struct {
	handle   uintptr
	screen   *local.Screen // nil: none yet, and nothing is seen
	page     *page
	layout   *layout
	at       rect // where it is on the screen
	colours  palette
	fonts    fonts
	controls []*control
	pressed  chan press
	close    context.CancelFunc
	web      *web  // nil: it shows the code
	sent     bool  // nothing has come of the number yet
	err      error // why it cannot be shown

	systems                          map[uintptr]uintptr // what controls do but for us
	windowProc, staticProc, editProc uintptr

	mu   sync.Mutex
	next *local.Screen
}

// Run shows the sign-in that the service at the other end of the pipes tells of,
// until it leaves the window, the person closes it, or the service is gone.
func Run(ctx context.Context, pipes io.ReadWriteCloser) error {
	return run(ctx, pipes, func(*window) {})
}

// run does so in a window that is made ready first.
func run(ctx context.Context, pipes io.ReadWriteCloser, ready func(*window)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runtime.LockOSThread() // windows belong to threads
	defer runtime.UnlockOSThread()
	w, err := newWindow(cancel)
	if err != nil {
		return err
	}
	ready(w)
	ended := make(chan error, 1)
	go func() {
		ended <- w.follow(ctx, pipes)
		call(procPostMessage, w.handle, wmEnd, 0, 0)
	}()
	loop(w.handle)
	cancel()
	err = <-ended
	if w.err != nil {
		return w.err
	}
	if errors.Is(err, context.Canceled) { // somebody closed it
		return nil
	}
	return err
}

func (w *window) follow(ctx context.Context, pipes io.ReadWriteCloser) error {
	surface, shows := local.SurfaceWindow, showsCode
	if w.web != nil {
		surface, shows = local.SurfacePages, showsPages
	}
	client, err := local.NewClient(ctx, local.OverPipes(pipes), surface)
	if err != nil {
		return err
	}
	defer client.Close() //nolint:errcheck // it always closes
	if w.web != nil {
		go w.web.tell(ctx, client)
	}
	return follow(ctx, client, shows, func(s *local.Screen) {
		w.mu.Lock()
		w.next = s
		w.mu.Unlock()
		call(procPostMessage, w.handle, wmScreen, 0, 0)
	}, w.pressed)
}

// newWindow makes a window without a caption, a menu or a button on the task bar,
// which is not seen yet.
func newWindow(closed context.CancelFunc) (*window, error) {
	// Its pixels are those of the screen; where that is not known, the system
	// enlarges them.
	if procSetDpiAwareness.Find() == nil {
		call(procSetDpiAwareness, perMonitorV2)
	}
	// The program is one of a console, which would stand beside the window.
	call(procFreeConsole)
	// A keyboard's own windows lead to its settings; digits need none.
	call(procImmDisableIME, ^uintptr(0))
	w := &window{fonts: fonts{}, colours: systemPalette(), pressed: make(chan press, 4), close: closed, systems: map[uintptr]uintptr{}}
	w.windowProc, w.staticProc, w.editProc = windows.NewCallback(w.message), windows.NewCallback(w.textMessage), windows.NewCallback(w.fieldMessage)
	class := windowClass{name: utf16(Class), proc: w.windowProc, cursor: call(procLoadCursor, 0, idcArrow)}
	class.style = csDropShadow
	class.size = uint32(unsafe.Sizeof(class))
	if r, _, err := procRegisterClassEx.Call(uintptr(unsafe.Pointer(&class))); r == 0 {
		return nil, fmt.Errorf("registering the window's class: %w", err)
	}
	var err error
	w.handle, err = createWindow(wsExTopmost|wsExToolWindow, Class, "", wsPopup|wsClipChildren, 0, 0)
	return w, err
}

// loop hands messages over until the window is gone. A key that is held down
// presses a button once: it may have been pressed for another window.
func loop(window uintptr) {
	var m message
	for int32(call(procGetMessage, uintptr(unsafe.Pointer(&m)), 0, 0, 0)) > 0 {
		presses := m.wParam == keyReturn || m.wParam == keyEscape || m.wParam == keySpace
		if m.message == wmKeyDown && presses && m.lParam&keyRepeat != 0 {
			continue
		}
		if call(procIsDialogMessage, window, uintptr(unsafe.Pointer(&m))) == 0 {
			call(procTranslateMessage, uintptr(unsafe.Pointer(&m)))
			call(procDispatchMessage, uintptr(unsafe.Pointer(&m)))
		}
	}
}

// message is what the window does. What it does not know of and that could lead
// elsewhere, it does not do.
func (w *window) message(handle uintptr, m uint32, wParam, lParam uintptr) uintptr {
	switch m {
	case wmScreen:
		w.take()
		return 0
	case wmEnd:
		call(procDestroyWindow, handle)
		return 0
	case wmDestroy:
		if w.web != nil {
			w.web.view.Close()
		}
		w.fonts.free()
		call(procPostQuitMessage, 0)
		return 0
	case wmPaint:
		w.paint()
		return 0
	case wmEraseBkgnd:
		return 1
	case wmDrawItem:
		w.paintButton(pointed[drawItem](lParam))
		return 1
	case wmCtlColorEdit:
		call(procSetTextColor, wParam, uintptr(w.colours.text))
		call(procSetBkColor, wParam, uintptr(w.colours.back))
		call(procSetDCBrushColor, wParam, uintptr(w.colours.back))
		return call(procGetStockObject, dcBrush)
	case wmTimer:
		w.tick(time.Now())
		return 0
	case wmSetFocus:
		w.focus()
		return 0
	case wmCommand:
		w.command(wParam&0xffff, wParam>>16&0xffff)
		return 0
	case dmGetDefID:
		return w.pressedByEnter() | dcHasDefID<<16
	case wmSysCommand, wmClose:
		if m == wmClose || wParam&0xfff0 == scClose {
			w.command(idCancel, bnClicked)
		}
		return 0
	case wmHelp, wmContextMenu:
		return 0
	case wmDpiChanged, wmDisplayChange, wmSettingChange, wmSysColorChange, wmThemeChanged:
		w.colours = systemPalette()
		w.arrange()
		return 0
	}
	return call(procDefWindowProc, handle, uintptr(m), wParam, lParam)
}

// take shows the screen that has come.
func (w *window) take() {
	w.mu.Lock()
	s := w.next
	w.mu.Unlock()
	if s == nil || s == w.screen {
		return
	}
	before := w.screen
	w.screen = s
	if w.sent || before == nil || before.State != s.State || before.Code != s.Code {
		w.sent = false
		if field := w.control("field"); field != nil {
			setText(field.window, "")
		}
	}
	w.arrange()
	w.enable()
	if w.web != nil && s.Page != "" {
		w.web.view.Go(s.Page, s.Origins)
	}
	if before == nil {
		call(procSetTimer, w.handle, 1, 1000, 0)
	}
	if before == nil || before.State != s.State {
		call(procSetForegroundWindow, w.handle)
		call(procSetFocus, w.handle)
		w.focus()
	}
}

// arrange puts everything where it belongs: in the middle of the first screen.
func (w *window) arrange() {
	if w.screen == nil {
		return
	}
	layOut := arrange
	if w.page = newPage(w.screen, time.Now()); w.web != nil {
		w.page, layOut = newWebPage(w.screen, w.web.browsed, time.Now()), arrangeWeb
	}
	screenW, screenH := int(call(procGetSystemMetrics, smCxScreen)), int(call(procGetSystemMetrics, smCyScreen))
	tried := fonts{}
	m, done := tried.measurer()
	w.layout = layOut(w.page, screenW, screenH, w.dpi(), m)
	done()
	tried.free()
	before := w.fonts
	w.fonts = fonts{}
	setText(w.handle, w.page.title)
	if err := w.setControls(w.layout); err != nil {
		w.err = err
		w.close()
	}
	before.free()
	if at := (rect{(screenW - w.layout.w) / 2, (screenH - w.layout.h) / 2, w.layout.w, w.layout.h}); at != w.at {
		w.at = at
		call(procSetWindowPos, w.handle, hwndTopmost, uintptr(at.x), uintptr(at.y), uintptr(at.w), uintptr(at.h), swpNoActivate|swpShowWindow)
	}
	if r := w.layout.browser; w.web != nil {
		w.web.view.Place(r.x, r.y, r.w, r.h)
	}
	call(procRedrawWindow, w.handle, 0, 0, rdwInvalidate|rdwErase|rdwAllChildren)
}

// dpi is the scale of the screen that the window is on.
func (w *window) dpi() int {
	if procGetDpiForWindow.Find() != nil { // before Windows 10 1607
		return 96
	}
	return max(96, int(call(procGetDpiForWindow, w.handle)))
}

// tick shows the time that is left.
func (w *window) tick(now time.Time) {
	if c := w.control(factLeft); c != nil {
		if left := timeLeft(w.screen.Ends, now); left != c.text {
			w.say(c, left)
		}
	}
}

// focus gives the keyboard to the field, or the page. Else nobody has it: whoever pressed Enter
// to get here presses nothing by it.
func (w *window) focus() {
	if field := w.control("field"); field != nil {
		call(procSetFocus, field.window)
	} else if w.web != nil && w.web.shown {
		w.web.view.Focus()
	}
}

// pressedByEnter gives the button that has the keyboard, else the one that is
// meant to be pressed, 0 if there is none.
func (w *window) pressedByEnter() uintptr {
	if c := w.controlOf(call(procGetFocus)); c != nil {
		if id, ok := buttonIDs[c.id]; ok {
			return id
		}
	}
	for _, c := range w.controls {
		if c.role == rolePrimary {
			return buttonIDs[c.id]
		}
	}
	return 0
}

// command is what a control tells, or a key.
func (w *window) command(id, code uintptr) {
	switch {
	case w.page == nil:
	case id == idField && code == enChange:
		w.sent = false
		w.enable()
	case id == idField && (code == enSetFocus || code == enKillFocus):
		invalidate(w.handle) // the frame
	case code != bnClicked:
	case id == idOK && w.page.has(signin.Submit):
		w.submit()
	case id == idCancel && w.page.has(signin.Cancel):
		w.press(signin.Action{Name: signin.Cancel})
	case id == idPhone && w.page.has(signin.Elsewhere):
		w.press(signin.Action{Name: signin.Elsewhere})
	case id == idClose, id == idCancel:
		w.close()
	}
}

// submit sends the number, once.
func (w *window) submit() {
	field := w.control("field")
	if field == nil || w.sent {
		return
	}
	number := strings.TrimSpace(getText(field.window))
	if number == "" {
		w.focus()
		return
	}
	w.sent = true
	w.press(signin.Action{Name: signin.Submit, Fields: map[string]string{signin.FieldNumber: number}})
	w.focus() // which the button loses
	w.enable()
}

// press hands a press over. Where four wait, one more changes nothing.
func (w *window) press(a signin.Action) {
	select {
	case w.pressed <- press{w.screen, a}:
	default:
	}
}

// enable greys the button for a number that is on its way.
func (w *window) enable() {
	if c := w.control("button." + string(signin.Submit)); c != nil {
		on := uintptr(1)
		if w.sent {
			on = 0
		}
		call(procEnableWindow, c.window, on)
	}
}

// has tells whether there is a button of that name.
func (p *page) has(name signin.ActionName) bool {
	return slices.ContainsFunc(p.buttons, func(b button) bool { return b.name == name })
}
