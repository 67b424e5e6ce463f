package window

import (
	"runtime"
	"unsafe"

	"golang.org/x/sys/windows"
)

// colour is a COLORREF: 0x00bbggrr.
type colour uint32

const (
	black colour = 0
	white colour = 0xffffff
	green colour = 0x0f7b0f
	red   colour = 0x1c2bc4
)

// palette is the system's colours, and what goes with them.
type palette struct {
	back, text, muted, line colour
	foot                    colour
	accent, onAccent        colour
	button, onButton        colour
	disabled                colour
	online, offline         colour
}

// systemPalette reads the system's colours. Where people have chosen colours of
// high contrast, no others are shown.
func systemPalette() palette {
	system := func(index uintptr) colour { return colour(call(procGetSysColor, index)) }
	p := palette{
		back: system(colorWindow), text: system(colorWindowText),
		accent: system(colorHighlight), onAccent: system(colorHighlightText),
		button: system(colorButton), onButton: system(colorButtonText), disabled: system(colorGrayText),
	}
	hc := highContrast{size: uint32(unsafe.Sizeof(highContrast{}))}
	call(procSystemParameters, spiGetHighContrast, uintptr(hc.size), uintptr(unsafe.Pointer(&hc)), 0)
	// Windows' own windows are white in all themes but those of high contrast.
	if hc.flags&hcfOn != 0 || p.back != white {
		p.muted, p.line, p.foot, p.online, p.offline = p.text, p.text, p.back, p.text, p.text
		return p
	}
	p.muted, p.line = mix(p.text, p.back, 70), mix(p.text, p.back, 16)
	p.foot = mix(p.text, p.back, 4)
	p.button = p.back
	p.online, p.offline = green, red
	return p
}

// mix gives so many hundredths of a colour on another one.
func mix(a, b colour, percent int) (c colour) {
	for shift := 0; shift < 24; shift += 8 {
		x, y := int(a>>shift&0xff), int(b>>shift&0xff)
		c |= colour((x*percent+y*(100-percent))/100) << shift
	}
	return c
}

// canvas is a picture in memory, which is shown when it is done: nothing
// flickers.
type canvas struct {
	dc, bitmap, old uintptr
	w, h            int
}

func newCanvas(like uintptr, w, h int) *canvas {
	c := &canvas{w: w, h: h, dc: call(procCreateCompatibleDC, like)}
	c.bitmap = call(procCreateCompatibleBitmap, like, uintptr(max(1, w)), uintptr(max(1, h)))
	c.old = call(procSelectObject, c.dc, c.bitmap)
	call(procSetBkMode, c.dc, transparent)
	return c
}

// show copies the picture to where it is seen, and is the end of it.
func (c *canvas) show(dc uintptr) {
	call(procBitBlt, dc, 0, 0, uintptr(c.w), uintptr(c.h), c.dc, 0, 0, srcCopy)
	c.free()
}

func (c *canvas) free() {
	call(procSelectObject, c.dc, c.old)
	call(procDeleteObject, c.bitmap)
	call(procDeleteDC, c.dc)
}

func (c *canvas) fill(r rect, with colour) {
	brush := call(procCreateSolidBrush, uintptr(with))
	n := r.native()
	call(procFillRect, c.dc, uintptr(unsafe.Pointer(&n)), brush)
	call(procDeleteObject, brush)
}

// frame draws a line of that thickness inside a rectangle.
func (c *canvas) frame(r rect, thick int, with colour) {
	c.fill(rect{r.x, r.y, r.w, thick}, with)
	c.fill(rect{r.x, r.bottom() - thick, r.w, thick}, with)
	c.fill(rect{r.x, r.y, thick, r.h}, with)
	c.fill(rect{r.right() - thick, r.y, thick, r.h}, with)
}

func (c *canvas) text(f uintptr, s string, r rect, with colour, flags uintptr) {
	old := call(procSelectObject, c.dc, f)
	call(procSetTextColor, c.dc, uintptr(with))
	drawText(c.dc, s, r, flags)
	call(procSelectObject, c.dc, old)
}

// smooth is how many times larger a round thing is drawn than it is shown, since
// the system draws it with steps.
const smooth = 8

// disc draws a round mark.
func (c *canvas) disc(r rect, with, back colour) {
	large := newCanvas(c.dc, r.w*smooth, r.h*smooth)
	defer large.free()
	large.fill(rect{0, 0, large.w, large.h}, back)
	brush := call(procCreateSolidBrush, uintptr(with))
	oldBrush := call(procSelectObject, large.dc, brush)
	oldPen := call(procSelectObject, large.dc, call(procGetStockObject, nullPen))
	call(procEllipse, large.dc, 0, 0, uintptr(large.w), uintptr(large.h))
	call(procSelectObject, large.dc, oldPen)
	call(procSelectObject, large.dc, oldBrush)
	call(procDeleteObject, brush)
	call(procSetStretchBltMode, c.dc, halftone)
	call(procStretchBlt, c.dc, uintptr(r.x), uintptr(r.y), uintptr(r.w), uintptr(r.h), large.dc, 0, 0, uintptr(large.w), uintptr(large.h), srcCopy)
}

// textFlags are those with which texts of several lines are measured and drawn.
const textFlags = dtWordBreak | dtNoPrefix | dtEditControl

func drawText(dc uintptr, s string, r rect, flags uintptr) nativeRect {
	n := r.native()
	t, err := windows.UTF16FromString(s)
	if err != nil || len(t) == 1 {
		return n
	}
	call(procDrawText, dc, uintptr(unsafe.Pointer(&t[0])), uintptr(len(t)-1), uintptr(unsafe.Pointer(&n)), flags)
	runtime.KeepAlive(t)
	return n
}

// typeface is that of Windows. Where it is missing, the system takes one like it.
const typeface = "Segoe UI"

// fonts are those of one scale.
type fonts map[font]uintptr

func (f fonts) get(of font) uintptr {
	h, ok := f[of]
	if !ok {
		weight := uintptr(400)
		if of.bold {
			weight = 600
		}
		const anyCharset, clearType = 1, 5
		name := utf16(typeface)
		h = call(procCreateFont, uintptr(of.height), 0, 0, 0, weight, 0, 0, 0, anyCharset, 0, 0, clearType, 0, uintptr(unsafe.Pointer(name)))
		f[of] = h
	}
	return h
}

// free gives them back. Nothing may be set in them any more.
func (f fonts) free() {
	for of, h := range f {
		call(procDeleteObject, h)
		delete(f, of)
	}
}

// measurer measures texts as they are drawn. Give it back.
func (f fonts) measurer() (m measure, free func()) {
	dc := call(procGetDC, 0)
	m = func(of font, text string, width int) (w, h int) {
		old := call(procSelectObject, dc, f.get(of))
		defer call(procSelectObject, dc, old)
		r := drawText(dc, text, rect{0, 0, width, 0}, textFlags|dtCalcRect)
		return int(r.right), int(r.bottom)
	}
	return m, func() { call(procReleaseDC, 0, dc) }
}
