package agent

import (
	"crypto/rand"
	"errors"
	"unsafe"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/registry"
)

// bootKey is a volatile registry key: Windows forgets it when it goes down,
// and with it the name that this boot got.
const (
	bootKey   = `SOFTWARE\Firstday Boot`
	bootValue = "ID"
)

var regCreateKeyEx = windows.NewLazySystemDLL("advapi32.dll").NewProc("RegCreateKeyExW")

// openBootKey makes the key if it is not there. The registry package makes
// lasting keys only.
func openBootKey() (registry.Key, error) {
	path, err := windows.UTF16PtrFromString(bootKey)
	if err != nil {
		return 0, err
	}
	const volatile = 1 // REG_OPTION_VOLATILE
	var key windows.Handle
	code, _, _ := regCreateKeyEx.Call(uintptr(registry.LOCAL_MACHINE), uintptr(unsafe.Pointer(path)), 0, 0, volatile,
		registry.QUERY_VALUE|registry.SET_VALUE, 0, uintptr(unsafe.Pointer(&key)), 0)
	if code != 0 {
		return 0, windows.Errno(code)
	}
	return registry.Key(key), nil
}

func (windowsSystem) BootID() string {
	key, err := openBootKey()
	if err != nil {
		return ""
	}
	defer key.Close() //nolint:errcheck // what was written is checked
	id, _, err := key.GetStringValue(bootValue)
	if err == nil {
		return id
	}
	id = rand.Text()
	if key.SetStringValue(bootValue, id) != nil {
		return ""
	}
	return id
}

func removeBootKey() error {
	err := registry.DeleteKey(registry.LOCAL_MACHINE, bootKey)
	if errors.Is(err, registry.ErrNotExist) {
		return nil
	}
	return err
}
