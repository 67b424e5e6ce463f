package beside

import "github.com/ebitengine/purego/objc"

// drawCorner puts what the picture has there into the corner, in a window of its own:
// it takes clicks, and never the keyboard away from Apple's fields.
func (t *appKit) drawCorner() {
	if t.corner != 0 {
		closeWindow(t.corner)
		t.corner = 0
	}
	screen, ok := mainScreen()
	if t.shown.Button == "" || !ok {
		return
	}
	button := t.button.Send(sel("alloc")).Send(sel("initWithFrame:"), rect{})
	defer button.Send(sel("release"))
	button.Send(sel("setButtonType:"), uint(buttonPushIn))
	button.Send(sel("setBezelStyle:"), uint(bezelRounded))
	button.Send(sel("setTitle:"), text(t.shown.Button))
	button.Send(sel("setTarget:"), t.host)
	button.Send(sel("setAction:"), objc.RegisterName("firstdayPress:"))
	var label objc.ID
	var measure func(float64) size
	if t.shown.Text != "" {
		label = class("NSTextField").Send(sel("wrappingLabelWithString:"), text(t.shown.Text))
		measure = func(width float64) size {
			return objc.Send[size](label, sel("sizeThatFits:"), size{width, screen.height})
		}
	}
	at := arrangeCorner(screen, objc.Send[size](button, sel("fittingSize")), measure)
	t.corner = class("NSPanel").Send(sel("alloc")).Send(sel("initWithContentRect:styleMask:backing:defer:"), at.window, uint(styleNonactivate), uint(backingBuffered), false)
	t.corner.Send(sel("setHidesOnDeactivate:"), false)
	t.corner.Send(sel("setBecomesKeyOnlyIfNeeded:"), true)
	t.corner.Send(sel("setHasShadow:"), true)
	dressWindow(t.corner)
	content := t.corner.Send(sel("contentView"))
	button.Send(sel("setFrame:"), at.button)
	content.Send(sel("addSubview:"), button)
	if label != 0 {
		label.Send(sel("setFrame:"), at.text)
		content.Send(sel("addSubview:"), label)
	}
	t.corner.Send(sel("orderFrontRegardless"))
}

// dressWindow makes a window one that is seen before anybody has logged in.
func dressWindow(window objc.ID) {
	window.Send(sel("setReleasedWhenClosed:"), false)
	window.Send(sel("setCanBecomeVisibleWithoutLogin:"), true)
	window.Send(sel("setLevel:"), levelScreenSaver)
}

func closeWindow(window objc.ID) {
	window.Send(sel("orderOut:"), objc.ID(0))
	window.Send(sel("close"))
	window.Send(sel("release"))
}
