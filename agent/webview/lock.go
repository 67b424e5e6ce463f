package webview

// setting is a switch of ICoreWebView2Settings: the place of its put method. That
// of its get method is the one before.
type setting struct {
	name string
	put  int
	on   bool
}

// settings are all that there are for a page. With the newest of them comes the
// interface that is asked for.
var settings = []setting{
	{"IsScriptEnabled", 4, true}, // providers' pages are made of it
	{"IsWebMessageEnabled", 6, false},
	{"AreDefaultScriptDialogsEnabled", 8, false}, // windows of the browser's, not the page's
	{"IsStatusBarEnabled", 10, false},
	{"AreDevToolsEnabled", 12, false},
	{"AreDefaultContextMenusEnabled", 14, false}, // save as, print, open
	{"AreHostObjectsAllowed", 16, false},
	{"IsZoomControlEnabled", 18, false},
	{"IsBuiltInErrorPageEnabled", 20, false},        // it has links
	{"AreBrowserAcceleratorKeysEnabled", 24, false}, // ICoreWebView2Settings3: open, print, find, help
	{"IsPasswordAutosaveEnabled", 26, false},        // …4
	{"IsGeneralAutofillEnabled", 28, false},
	{"IsPinchZoomEnabled", 30, false},       // …5
	{"IsSwipeNavigationEnabled", 32, false}, // …6
}

// What the runtime says has failed (COREWEBVIEW2_PROCESS_FAILED_KIND). The browser
// starts other processes again by itself.
const (
	browserExited        = 0
	rendererExited       = 1
	rendererUnresponsive = 2
	frameRendererExited  = 3
	lastHarmless         = 9
)

// fatal tells failures after which nobody can go on with the page.
func fatal(kind int32) bool { return kind <= frameRendererExited || kind > lastHarmless }

// journey is where the pages have come to.
type journey struct {
	shown bool // the first page was there
}

// completed takes that a page has loaded or not, and tells whether the first one
// has, or that there is none. What fails later people see, and can leave: pages that
// ask for a password again fail, too, by their status.
func (j *journey) completed(success bool) (first bool, err error) {
	switch {
	case j.shown:
		return false, nil
	case !success:
		return false, ErrNoPage
	}
	j.shown = true
	return true, nil
}
