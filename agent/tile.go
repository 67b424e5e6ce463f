package agent

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"firstday.dev/api"
)

// Tile is our credential provider in the system's own books: what its sign-in
// screen loads, beside the system's tiles. Those are never touched, nor is any
// policy or switch but our own.
type Tile interface {
	// Registration is what the system knows of the tile.
	Registration() (*TileRegistration, error)
	// Register has the sign-in screen load the file, from its next start on. If it
	// is interrupted the screen loads this file, the one before it, or none.
	Register(dll string) error
	// Suspend has the screen load no file, until Register, so that the file may go.
	// What else is known of the tile stays.
	Suspend() error
	// Unregister removes every trace that Register left.
	Unregister() error
	// Switch switches the tile off, or on with nil, for whatever file is
	// registered.
	Switch(off *TileSwitch) error
	// Forget removes our settings, the switch among them.
	Forget() error
	// Faults gives the crashes of the sign-in screen that the system's log blames
	// on our file, among the records after a number, and the newest record's
	// number. With [noRecord] it only gives that.
	Faults(after uint32) (faults []TileFault, newest uint32, err error)
	// CheckSignature fails if the file has a signature that the system does not
	// trust.
	CheckSignature(dll string) error
}

// TileRegistration is what the system knows of the tile.
type TileRegistration struct {
	DLL      string      `json:"dll,omitempty"`      // that is loaded; empty: none
	Complete bool        `json:"complete"`           // all that Register writes is there
	Listed   bool        `json:"listed"`             // among the providers
	Disabled bool        `json:"disabled,omitempty"` // by the system's own switch for the provider
	Excluded bool        `json:"excluded,omitempty"` // by a policy
	Off      *TileSwitch `json:"off,omitempty"`      // our own switch; nil: on
}

// loads tells whether the sign-in screen loads exactly this file; none with "".
func (r *TileRegistration) loads(dll string) bool {
	if dll == "" {
		return r.DLL == "" && !r.Listed
	}
	return r.DLL == dll && r.Complete && r.Listed
}

// TileSwitch says who has switched the tile off, and why.
type TileSwitch struct {
	By     TileAuthority `json:"by"`
	Reason string        `json:"reason,omitempty"`
	Since  time.Time     `json:"since,omitzero"`
	SHA256 string        `json:"sha256,omitempty"` // of the file that the watchdog switched off
}

// TileAuthority is who can switch the tile off.
type TileAuthority string

const (
	ByWatchdog      TileAuthority = "watchdog"
	ByAdministrator TileAuthority = "administrator"
	ByWindows       TileAuthority = "windows" // its own switch for each provider
	ByPolicy        TileAuthority = "policy"
)

// TileFault is a crash of the sign-in screen in our file.
type TileFault struct {
	ID  string // of the system's report on it
	DLL string // empty: not known
}

// noRecord is beyond all records of a log.
const noRecord = ^uint32(0)

// TileState is in what state the tile is.
type TileState string

const (
	// TileNone: the package carries none.
	TileNone TileState = "none"
	// TilePending: an installation is at work.
	TilePending TileState = "pending"
	// TileOn: the sign-in screen loads it.
	TileOn TileState = "on"
	// TileOff: somebody has switched it off.
	TileOff TileState = "off"
	// TileBroken: it cannot be loaded.
	TileBroken TileState = "broken"
)

// TileStatus is how the tile is doing.
type TileStatus struct {
	State   TileState     `json:"state"`
	File    string        `json:"file,omitempty"`   // where it belongs
	By      TileAuthority `json:"by,omitempty"`     // who has switched it off
	Reason  string        `json:"reason,omitempty"` // why it is off or broken
	Since   time.Time     `json:"since,omitzero"`   // it is switched off
	Strikes int           `json:"strikes"`          // crashes of the sign-in screen; three are too many
}

// Problem says in one sentence why there is no tile; nothing if all is well.
func (s *TileStatus) Problem() string {
	switch {
	case s.State == TileBroken:
		return "the tile of the sign-in screen: " + s.Reason
	case s.State != TileOff:
		return ""
	case s.By == ByWatchdog:
		return "the watchdog has disabled the tile of the sign-in screen: " + s.Reason
	case s.By == ByWindows:
		return "Windows' own switch disables the tile of the sign-in screen"
	case s.By == ByPolicy:
		return "a policy excludes the tile of the sign-in screen"
	case s.Reason == "":
		return "an administrator of this device has switched off the tile of the sign-in screen"
	default:
		return "an administrator of this device has switched off the tile of the sign-in screen: " + s.Reason
	}
}

// Faulty tells that nobody meant it to be so.
func (s *TileStatus) Faulty() bool {
	return s.State == TileBroken || s.State == TileOff && s.By == ByWatchdog
}

// TileStatus looks at the tile. Only administrators can ask. It gives
// ErrUnsupported where the system's sign-in screen loads none.
func (a *Agent) TileStatus() (*TileStatus, error) {
	if a.System.Tile() == nil {
		return nil, fmt.Errorf("a tile of the sign-in screen: %w", ErrUnsupported)
	}
	file, err := a.installedFile()
	if err != nil {
		return nil, err
	}
	return a.lookAtTile(file)
}

func (a *Agent) lookAtTile(file api.AgentFile) (*TileStatus, error) {
	record, err := readTileRecord(a.System.Layout().Tile())
	if errors.Is(err, fs.ErrPermission) {
		return nil, err
	}
	seen, err := a.seeTile(file, record.Last, a.settling())
	if err != nil {
		return nil, err
	}
	_, v := record.judge(*seen)
	return &v.TileStatus, nil
}

// installedFile is the agent of this device, as the enrollment names it.
func (a *Agent) installedFile() (file api.AgentFile, err error) {
	raw, err := os.ReadFile(a.System.Layout().Enrollment())
	if errors.Is(err, fs.ErrNotExist) {
		return file, ErrNotInstalled
	}
	if err != nil {
		return file, err
	}
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil {
		return file, fmt.Errorf("reading the enrollment: %w", err)
	}
	return a.ownFile(e)
}

// ownFile is the agent for this machine's architecture in an enrollment.
func (a *Agent) ownFile(e *api.Enrollment) (api.AgentFile, error) {
	arch, err := a.System.Arch()
	if err != nil {
		return api.AgentFile{}, err
	}
	return agentFor(e, arch)
}

// SwitchTile switches the tile off for good, whatever is installed over it: the
// reason is shown to whoever asks. With on, it is switched on, whoever had
// switched it off; past crashes are forgiven; and where only the registration
// was lost, it is made again. Windows' own switch and policies are left alone.
func (a *Agent) SwitchTile(on bool, reason string) (*TileStatus, error) {
	tile := a.System.Tile()
	if tile == nil {
		return nil, fmt.Errorf("a tile of the sign-in screen: %w", ErrUnsupported)
	}
	file, err := a.installedFile()
	if err != nil {
		return nil, err
	}
	if on {
		err = a.restoreTile(file)
	} else {
		err = tile.Switch(&TileSwitch{By: ByAdministrator, Reason: fact(reason), Since: stamp()})
	}
	if err != nil {
		return nil, err
	}
	return a.lookAtTile(file)
}

// restoreTile forgets the crashes before it switches on: the watchdog might look
// in between.
func (a *Agent) restoreTile(file api.AgentFile) error {
	layout, tile := a.System.Layout(), a.System.Tile()
	record, err := readTileRecord(layout.Tile())
	if errors.Is(err, fs.ErrPermission) {
		return err
	}
	record.forgive()
	if err := record.write(layout.Tile()); err != nil {
		return err
	}
	if err := removeSentinel(layout.CredentialProvider(file.Version)); err != nil {
		return err
	}
	if err := tile.Switch(nil); err != nil {
		return err
	}
	if a.settling() { // the installation registers what it wants to
		return nil
	}
	return a.loadTile(file)
}

// loadTile has the sign-in screen load the tile of an agent, or none if it
// comes without.
func (a *Agent) loadTile(file api.AgentFile) error {
	tile, dll := a.System.Tile(), a.tileOf(file)
	if dll != "" {
		right, err := hasHash(dll, file.CredentialProvider.SHA256)
		if !right {
			return cmp.Or(errors.Join(err, tile.Suspend()), fmt.Errorf("%s is missing or another one", dll))
		}
	}
	r, err := tile.Registration()
	switch {
	case err != nil || r.loads(dll):
		return err
	case dll == "":
		return tile.Unregister()
	default:
		return tile.Register(dll)
	}
}

// tileOf is where the tile of an agent belongs, empty if it has none.
func (a *Agent) tileOf(file api.AgentFile) string {
	if file.CredentialProvider == (api.CarriedFile{}) {
		return ""
	}
	return a.System.Layout().CredentialProvider(file.Version)
}

// sentinel is the file to which the tile adds a byte when it is loaded, and which
// it removes once it has shown itself to work (credprov/native/sentinel.c).
func sentinel(dll string) string { return dll + ".starts" }

func removeSentinel(dll string) error {
	if err := os.Remove(sentinel(dll)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
