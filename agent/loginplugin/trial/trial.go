//go:build unix

// Package trial runs the login plug-in as authd's hosts do, as far as that shows no
// window and changes nothing: it makes both mechanisms, refuses what is none, and has
// the guard let pass who has a name and a password. The guard with nothing to let pass
// would put macOS' own login window back, and the other mechanism would show its
// window: those are not invoked.
//
// A plug-in that does not do what it should may bring the process down, so it is not
// for one that has anything else to do.
package trial

import (
	"errors"
	"fmt"
	"runtime"
	"sync"
	"unsafe"

	"github.com/ebitengine/purego"
)

// What authd and plug-ins say to each other, see native/abi.h and Apple's
// Security/AuthorizationPlugin.h.
const (
	allow         = 0
	internalError = -60008

	callbacksVersion = 4
)

// The functions of AuthorizationPluginInterface, after its version.
const (
	pluginDestroy = iota + 1
	mechanismCreate
	mechanismInvoke
	mechanismDeactivate
	mechanismDestroy
	interfaceSize
)

type value struct {
	length uintptr
	data   *byte
}

// engine is authd's end. There is one, for what macOS calls cannot be unmade.
type engine struct {
	callbacks [8]uintptr
	keep      map[string]*value // the context
	results   chan uint32
	inactive  chan struct{}

	mu     sync.Mutex
	faults []error
}

var theEngine = sync.OnceValue(func() *engine {
	e := &engine{keep: map[string]*value{}}
	for key, text := range map[string]string{"username": "preflight\x00", "password": "preflight\x00"} {
		e.keep[key] = &value{uintptr(len(text)), unsafe.SliceData([]byte(text))}
	}
	e.callbacks = [8]uintptr{
		callbacksVersion,
		purego.NewCallback(func(_, result uintptr) uintptr {
			select {
			case e.results <- uint32(result):
			default:
				e.fault("more than one result")
			}
			return 0
		}),
		purego.NewCallback(func(uintptr) uintptr { return e.fault("RequestInterrupt is called") }),
		purego.NewCallback(func(uintptr) uintptr {
			select {
			case e.inactive <- struct{}{}:
			default:
			}
			return 0
		}),
		purego.NewCallback(func(_, key, _, out uintptr) uintptr {
			v := e.keep[textAt(key)]
			if v == nil {
				return status(internalError)
			}
			**(**uintptr)(unsafe.Pointer(&out)) = uintptr(unsafe.Pointer(v))
			return 0
		}),
		purego.NewCallback(func(_, _, _, _ uintptr) uintptr { return e.fault("the guard sets a value") }),
		purego.NewCallback(func(_, _, _ uintptr) uintptr { return status(internalError) }), // there are no hints
		purego.NewCallback(func(_, _, _ uintptr) uintptr { return e.fault("the guard sets a hint") }),
	}
	return e
})

func (e *engine) fault(text string) uintptr {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.faults = append(e.faults, errors.New(text))
	return status(internalError)
}

func status(s int32) uintptr { return uintptr(uint32(s)) }

// maxKey bounds the names that a plug-in asks for.
const maxKey = 64

func textAt(at uintptr) string {
	p := *(**[maxKey]byte)(unsafe.Pointer(&at))
	for i, c := range p {
		if c == 0 {
			return string(p[:i])
		}
	}
	return ""
}

// Try tries a plug-in by the address of its AuthorizationPluginCreate.
func Try(create uintptr) error {
	e := theEngine()
	e.results, e.inactive, e.faults = make(chan uint32, 1), make(chan struct{}, 1), nil
	var self uintptr
	var table *[interfaceSize]uintptr
	r, _, _ := purego.SyscallN(create, uintptr(unsafe.Pointer(&e.callbacks)), uintptr(unsafe.Pointer(&self)), uintptr(unsafe.Pointer(&table)))
	switch {
	case int32(r) != 0:
		return fmt.Errorf("AuthorizationPluginCreate gives %d", int32(r))
	case table == nil || self == 0:
		return errors.New("AuthorizationPluginCreate gives nothing")
	case uint32(table[0]) != 0:
		return fmt.Errorf("its interface has version %d", uint32(table[0]))
	}
	for _, at := range table[1:] {
		if at == 0 {
			return errors.New("a function of its interface is missing")
		}
	}
	p := plugin{e, table, self}
	err := errors.Join(p.makes("login"), p.refuses("none"), p.guards())
	if r := p.call(pluginDestroy, self); err == nil && r != 0 {
		err = fmt.Errorf("PluginDestroy gives %d", r)
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	return errors.Join(append([]error{err}, e.faults...)...)
}

type plugin struct {
	*engine
	table *[interfaceSize]uintptr
	self  uintptr
}

func (p plugin) call(function int, args ...uintptr) int32 {
	r, _, _ := purego.SyscallN(p.table[function], args...)
	return int32(r)
}

// create gives a mechanism, by the name that authd has for it.
func (p plugin) create(id string) (mechanism uintptr, result int32) {
	name := append([]byte(id), 0)
	result = p.call(mechanismCreate, p.self, uintptr(unsafe.Pointer(p.engine)), uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&mechanism)))
	runtime.KeepAlive(name)
	return mechanism, result
}

// makes has a mechanism made and taken back, without being invoked.
func (p plugin) makes(id string) error {
	m, r := p.create(id)
	if r != 0 || m == 0 {
		return fmt.Errorf("MechanismCreate of %q gives %d", id, r)
	}
	if r := p.call(mechanismDestroy, m); r != 0 {
		return fmt.Errorf("MechanismDestroy of %q gives %d", id, r)
	}
	return nil
}

func (p plugin) refuses(id string) error {
	if m, r := p.create(id); r == 0 || m != 0 {
		return fmt.Errorf("it makes a mechanism %q", id)
	}
	return nil
}

// guards has the guard let somebody pass.
func (p plugin) guards() error {
	m, r := p.create("guard")
	if r != 0 || m == 0 {
		return fmt.Errorf("MechanismCreate of the guard gives %d", r)
	}
	if r := p.call(mechanismInvoke, m); r != 0 {
		return fmt.Errorf("MechanismInvoke of the guard gives %d", r)
	}
	select {
	case result := <-p.results:
		if result != allow {
			return fmt.Errorf("the guard lets nobody pass: %d", result)
		}
	default: // it gives it before it returns
		return errors.New("the guard gives no result")
	}
	if r := p.call(mechanismDeactivate, m); r != 0 {
		return fmt.Errorf("MechanismDeactivate gives %d", r)
	}
	select {
	case <-p.inactive:
	default:
		return errors.New("the guard does not say that it is inactive")
	}
	if r := p.call(mechanismDestroy, m); r != 0 {
		return fmt.Errorf("MechanismDestroy of the guard gives %d", r)
	}
	return nil
}
