package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/credprov"
	"firstday.dev/internal/statefile"
)

// removePatience is how long RemoveAll waits for others to let go: a service
// is stopped a moment before its process is gone, and virus scanners look at
// everything.
const removePatience = 15 * time.Second

func (windowsSystem) RemoveAll(path string) error {
	exe, err := os.Executable()
	if err != nil {
		return err
	}
	if isBelow(exe, path) {
		if err := stepAside(exe); err != nil {
			return err
		}
	}
	deadline := time.Now().Add(removePatience)
	for {
		err := removeTree(path)
		if err == nil || !statefile.InUse(err) || time.Now().After(deadline) {
			return err
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// removeTree is os.RemoveAll in plain deletions: that one asks for POSIX
// semantics first, which Wine answers with an error it does not expect.
func removeTree(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if info.Mode().Type() == fs.ModeDir { // a link or junction is removed, not followed
		entries, err := os.ReadDir(path)
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := removeTree(filepath.Join(path, e.Name())); err != nil {
				return err
			}
		}
	}
	err = os.Remove(path)
	if statefile.InUse(err) && strings.EqualFold(filepath.Base(path), credprov.File) {
		return setAside(path, err)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// setAside moves the tile out of the way of its successor, or of its folder's end,
// while a sign-in screen has it loaded. That lasts as long as the screen does:
// Windows deletes the file when it starts the next time.
func setAside(dll string, inUse error) error {
	aside, err := temporary("firstday-credprov-", ".dll")
	if err != nil {
		return err
	}
	if err := os.Rename(dll, aside); err != nil {
		return errors.Join(inUse, err)
	}
	if os.Remove(aside) == nil { // only the old name was held
		return nil
	}
	return deleteAtRestart(aside)
}

// temporary is a name in the system's temporary folder that nobody has.
func temporary(prefix, suffix string) (string, error) {
	windir, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return "", err
	}
	return filepath.Join(windir, "Temp", prefix+strconv.FormatUint(rand.Uint64(), 36)+suffix), nil
}

func deleteAtRestart(path string) error {
	name, err := windows.UTF16PtrFromString(path)
	if err != nil {
		return err
	}
	return windows.MoveFileEx(name, nil, windows.MOVEFILE_DELAY_UNTIL_REBOOT)
}

// isBelow tells whether the file is path, or in it.
func isBelow(file, path string) bool {
	file, path = strings.ToLower(filepath.Clean(file)), strings.ToLower(filepath.Clean(path))
	return file == path || strings.HasPrefix(file, path+`\`)
}

// stepAside moves this running program out of the way: Windows lets a running
// file be renamed but not deleted. It goes to the system's temporary folder,
// under a name of its own, and is deleted from there once this process has
// ended.
func stepAside(exe string) error {
	aside, err := temporary("firstday-agent-", ".exe")
	if err != nil {
		return err
	}
	// The folder we stand in could not be removed either.
	if err := os.Chdir(filepath.Dir(aside)); err != nil {
		return err
	}
	if err := os.Rename(exe, aside); err != nil {
		if errors.Is(err, fs.ErrNotExist) { // we stepped aside before
			return nil
		}
		return err
	}
	if deleteSoon(aside) != nil {
		return deleteAtRestart(aside)
	}
	return nil
}

// deleteSoon leaves the deletion to a command interpreter that outlives us. It
// tries once a second for a minute; ping is the interpreter's only way to
// wait without a console.
func deleteSoon(path string) error {
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return err
	}
	shell := filepath.Join(system, "cmd.exe")
	cmd := exec.Command(shell)
	cmd.Dir = system
	cmd.SysProcAttr = &syscall.SysProcAttr{
		CmdLine: fmt.Sprintf(`"%s" /d /q /c for /l %%i in (1,1,60) do if exist "%s" (del /f /q "%s" & ping -n 2 127.0.0.1)`, shell, path, path),
		// Its output, if any, belongs to nobody.
		CreationFlags: windows.CREATE_NO_WINDOW | windows.CREATE_NEW_PROCESS_GROUP,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
