package window

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// Functions, structures and numbers of winuser.h and wingdi.h.
var (
	user32   = windows.NewLazySystemDLL("user32.dll")
	gdi32    = windows.NewLazySystemDLL("gdi32.dll")
	imm32    = windows.NewLazySystemDLL("imm32.dll")
	kernel32 = windows.NewLazySystemDLL("kernel32.dll")

	procBeginPaint          = user32.NewProc("BeginPaint")
	procCallWindowProc      = user32.NewProc("CallWindowProcW")
	procCreateWindowEx      = user32.NewProc("CreateWindowExW")
	procDefWindowProc       = user32.NewProc("DefWindowProcW")
	procDestroyWindow       = user32.NewProc("DestroyWindow")
	procDispatchMessage     = user32.NewProc("DispatchMessageW")
	procDrawText            = user32.NewProc("DrawTextW")
	procEnableWindow        = user32.NewProc("EnableWindow")
	procEndPaint            = user32.NewProc("EndPaint")
	procFillRect            = user32.NewProc("FillRect")
	procGetClientRect       = user32.NewProc("GetClientRect")
	procGetDC               = user32.NewProc("GetDC")
	procGetDpiForWindow     = user32.NewProc("GetDpiForWindow")
	procGetFocus            = user32.NewProc("GetFocus")
	procGetKeyState         = user32.NewProc("GetKeyState")
	procGetNextDlgTabItem   = user32.NewProc("GetNextDlgTabItem")
	procGetMessage          = user32.NewProc("GetMessageW")
	procGetSysColor         = user32.NewProc("GetSysColor")
	procGetSystemMetrics    = user32.NewProc("GetSystemMetrics")
	procGetWindowText       = user32.NewProc("GetWindowTextW")
	procInvalidateRect      = user32.NewProc("InvalidateRect")
	procIsDialogMessage     = user32.NewProc("IsDialogMessageW")
	procLoadCursor          = user32.NewProc("LoadCursorW")
	procMoveWindow          = user32.NewProc("MoveWindow")
	procNotifyWinEvent      = user32.NewProc("NotifyWinEvent")
	procPostMessage         = user32.NewProc("PostMessageW")
	procPostQuitMessage     = user32.NewProc("PostQuitMessage")
	procRedrawWindow        = user32.NewProc("RedrawWindow")
	procRegisterClassEx     = user32.NewProc("RegisterClassExW")
	procReleaseDC           = user32.NewProc("ReleaseDC")
	procSendMessage         = user32.NewProc("SendMessageW")
	procSetDpiAwareness     = user32.NewProc("SetProcessDpiAwarenessContext")
	procSetFocus            = user32.NewProc("SetFocus")
	procSetForegroundWindow = user32.NewProc("SetForegroundWindow")
	procSetTimer            = user32.NewProc("SetTimer")
	procSetWindowLongPtr    = user32.NewProc("SetWindowLongPtrW")
	procSetWindowPos        = user32.NewProc("SetWindowPos")
	procSetWindowText       = user32.NewProc("SetWindowTextW")
	procSystemParameters    = user32.NewProc("SystemParametersInfoW")
	procTranslateMessage    = user32.NewProc("TranslateMessage")

	procBitBlt                 = gdi32.NewProc("BitBlt")
	procCreateCompatibleBitmap = gdi32.NewProc("CreateCompatibleBitmap")
	procCreateCompatibleDC     = gdi32.NewProc("CreateCompatibleDC")
	procCreateFont             = gdi32.NewProc("CreateFontW")
	procCreateSolidBrush       = gdi32.NewProc("CreateSolidBrush")
	procDeleteDC               = gdi32.NewProc("DeleteDC")
	procDeleteObject           = gdi32.NewProc("DeleteObject")
	procEllipse                = gdi32.NewProc("Ellipse")
	procGetStockObject         = gdi32.NewProc("GetStockObject")
	procSelectObject           = gdi32.NewProc("SelectObject")
	procSetDCBrushColor        = gdi32.NewProc("SetDCBrushColor")
	procSetBkColor             = gdi32.NewProc("SetBkColor")
	procSetBkMode              = gdi32.NewProc("SetBkMode")
	procSetStretchBltMode      = gdi32.NewProc("SetStretchBltMode")
	procSetTextColor           = gdi32.NewProc("SetTextColor")
	procStretchBlt             = gdi32.NewProc("StretchBlt")

	procImmDisableIME = imm32.NewProc("ImmDisableIME")
	procFreeConsole   = kernel32.NewProc("FreeConsole")
)

// Messages.
const (
	wmDestroy        = 0x0002
	wmPaint          = 0x000f
	wmClose          = 0x0010
	wmEraseBkgnd     = 0x0014
	wmSysColorChange = 0x0015
	wmSettingChange  = 0x001a
	wmSetFocus       = 0x0007
	wmSetText        = 0x000c
	wmDrawItem       = 0x002b
	wmSetFont        = 0x0030
	wmHelp           = 0x0053
	wmContextMenu    = 0x007b
	wmDisplayChange  = 0x007e
	wmKeyDown        = 0x0100
	wmChar           = 0x0102
	wmCommand        = 0x0111
	wmSysCommand     = 0x0112
	wmTimer          = 0x0113
	wmCtlColorEdit   = 0x0133
	wmCut            = 0x0300
	wmCopy           = 0x0301
	wmPaste          = 0x0302
	wmClear          = 0x0303
	wmUndo           = 0x0304
	wmDpiChanged     = 0x02e0
	wmThemeChanged   = 0x031a
	wmUser           = 0x0400
	wmApp            = 0x8000

	dmGetDefID     = wmUser // what Enter presses
	emSetLimitText = 0x00c5
	emUndo         = 0x00c7
)

// Styles, and the rest.
const (
	wsPopup, wsChild, wsVisible, wsClipChildren, wsTabStop = 0x80000000, 0x40000000, 0x10000000, 0x02000000, 0x00010000
	wsExTopmost, wsExToolWindow                            = 0x8, 0x80
	ssNoPrefix                                             = 0x80
	bsOwnerDraw                                            = 0xb
	esCentre, esNumber, esAutoHScroll                      = 0x1, 0x2000, 0x80

	hwndTopmost                                  = ^uintptr(0)
	swpNoActivate, swpShowWindow                 = 0x10, 0x40
	rdwInvalidate, rdwErase, rdwAllChildren      = 0x1, 0x4, 0x80
	gwlWndProc                                   = ^uintptr(3) // -4
	idOK, idCancel                               = 1, 2
	dcHasDefID                                   = 0x534b
	bnClicked, enSetFocus, enKillFocus, enChange = 0, 0x100, 0x200, 0x300
	odsSelected, odsDisabled, odsFocus           = 0x1, 0x4, 0x10
	smCxScreen, smCyScreen                       = 0, 1
	spiGetHighContrast, hcfOn                    = 0x42, 1
	perMonitorV2                                 = ^uintptr(3) // -4
	idcArrow                                     = 32512
	srcCopy                                      = 0xcc0020
	halftone                                     = 4
	nullPen                                      = 8
	transparent                                  = 1
	dtRight, dtVCenter, dtCentre                 = 0x2, 0x4, 0x1
	dtWordBreak, dtSingleLine, dtCalcRect        = 0x10, 0x20, 0x400
	dtNoPrefix, dtEditControl, dtEndEllipsis     = 0x800, 0x2000, 0x8000
	dtRTLReading                                 = 0x20000
	eventLiveRegionChanged, objIDClient          = 0x8019, ^uintptr(3) // -4
	colorHighlight, colorHighlightText           = 13, 14
	colorWindow, colorWindowText                 = 5, 8
	colorButton, colorButtonText                 = 15, 18
	colorGrayText                                = 17
	csDropShadow                                 = 0x20000
	scClose                                      = 0xf060
	dcBrush                                      = 18
)

type nativeRect struct{ left, top, right, bottom int32 }

func (r rect) native() nativeRect {
	return nativeRect{int32(r.x), int32(r.y), int32(r.right()), int32(r.bottom())}
}

// paintStruct is PAINTSTRUCT.
type paintStruct struct {
	dc    uintptr
	erase int32
	rect  nativeRect
	_     [2]int32
	_     [32]byte
}

// windowClass is WNDCLASSEXW.
type windowClass struct {
	size, style        uint32
	proc               uintptr
	classExtra, extra  int32
	instance, icon     uintptr
	cursor, background uintptr
	menu, name         *uint16
	smallIcon          uintptr
}

// message is MSG.
type message struct {
	window         uintptr
	message        uint32
	wParam, lParam uintptr
	time           uint32
	x, y           int32
	_              uint32
}

// drawItem is DRAWITEMSTRUCT.
type drawItem struct {
	_          [4]uint32 // the control's kind and number, the item, the action
	state      uint32
	window, dc uintptr
	_          nativeRect
	_          uintptr // the item's own
}

// highContrast is HIGHCONTRASTW.
type highContrast struct {
	size, flags uint32
	scheme      *uint16
}

// call calls a function that cannot fail, or whose failure shows on the screen
// and nowhere else.
func call(p *windows.LazyProc, args ...uintptr) uintptr {
	r, _, _ := p.Call(args...)
	return r
}

// utf16 gives a text as Windows takes it. What comes from the protocol has no
// NUL in it.
func utf16(s string) *uint16 {
	p, err := windows.UTF16PtrFromString(s)
	if err != nil {
		return new(uint16)
	}
	return p
}

func createWindow(exStyle uint32, class, text string, style uint32, parent, id uintptr) (uintptr, error) {
	c, t := utf16(class), utf16(text)
	h, _, err := procCreateWindowEx.Call(uintptr(exStyle), uintptr(unsafe.Pointer(c)), uintptr(unsafe.Pointer(t)), uintptr(style), 0, 0, 0, 0, parent, id, 0, 0)
	if h == 0 {
		return 0, fmt.Errorf("making a window of class %s: %w", class, err)
	}
	return h, nil
}

func setText(window uintptr, text string) {
	t := utf16(text)
	call(procSetWindowText, window, uintptr(unsafe.Pointer(t)))
	runtime.KeepAlive(t)
}

func getText(window uintptr) string {
	var buf [64]uint16
	n := call(procGetWindowText, window, uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)))
	return windows.UTF16ToString(buf[:n])
}

func clientRect(window uintptr) rect {
	var r nativeRect
	call(procGetClientRect, window, uintptr(unsafe.Pointer(&r)))
	return rect{0, 0, int(r.right), int(r.bottom)}
}

// moveWindow puts a child where it belongs.
func moveWindow(window uintptr, r rect) {
	call(procMoveWindow, window, uintptr(r.x), uintptr(r.y), uintptr(r.w), uintptr(r.h), 0)
}

func invalidate(window uintptr) { call(procInvalidateRect, window, 0, 0) }

// pointed gives what a message's parameter points at.
func pointed[T any](lParam uintptr) *T {
	return *(**T)(unsafe.Pointer(&lParam))
}
