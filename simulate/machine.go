package simulate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"

	"github.com/google/uuid"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/api"
	"firstday.dev/internal/filelock"
	"firstday.dev/templates/macos"
)

// Machine is a device whose disk is a folder:
//
//	device.json   what the device is and knows besides its disk
//	system.log    the system's own log, JSON lines
//	accounts.json its local accounts
//	disk          its C:\ or /
//
// One process at a time has it. [Machine.PowerOn] starts what starts by itself,
// [Machine.Close] is pulling the plug.
type Machine struct {
	dir   string
	disk  *os.Root
	lock  *os.File
	told  *narrator
	exits func(program string) int
	ours  string // version of this program
	// surfaces is where the agent listens for them; empty: nowhere.
	surfaces string

	// programs is the folder of the agent's versions. The devices of a fleet have
	// that of another machine in common, which holds what is extracted, too.
	programs string
	shared   *Machine // nil: alone

	install  chan struct{} // held by who installs, removes or runs payloads
	accounts *accounts.InMemory
	signIn   display

	mu      sync.Mutex // over what follows: the agent asks whenever it likes
	state   *state
	service *service // nil: it does not run
	pids    int
}

const (
	diskFolder = "disk"
	logFile    = "system.log"
	lockName   = "lock"

	accountsFile = "accounts.json"
)

// Open opens the device in a folder, or makes one there.
func Open(o Options) (*Machine, error) { return open(o, newNarrator(o.Events)) }

func open(o Options, told *narrator) (_ *Machine, err error) {
	dir, err := filepath.Abs(o.Sandbox)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, diskFolder), 0o700); err != nil {
		return nil, err
	}
	m := &Machine{dir: dir, told: told, exits: o.ExitCode, ours: o.Version, surfaces: o.Surfaces, install: make(chan struct{}, 1)}
	if m.lock, err = filelock.Open(filepath.Join(dir, lockName)); err != nil {
		if errors.Is(err, filelock.ErrBusy) {
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if m.disk, err = os.OpenRoot(filepath.Join(dir, diskFolder)); err != nil {
		return nil, err
	}
	if m.state, err = readState(dir); err != nil {
		return nil, err
	}
	if m.state == nil {
		d, err := o.Device.complete()
		if err != nil {
			return nil, err
		}
		m.state = &state{Device: d}
		if err := m.state.write(dir); err != nil {
			return nil, err
		}
	} else if err := o.Device.contradicts(m.state.Device); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	m.programs = m.host(m.programFolder())
	if m.accounts, err = accounts.MemoryIn(m.state.Device.Platform, filepath.Join(dir, accountsFile)); err != nil {
		return nil, err
	}
	return m, nil
}

// Accounts are the device's. Somebody who looks on may read them.
func (m *Machine) Accounts() *accounts.InMemory { return m.accounts }

// Close stops everything at once. The device stays as it is in its folder.
func (m *Machine) Close() error {
	m.stop()
	var errs []error
	if m.disk != nil {
		errs = append(errs, m.disk.Close())
	}
	return errors.Join(append(errs, m.lock.Close())...)
}

// Device is what the device is now.
func (m *Machine) Device() Device {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.state.Device
}

// System is the device's operating system, as the agent sees it.
func (m *Machine) System() agent.System { return system{m} }

// PowerOn is a start of the device: another boot, with the name it was given
// before, in which the agent's service starts if there is one.
func (m *Machine) PowerOn(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	var named string
	err := m.change(func(s *state) error {
		s.Boots++
		if s.NextName != "" {
			s.Device.Name, named, s.NextName = s.NextName, s.NextName, ""
		}
		return nil
	})
	if err != nil {
		return err
	}
	d, boot := m.Device(), m.state.Boots
	m.accounts.Computer = d.Name // the agent, who asks for it, is not there yet
	m.told.good(StepPower, fmt.Sprintf("%s starts, boot %d", d.Name, boot),
		fmt.Sprintf("%s %s, %s, %s %s, serial %s", d.OS, d.OSVersion, d.Arch, d.Manufacturer, d.Model, d.Serial))
	if named != "" {
		m.told.good(StepSetting, "computer name is "+named, "")
	}
	registered, err := m.registered()
	if err != nil || registered == "" {
		return err
	}
	return m.System().StartService(ctx)
}

// reboot is what a package asks for.
func (m *Machine) reboot(ctx context.Context, why string) error {
	m.told.note(StepPower, "restart", why)
	m.stop()
	return m.PowerOn(ctx)
}

// change changes the state and keeps it.
func (m *Machine) change(f func(*state) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := f(m.state); err != nil {
		return err
	}
	return m.state.write(m.dir)
}

// packageID is that of the enrollment on the device, nil if there is none.
func (m *Machine) packageID() uuid.UUID {
	if e, err := m.enrollment(); err == nil {
		return e.PackageID
	}
	return uuid.Nil
}

// enrollment is what the agent on the device lives by.
func (m *Machine) enrollment() (*api.Enrollment, error) {
	f, err := os.Open(m.System().Layout().Enrollment())
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return api.ReadEnrollment(f)
}

// Where things are. Names on the device's disk are relative to it, with slashes;
// [Machine.shown] gives them as the device's users know them.

// programFolder holds the versions of the agent, dataFolder what it keeps.
func (m *Machine) programFolder() string {
	if m.state.Device.Platform == api.MacOS {
		return macos.ProgramFolder[1:]
	}
	return "Program Files/Firstday/Agent"
}

func (m *Machine) dataFolder() string {
	if m.state.Device.Platform == api.MacOS {
		return macos.DataFolder[1:]
	}
	return "ProgramData/Firstday"
}

func (m *Machine) executable() string {
	if m.state.Device.Platform == api.MacOS {
		return macos.Executable
	}
	return "firstday-agent.exe"
}

// loginPlugin is where the plug-in of a Mac's login window lies for this process.
func (m *Machine) loginPlugin() string {
	if m.state.Device.Platform != api.MacOS {
		return ""
	}
	return m.host(macos.PluginPath[1:])
}

// files is the machine on whose disk the package's files are extracted.
func (m *Machine) files() *Machine {
	if m.shared != nil {
		return m.shared
	}
	return m
}

// host is where a file of the device lies for this process.
func (m *Machine) host(name string) string {
	return filepath.Join(m.dir, diskFolder, filepath.FromSlash(name))
}

// name is the reverse of host. The error says that the file is not the device's.
func (m *Machine) name(host string) (string, error) {
	rel, err := filepath.Rel(m.programs, host)
	if err == nil && filepath.IsLocal(rel) {
		return path.Join(m.programFolder(), filepath.ToSlash(rel)), nil
	}
	rel, err = filepath.Rel(filepath.Join(m.dir, diskFolder), host)
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("%s is not on the device's disk", host)
	}
	return filepath.ToSlash(rel), nil
}

// program is where the program of that name on the device lies for this process.
func (m *Machine) program(name string) string {
	if rel, ok := strings.CutPrefix(name, m.programFolder()+"/"); ok && filepath.IsLocal(filepath.FromSlash(rel)) {
		return filepath.Join(m.programs, filepath.FromSlash(rel))
	}
	return m.host(name)
}

// shown is a name as the device's users write it.
func (m *Machine) shown(name string) string {
	if m.state.Device.Platform == api.MacOS {
		return "/" + name
	}
	return `C:\` + strings.ReplaceAll(name, "/", `\`)
}
