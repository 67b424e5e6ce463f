package desktop

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unicode/utf16"
	"unsafe"

	"golang.org/x/sys/windows"
)

// command is a process to start on a desktop.
type command struct {
	kind
	token   windows.Token
	program string
	desktop string
	folder  string // that it may write to; empty: none
}

// process is one that runs, in a job of its own.
type process struct {
	*pipes
	kind
	handle, job windows.Handle
	pid         uint32
	ended       chan struct{}
}

// goPatience is how long a process may take to end once its input has.
const goPatience = 2 * time.Second

// start starts the process with nothing of ours but its pipes.
func (c *command) start() (_ *process, err error) {
	system, err := windows.GetSystemDirectory()
	if err != nil {
		return nil, fmt.Errorf("looking for the system folder: %w", err)
	}
	root, err := windows.GetSystemWindowsDirectory()
	if err != nil {
		return nil, fmt.Errorf("looking for the Windows folder: %w", err)
	}
	ours, theirs, err := makePipes()
	if err != nil {
		return nil, err
	}
	defer theirs.close()
	p := &process{pipes: ours, kind: c.kind, ended: make(chan struct{})}
	defer func() {
		if err != nil {
			p.drop()
		}
	}()
	if p.job, err = newJob(&c.kind); err != nil {
		return nil, err
	}
	environment := []string{"SystemRoot=" + root, "PATH=" + system}
	if c.folder != "" {
		for _, name := range []string{"APPDATA", "LOCALAPPDATA", "TEMP", "TMP", "USERPROFILE"} {
			environment = append(environment, name+"="+c.folder)
		}
	}
	created, err := c.create(theirs, environment, system)
	if err != nil {
		return nil, err
	}
	defer windows.CloseHandle(created.Thread) //nolint:errcheck // it runs on without
	p.handle, p.pid = created.Process, created.ProcessId
	if err = windows.AssignProcessToJobObject(p.job, p.handle); err != nil {
		// No job ends it.
		return nil, errors.Join(os.NewSyscallError("AssignProcessToJobObject", err), windows.TerminateProcess(p.handle, 1))
	}
	if _, err = windows.ResumeThread(created.Thread); err != nil {
		return nil, errors.Join(os.NewSyscallError("ResumeThread", err), windows.TerminateProcess(p.handle, 1))
	}
	go func() {
		_, _ = windows.WaitForSingleObject(p.handle, windows.INFINITE)
		close(p.ended)
	}()
	return p, nil
}

// drop lets go of what there is of a process that does not run.
func (p *process) drop() {
	_ = p.Close()
	for _, h := range []windows.Handle{p.handle, p.job} {
		if h != 0 {
			_ = windows.CloseHandle(h)
		}
	}
}

// create makes the process, which does not run yet. It gets no console: that
// would need another process.
func (c *command) create(theirs *childEnds, environment []string, folder string) (*windows.ProcessInformation, error) {
	attributes, err := windows.NewProcThreadAttributeList(3)
	if err != nil {
		return nil, fmt.Errorf("attributes of a process: %w", err)
	}
	defer attributes.Delete()
	inherited := []windows.Handle{theirs.in, theirs.out, theirs.errors}
	if err := attributes.Update(windows.PROC_THREAD_ATTRIBUTE_HANDLE_LIST, unsafe.Pointer(&inherited[0]), uintptr(len(inherited))*unsafe.Sizeof(inherited[0])); err != nil {
		return nil, fmt.Errorf("the handles of a process: %w", err)
	}
	if err := mitigate(attributes, c.children); err != nil {
		return nil, err
	}
	startup := &windows.StartupInfoEx{ProcThreadAttributeList: attributes.List()}
	startup.Cb = uint32(unsafe.Sizeof(*startup))
	startup.Flags = windows.STARTF_USESTDHANDLES
	startup.StdInput, startup.StdOutput, startup.StdErr = theirs.in, theirs.out, theirs.errors
	line := []string{c.program, c.command}
	if c.folder != "" {
		line = append(line, c.folder)
	}
	var texts [4]*uint16
	for i, s := range []string{c.program, windows.ComposeCommandLine(line), folder, c.desktop} {
		if texts[i], err = windows.UTF16PtrFromString(s); err != nil {
			return nil, err
		}
	}
	startup.Desktop = texts[3]
	created := new(windows.ProcessInformation)
	const flags = windows.CREATE_SUSPENDED | windows.CREATE_UNICODE_ENVIRONMENT | windows.EXTENDED_STARTUPINFO_PRESENT | windows.DETACHED_PROCESS
	err = windows.CreateProcessAsUser(c.token, texts[0], texts[1], nil, nil, true, flags, environmentBlock(environment), texts[2], &startup.StartupInfo, created)
	if err != nil {
		return nil, &os.PathError{Op: "run", Path: c.program, Err: err}
	}
	return created, nil
}

// environmentBlock gives variables as CreateProcess takes them.
func environmentBlock(variables []string) *uint16 {
	var block []uint16
	for _, v := range variables {
		block = append(block, utf16.Encode([]rune(v+"\x00"))...)
	}
	block = append(block, 0)
	return &block[0]
}

// What Windows 10 can keep a process from, in the words of winbase.h. Memory that
// is made executable is left alone: Go makes none, but what security products put
// into every process does, and nothing here can try it.
const (
	mitigationExtensionPoints = 1 << 32 // no hooks, input methods or DLLs of others in it
	mitigationNoRemoteImages  = 1 << 52 // no DLLs from the network
	mitigationNoLowImages     = 1 << 56 // nor such as processes of low integrity wrote
	mitigationPreferSystem32  = 1 << 60

	attributeChildProcesses  = 0x2000e // PROC_THREAD_ATTRIBUTE_CHILD_PROCESS_POLICY
	childProcessesRestricted = 1
)

var (
	mitigations = uint64(mitigationExtensionPoints | mitigationNoRemoteImages | mitigationNoLowImages | mitigationPreferSystem32)
	children    = uint32(childProcessesRestricted)
)

// mitigate adds the policies, which its own processes inherit if it may have any. A
// Windows that knows none of them has the rest.
func mitigate(attributes *windows.ProcThreadAttributeListContainer, mayStart bool) error {
	errs := []error{attributes.Update(windows.PROC_THREAD_ATTRIBUTE_MITIGATION_POLICY, unsafe.Pointer(&mitigations), unsafe.Sizeof(mitigations))}
	if !mayStart {
		errs = append(errs, attributes.Update(attributeChildProcesses, unsafe.Pointer(&children), unsafe.Sizeof(children)))
	}
	for _, err := range errs {
		if err != nil && !errors.Is(err, windows.ERROR_NOT_SUPPORTED) && !errors.Is(err, windows.ERROR_INVALID_PARAMETER) {
			return fmt.Errorf("the policies of a process: %w", err)
		}
	}
	return nil
}

// newJob makes a job. In none a crash opens a box that asks whether to report it.
func newJob(k *kind) (windows.Handle, error) {
	job, err := windows.CreateJobObject(nil, nil)
	if err != nil {
		return 0, os.NewSyscallError("CreateJobObject", err)
	}
	extended := new(windows.JOBOBJECT_EXTENDED_LIMIT_INFORMATION)
	extended.BasicLimitInformation.LimitFlags = windows.JOB_OBJECT_LIMIT_DIE_ON_UNHANDLED_EXCEPTION | k.limits
	extended.BasicLimitInformation.ActiveProcessLimit = k.processes
	extended.ProcessMemoryLimit, extended.JobMemoryLimit = k.memory, k.memory // the flags say which
	_, err = windows.SetInformationJobObject(job, windows.JobObjectExtendedLimitInformation, uintptr(unsafe.Pointer(extended)), uint32(unsafe.Sizeof(*extended)))
	if err == nil && k.ui != 0 {
		ui := &windows.JOBOBJECT_BASIC_UI_RESTRICTIONS{UIRestrictionsClass: k.ui}
		_, err = windows.SetInformationJobObject(job, windows.JobObjectBasicUIRestrictions, uintptr(unsafe.Pointer(ui)), uint32(unsafe.Sizeof(*ui)))
	}
	if err != nil {
		return 0, errors.Join(os.NewSyscallError("SetInformationJobObject", err), windows.CloseHandle(job))
	}
	return job, nil
}

func (p *process) Ended() <-chan struct{} { return p.ended }

// End ends the input, then, a while later, the process, and all that it has started.
// It gives the exit code, and whether the process ended by itself.
func (p *process) End() (code uint32, itself bool, err error) {
	_ = p.Close() // perhaps again
	select {
	case <-p.ended:
		itself = true
	case <-time.After(p.patience):
		err = os.NewSyscallError("TerminateJobObject", windows.TerminateJobObject(p.job, 1))
		if err != nil {
			return 0, false, err // and the handles stay: they are waited on
		}
		select {
		case <-p.ended:
		case <-time.After(goPatience):
			return 0, false, fmt.Errorf("process %d does not end", p.pid)
		}
	}
	err = windows.GetExitCodeProcess(p.handle, &code)
	if p.children {
		err = errors.Join(err, p.endChildren())
	}
	p.drop()
	return code, itself, err
}

// jobAccounting is JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.
type jobAccounting struct {
	_               [4]int64 // times
	_, _, active, _ uint32
}

// endChildren ends what the process has started, and waits until it is gone.
func (p *process) endChildren() error {
	if err := windows.TerminateJobObject(p.job, 1); err != nil {
		return os.NewSyscallError("TerminateJobObject", err)
	}
	for until := time.Now().Add(goPatience); ; time.Sleep(10 * time.Millisecond) {
		var info jobAccounting
		err := windows.QueryInformationJobObject(p.job, windows.JobObjectBasicAccountingInformation, uintptr(unsafe.Pointer(&info)), uint32(unsafe.Sizeof(info)), nil)
		switch {
		case err != nil:
			return os.NewSyscallError("QueryInformationJobObject", err)
		case info.active == 0:
			return nil
		case time.Now().After(until):
			return fmt.Errorf("%d processes that process %d has started do not end", info.active, p.pid)
		}
	}
}
