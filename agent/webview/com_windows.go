package webview

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"
	"syscall"
	"unsafe"

	"github.com/wailsapp/go-webview2/pkg/combridge"
	"golang.org/x/sys/windows"
)

// The library's own calls of the runtime (its package webview2) are not used: they
// reach other methods than they name, since its tables leave out what an interface
// inherits; switches are given the address of a bool, which is always true; and
// texts are never given back. What finds and starts the runtime, and what lets it
// call us, is the library's.

// object is something of the runtime's: a pointer to the table of its methods.
type object struct{ methods *[128]uintptr }

// call calls the method at that place. An address among the arguments stays where
// it is until the call returns.
//
//go:uintptrescapes
func (o *object) call(place int, args ...uintptr) error {
	all := append([]uintptr{uintptr(unsafe.Pointer(o))}, args...)
	r, _, _ := syscall.SyscallN(o.methods[place], all...)
	if int32(r) < 0 { //nolint:gosec // an HRESULT has 32 bits
		return syscall.Errno(uint32(r)) //nolint:gosec // so it has
	}
	return nil
}

func (o *object) release() { _, _, _ = syscall.SyscallN(o.methods[2], uintptr(unsafe.Pointer(o))) }
func (o *object) keep()    { _, _, _ = syscall.SyscallN(o.methods[1], uintptr(unsafe.Pointer(o))) }

// as gives another interface of the object. It is the caller's to release.
func (o *object) as(iid string) (*object, error) {
	id, err := windows.GUIDFromString(iid)
	if err != nil {
		return nil, err
	}
	return o.get(0, uintptr(unsafe.Pointer(&id)))
}

// get calls a method whose last argument is where it puts an object.
//
//go:uintptrescapes
func (o *object) get(place int, args ...uintptr) (*object, error) {
	var out *object
	err := o.call(place, append(args, uintptr(unsafe.Pointer(&out)))...)
	if err == nil && out == nil {
		err = errors.New("it gives nothing")
	}
	runtime.KeepAlive(&out)
	return out, err
}

// put calls a method that takes a switch.
func (o *object) put(place int, on bool) error {
	var value uintptr
	if on {
		value = 1
	}
	return o.call(place, value)
}

// number calls a method that gives a number, or a switch.
func (o *object) number(place int) (int32, error) {
	var n int32
	err := o.call(place, uintptr(unsafe.Pointer(&n)))
	return n, err
}

// text calls a method that gives a text.
func (o *object) text(place int) (string, error) {
	var p *uint16
	if err := o.call(place, uintptr(unsafe.Pointer(&p))); err != nil {
		return "", err
	}
	defer windows.CoTaskMemFree(unsafe.Pointer(p))
	return windows.UTF16PtrToString(p), nil
}

// take calls a method that takes a text.
func (o *object) take(place int, text string, more ...uintptr) error {
	p, err := windows.UTF16PtrFromString(text)
	if err != nil {
		return err
	}
	err = o.call(place, append([]uintptr{uintptr(unsafe.Pointer(p))}, more...)...)
	runtime.KeepAlive(p)
	return err
}

// invoked is what the runtime calls: with who calls, or an error, and what it is
// about.
type invoked interface {
	Invoke(first uintptr, about *object)
}

type callback func(first uintptr, about *object)

func (c callback) Invoke(first uintptr, about *object) { c(first, about) }

// The kinds of what it calls, each a type of its own, as combridge tells them apart.
type (
	controllerCompleted  interface{ invoked }
	navigationStarting   interface{ invoked }
	navigationCompleted  interface{ invoked }
	sourceChanged        interface{ invoked }
	newWindowRequested   interface{ invoked }
	permissionRequested  interface{ invoked }
	processFailed        interface{ invoked }
	downloadStarting     interface{ invoked }
	certificateRequested interface{ invoked }
	basicRequested       interface{ invoked }
	certificateError     interface{ invoked }
	externalLaunched     interface{ invoked }
	moveFocusRequested   interface{ invoked }
)

// register tells combridge of them. Only the process with the pages needs it.
var register = sync.OnceFunc(func() {
	registerKind[controllerCompleted]("{6C4819F3-C9B7-4260-8127-C9F5BDE7F68C}")
	registerKind[navigationStarting]("{9ADBE429-F36D-432B-9DDC-F8881FBD76E3}")
	registerKind[navigationCompleted]("{D33A35BF-1C49-4F98-93AB-006E0533FE1C}")
	registerKind[sourceChanged]("{3C067F9F-5388-4772-8B48-79F7EF1AB37C}")
	registerKind[newWindowRequested]("{D4C185FE-C81C-4989-97AF-2D3FA7AB5651}")
	registerKind[permissionRequested]("{15E1C6A3-C72A-4DF3-91D7-D097FBEC6BFD}")
	registerKind[processFailed]("{79E0AEA4-990B-42D9-AA1D-0FCC2E5BC7F1}")
	registerKind[downloadStarting]("{EFEDC989-C396-41CA-83F7-07F845A55724}")
	registerKind[certificateRequested]("{D7175BA2-BCC3-11EB-8529-0242AC130003}")
	registerKind[basicRequested]("{58B4D6C2-18D4-497E-B39B-9A96533FA278}")
	registerKind[certificateError]("{969B3A26-D85E-4795-8199-FEF57344DA22}")
	registerKind[externalLaunched]("{74F712E0-8165-43A9-A13F-0CCE597E75DF}")
	registerKind[moveFocusRequested]("{69035451-6DC7-4CB8-9BCE-B2BD70AD289F}")
})

func registerKind[T invoked](iid string) {
	combridge.RegisterVTable[combridge.IUnknown, T](iid, func(this, first uintptr, about *object) uintptr {
		combridge.Resolve[T](this).Invoke(first, about)
		return 0
	})
}

// kept are what the runtime may call as long as there is a page.
type kept []io.Closer

// handler makes something that the runtime may call.
func handler[T invoked](k *kept, f callback) uintptr {
	c := combridge.New(any(f).(T)) //nolint:forcetypeassert // a callback is any of them
	*k = append(*k, c)
	return c.Ref()
}

// listen has the runtime call when something happens.
func listen[T invoked](k *kept, to *object, place int, f func(about *object)) error {
	h := handler[T](k, func(_ uintptr, about *object) { f(about) })
	var token int64
	if err := to.call(place, h, uintptr(unsafe.Pointer(&token))); err != nil {
		return fmt.Errorf("listening at place %d: %w", place, err)
	}
	return nil
}
