package station

import (
	"errors"
	"fmt"
	"hash/fnv"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/windows"

	"firstday.dev/station/media"
)

// mutex is one that bears a name for the whole machine.
type mutex windows.Handle

func (m mutex) Close() error { return windows.CloseHandle(windows.Handle(m)) }

// claim takes a folder for this run alone, until it is closed.
func claim(root *os.Root) (mutex, error) {
	path, err := filepath.Abs(root.Name())
	if err != nil {
		return 0, err
	}
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(strings.ToLower(path)))
	name, err := windows.UTF16PtrFromString(fmt.Sprintf(`Global\firstday-usb-%x`, hash.Sum64()))
	if err != nil {
		return 0, err
	}
	handle, err := windows.CreateMutex(nil, false, name)
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) || errors.Is(err, windows.ERROR_ACCESS_DENIED) {
		err = media.ErrBusy
	}
	if err != nil {
		if handle != 0 {
			err = errors.Join(err, windows.CloseHandle(handle))
		}
		return 0, err
	}
	return mutex(handle), nil
}

// syncFolder: Windows writes folders of removable media at once.
func syncFolder(*os.Root, string) error { return nil }
