package webview

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/wailsapp/go-webview2/pkg/combridge"
	"github.com/wailsapp/go-webview2/webviewloader"
	"golang.org/x/sys/windows"
)

// Host is where a view is shown, and who hears of it. All is called on the thread
// that opened the view, from its loop of messages.
type Host struct {
	Window uintptr // that has it
	Folder string  // for what the browser writes: new, and wiped when it has ended
	// At tells of which origin the page is, Refused where one wanted to lead.
	At, Refused func(origin string)
	Shown       func()          // the first page is there
	Leave       func(back bool) // the keyboard leaves the page
	Failed      func(err error) // a [FailureError]; nothing more comes of the view
}

// View is a page in a window. Its methods are for the thread that opened it, which
// has a loop of messages.
type View struct {
	host   *Host
	failed bool
	page   string
	place  [4]int32 // left, top, right, bottom, in the window
	journey
	origins                       Origins
	environment, controller, view *object
	kept
}

// Open begins to open the view, once.
func (v *View) Open(h *Host) {
	v.host = h
	if err := v.start(); err != nil {
		v.fail(ErrNoEnvironment, err)
	}
}

func (v *View) start() error {
	if err := Ready(); err != nil {
		v.fail(ErrNoRuntime, err)
		return nil
	}
	register()
	if err := windows.CoInitializeEx(0, windows.COINIT_APARTMENTTHREADED); err != nil {
		return err
	}
	return webviewloader.CreateCoreWebView2EnvironmentWithOptions(environmentMade{v},
		webviewloader.WithUserDataFolder(v.host.Folder), webviewloader.WithAdditionalBrowserArguments(arguments),
		webviewloader.WithTargetCompatibleBrowserVersion(leastVersion.String()), webviewloader.WithExclusiveUserDataFolderAccess(true))
}

// fail ends the view, for the first reason that there is.
func (v *View) fail(f FailureError, err error) {
	if !v.failed {
		v.failed = true
		v.host.Failed(fmt.Errorf("%w: %w", f, err))
	}
}

type environmentMade struct{ v *View }

// EnvironmentCompleted is the library's name for it.
func (e environmentMade) EnvironmentCompleted(code webviewloader.HRESULT, environment *combridge.IUnknownImpl) webviewloader.HRESULT {
	v := e.v
	if code < 0 || environment == nil {
		v.fail(ErrNoEnvironment, windows.Errno(uint32(code))) //nolint:gosec // an HRESULT
		return 0
	}
	v.environment = (*object)(unsafe.Pointer(environment))
	v.environment.keep()
	if err := v.makeController(); err != nil {
		v.fail(ErrNoController, err)
	}
	return 0
}

func (v *View) makeController() error {
	environment, err := v.environment.as(iidEnvironment10)
	if err != nil {
		return err
	}
	defer environment.release()
	const createOptions, createWithOptions, putInPrivate, getInPrivate = 20, 21, 6, 5
	options, err := environment.get(createOptions)
	if err != nil {
		return err
	}
	defer options.release()
	if err := options.put(putInPrivate, true); err != nil {
		return err
	}
	on, err := options.number(getInPrivate)
	if err != nil {
		return err
	}
	if on == 0 {
		return errors.New("its profile does not stay private")
	}
	done := handler[controllerCompleted](&v.kept, func(code uintptr, controller *object) {
		if int32(code) < 0 || controller == nil { //nolint:gosec // an HRESULT
			v.fail(ErrNoController, windows.Errno(uint32(code))) //nolint:gosec // an HRESULT
			return
		}
		if v.failed { // closed meanwhile
			return
		}
		controller.keep()
		v.controller = controller
		if err := v.lock(); err != nil {
			v.fail(ErrNoLock, err)
			return
		}
		v.visit()
	})
	return environment.call(createWithOptions, v.host.Window, uintptr(unsafe.Pointer(options)), done)
}

// The places of the controller's methods.
const (
	controllerPutVisible  = 4
	controllerPutBounds   = 6
	controllerMoveFocus   = 12
	controllerFocusAsked  = 13
	controllerMoved       = 23
	controllerClose       = 24
	controllerGetView     = 25
	controllerPutDropable = 37
)

// lock takes from the page all that it could lead out by, before there is one.
func (v *View) lock() error {
	controller, err := v.controller.as(iidController4)
	if err != nil {
		return fmt.Errorf("ICoreWebView2Controller4: %w", err)
	}
	defer controller.release()
	if err := set(controller, "AllowExternalDrop", controllerPutDropable, false); err != nil {
		return err
	}
	plain, err := v.controller.get(controllerGetView)
	if err != nil {
		return err
	}
	defer plain.release()
	if err := v.controller.put(controllerPutVisible, false); err != nil { // before there is a page
		return err
	}
	if v.view, err = plain.as(iidView18); err != nil {
		return fmt.Errorf("ICoreWebView2_18: %w", err)
	}
	const getSettings = 3
	first, err := v.view.get(getSettings)
	if err != nil {
		return err
	}
	defer first.release()
	all, err := first.as(iidSettings6)
	if err != nil {
		return fmt.Errorf("ICoreWebView2Settings6: %w", err)
	}
	defer all.release()
	for _, s := range settings {
		if err := set(all, s.name, s.put, s.on); err != nil {
			return err
		}
	}
	const addScript = 27
	if err := v.view.take(addScript, script, 0); err != nil {
		return fmt.Errorf("the script that closes what has no setting: %w", err)
	}
	return v.listen()
}

// set sets a switch, and sees that it is set.
func set(o *object, name string, place int, on bool) error {
	if err := o.put(place, on); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	n, err := o.number(place - 1)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	if (n != 0) != on {
		return fmt.Errorf("%s: it does not stay %v", name, on)
	}
	return nil
}

// visit goes to the page, once there is one to go to and a view to show it.
func (v *View) visit() {
	if v.page == "" || v.view == nil || v.failed {
		return
	}
	v.arrange()
	const navigate = 5
	if err := v.view.take(navigate, v.page); err != nil {
		v.fail(ErrNoPage, err)
	}
}

// Go goes to the first page, once.
func (v *View) Go(page string, list []string) {
	if v.page != "" || v.failed {
		return
	}
	origins, err := NewOrigins(list)
	if err == nil && (!origins.Allowed(page) || page == blank) {
		err = fmt.Errorf("the first page is of none of the origins %v", list)
	}
	if err != nil {
		v.fail(ErrNoPage, err)
		return
	}
	v.page, v.origins = page, origins
	v.visit()
}

// Place puts the page where it is to be in the window.
func (v *View) Place(x, y, w, h int) {
	v.place = [4]int32{int32(x), int32(y), int32(x + w), int32(y + h)} //nolint:gosec // on a screen
	v.arrange()
}

func (v *View) arrange() {
	if v.controller == nil {
		return
	}
	r := v.place
	// A RECT, by value: on x64 that is a pointer to a copy, on ARM64 two registers.
	if runtime.GOARCH == "arm64" {
		pair := (*[2]uintptr)(unsafe.Pointer(&r))
		_ = v.controller.call(controllerPutBounds, pair[0], pair[1])
	} else {
		_ = v.controller.call(controllerPutBounds, uintptr(unsafe.Pointer(&r)))
	}
	_ = v.controller.call(controllerMoved)
}

// Focus gives the page the keyboard.
func (v *View) Focus() {
	if v.controller != nil {
		_ = v.controller.call(controllerMoveFocus, 0)
	}
}

// Close ends the view, and the browser with it.
func (v *View) Close() {
	v.failed = true // nothing more is told
	if v.controller != nil {
		_ = v.controller.call(controllerClose)
	}
	for _, o := range []*object{v.view, v.controller, v.environment} {
		if o != nil {
			o.release()
		}
	}
	v.view, v.controller, v.environment = nil, nil, nil
}
