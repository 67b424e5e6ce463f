package testcredprov

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"sync/atomic"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/mgr"
)

// Wine runs no service as SYSTEM, and knows no Negotiate. A test makes them true
// for the DLL that is loaded: what it asks Windows of these two is answered here,
// by way of the table of its imports in this process. The file, and every
// instruction of it, are those that are shipped.

var (
	advapi32 = windows.NewLazySystemDLL("advapi32.dll")
	secur32  = windows.NewLazySystemDLL("secur32.dll")

	getTokenInformation = advapi32.NewProc("GetTokenInformation")
	lookupPackage       = secur32.NewProc("LsaLookupAuthenticationPackage")
)

// Negotiate is the number of the package that a test makes known.
const Negotiate = 4711

// system gives the process that is SYSTEM; 0: there is none.
var system atomic.Pointer[func() uint32]

// RunAsSystem has the provider see one process as SYSTEM's, all others as whose
// they are. It calls process, from any thread, whenever it asks whose one is; 0
// is none.
func (h *Host) RunAsSystem(process func() uint32) error {
	system.Store(&process)
	return replace(getTokenInformation, answerTokenInformation)
}

// KnowNegotiate has the provider find the package that logs people on.
func (h *Host) KnowNegotiate() error { return replace(lookupPackage, answerLookupPackage) }

// ServiceProcess gives the process of a running service, 0 if it does not run: on
// Windows, the one that is SYSTEM.
func ServiceProcess(name string) uint32 {
	m, err := mgr.Connect()
	if err != nil {
		return 0
	}
	defer m.Disconnect() //nolint:errcheck // it was read only
	s, err := m.OpenService(name)
	if err != nil {
		return 0
	}
	defer s.Close() //nolint:errcheck // it was read only
	status, err := s.Query()
	if err != nil {
		return 0
	}
	return status.ProcessId
}

// tokenUser is a TOKEN_USER with its SID, S-1-5-18.
type tokenUser struct {
	sid        unsafe.Pointer
	attributes uint64
	bytes      [12]byte
}

var answerTokenInformation = syscall.NewCallback(func(token windows.Token, class uintptr, out *tokenUser, size uintptr, needed *uint32) uintptr {
	if uint32(class) != windows.TokenUser || uint32(size) < uint32(unsafe.Sizeof(*out)) || !isOf(token, (*system.Load())()) {
		ok, _, _ := getTokenInformation.Call(uintptr(token), class, uintptr(unsafe.Pointer(out)), size, uintptr(unsafe.Pointer(needed)))
		return ok
	}
	*out = tokenUser{sid: unsafe.Pointer(&out.bytes), bytes: [12]byte{1, 1, 7: 5, 8: windows.SECURITY_LOCAL_SYSTEM_RID}}
	*needed = uint32(unsafe.Sizeof(*out))
	return 1
})

var answerLookupPackage = syscall.NewCallback(func(lsa uintptr, name *windows.NTString, number *uint32) uintptr {
	if name.String() != "Negotiate" {
		status, _, _ := lookupPackage.Call(lsa, uintptr(unsafe.Pointer(name)), uintptr(unsafe.Pointer(number)))
		return status
	}
	*number = Negotiate
	return 0
})

// isOf tells whether a token is the one of a process.
func isOf(token windows.Token, process uint32) bool {
	if process == 0 {
		return false
	}
	p, err := windows.OpenProcess(windows.PROCESS_QUERY_LIMITED_INFORMATION, false, process)
	if err != nil {
		return false
	}
	defer windows.CloseHandle(p) //nolint:errcheck // it was read only
	var its windows.Token
	if err := windows.OpenProcessToken(p, windows.TOKEN_QUERY, &its); err != nil {
		return false
	}
	defer its.Close() //nolint:errcheck // it was read only
	a, errA := tokenID(token)
	b, errB := tokenID(its)
	return errA == nil && errB == nil && a == b
}

// tokenID gives what a token is told apart by, the first of its statistics.
func tokenID(token windows.Token) (id windows.LUID, err error) {
	var statistics struct { // TOKEN_STATISTICS
		id windows.LUID
		_  [48]byte
	}
	var size uint32
	err = windows.GetTokenInformation(token, windows.TokenStatistics, (*byte)(unsafe.Pointer(&statistics)), uint32(unsafe.Sizeof(statistics)), &size)
	return statistics.id, err
}

// replace puts a callback in the place of an import of the loaded DLL.
func replace(of *windows.LazyProc, callback uintptr) error {
	dll, err := module()
	if err != nil {
		return err
	}
	at, err := findImport(imageAt(dll), of.Name)
	if err != nil {
		return err
	}
	entry := uintptr(dll) + at
	var before uint32
	if err := windows.VirtualProtect(entry, unsafe.Sizeof(callback), windows.PAGE_READWRITE, &before); err != nil {
		return err
	}
	atomic.StoreUintptr(*(**uintptr)(unsafe.Pointer(&entry)), callback)
	return windows.VirtualProtect(entry, unsafe.Sizeof(callback), before, &before)
}

// module gives the loaded DLL.
func module() (h windows.Handle, err error) {
	name, err := windows.UTF16PtrFromString(File)
	if err != nil {
		return 0, err
	}
	if err := windows.GetModuleHandleEx(windows.GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT, name, &h); err != nil {
		return 0, fmt.Errorf("%s is not loaded: %w", File, err)
	}
	return h, nil
}

// The places of numbers in an image: IMAGE_DOS_HEADER, IMAGE_NT_HEADERS64.
const (
	ntHeaders   = 0x3c
	sizeOfImage = 4 + 20 + 56
	importTable = 4 + 20 + 112 + 8
)

// imageAt gives the memory of a loaded DLL.
func imageAt(module windows.Handle) []byte {
	base := *(**byte)(unsafe.Pointer(&module))
	head := unsafe.Slice(base, 4096)
	nt := binary.LittleEndian.Uint32(head[ntHeaders:])
	return unsafe.Slice(base, binary.LittleEndian.Uint32(head[nt+sizeOfImage:]))
}

// findImport gives where the address of an import stands. Each IMAGE_IMPORT_DESCRIPTOR
// has a table of names, and a table of addresses in the same order.
func findImport(image []byte, name string) (at uintptr, err error) {
	number := func(at uint32) uint32 { return binary.LittleEndian.Uint32(image[at:]) }
	for d := number(number(ntHeaders) + importTable); number(d) != 0; d += 20 {
		names, addresses := number(d), number(d+16)
		for i := uint32(0); number(names+i) != 0; i += 8 {
			const hint = 2
			text, _, _ := bytes.Cut(image[number(names+i)+hint:], []byte{0})
			if string(text) == name {
				return uintptr(addresses + i), nil
			}
		}
	}
	return 0, fmt.Errorf("%s does not import %s", File, name)
}
