package window

import "unsafe"

// paint draws all that is no control: the ground, the band with the buttons, the
// edges.
func (w *window) paint() {
	painted(w.handle, func(c *canvas) {
		l, all := w.layout, rect{0, 0, c.w, c.h}
		c.fill(all, w.colours.back)
		if l == nil {
			return
		}
		c.fill(l.foot, w.colours.foot)
		c.fill(rect{0, l.foot.y, l.w, max(1, l.px(1))}, w.colours.line)
		c.frame(all, max(1, l.px(1)), w.colours.line)
		c.fill(l.stripe, w.colours.accent)
		if field := w.control("field"); field != nil {
			if call(procGetFocus) == field.window {
				c.frame(field.rect, l.px(2), w.colours.accent)
			} else {
				c.frame(field.rect, max(1, l.px(1)), w.colours.muted)
			}
		}
	})
}

// painted draws a window that asks for it.
func painted(window uintptr, draw func(*canvas)) {
	var ps paintStruct
	dc := call(procBeginPaint, window, uintptr(unsafe.Pointer(&ps)))
	r := clientRect(window)
	c := newCanvas(dc, r.w, r.h)
	draw(c)
	c.show(dc)
	call(procEndPaint, window, uintptr(unsafe.Pointer(&ps)))
}

// paintText draws a text or the picture.
func (w *window) paintText(t *control) {
	painted(t.window, func(c *canvas) {
		r := rect{0, 0, c.w, c.h}
		if t.role == rolePicture {
			w.paintPicture(c)
			return
		}
		back, text := w.colours.back, w.colours.text
		if t.rect.y >= w.layout.foot.y {
			back = w.colours.foot
		}
		c.fill(r, back)
		switch t.role {
		case roleLabel, roleDetail:
			text = w.colours.muted
		case roleOnline:
			text = w.colours.online
			r = w.paintMark(c, t, text, back)
		case roleOffline:
			text = w.colours.offline
			r = w.paintMark(c, t, text, back)
		}
		flags := uintptr(textFlags)
		if w.page.rtl {
			flags |= dtRight | dtRTLReading
		}
		c.text(w.fonts.get(t.font), t.text, r, text, flags)
	})
}

// paintMark draws the mark before the state of the network, full or hollow, and
// gives the room that is left.
func (w *window) paintMark(c *canvas, t *control, with, back colour) rect {
	size, inset := w.layout.px(markSize), w.layout.px(markSize+markGap)
	mark := rect{0, (t.font.height - size + 1) / 2, size, size}
	text := rect{inset, 0, c.w - inset, c.h}
	if w.page.rtl {
		mark.x, text.x = c.w-size, 0
	}
	c.disc(mark, with, back)
	if t.role == roleOffline {
		c.disc(mark.inset(max(2, w.layout.px(2))), back, with)
	}
	return text
}

// paintPicture draws the QR code black on white, whatever colours people have
// chosen: cameras read no other.
func (w *window) paintPicture(c *canvas) {
	c.fill(rect{0, 0, c.w, c.h}, white)
	c.frame(rect{0, 0, c.w, c.h}, max(1, w.layout.px(1)), w.colours.line)
	size := w.layout.module
	for y, row := range w.page.modules {
		for x := 0; x < len(row); x++ {
			from := x
			for x < len(row) && row[x] == '1' {
				x++
			}
			c.fill(rect{(from + quiet) * size, (y + quiet) * size, (x - from) * size, size}, black)
		}
	}
}

// paintButton draws a button as the system asks for it.
func (w *window) paintButton(d *drawItem) {
	b := w.controlOf(d.window)
	if b == nil {
		return
	}
	back, text, edge := w.colours.button, w.colours.onButton, w.colours.muted
	if b.role == rolePrimary {
		back, text, edge = w.colours.accent, w.colours.onAccent, w.colours.accent
	}
	switch {
	case d.state&odsDisabled != 0:
		back, text, edge = w.colours.foot, w.colours.disabled, w.colours.disabled
	case d.state&odsSelected != 0:
		back, text = text, back
	}
	r := rect{0, 0, b.rect.w, b.rect.h}
	c := newCanvas(d.dc, r.w, r.h)
	c.fill(r, back)
	c.frame(r, max(1, w.layout.px(1)), edge)
	if d.state&odsFocus != 0 {
		c.frame(r, w.layout.px(2), w.colours.text)
		c.frame(r.inset(w.layout.px(2)), max(1, w.layout.px(1)), w.colours.back)
	}
	flags := uintptr(dtSingleLine | dtCentre | dtVCenter | dtNoPrefix | dtEndEllipsis)
	if w.page.rtl {
		flags |= dtRTLReading
	}
	c.text(w.fonts.get(b.font), b.text, r, text, flags)
	c.show(d.dc)
}

func (r rect) inset(n int) rect { return rect{r.x + n, r.y + n, r.w - 2*n, r.h - 2*n} }
