package agent

import (
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/google/uuid"

	"firstday.dev/internal/statefile"
)

// Phase is a step of the installation.
type Phase string

const (
	PhaseCopy      Phase = "copy"      // the agent into its versioned folder
	PhaseConfigure Phase = "configure" // enrollment and payloads into the data folder
	PhaseRegister  Phase = "register"  // the service
	PhaseStart     Phase = "start"     // the service, until it reports
	PhaseTile      Phase = "tile"      // the sign-in screen learns of it
	PhaseTidy      Phase = "tidy"      // older versions go
	PhasePayloads  Phase = "payloads"  // the package's further installers
	PhaseDone      Phase = "done"
)

// stateSchema is the version of the files this package keeps for itself.
const stateSchema = 1

// state is how far an installation is. It is on disk before the work it
// speaks of begins.
type state struct {
	Schema       int             `json:"schema"`
	PackageID    uuid.UUID       `json:"packageId"`
	AgentVersion string          `json:"agentVersion"`
	Phase        Phase           `json:"phase"`
	UpdatedAt    time.Time       `json:"updatedAt"`
	Error        string          `json:"error,omitempty"` // why the phase ended early
	Payloads     []PayloadResult `json:"payloads,omitempty"`
}

// readState returns nil if there is none.
func readState(path string) (*state, error) {
	s := new(state)
	err := statefile.Read(path, s)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if s.Schema != stateSchema {
		return nil, fmt.Errorf("%s has schema %d; this build reads %d", path, s.Schema, stateSchema)
	}
	return s, nil
}

func (s *state) write(path string) error {
	s.Schema = stateSchema
	s.UpdatedAt = stamp()
	return statefile.Write(path, s)
}

// stamp is the present as files and status hold it.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }
