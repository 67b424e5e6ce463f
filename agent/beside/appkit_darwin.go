package beside

import (
	"fmt"
	"sync"

	"github.com/ebitengine/purego/objc"
)

// appKit shows windows. What is not said to be for any thread is for the main one.
type appKit struct {
	*system
	beside *Beside
	app    objc.ID
	host   objc.ID // takes what windows and web views tell
	classes

	mu   sync.Mutex
	todo []func() // on the main thread

	shown  Picture
	corner objc.ID // the window in the corner; 0: there is none
	page   *pageWindow
}

// classes are our own, which are registered once.
type classes struct{ button, window, view objc.ID }

func newAppKit(s *system, b *Beside) (*appKit, error) {
	t := &appKit{system: s, beside: b}
	host, err := t.register()
	if err != nil {
		return nil, err
	}
	pooled(func() {
		t.host = host.Send(sel("new"))
		t.app = class("NSApplication").Send(sel("sharedApplication"))
		t.app.Send(sel("setActivationPolicy:"), activationAccessory)
		t.app.Send(sel("setDelegate:"), t.host)
	})
	return t, nil
}

// register makes our classes, which tell the toolkit that they were made for.
func (t *appKit) register() (host objc.ID, err error) {
	for _, c := range []struct {
		name, super string
		class       *objc.ID
		methods     []objc.MethodDef
	}{
		{"FirstdayBesideHost", "NSObject", &host, t.hostMethods()},
		// A button that takes the click that its window is not made active by.
		{"FirstdayBesideButton", "NSButton", &t.button, []objc.MethodDef{
			own("acceptsFirstMouse:", func(objc.ID, objc.SEL, objc.ID) bool { return true }),
		}},
		{"FirstdayBesideWindow", "NSWindow", &t.window, []objc.MethodDef{
			own("performKeyEquivalent:", t.key),
			own("cancelOperation:", func(objc.ID, objc.SEL, objc.ID) { t.beside.Closed() }), // Escape, where the page has no use for it
		}},
		// Its menu would look things up, in windows that nobody sees here.
		{"FirstdayBesideView", "WKWebView", &t.view, []objc.MethodDef{
			own("willOpenMenu:withEvent:", func(_ objc.ID, _ objc.SEL, menu, _ objc.ID) { menu.Send(sel("removeAllItems")) }),
		}},
	} {
		super := class(c.super)
		if super == 0 {
			return 0, fmt.Errorf("this macOS has no class %s", c.super)
		}
		made, err := objc.RegisterClass(c.name, objc.Class(super), nil, nil, c.methods)
		if err != nil {
			return 0, fmt.Errorf("making class %s: %w", c.name, err)
		}
		*c.class = objc.ID(made)
	}
	return host, nil
}

// hostMethods are what the windows' delegate, the target of the button, and the
// delegate of the web views takes.
func (t *appKit) hostMethods() []objc.MethodDef {
	return append(t.viewMethods(),
		own("firstdayWork:", func(objc.ID, objc.SEL, objc.ID) { t.work() }),
		own("firstdayPress:", func(objc.ID, objc.SEL, objc.ID) { t.beside.Pressed() }),
		own("windowShouldClose:", func(objc.ID, objc.SEL, objc.ID) bool {
			t.beside.Closed()
			return false // it is closed when its turn comes
		}),
		own("applicationDidChangeScreenParameters:", func(objc.ID, objc.SEL, objc.ID) { t.rearrange() }),
	)
}

// run serves the windows until stop was called.
func (t *appKit) run() { pooled(func() { t.app.Send(sel("run")) }) }

// stop ends run, which sees it after an event.
func (t *appKit) stop() {
	t.app.Send(sel("stop:"), objc.ID(0))
	event := class("NSEvent").Send(sel("otherEventWithType:location:modifierFlags:timestamp:windowNumber:context:subtype:data1:data2:"),
		uint(applicationDefined), size{}, uint(0), float64(0), 0, objc.ID(0), int16(0), 0, 0)
	t.app.Send(sel("postEvent:atStart:"), event, true)
}

// onMain has the main thread do something, after what it was told before. It may be
// called from any thread.
func (t *appKit) onMain(do func()) {
	t.mu.Lock()
	t.todo = append(t.todo, do)
	t.mu.Unlock()
	pooled(func() {
		t.host.Send(sel("performSelectorOnMainThread:withObject:waitUntilDone:"), objc.RegisterName("firstdayWork:"), objc.ID(0), false)
	})
}

func (t *appKit) work() {
	t.mu.Lock()
	todo := t.todo
	t.todo = nil
	t.mu.Unlock()
	pooled(func() {
		for _, do := range todo {
			do()
		}
	})
}

// Session is Toolkit's, for any thread, as Show and Tell are.
func (t *appKit) Session() bool { return t.session() }

func (t *appKit) Show(p Picture) { t.onMain(func() { t.draw(p) }) }

func (t *appKit) Tell(json string) {
	t.onMain(func() {
		if t.page != nil {
			t.page.evaluate("firstday.take(" + json + ")")
		}
	})
}

// draw makes the windows what the picture says.
func (t *appKit) draw(p Picture) {
	before := t.shown
	t.shown = p
	if before.Text != p.Text || before.Button != p.Button {
		t.drawCorner()
	}
	if before.Page != p.Page {
		t.drawPage(before.Page)
	}
	if t.page != nil && before.Title != p.Title {
		t.page.window.Send(sel("setTitle:"), text(p.Title))
	}
	if t.page != nil && before.Other != p.Other {
		t.page.drawOther(p.Other)
	}
}

// rearrange follows screens that come, go or change.
func (t *appKit) rearrange() {
	t.drawCorner()
	if screen, ok := mainScreen(); ok && t.page != nil {
		t.page.place(arrangePage(screen))
	}
}

// mainScreen is the one with Apple's fields.
func mainScreen() (rect, bool) {
	screen := class("NSScreen").Send(sel("screens")).Send(sel("firstObject"))
	if screen == 0 {
		return rect{}, false // a Mac without any
	}
	return objc.Send[rect](screen, sel("frame")), true
}

// key takes keys that no page can keep away: those that lead back to Apple's window
// from the plug-in's, too, and Command-W.
func (t *appKit) key(window objc.ID, _ objc.SEL, event objc.ID) bool {
	const all = keyControl | keyOption | keyCommand
	held := objc.Send[uint](event, sel("modifierFlags")) & all
	key := string(goText(event.Send(sel("charactersIgnoringModifiers"))))
	if held == all && isA(key, objc.Send[uint16](event, sel("keyCode"))) || held == keyCommand && (key == "w" || key == "W") {
		t.beside.Closed()
		return true
	}
	// The class is named: that of the window may be one which AppKit has put in front.
	return t.sendSuper(&super{window, class("NSWindow")}, uintptr(sel("performKeyEquivalent:")), uintptr(event))
}
