//go:build amd64 || arm64

package loginplugin_test

import (
	"maps"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
)

// The results of mechanisms.
const (
	allow    = 0
	deny     = 1
	canceled = 3
)

// engine is authd's, and a mechanism that it runs.
type engine struct {
	m         *mac
	mechanism uintptr
	number    uintptr

	mu       sync.Mutex
	context  map[string]string
	flags    map[string]uint32
	hints    map[string]string
	over     bool          // nothing may come any more
	again    func(*engine) // what is done at once by who is given the result
	results  chan uint32
	inactive int
	refuses  string // a key that it does not take
	keep     []any
}

type value struct{ length, data uintptr }

// given writes a value where the plug-in wants it.
func (e *engine) given(text string, out uintptr) uintptr {
	data := []byte(text)
	v := &value{uintptr(len(data)), uintptr(unsafe.Pointer(unsafe.SliceData(data)))}
	e.keep = append(e.keep, data, v)
	set(out, uintptr(unsafe.Pointer(v)))
	return 0
}

// withEngine calls with the engine of a number, which must still run.
func withEngine(number uintptr, do func(*engine) uintptr) uintptr {
	m := present.Load()
	m.mu.Lock()
	e := m.engines[number]
	m.mu.Unlock()
	if e == nil {
		m.complain("an engine is called that is none")
		return minusOne
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		m.complain("the engine is called when it is over")
	}
	return do(e)
}

const internalError = uintptr(0xffff1598) // -60008

func taken(key, at uintptr) (string, string) {
	v := *(*value)(unsafe.Pointer(&bytesAt(at, 16)[0]))
	return textAt(key), string(bytesAt(v.data, v.length))
}

// engineCallbacks are AuthorizationCallbacks.
var engineCallbacks = sync.OnceValue(func() *[8]uintptr {
	look := func(from func(*engine) map[string]string) func(e *engine, key, out uintptr) uintptr {
		return func(e *engine, key, out uintptr) uintptr {
			text, ok := from(e)[textAt(key)]
			if !ok {
				return internalError
			}
			return e.given(text, out)
		}
	}
	context := look(func(e *engine) map[string]string { return e.context })
	hint := look(func(e *engine) map[string]string { return e.hints })
	return &[8]uintptr{
		4,
		purego.NewCallback(func(number, result uintptr) uintptr {
			var e *engine
			withEngine(number, func(found *engine) uintptr {
				e = found
				e.results <- uint32(result)
				return 0
			})
			if e != nil && e.again != nil {
				e.again(e)
			}
			return 0
		}),
		purego.NewCallback(func(uintptr) uintptr { panic("RequestInterrupt") }),
		purego.NewCallback(func(number uintptr) uintptr {
			return withEngine(number, func(e *engine) uintptr { e.inactive++; return 0 })
		}),
		purego.NewCallback(func(number, key, _, out uintptr) uintptr {
			return withEngine(number, func(e *engine) uintptr { return context(e, key, out) })
		}),
		purego.NewCallback(func(number, key, flags, at uintptr) uintptr {
			return withEngine(number, func(e *engine) uintptr {
				k, text := taken(key, at)
				if k == e.refuses {
					return internalError
				}
				e.context[k], e.flags[k] = text, uint32(flags)
				return 0
			})
		}),
		purego.NewCallback(func(number, key, out uintptr) uintptr {
			return withEngine(number, func(e *engine) uintptr { return hint(e, key, out) })
		}),
		purego.NewCallback(func(number, key, at uintptr) uintptr {
			return withEngine(number, func(e *engine) uintptr {
				k, text := taken(key, at)
				e.hints[k] = text
				return 0
			})
		}),
	}
})

// The places of functions in AuthorizationPluginInterface.
const (
	pluginDestroy       = 1
	mechanismCreate     = 2
	mechanismInvoke     = 3
	mechanismDeactivate = 4
	mechanismDestroy    = 5
)

// table is the plug-in's interface, and itself.
func (m *mac) table() (table *[6]uintptr, self uintptr) {
	var at uintptr
	r, _, _ := purego.SyscallN(plugin.symbols["_AuthorizationPluginCreate"], uintptr(unsafe.Pointer(engineCallbacks())), uintptr(unsafe.Pointer(&self)), uintptr(unsafe.Pointer(&at)))
	if int32(r) != 0 {
		m.t.Fatalf("AuthorizationPluginCreate: %d", int32(r))
	}
	table = *(**[6]uintptr)(unsafe.Pointer(&at))
	if uint32(table[0]) != 0 {
		m.t.Fatalf("version %d", table[0])
	}
	return table, self
}

// call calls a function of the plug-in.
func (m *mac) call(function int, args ...uintptr) int32 {
	table, self := m.table()
	r, _, _ := purego.SyscallN(table[function], args...)
	purego.SyscallN(table[pluginDestroy], self)
	return int32(r)
}

// begin makes a mechanism and invokes it, on the main thread, as authd's host does.
func (m *mac) begin(id string, context map[string]string, prepare ...func(*engine)) *engine {
	m.t.Helper()
	e := &engine{m: m, context: make(map[string]string), flags: make(map[string]uint32), hints: make(map[string]string), results: make(chan uint32, 8)}
	for k, v := range context {
		e.context[k] = v
	}
	for _, p := range prepare {
		p(e)
	}
	m.mu.Lock()
	e.number = uintptr(0x1000 + 16*len(m.engines))
	m.engines[e.number] = e
	m.mu.Unlock()
	name := append([]byte(id), 0)
	_, self := m.table()
	m.onMain(func() {
		if r := m.call(mechanismCreate, self, e.number, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&e.mechanism))); r != 0 {
			m.complain("MechanismCreate: %d", r)
			return
		}
		m.call(mechanismInvoke, e.mechanism)
	})
	runtime.KeepAlive(name)
	m.t.Cleanup(e.destroy) // a test that ends early leaves nobody at the window of the next one
	return e
}

// destroy is authd that ends the mechanism, unless it has.
func (e *engine) destroy() {
	e.m.onMain(func() {
		e.mu.Lock()
		over := e.over
		e.mu.Unlock()
		if over || e.mechanism == 0 {
			return
		}
		e.m.call(mechanismDestroy, e.mechanism)
		e.mu.Lock()
		e.over = true
		e.mu.Unlock()
	})
}

// ends waits for the result, has the mechanism taken back, and sees that there is no
// other result and that all objects are gone.
func (e *engine) ends() uint32 {
	e.m.t.Helper()
	select {
	case r := <-e.results:
		e.takeBack()
		return r
	case <-time.After(time.Minute):
		e.m.t.Fatal("there is no result")
		return 0
	}
}

// takeBack is authd that ends the mechanism.
func (e *engine) takeBack() {
	e.m.t.Helper()
	e.m.onMain(func() { e.m.call(mechanismDeactivate, e.mechanism) })
	e.destroy()
	e.m.onMain(func() {}) // what the plug-in has put there is done
	select {
	case r := <-e.results:
		e.m.t.Errorf("there is a second result, %d", r)
	default:
	}
	c := &e.m.cocoa
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, o := range c.objects {
		if o.references != 0 {
			e.m.t.Errorf("a %s is kept %d times", o.class, o.references)
		}
	}
	maps.DeleteFunc(c.objects, func(_ uintptr, o *object) bool { return !strings.HasPrefix(o.class, "CW") }) // which a thread may still have
}

// fell wants the window to have failed, with no name and no password.
func (e *engine) fell(why string) {
	e.m.t.Helper()
	result := e.ends()
	if hint := strings.TrimSuffix(e.hints["firstday.fallback"], "\x00"); result != allow || hint != why || e.context["username"] != "" || e.context["password"] != "" {
		e.m.t.Errorf("result %d, hint %q, not %q; user %q", result, hint, why, e.context["username"])
	}
}

// loggedOn wants somebody to be logged on.
func (e *engine) loggedOn(user, password string) {
	e.m.t.Helper()
	result := e.ends()
	if result != allow || e.context["username"] != user+"\x00" || e.context["password"] != password+"\x00" || len(e.hints) != 0 {
		e.m.t.Errorf("result %d, %q with %q, hints %q", result, e.context["username"], e.context["password"], e.hints)
	}
	const extractable = 1
	if e.flags["username"] != extractable || e.flags["password"] != extractable {
		e.m.t.Errorf("flags %v", e.flags)
	}
}

func TestMechanismsOfOtherNames(t *testing.T) {
	m := newMac(t)
	_, self := m.table()
	for _, id := range []string{"", "log", "logins", "guards,privileged", "screensaver"} {
		name := append([]byte(id), 0)
		var out uintptr
		if r := m.call(mechanismCreate, self, 1, uintptr(unsafe.Pointer(&name[0])), uintptr(unsafe.Pointer(&out))); r == 0 || out != 0 {
			t.Errorf("there is a mechanism %q", id)
		}
	}
}
