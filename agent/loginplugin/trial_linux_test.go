//go:build amd64 || arm64

package loginplugin_test

import (
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"

	"firstday.dev/agent/loginplugin/trial"
)

// The preflight that Macs run before the plug-in is armed passes with what is
// shipped, and has nothing run and nothing shown.
func TestPreflightOfWhatIsShipped(t *testing.T) {
	m := newMac(t)
	var err error
	m.onMain(func() { err = trial.Try(plugin.symbols["_AuthorizationPluginCreate"]) })
	if err != nil {
		t.Error(err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.spawned) > 0 || len(m.cocoa.objects) > 0 || len(m.tried) > 0 {
		t.Errorf("it ran %q, made %d objects, connected %d times", m.spawned, len(m.cocoa.objects), len(m.tried))
	}
}

// bad is a plug-in that is not in order.
type bad struct {
	calls *[8]uintptr // authd's
	table [6]uintptr

	create, version, mechanism, invoke, destroy int32
	result                                      int // -1: none
	twice, sets, silent, takesAll, empty        bool
	missing                                     int // function
}

// theBad is the plug-in that is tried: callbacks cannot be unmade.
var theBad *bad

func (b *bad) makeTable() {
	b.table = [6]uintptr{uintptr(uint32(b.version)), badCalls[0], badCalls[1], badCalls[2], badCalls[3], badCalls[4]}
	if b.missing > 0 {
		b.table[b.missing] = 0
	}
}

var badCalls = [5]uintptr{
	purego.NewCallback(func(uintptr) uintptr { return 0 }),
	purego.NewCallback(func(_, engine, id, out uintptr) uintptr {
		b, name := theBad, textAt(id)
		if b.mechanism != 0 || name == "none" && !b.takesAll {
			return uintptr(uint32(b.mechanism | 1))
		}
		set(out, engine)
		return 0
	}),
	purego.NewCallback(func(m uintptr) uintptr {
		b := theBad
		for n := 0; b.result >= 0 && (n == 0 || b.twice && n == 1); n++ {
			purego.SyscallN(b.calls[1], m, uintptr(b.result))
		}
		if b.sets {
			v := value{}
			purego.SyscallN(b.calls[7], m, uintptr(unsafe.Pointer(unsafe.StringData("x\x00"))), uintptr(unsafe.Pointer(&v)))
		}
		return uintptr(uint32(b.invoke))
	}),
	purego.NewCallback(func(m uintptr) uintptr {
		if !theBad.silent {
			purego.SyscallN(theBad.calls[3], m)
		}
		return 0
	}),
	purego.NewCallback(func(uintptr) uintptr { return uintptr(uint32(theBad.destroy)) }),
}

var badCreate = purego.NewCallback(func(calls, self, table uintptr) uintptr {
	b := theBad
	if b.create == 0 && !b.empty {
		b.calls = *(**[8]uintptr)(unsafe.Pointer(&calls))
		set(self, uintptr(unsafe.Pointer(b)))
		set(table, uintptr(unsafe.Pointer(&b.table)))
	}
	return uintptr(uint32(b.create))
})

func TestPreflightRefuses(t *testing.T) {
	for want, b := range map[string]*bad{
		"":                                     {},
		"AuthorizationPluginCreate gives -108": {create: -108},
		"gives nothing":                        {empty: true},
		"its interface has version 1":          {version: 1},
		"a function of its interface":          {missing: mechanismDeactivate},
		`MechanismCreate of "login" gives`:     {mechanism: -60008},
		`it makes a mechanism "none"`:          {takesAll: true},
		"the guard lets nobody pass: 1":        {result: deny},
		"MechanismInvoke of the guard":         {invoke: -1},
		"the guard gives no result":            {result: -1},
		"more than one result":                 {twice: true},
		"the guard sets a hint":                {sets: true},
		"does not say that it is inactive":     {silent: true},
		"MechanismDestroy":                     {destroy: -1},
	} {
		theBad = b
		b.makeTable()
		if err := trial.Try(badCreate); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
