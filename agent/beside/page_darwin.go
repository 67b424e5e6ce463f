package beside

import "github.com/ebitengine/purego/objc"

// pageWindow is the window with the page, and on that perhaps a second web view.
type pageWindow struct {
	*appKit
	window, view, content objc.ID // content is the page's WKUserContentController
	size                  size
	other                 objc.ID // the second web view; 0: there is none
}

// drawPage opens the window with the page, loads the page again, or closes it.
func (t *appKit) drawPage(before int) {
	switch {
	case t.page != nil && t.shown.Page == 0:
		t.page.close()
		t.page = nil
	case t.page != nil && before > 0:
		t.page.load()
	case t.shown.Page > 0:
		screen, ok := mainScreen()
		if !ok {
			t.beside.Closed() // nobody could have pressed
			return
		}
		t.page = t.openPage(arrangePage(screen))
	}
}

func (t *appKit) openPage(frame rect) *pageWindow {
	w := &pageWindow{appKit: t, size: size{frame.width, frame.height}}
	configuration := class("WKWebViewConfiguration").Send(sel("new"))
	defer configuration.Send(sel("release"))
	configuration.Send(sel("setURLSchemeHandler:forURLScheme:"), t.host, text(scheme))
	w.content = configuration.Send(sel("userContentController")).Send(sel("retain"))
	w.content.Send(sel("addScriptMessageHandler:name:"), t.host, text("firstday"))
	w.view = t.webView(rect{0, 0, frame.width, frame.height}, configuration)
	w.window = t.window.Send(sel("alloc")).Send(sel("initWithContentRect:styleMask:backing:defer:"), frame, uint(styleTitled|styleClosable), uint(backingBuffered), false)
	dressWindow(w.window)
	w.window.Send(sel("setTitle:"), text(t.shown.Title))
	w.window.Send(sel("setDelegate:"), t.host)
	w.window.Send(sel("setContentView:"), w.view)
	w.load()
	t.app.Send(sel("activateIgnoringOtherApps:"), true)
	w.window.Send(sel("makeKeyAndOrderFront:"), objc.ID(0))
	w.window.Send(sel("orderFrontRegardless"))
	w.window.Send(sel("makeFirstResponder:"), w.view)
	return w
}

// webView gives a web view that keeps nothing.
func (t *appKit) webView(frame rect, configuration objc.ID) objc.ID {
	configuration.Send(sel("setWebsiteDataStore:"), class("WKWebsiteDataStore").Send(sel("nonPersistentDataStore")))
	view := t.view.Send(sel("alloc")).Send(sel("initWithFrame:configuration:"), frame, configuration)
	view.Send(sel("setAllowsLinkPreview:"), false)
	view.Send(sel("setNavigationDelegate:"), t.host)
	return view
}

func loadAddress(view objc.ID, address string) {
	view.Send(sel("loadRequest:"), class("NSURLRequest").Send(sel("requestWithURL:"), class("NSURL").Send(sel("URLWithString:"), text(address))))
}

func (w *pageWindow) load() { loadAddress(w.view, pageAddress) }

func (w *pageWindow) evaluate(script string) {
	w.view.Send(sel("evaluateJavaScript:completionHandler:"), text(script), objc.ID(0))
}

// place moves the window, whose page keeps its size.
func (w *pageWindow) place(room rect) {
	at := rect{room.x + (room.width-w.size.width)/2, room.y + (room.height-w.size.height)/2, 0, 0}
	w.window.Send(sel("setFrameOrigin:"), size{at.x, at.y})
}

// drawOther shows a page of the organisation's on top of ours, or takes it away.
func (w *pageWindow) drawOther(address string) {
	if w.other != 0 {
		shutView(w.other)
		w.other = 0
		w.window.Send(sel("makeFirstResponder:"), w.view)
	}
	if address == "" {
		return
	}
	configuration := class("WKWebViewConfiguration").Send(sel("new"))
	defer configuration.Send(sel("release"))
	w.other = w.webView(arrangeOther(w.size, objc.Send[bool](w.view, sel("isFlipped"))), configuration)
	w.view.Send(sel("addSubview:"), w.other)
	loadAddress(w.other, address)
	w.window.Send(sel("makeFirstResponder:"), w.other)
}

func (w *pageWindow) close() {
	w.drawOther("")
	w.content.Send(sel("removeScriptMessageHandlerForName:"), text("firstday"))
	w.content.Send(sel("release"))
	w.window.Send(sel("setDelegate:"), objc.ID(0))
	closeWindow(w.window)
	shutView(w.view)
	w.app.Send(sel("deactivate")) // Apple's fields have the keyboard again
}

// shutView ends a web view, which tells nothing any more.
func shutView(view objc.ID) {
	view.Send(sel("setNavigationDelegate:"), objc.ID(0))
	view.Send(sel("stopLoading"))
	view.Send(sel("removeFromSuperview"))
	view.Send(sel("release"))
}
