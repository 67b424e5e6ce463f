package media

import (
	"errors"

	"golang.org/x/sys/windows"
)

// claim makes a mutex that all sessions see. That it is there says it all: to own it
// would be a matter of threads. Windows takes it away with the process.
func claim(name string) (release func() error, err error) {
	wide, err := windows.UTF16PtrFromString(`Global\` + name)
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateMutex(nil, false, wide)
	switch {
	case errors.Is(err, windows.ERROR_ALREADY_EXISTS):
		return nil, errors.Join(ErrBusy, windows.CloseHandle(h))
	case errors.Is(err, windows.ERROR_ACCESS_DENIED): // it is another user's
		return nil, ErrBusy
	case err != nil:
		return nil, err
	}
	return func() error { return windows.CloseHandle(h) }, nil
}
