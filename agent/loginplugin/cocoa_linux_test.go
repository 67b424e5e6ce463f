//go:build amd64 || arm64

package loginplugin_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// object is one of Objective-C's, or of a class's in its place.
type object struct {
	class, text string
	references  int
	delegate    uintptr
	previews    string // of links, of a web view: yes or no; empty: as WebKit likes
	of          any    // what Security, or who asks for it, has of the object
	room        []byte
}

// cocoa knows the objects, and what was asked of them.
type cocoa struct {
	m       *mac
	mu      sync.Mutex
	objects map[uintptr]*object
	calls   []string // class and selector
	page    uintptr  // the web view with our page
	shown   string   // the address that the other one was to load
	other   uintptr
	handler uintptr            // of what our page says; 0: none listens
	added   map[string]uintptr // handlers, by the configuration
	load    func()             // is called when our page is to be loaded
	keyCode int                // of the key that is pressed
	wifi    airport
	told    chan string // what our page was told
}

func (c *cocoa) init(m *mac) {
	c.m, c.objects, c.added, c.told = m, make(map[uintptr]*object), make(map[string]uintptr), make(chan string, 100)
}

// classes are those that are imported, by their address.
var classes = make(map[uintptr]string)

// indexURL is where the page lies.
const indexURL = "file:///Library/Security/SecurityAgentPlugins/FirstdayLogin.bundle/Contents/Resources/index.html"

// These begin what a frame within the page says, the address of what would be a
// window of its own, and that of what no page shows.
const (
	inFrame  = "frame "
	inWindow = "window "
	toKeep   = "file "
)

// made gives a new object.
func (c *cocoa) made(class, text string) uintptr {
	size := 512
	if strings.HasPrefix(class, "Firstday") { // whose variables are the plug-in's
		size = 4096
	}
	o := &object{class: class, text: text, room: make([]byte, size)}
	at := uintptr(unsafe.Pointer(&o.room[0]))
	c.objects[at] = o
	return at
}

// classOf gives the name of a class, which may be one of the plug-in's own.
func classOf(at uintptr) string {
	if name := classes[at]; name != "" {
		return name
	}
	for name, symbol := range plugin.symbols {
		if symbol == at && strings.HasPrefix(name, "_OBJC_CLASS_$_") {
			return strings.TrimPrefix(name, "_OBJC_CLASS_$_")
		}
	}
	return ""
}

// cocoaFunctions are those of the Objective-C runtime, and of CoreFoundation.
var cocoaFunctions = map[string]any{
	"objc_msgSend": func(self, selector, a, b, third uintptr) uintptr {
		c := &present.Load().cocoa
		if result, known := c.sendWiFi(self, textAt(selector), a, b, third); known {
			return result
		}
		if result, known := c.sendTrust(self, textAt(selector), a, b); known {
			return result
		}
		return c.send(self, textAt(selector), a, b)
	},
	"objc_msgSendSuper2": func(super, selector, a, b uintptr) uintptr {
		return present.Load().cocoa.send(*(*uintptr)(unsafe.Pointer(&bytesAt(super, 8)[0])), textAt(selector)+" of super", a, b)
	},
	"objc_msgSend_stret": func(out, self, selector uintptr) uintptr {
		present.Load().cocoa.send(self, textAt(selector), 0, 0)
		set(out, [4]float64{0, 0, 1440, 900})
		return out
	},
	"objc_alloc":      func(class uintptr) uintptr { return present.Load().cocoa.alloc(class) },
	"objc_alloc_init": func(class uintptr) uintptr { return present.Load().cocoa.alloc(class) },
	"objc_opt_class":  func(self uintptr) uintptr { return self },
	"objc_opt_isKindOfClass": func(self, class uintptr) uintptr {
		return present.Load().cocoa.send(self, "isKindOfClass:", class, 0)
	},
	"objc_retain":              func(self uintptr) uintptr { return present.Load().cocoa.send(self, "retain", 0, 0) },
	"objc_release":             func(self uintptr) uintptr { return present.Load().cocoa.send(self, "release", 0, 0) },
	"objc_autoreleasePoolPush": func() uintptr { return 1 },
	"objc_autoreleasePoolPop":  func(uintptr) uintptr { return 0 },
	"CFPreferencesGetAppBooleanValue": func(key, application, valid uintptr) uintptr {
		m := present.Load()
		if k, a := m.cocoa.textOf(key), m.cocoa.textOf(application); k != "DisableFDEAutoLogin" || a != "com.apple.loginwindow" {
			m.complain("it looks at the preference %q of %q", k, a)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		set(valid, m.noUnlock)
		if m.noUnlock {
			return 1
		}
		return 0
	},
}

func (c *cocoa) textOf(at uintptr) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if o := c.objects[at]; o != nil {
		return o.text
	}
	return ""
}

func (c *cocoa) alloc(class uintptr) uintptr {
	c.mu.Lock()
	defer c.mu.Unlock()
	at := c.made(classOf(class), "")
	c.objects[at].references = 1
	return at
}

// silent are selectors of which nothing is wanted but that they are called.
var silent = strings.Fields(`setReleasedWhenClosed: setCanBecomeVisibleWithoutLogin: setLevel: setContentView: makeFirstResponder: makeKeyAndOrderFront:
	orderFrontRegardless orderOut: close removeAllItems activateIgnoringOtherApps: setWebsiteDataStore: addSubview: removeFromSuperview stopLoading frame
	init initWithContentRect:styleMask:backing:defer: initWithFrame:configuration:`)

// givers are selectors that give another object, of that class.
var givers = map[string]string{
	"mainScreen": "NSScreen", "sharedApplication": "NSApplication", "nonPersistentDataStore": "WKWebsiteDataStore",
	"bundleForClass:": "NSBundle", "frameInfo": "WKFrameInfo", "targetFrame": "WKFrameInfo", "request": "NSURLRequest", "URL": "NSURL",
	"requestWithURL:": "NSURLRequest", "URLWithString:": "NSURL", "absoluteString": "NSString", "body": "NSString", "URLByDeletingLastPathComponent": "NSURL",
	"charactersIgnoringModifiers": "NSString", "response": "NSURLResponse",
}

// send is a message to an object. Whatever the plug-in sends must be known here.
func (c *cocoa) send(self uintptr, selector string, a, b uintptr) uintptr {
	if self == 0 {
		return 0
	}
	c.mu.Lock()
	o := c.objects[self]
	class := classOf(self)
	if o != nil {
		class = o.class
	}
	if class == "" {
		c.mu.Unlock()
		c.m.complain("%s is sent to no object", selector)
		return 0
	}
	c.calls = append(c.calls, class+" "+selector)
	var then func()
	result := self
	switch selector {
	case "retain":
		o.references++
	case "release":
		if o.references--; o.references < 0 {
			then = func() { c.m.complain("a %s is released too often", class) }
		}
	case "stringWithUTF8String:":
		result = c.made("NSString", textAt(a))
	case "UTF8String":
		o.room = append([]byte(o.text), 0)
		result = uintptr(unsafe.Pointer(&o.room[0]))
	case "URLForResource:withExtension:":
		if c.objects[a].text+"."+c.objects[b].text != "index.html" {
			then = func() { c.m.complain("it loads another page") }
		}
		result = c.made("NSURL", indexURL)
	case "class":
	case "isKindOfClass:":
		if result = 0; o.class == classOf(a) {
			result = 1
		}
	case "isMainFrame":
		if result = 1; strings.HasPrefix(o.text, inFrame) {
			result = 0
		}
	case "shouldPerformDownload":
		if result = 0; strings.HasPrefix(o.text, toKeep) {
			result = 1
		}
	case "isFlipped": // as WebKit's are
		result = 1
	case "canShowMIMEType":
		if result = 1; strings.HasPrefix(o.text, toKeep) {
			result = 0
		}
	case "modifierFlags":
		result = 1<<18 | 1<<19 | 1<<20
	case "performKeyEquivalent: of super": // nobody wants it
		result = 0
	case "setAllowsLinkPreview:":
		if o.previews = "yes"; a == 0 {
			o.previews = "no"
		}
	case "keyCode":
		result = uintptr(c.keyCode)
	case "setNavigationDelegate:", "setDelegate:":
		o.delegate = a
	case "delegate":
		result = o.delegate
	case "addScriptMessageHandler:name:":
		c.handler, c.added[o.text] = a, a
	case "removeScriptMessageHandlerForName:":
		if c.handler == c.added[o.text] {
			c.handler = 0
		}
		delete(c.added, o.text)
	case "userContentController":
		result = c.made("WKUserContentController", fmt.Sprint(self))
	case "loadFileURL:allowingReadAccessToURL:":
		c.page = self
		then = c.load
	case "loadRequest:":
		c.other, c.shown = self, c.objects[a].text
	case "evaluateJavaScript:completionHandler:":
		script := c.objects[a].text
		then = func() { c.take(script) }
	default:
		if given := givers[selector]; given != "" {
			text := ""
			switch {
			case a != 0 && c.objects[a] != nil && strings.HasSuffix(selector, ":"):
				text = c.objects[a].text
			case o != nil:
				text = o.text
			}
			if selector == "targetFrame" && strings.HasPrefix(text, inWindow) {
				result = 0 // a link that opens another one
				break
			}
			if given == "NSString" || given == "NSURL" || given == "NSURLRequest" {
				for _, prefix := range []string{inWindow, toKeep, inFrame} {
					text = strings.TrimPrefix(text, prefix)
				}
			}
			result = c.made(given, text)
		} else if !slices.Contains(silent, selector) {
			then = func() { c.m.complain("%s is sent to a %s", selector, class) }
		}
	}
	c.mu.Unlock()
	if then != nil {
		then()
	}
	return result
}

// take takes a script: a call with JSON, and nothing else.
func (c *cocoa) take(script string) {
	text, call := strings.CutPrefix(script, "firstday.take(")
	text, end := strings.CutSuffix(text, ")")
	if !call || !end || !json.Valid([]byte(text)) {
		c.m.complain("the page is to run %q", script)
		return
	}
	c.told <- text
}

// say is what the page says, or a frame in it.
func (m *mac) say(text string) {
	m.onMain(func() { m.sayFrom(m.cocoa.message(text)) })
}

// message gives a WKScriptMessage, whose text its body has.
func (c *cocoa) message(text string) uintptr {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.made("WKScriptMessage", text)
}

func (m *mac) sayFrom(message uintptr) {
	m.cocoa.mu.Lock()
	handler := m.cocoa.handler
	m.cocoa.mu.Unlock()
	if handler == 0 {
		return
	}
	purego.SyscallN(plugin.symbols["-[FirstdayLoginHost userContentController:didReceiveScriptMessage:]"], handler, 0, 0, message)
}

// block is one of Objective-C's, as far as who calls it looks.
type block struct {
	isa    uintptr
	flags  uint64
	invoke uintptr
}

// decided is what the plug-in has decided of a navigation.
var decided struct {
	sync.Mutex
	policies []uintptr
}

var decideCallback = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(_ uintptr, policy uintptr) uintptr {
		decided.Lock()
		defer decided.Unlock()
		decided.policies = append(decided.policies, policy)
		return 0
	})
})

// mayLoad asks whether a web view may go to an address.
func (m *mac) mayLoad(view uintptr, address string) bool {
	m.t.Helper()
	return m.decides("webView:decidePolicyForNavigationAction:decisionHandler:", view, "WKNavigationAction", address)
}

// mayShow asks whether a web view may show what came from an address.
func (m *mac) mayShow(view uintptr, address string) bool {
	m.t.Helper()
	return m.decides("webView:decidePolicyForNavigationResponse:decisionHandler:", view, "WKNavigationResponse", address)
}

func (m *mac) decides(what string, view uintptr, class, address string) bool {
	m.t.Helper()
	m.cocoa.mu.Lock()
	about := m.cocoa.made(class, address)
	handler := m.cocoa.handler
	m.cocoa.mu.Unlock()
	block := &block{invoke: decideCallback()}
	decided.policies = nil
	m.onMain(func() {
		purego.SyscallN(plugin.symbols["-[FirstdayLoginHost "+what+"]"], handler, 0, view, about, uintptr(unsafe.Pointer(block)))
	})
	if len(decided.policies) != 1 {
		m.t.Fatalf("%s: it decides %d times", address, len(decided.policies))
	}
	return decided.policies[0] == 1
}
