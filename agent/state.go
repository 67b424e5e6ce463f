package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"firstday.dev/internal/atomicfile"
	"github.com/google/uuid"
)

// Phase is a step of the installation.
type Phase string

const (
	PhaseCopy      Phase = "copy"      // the agent into its versioned folder
	PhaseConfigure Phase = "configure" // enrollment and payloads into the data folder
	PhaseRegister  Phase = "register"  // the service
	PhaseStart     Phase = "start"     // the service, until it reports
	PhaseTidy      Phase = "tidy"      // older versions go
	PhasePayloads  Phase = "payloads"  // the package's further installers
	PhaseDone      Phase = "done"
)

// stateSchema is the version of the files this package keeps for itself.
const stateSchema = 1

// maxStateSize bounds those files; ours stay far below.
const maxStateSize = 1 << 20

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
	err := readJSON(path, s)
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
	return writeJSON(path, s)
}

// stamp is the present as files and status hold it.
func stamp() time.Time { return time.Now().UTC().Truncate(time.Millisecond) }

// readJSON ignores fields it does not know: a newer agent may have written
// the file.
func readJSON(path string, v any) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxStateSize+1))
	if err != nil {
		return err
	}
	if len(data) > maxStateSize {
		return fmt.Errorf("%s is larger than %d bytes", path, maxStateSize)
	}
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func writeJSON(path string, v any) error {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetIndent("", "  ")
	if err := enc.Encode(v); err != nil {
		return err
	}
	return writeFile(path, buf.Bytes())
}

// writeFile replaces a file that others may be reading: Windows does not let
// a file be replaced while it is open, so a reader is waited for.
func writeFile(path string, data []byte) error {
	const tries, pause = 40, 25 * time.Millisecond
	var err error
	for range tries {
		err = atomicfile.WriteFile(path, data, 0o600)
		if !inUse(err) {
			return err
		}
		time.Sleep(pause)
	}
	return err
}
