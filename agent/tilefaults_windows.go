package agent

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"
)

// The event log is read as programs of old do: the newer interface gives XML, and
// Wine has none of it.
var (
	openEventLog  = windows.NewLazySystemDLL("advapi32.dll").NewProc("OpenEventLogW")
	readEventLog  = windows.NewLazySystemDLL("advapi32.dll").NewProc("ReadEventLogW")
	closeEventLog = windows.NewLazySystemDLL("advapi32.dll").NewProc("CloseEventLog")
)

const (
	// maxLogRead bounds what is read of the log at once, in bytes: a log is 20 MB
	// by default.
	maxLogRead = 4 << 20
	// maxRecordSize is what ReadEventLog gives at most.
	maxRecordSize = 0x7ffff
)

// Faults reads from the newest record back to the one that was read before. Where
// there is a new log since, all is new.
func (windowsTile) Faults(after uint32) (faults []TileFault, newest uint32, err error) {
	name, err := windows.UTF16PtrFromString("Application")
	if err != nil {
		return nil, 0, err
	}
	log, _, err := openEventLog.Call(0, uintptr(unsafe.Pointer(name)))
	if log == 0 {
		return nil, 0, fmt.Errorf("opening the event log: %w", err)
	}
	defer closeEventLog.Call(log) //nolint:errcheck // it was only read
	first := true
	take := func(r eventRecord) bool {
		if first {
			first, newest = false, r.number
			if after != noRecord && newest < after {
				after = 0
			}
		}
		if r.number <= after {
			return false
		}
		if f, is := r.fault(); is {
			faults = append(faults, f)
		}
		return true
	}
	buffer, read, ended := make([]byte, 64<<10), 0, false
	for read < maxLogRead && !ended {
		b, err := readRecords(log, &buffer)
		if err != nil || len(b) == 0 {
			return faults, newest, err
		}
		read += len(b)
		err = eachRecord(b, func(r eventRecord) bool {
			ended = !take(r)
			return !ended
		})
		if err != nil {
			return nil, 0, err
		}
	}
	return faults, newest, nil
}

// readRecords reads the next records, nothing at the log's end.
func readRecords(log uintptr, buffer *[]byte) ([]byte, error) {
	const backwards, sequential = 8, 1
	for {
		var read, needed uint32
		ok, _, err := readEventLog.Call(log, backwards|sequential, 0, uintptr(unsafe.Pointer(&(*buffer)[0])), uintptr(len(*buffer)),
			uintptr(unsafe.Pointer(&read)), uintptr(unsafe.Pointer(&needed)))
		switch {
		case ok != 0 && int(read) <= len(*buffer):
			return (*buffer)[:read], nil
		case errors.Is(err, windows.ERROR_HANDLE_EOF):
			return nil, nil
		case errors.Is(err, windows.ERROR_INSUFFICIENT_BUFFER) && int(needed) > len(*buffer) && needed <= maxRecordSize:
			*buffer = make([]byte, needed)
		default:
			return nil, fmt.Errorf("reading the event log: %w", err)
		}
	}
}
