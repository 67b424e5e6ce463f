//go:build amd64 || arm64

package loginplugin_test

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"firstday.dev/internal/testtool"
)

// mac is what the plug-in takes for macOS: glibc, where it is called as macOS'
// libSystem is, and what is here and in cocoa_linux_test.go for the rest. It does not
// show what dyld, the Objective-C runtime, AppKit and WebKit do; it shows which of
// them the plug-in calls, with what.
type mac struct {
	t      *testing.T
	socket string // in the place of the agent's
	cocoa  cocoa

	mu         sync.Mutex
	engines    map[uintptr]*engine
	programs   map[string]string // what runs instead of a program
	spawned    [][]string
	noUnlock   bool     // a policy: who has unlocked the disk is not logged on
	impostor   bool     // whoever listens is not root
	watches    bool     // what follows is kept
	wipes      []string // what was overwritten
	freed      []string // what memory held when it was given back
	allocated  map[uintptr]uintptr
	complaints []string

	tried    chan struct{}          // holds one for each attempt to connect, up to many
	skew     atomic.Int64           // what was added to the clock
	received atomic.Pointer[func()] // is called once, when the plug-in has received something
	dropped  chan struct{}          // holds one for each visit that is gone
	main     chan func()            // the main queue
	idle     chan struct{}          // closed when the main queue has ended
}

var (
	plugin  *image
	imports binder // whose variables the plug-in uses
	present atomic.Pointer[mac]
	loaded  sync.Once
	failed  error
)

const socketPath = "/var/run/firstday/agent.sock"

// newMac gives a Mac into which the plug-in was loaded. There is one at a time.
func newMac(t *testing.T) *mac {
	t.Helper()
	loaded.Do(func() {
		path := shipped(t)
		imports.libc = libc(t)
		plugin, failed = loadImage(path, imports.resolve)
	})
	if failed != nil {
		t.Fatal(failed)
	}
	if plugin == nil {
		testtool.Need(t, "clang") // and so skips as the first test did
		t.Fatal("the plug-in was not loaded")
	}
	dir, err := os.MkdirTemp("", "login") // whose name a socket has room for
	if err != nil {
		t.Fatal(err)
	}
	m := &mac{
		t: t, socket: filepath.Join(dir, "run", "s"), engines: make(map[uintptr]*engine), programs: make(map[string]string), allocated: make(map[uintptr]uintptr),
		main: make(chan func(), 1000), tried: make(chan struct{}, 1000), dropped: make(chan struct{}, 1000), idle: make(chan struct{}),
	}
	m.cocoa.init(m)
	present.Store(m)
	go m.runMain()
	t.Cleanup(func() {
		m.main <- nil
		<-m.idle
		m.mu.Lock()
		defer m.mu.Unlock()
		for _, c := range m.complaints {
			t.Error(c)
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return m
}

// runMain is the main thread.
func (m *mac) runMain() {
	runtime.LockOSThread()
	defer close(m.idle)
	for f := range m.main {
		if f == nil {
			return
		}
		f()
	}
}

// hurry lets time pass in such steps, after each of which all can be heard, until it
// is stopped.
func (m *mac) hurry(step time.Duration) (stop func()) {
	over, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-over:
				return
			case <-time.After(50 * time.Millisecond):
				m.pass(step)
			}
		}
	}()
	return func() { close(over); <-done }
}

// onMain does something on the main thread, and waits.
func (m *mac) onMain(f func()) {
	done := make(chan struct{})
	m.main <- func() {
		defer close(done)
		f()
	}
	<-done
}

func (m *mac) complain(format string, args ...any) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.complaints = append(m.complaints, fmt.Sprintf(format, args...))
}

// pass lets time pass.
func (m *mac) pass(d time.Duration) { m.skew.Add(int64(d)) }

var began = time.Now()

func (m *mac) now() time.Duration {
	return time.Second + time.Since(began) + time.Duration(m.skew.Load())
}

func libc(t *testing.T) uintptr {
	t.Helper()
	handle, err := purego.Dlopen("libc.so.6", purego.RTLD_NOW)
	if err != nil {
		t.Fatal(err)
	}
	return handle
}

// bytesAt gives memory that C has.
func bytesAt(at uintptr, count uintptr) []byte {
	return unsafe.Slice(*(**byte)(unsafe.Pointer(&at)), count)
}

func textAt(at uintptr) string {
	if at == 0 {
		return ""
	}
	n := uintptr(0)
	for bytesAt(at, n+1)[n] != 0 {
		n++
	}
	return string(bytesAt(at, n))
}

// listAt gives a list of texts that ends with NULL.
func listAt(at uintptr) (list []string) {
	for ; ; at += 8 {
		p := *(*uintptr)(unsafe.Pointer(&bytesAt(at, 8)[0]))
		if p == 0 {
			return list
		}
		list = append(list, textAt(p))
	}
}

func set[T any](at uintptr, value T) {
	*(*T)(unsafe.Pointer(&bytesAt(at, unsafe.Sizeof(value))[0])) = value
}

const minusOne = ^uintptr(0)

// binder gives the addresses of imports.
type binder struct {
	libc uintptr
	keep [][]byte
}

// same are the functions that glibc has, with the same meaning and numbers.
var same = strings.Fields(`memmove strstr socket close pipe read write kill waitpid memchr memcmp memcpy memset strchr strcmp strcspn strlen strncmp
	strspn bzero pthread_create pthread_detach pthread_self pthread_mutex_init pthread_mutex_lock pthread_mutex_unlock
	posix_spawn_file_actions_init posix_spawn_file_actions_destroy posix_spawn_file_actions_adddup2 posix_spawn_file_actions_addclose`)

func (b *binder) resolve(name string) uintptr {
	short := strings.TrimPrefix(name, "_")
	if slices.Contains(same, short) {
		return b.glibc(short)
	}
	if f := functions[short]; f != nil {
		return purego.NewCallback(f)
	}
	if f := cocoaFunctions[short]; f != nil {
		return purego.NewCallback(f)
	}
	if f := securityFunctions[short]; f != nil {
		return purego.NewCallback(f)
	}
	switch {
	case short == "calloc":
		real := b.glibc(short)
		return purego.NewCallback(func(count, size uintptr) uintptr {
			at, _, _ := purego.SyscallN(real, count, size)
			m := present.Load()
			m.mu.Lock()
			defer m.mu.Unlock()
			if m.watches {
				m.allocated[at] = count * size
			}
			return at
		})
	case short == "free":
		real := b.glibc(short)
		return purego.NewCallback(func(at uintptr) uintptr {
			m := present.Load()
			m.mu.Lock()
			size := m.allocated[at]
			if size > 0 {
				m.freed = append(m.freed, string(bytesAt(at, size)))
				delete(m.allocated, at)
			}
			m.mu.Unlock()
			purego.SyscallN(real, at)
			return 0
		})
	case short == "posix_spawn":
		real := b.glibc(short)
		return purego.NewCallback(func(pid, path, actions, attributes, arguments, environment uintptr) uintptr {
			return present.Load().spawn(real, pid, path, actions, attributes, arguments, environment)
		})
	case short == "dyld_stub_binder", short == "__stack_chk_fail":
		return purego.NewCallback(func() uintptr { panic(name + " was called") })
	case short == "NSURLAuthenticationMethodServerTrust":
		return uintptr(unsafe.Pointer(&serverTrust))
	case short == "__stack_chk_guard", short == "_dispatch_main_q", short == "_objc_empty_cache", strings.HasPrefix(short, "OBJC_"):
		room := make([]byte, 512)
		b.keep = append(b.keep, room)
		at := uintptr(unsafe.Pointer(&room[0]))
		if class, ok := strings.CutPrefix(short, "OBJC_CLASS_$_"); ok {
			classes[at] = class
		}
		return at
	}
	panic("there is no " + name)
}

func (b *binder) glibc(name string) uintptr {
	at, err := purego.Dlsym(b.libc, name)
	if err != nil {
		panic(err)
	}
	return at
}

// functions are those of macOS that differ from glibc's.
var functions = map[string]any{
	"connect": func(fd, address, length uintptr) uintptr {
		return present.Load().connect(int(fd), bytesAt(address, length))
	},
	"setsockopt": func(_, level, name, value, length uintptr) uintptr {
		const socketLevel, noSignal = 0xffff, 0x1022
		if level != socketLevel || name != noSignal || length != 4 || bytesAt(value, 4)[0] != 1 {
			return minusOne
		}
		return 0
	},
	"recv": func(fd, at, count, flags uintptr) uintptr {
		n := transfer(unix.SYS_RECVFROM, fd, at, count, flags)
		if then := present.Load().received.Swap(nil); then != nil {
			(*then)()
		}
		return n
	},
	"pthread_mutex_destroy": func(uintptr) uintptr { // the last that is done with a visit
		select {
		case present.Load().dropped <- struct{}{}:
		default:
		}
		return 0
	},
	"send": func(fd, at, count, flags uintptr) uintptr { return transfer(unix.SYS_SENDTO, fd, at, count, flags) },
	"getpeereid": func(fd, user, group uintptr) uintptr {
		m := present.Load()
		c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		if err != nil {
			return minusOne
		}
		id := c.Uid
		if int(id) == os.Geteuid() { // whoever runs the tests plays root
			id = 0
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.impostor {
			id = 501
		}
		set(user, id)
		set(group, id)
		return 0
	},
	"clock_gettime_nsec_np": func(clock uintptr) uintptr {
		const uptimeRaw = 8
		if clock != uptimeRaw {
			panic("another clock")
		}
		return uintptr(present.Load().now())
	},
	"poll": func(at, count, timeout uintptr) uintptr {
		return present.Load().poll(at, int(count), time.Duration(int32(timeout))*time.Millisecond)
	},
	"getaudit_addr": func(at, length uintptr) uintptr {
		if length != 48 {
			return minusOne
		}
		set(at+36, int32(100021))
		return 0
	},
	"memset_s": func(at, room, value, count uintptr) uintptr {
		m := present.Load()
		if value != 0 || count > room {
			m.complain("memset_s of %d bytes of %d to %d", count, room, value)
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.watches {
			m.wipes = append(m.wipes, string(bytesAt(at, count)))
		}
		clear(bytesAt(at, count))
		return 0
	},
	"dispatch_async_f": func(_, context, f uintptr) uintptr {
		present.Load().main <- func() { purego.SyscallN(f, context) }
		return 0
	},
}

// connect takes a sockaddr_un of BSD.
func (m *mac) connect(fd int, address []byte) uintptr {
	path, _, _ := strings.Cut(string(address[2:]), "\x00")
	if len(address) != 106 || address[1] != unix.AF_UNIX || path != socketPath {
		m.complain("it connects to %q", address)
		return minusOne
	}
	select {
	case m.tried <- struct{}{}:
	default:
	}
	if err := unix.Connect(fd, &unix.SockaddrUnix{Name: m.socket}); err != nil {
		return minusOne
	}
	return 0
}

func transfer(call, fd, at, count, flags uintptr) uintptr {
	const dontWait = 0x80
	if flags != dontWait {
		present.Load().complain("it waits in recv or send")
	}
	n, _, errno := syscall.Syscall6(call, fd, at, count, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL, 0, 0)
	if errno != 0 {
		return minusOne
	}
	return n
}

// poll waits by the clock that tests can put forward.
func (m *mac) poll(at uintptr, count int, timeout time.Duration) uintptr {
	var list []unix.PollFd
	if count > 0 {
		list = unsafe.Slice((*unix.PollFd)(unsafe.Pointer(&bytesAt(at, uintptr(count)*8)[0])), count)
	}
	until := m.now() + timeout
	for {
		left := until - m.now()
		n, err := unix.Poll(list, int(min(max(left, 0), 5*time.Millisecond)/time.Millisecond))
		if err != nil && err != unix.EINTR {
			return minusOne
		}
		if n > 0 || left <= 0 {
			return uintptr(max(n, 0))
		}
	}
}

// wiped tells whether something was in a buffer that was overwritten.
func (m *mac) wiped(secret string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.ContainsFunc(m.wipes, func(held string) bool { return strings.Contains(held, secret) })
}

// left tells where something still is: in memory that was given back, or was not.
func (m *mac) left(secret string) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, held := range m.freed {
		if strings.Contains(held, secret) {
			return "memory that was freed"
		}
	}
	for at, size := range m.allocated {
		if strings.Contains(string(bytesAt(at, size)), secret) {
			return "memory of the plug-in"
		}
	}
	return ""
}

// spawn runs what the test has put in the place of a program.
func (m *mac) spawn(real, pid, path, actions, attributes, arguments, environment uintptr) uintptr {
	m.mu.Lock()
	m.spawned = append(m.spawned, listAt(arguments))
	instead := m.programs[textAt(path)]
	m.mu.Unlock()
	// By the last one the agent knows who asks.
	if e := listAt(environment); !slices.Equal(e, []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C", "FIRSTDAY_GUARD=1"}) {
		m.complain("a program is given %q", e)
	}
	if instead == "" {
		return uintptr(unix.ENOENT)
	}
	name := append([]byte(instead), 0)
	r, _, _ := purego.SyscallN(real, pid, uintptr(unsafe.Pointer(&name[0])), actions, attributes, arguments, environment)
	runtime.KeepAlive(name)
	return r
}
