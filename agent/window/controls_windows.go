package window

import (
	"slices"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// control is a box as the system knows it: a window of the classes that screen
// readers have always known, whose text is what they read.
type control struct {
	box
	window uintptr
}

// The numbers of controls that messages name.
const (
	idClose = 3
	idPhone = 4
	idField = 10
	idText  = 11 // and all others
)

var buttonIDs = map[string]uintptr{
	"button." + string(signin.Submit): idOK,
	"button." + string(signin.Cancel): idCancel,
	"button." + string(signin.Close):  idClose,

	"button." + string(signin.Elsewhere): idPhone,
}

// setControls makes the controls those of the layout. They are kept where they are
// the same but for their texts and places, so that nothing typed or focused is
// lost.
func (w *window) setControls(l *layout) error {
	ids := func(all []*control) (ids []string) {
		for _, c := range all {
			ids = append(ids, c.id)
		}
		return ids
	}
	var wanted []*control
	for i := range l.boxes {
		wanted = append(wanted, &control{box: l.boxes[i]})
	}
	if !slices.Equal(ids(w.controls), ids(wanted)) {
		return w.makeControls(wanted)
	}
	for i, c := range w.controls {
		before := c.text
		c.box = wanted[i].box
		if c.role != roleField && c.text != before {
			w.say(c, c.text)
		}
		w.place(c)
	}
	return nil
}

// makeControls makes all anew, in the order in which they are read and tabbed
// through.
func (w *window) makeControls(wanted []*control) error {
	for _, c := range w.controls {
		call(procDestroyWindow, c.window)
	}
	w.controls = nil
	for _, c := range wanted {
		class, style, id, proc := "STATIC", uint32(wsChild|wsVisible|ssNoPrefix), uintptr(idText), w.staticProc
		switch c.role {
		case roleField:
			class, style, id, proc = "EDIT", wsChild|wsVisible|wsTabStop|esCentre|esNumber|esAutoHScroll, idField, w.editProc
		case rolePage:
			style |= wsTabStop
		case rolePrimary, roleSecondary:
			class, style, id, proc = "BUTTON", wsChild|wsVisible|wsTabStop|bsOwnerDraw, buttonIDs[c.id], 0
		}
		var err error
		if c.window, err = createWindow(0, class, c.text, style, w.handle, id); err != nil {
			return err
		}
		w.controls = append(w.controls, c)
		if proc != 0 {
			w.systems[c.window] = call(procSetWindowLongPtr, c.window, gwlWndProc, proc)
		}
		if c.role == roleField {
			call(procSendMessage, c.window, emSetLimitText, local.MaxNumber, 0)
		}
		w.place(c)
	}
	if message := w.control("message"); message != nil {
		announce(message)
	}
	return nil
}

// place puts a control where its box is. The field is as high as its letters;
// its frame is the window's.
func (w *window) place(c *control) {
	r := c.rect
	if c.role == roleField {
		edge := w.layout.px(4)
		r = rect{r.x + edge, r.y + (r.h-c.font.height)/2, r.w - 2*edge, c.font.height}
		call(procSendMessage, c.window, wmSetFont, w.fonts.get(c.font), 0)
	}
	moveWindow(c.window, r)
}

// say changes what a control says. Screen readers are told of what people wait
// for, but not each second of the time.
func (w *window) say(c *control, text string) {
	c.text = text
	setText(c.window, text)
	if c.id != factLeft {
		announce(c)
	}
}

// announce tells screen readers that a control says something else.
func announce(c *control) {
	call(procNotifyWinEvent, eventLiveRegionChanged, c.window, objIDClient, 0)
}

func (w *window) control(id string) *control {
	i := slices.IndexFunc(w.controls, func(c *control) bool { return c.id == id })
	if i < 0 {
		return nil
	}
	return w.controls[i]
}

func (w *window) controlOf(handle uintptr) *control {
	i := slices.IndexFunc(w.controls, func(c *control) bool { return c.window == handle })
	if i < 0 {
		return nil
	}
	return w.controls[i]
}

// The keys that lead to the clipboard, and how they are told.
const (
	keyBack   = 0x08
	keyReturn = 0x0d
	keyEscape = 0x1b
	keySpace  = 0x20
	keyShift  = 0x10
	keyInsert = 0x2d
	keyDelete = 0x2e
	keyRepeat = 1 << 30 // in lParam: it was held down before
)

// fieldMessage is what the field does in its own way: digits go in, and nothing
// comes out. It has no menu and knows no clipboard.
func (w *window) fieldMessage(handle uintptr, m uint32, wParam, lParam uintptr) uintptr {
	switch m {
	case wmContextMenu, wmCut, wmCopy, wmPaste, wmClear, wmUndo, emUndo:
		return 0
	case wmChar:
		if wParam != keyBack && (wParam < '0' || wParam > '9') {
			return 0
		}
	case wmKeyDown:
		shift := int16(call(procGetKeyState, keyShift)) < 0
		if wParam == keyInsert || wParam == keyDelete && shift {
			return 0
		}
	}
	return call(procCallWindowProc, w.systems[handle], handle, uintptr(m), wParam, lParam)
}

// textMessage is what a text does in its own way: it is painted at once, without
// being wiped first.
func (w *window) textMessage(handle uintptr, m uint32, wParam, lParam uintptr) uintptr {
	switch m {
	case wmPaint:
		if c := w.controlOf(handle); c != nil {
			w.paintText(c)
			return 0
		}
	case wmEraseBkgnd:
		return 1
	case wmSetFocus: // only the page's own is tabbed to
		if w.web != nil {
			w.web.view.Focus()
		}
		return 0
	case wmSetText: // the class would paint it there and then
		r := call(procDefWindowProc, handle, uintptr(m), wParam, lParam)
		invalidate(handle)
		return r
	}
	return call(procCallWindowProc, w.systems[handle], handle, uintptr(m), wParam, lParam)
}
