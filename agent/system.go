package agent

import (
	"context"
	"log/slog"

	"github.com/google/go-tpm/tpm2/transport"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// System is the operating system, as far as the agent needs it. [Open] gives
// the real one.
type System interface {
	Layout() Layout
	// Arch is the machine's native architecture in Go's words, whatever this
	// program was built for.
	Arch() (string, error)
	// MakeFolder creates the folder and its parents, or repairs it, so that
	// only the system and administrators may change it, and only who is named
	// may look into it. It refuses a folder that somebody else owns.
	MakeFolder(dir string, readers Readers) error
	// RemoveAll is os.RemoveAll that copes with files in use, this program's
	// own among them.
	RemoveAll(path string) error
	// Lock takes the device-wide installation lock kept in the file. It gives
	// ErrBusy when the context's deadline passes first. unlock also removes
	// the file if asked to.
	Lock(ctx context.Context, file string) (unlock func(remove bool) error, err error)
	// BootID is another one each time the system starts, empty if it does not
	// say. No clock can tell: that of a new laptop may be years off.
	BootID() string
	// Facts is what the system knows of itself, as far as it can tell; its users
	// and the agent's own version and key are not in it.
	Facts() (api.Facts, error)
	// Accounts are this system's own.
	Accounts() (accounts.Store, error)
	// OpenTPM opens the machine's TPM 2.0, devicekey.ErrNoTPM if it has none.
	OpenTPM() (transport.TPMCloser, error)
	// Journal takes what the system's own log should hold.
	Journal() (slog.Handler, func() error, error)

	// Tile is what the system's sign-in screen loads of ours, nil if it loads
	// nothing.
	Tile() Tile
	// LoginWindow is macOS', nil elsewhere.
	LoginWindow() LoginWindow

	Service
	Processes
}

// Service is the agent's entry in the system's service manager.
type Service interface {
	// ServiceState never fails because there is no service.
	ServiceState(ctx context.Context) (ServiceState, error)
	// Registered tells whether the entry is exactly what Register makes.
	Registered(program string) (bool, error)
	// Register makes the entry, or changes it, so that the program runs as
	// the most privileged account from the next boot on.
	Register(ctx context.Context, program string) error
	// StartService is a no-op if the service runs already.
	StartService(ctx context.Context) error
	// StopService returns when the process is gone. It is a no-op if there is
	// no service or it does not run.
	StopService(ctx context.Context) error
	// Unregister removes every trace Register left.
	Unregister(ctx context.Context) error
}

// Processes runs payloads so that they can outlive whoever started them.
type Processes interface {
	// StartPayload starts the installer at path.
	StartPayload(kind, path, arguments string) (Process, error)
	// FindProcess finds a process started earlier, ErrNoProcess if it is gone.
	FindProcess(ProcessID) (Process, error)
}

// Process is a running payload.
type Process interface {
	ID() ProcessID
	// Wait gives the exit code. When the context ends first the process runs
	// on.
	Wait(ctx context.Context) (code int, err error)
	// Kill ends the process and, where the system can, its descendants.
	Kill() error
	// Close lets go of the process.
	Close() error
}

// ProcessID names one process for ever, though numbers are used again.
type ProcessID struct {
	PID     int   `json:"pid"`
	Created int64 `json:"created"` // the system's own time stamp
}

// Readers says who may look into a folder.
type Readers int

const (
	// AdminsOnly is for what holds secrets.
	AdminsOnly Readers = iota
	// Everyone may read and execute.
	Everyone
)

// ServiceState is what the service manager says.
type ServiceState string

const (
	ServiceMissing  ServiceState = "missing"
	ServiceStopped  ServiceState = "stopped"
	ServiceStarting ServiceState = "starting"
	ServiceRunning  ServiceState = "running"
	ServiceStopping ServiceState = "stopping"
	// ServiceOffline: the tree belongs to a system that is not running, see
	// [Open].
	ServiceOffline ServiceState = "offline"
)
