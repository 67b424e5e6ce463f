package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"unsafe"

	"firstday.dev/agent/eventid"
	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc/eventlog"
)

type windowsSystem struct{ layout Layout }

// Open gives the running system. Windows has no other: root must be empty.
func Open(root string) (System, error) {
	if root != "" {
		return nil, fmt.Errorf("another root: %w", ErrUnsupported)
	}
	// Environment variables can say anything; the shell knows the real places.
	programs, err := windows.KnownFolderPath(windows.FOLDERID_ProgramFiles, windows.KF_FLAG_DEFAULT)
	if err != nil {
		return nil, fmt.Errorf("looking for the program folder: %w", err)
	}
	data, err := windows.KnownFolderPath(windows.FOLDERID_ProgramData, windows.KF_FLAG_DEFAULT)
	if err != nil {
		return nil, fmt.Errorf("looking for the data folder: %w", err)
	}
	return windowsSystem{Layout{
		Program:    filepath.Join(programs, "Firstday", "Agent"),
		Data:       filepath.Join(data, "Firstday"),
		Executable: "firstday-agent.exe",
		Surfaces:   `\\.\pipe\firstday-agent`,
	}}, nil
}

func (s windowsSystem) Layout() Layout { return s.layout }

// Arch sees through the emulation of amd64 on ARM64: the package starts the
// amd64 agent everywhere.
func (windowsSystem) Arch() (string, error) {
	var process, native uint16
	if err := windows.IsWow64Process2(windows.CurrentProcess(), &process, &native); err != nil {
		native = nativeSystemMachine() // Windows 10 before 1511
	}
	switch native {
	case imageFileMachineAMD64:
		return "amd64", nil
	case imageFileMachineARM64:
		return "arm64", nil
	default:
		return fmt.Sprintf("machine type %#x", native), nil
	}
}

const (
	imageFileMachineAMD64 = 0x8664
	imageFileMachineARM64 = 0xaa64
)

// nativeSystemMachine asks the older GetNativeSystemInfo.
func nativeSystemMachine() uint16 {
	var info struct { // SYSTEM_INFO
		architecture uint16
		_            [46]byte
	}
	proc := windows.NewLazySystemDLL("kernel32.dll").NewProc("GetNativeSystemInfo")
	if proc.Find() != nil {
		return 0
	}
	_, _, _ = proc.Call(uintptr(unsafe.Pointer(&info))) // returns nothing
	switch info.architecture {
	case 9: // PROCESSOR_ARCHITECTURE_AMD64
		return imageFileMachineAMD64
	case 12: // PROCESSOR_ARCHITECTURE_ARM64
		return imageFileMachineARM64
	}
	return 0
}

// Access to our folders, in SDDL. P: nothing is inherited from above. OICI:
// all that is made inside inherits.
const (
	adminsOnlySDDL = "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)"
	everyoneSDDL   = "O:BAD:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)" // Users: read and execute
)

func (windowsSystem) MakeFolder(dir string, readers Readers) error {
	sddl := adminsOnlySDDL
	if readers == Everyone {
		sddl = everyoneSDDL
	}
	sd, err := windows.SecurityDescriptorFromString(sddl)
	if err != nil {
		return fmt.Errorf("security descriptor %s: %w", sddl, err)
	}
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	name, err := windows.UTF16PtrFromString(dir)
	if err != nil {
		return err
	}
	sa := &windows.SecurityAttributes{SecurityDescriptor: sd}
	sa.Length = uint32(unsafe.Sizeof(*sa))
	err = windows.CreateDirectory(name, sa)
	if errors.Is(err, windows.ERROR_ALREADY_EXISTS) {
		return takeFolder(dir, sd)
	}
	if errors.Is(err, windows.ERROR_INVALID_OWNER) { // who cannot give it to Administrators is none
		err = windows.ERROR_ACCESS_DENIED
	}
	if err != nil {
		return &os.PathError{Op: "mkdir", Path: dir, Err: err}
	}
	return nil
}

func (windowsSystem) Lock(ctx context.Context, file string) (func(remove bool) error, error) {
	f, err := os.OpenFile(file, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	err = lockPatiently(ctx, func() (bool, error) {
		const flags = windows.LOCKFILE_EXCLUSIVE_LOCK | windows.LOCKFILE_FAIL_IMMEDIATELY
		err := windows.LockFileEx(windows.Handle(f.Fd()), flags, 0, 1, 0, new(windows.Overlapped))
		if errors.Is(err, windows.ERROR_LOCK_VIOLATION) || errors.Is(err, windows.ERROR_IO_PENDING) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func(remove bool) error {
		err := f.Close() // and with it the lock
		if remove {
			err = errors.Join(err, os.Remove(file))
		}
		return err
	}, nil
}

func (windowsSystem) Journal() (slog.Handler, func() error, error) {
	log, err := eventlog.Open(eventSource)
	if err != nil {
		return nil, nil, err
	}
	return newTextJournal(eventWriter{log}), log.Close, nil
}

type eventWriter struct{ *eventlog.Log }

func (w eventWriter) writeRecord(l slog.Level, id eventid.ID, text string) error {
	// An event holds no more than 31839 characters.
	text = strings.ToValidUTF8(text[:min(len(text), 30000)], "")
	switch {
	case l >= slog.LevelError:
		return w.Error(uint32(id), text)
	case l >= slog.LevelWarn:
		return w.Warning(uint32(id), text)
	default:
		return w.Info(uint32(id), text)
	}
}
