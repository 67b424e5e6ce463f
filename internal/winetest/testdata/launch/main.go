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
	var pi syscall.ProcessInformation
	if err := syscall.CreateProcess(nil, line, nil, nil, true, 0, nil, nil, si, &pi); err != nil {
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
