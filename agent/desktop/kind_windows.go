package desktop

import (
	"time"

	"golang.org/x/sys/windows"
)

// kind is a kind of process that is started on the desktop, and what it may do there.
type kind struct {
	command string
	// limits are those of its job, besides that crashes ask nobody anything.
	limits    uint32
	processes uint32  // at most
	memory    uintptr // bytes, of each process, or of all together
	ui        uint32  // what it may not do to others' windows
	children  bool    // it may start processes
	patience  time.Duration
}

// What the job of the doorkeeper or the window with the code may do: nothing that
// reaches beyond the window. It may use handles of other processes' windows
// (JOB_OBJECT_UILIMIT_HANDLES is not set): the desktop's own window is one, which
// every window has as its parent, and what assistive technology asks through is
// another.
const (
	uiLimits = windows.JOB_OBJECT_UILIMIT_READCLIPBOARD | windows.JOB_OBJECT_UILIMIT_WRITECLIPBOARD | // nothing of the next user's, nothing for them
		windows.JOB_OBJECT_UILIMIT_GLOBALATOMS | // no texts that others read or have left
		windows.JOB_OBJECT_UILIMIT_DESKTOP | // it makes and switches none
		windows.JOB_OBJECT_UILIMIT_DISPLAYSETTINGS | windows.JOB_OBJECT_UILIMIT_SYSTEMPARAMETERS | // no screen that nobody can read
		windows.JOB_OBJECT_UILIMIT_EXITWINDOWS // it neither logs off nor shuts down

	alone = windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS | windows.JOB_OBJECT_LIMIT_PROCESS_MEMORY

	// memoryLimit is many times what a window on a big screen needs.
	memoryLimit = 512 << 20
)

var (
	// doorkeeperKind outlives the service for as long as it takes to shut the door.
	doorkeeperKind = kind{command: DoorkeeperCommand, limits: alone, processes: 1, memory: memoryLimit, ui: uiLimits, patience: goPatience}

	codeKind = kind{
		command: WindowCommand, limits: alone | windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		processes: 1, memory: memoryLimit, ui: uiLimits, patience: goPatience,
	}

	// pagesKind is for a browser, which is held by the same token, the same handles
	// and the end of the service, but:
	//
	//   - It starts processes: one for the browser, and more for what it draws,
	//     fetches and shows. They cannot leave the job, and end with it.
	//   - Its job has no limits on windows. The browser puts its renderers into jobs
	//     of their own that have such limits, and Windows allows one job with them
	//     among those of a process. It also gives them a desktop of their own.
	//   - It has memory for pages, counted for all processes together.
	//   - It has a folder of its own to write to, and so variables that lead there.
	//   - It has less time to go: nothing that it leaves is of use.
	pagesKind = kind{
		command: PagesCommand, limits: windows.JOB_OBJECT_LIMIT_ACTIVE_PROCESS | windows.JOB_OBJECT_LIMIT_JOB_MEMORY | windows.JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
		processes: 32, memory: 2 << 30, children: true, patience: pagesPatience,
	}
)
