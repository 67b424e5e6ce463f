package statefile

import (
	"errors"

	"golang.org/x/sys/windows"
)

// InUse tells the errors that pass when somebody closes a file or ends.
func InUse(err error) bool {
	for _, e := range []error{
		windows.ERROR_SHARING_VIOLATION, windows.ERROR_LOCK_VIOLATION, windows.ERROR_USER_MAPPED_FILE,
		windows.ERROR_ACCESS_DENIED, windows.ERROR_DIR_NOT_EMPTY, windows.ERROR_DELETE_PENDING,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
