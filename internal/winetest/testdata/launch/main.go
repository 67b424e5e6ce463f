// Launch starts one command line as Windows starts the command of a
// provisioning package: with CreateProcess, in the current folder. Its own
// exit code would lose all but eight bits on the way through Wine, so it
// writes the command's code to a file.
//
// usage: launch RESULT COMMANDLINE
//
// The command is terminated when standard input ends.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "launch:", err)
		os.Exit(1)
	}
}

func run(result, command string) error {
	line, err := syscall.UTF16PtrFromString(command)
	if err != nil {
		return err
	}
	null, err := syscall.Open("NUL", syscall.O_RDONLY, 0)
	if err != nil {
		return err
	}
	si := &syscall.StartupInfo{Flags: syscall.STARTF_USESTDHANDLES, StdInput: null}
	si.Cb = 104 // on 64-bit Windows
	for _, h := range []struct {
		from uintptr
		to   *syscall.Handle
	}{{os.Stdout.Fd(), &si.StdOutput}, {os.Stderr.Fd(), &si.StdErr}, {uintptr(null), &si.StdInput}} {
		self, _ := syscall.GetCurrentProcess()
		if err := syscall.DuplicateHandle(self, syscall.Handle(h.from), self, h.to, 0, true, syscall.DUPLICATE_SAME_ACCESS); err != nil {
			return fmt.Errorf("duplicating a handle: %w", err)
		}
	}
	pi, err := create(line, si)
	if err != nil {
		return fmt.Errorf("starting %s: %w", command, err)
	}
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = syscall.TerminateProcess(pi.Process, 137)
	}()
	if _, err := syscall.WaitForSingleObject(pi.Process, syscall.INFINITE); err != nil {
		return err
	}
	var code uint32
	if err := syscall.GetExitCodeProcess(pi.Process, &code); err != nil {
		return err
	}
	return os.WriteFile(result, fmt.Append(nil, code), 0o600)
}

// create starts a process. Where many start at once, one of Wine's ends now and then
// before a single instruction of its program has run, and that is called an internal
// error.
func create(line *uint16, si *syscall.StartupInfo) (pi syscall.ProcessInformation, err error) {
	const internalError, attempts = syscall.Errno(1359), 3
	for range attempts {
		if err = syscall.CreateProcess(nil, line, nil, nil, true, 0, nil, nil, si, &pi); !errors.Is(err, internalError) {
			break
		}
	}
	return pi, err
}
