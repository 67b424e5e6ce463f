package simulate

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"firstday.dev/internal/atomicfile"
)

// stateSchema is the version of the file that holds a device's state.
const stateSchema = 1

// maxState bounds that file, in bytes.
const maxState = 64 << 20

// state is what a device keeps besides its disk. It holds no secret: passwords
// and keys of a package are not kept at all.
type state struct {
	Schema  int       `json:"schema"`
	Device  Device    `json:"device"`
	Boots   int       `json:"boots"`
	Applied []applied `json:"applied,omitempty"`

	// Of Windows: what would be in its registry and databases.
	Service  string             `json:"service,omitempty"` // the agent's program
	NextName string             `json:"nextName,omitempty"`
	Accounts []account          `json:"accounts,omitempty"`
	Networks []network          `json:"networks,omitempty"`
	Roots    []certificate      `json:"rootCertificates,omitempty"`
	Policies map[string]string  `json:"policies,omitempty"`
	HideOOBE bool               `json:"hideOobe,omitempty"`
	Others   []string           `json:"others,omitempty"` // settings that were taken as they are
	Receipts map[string]receipt `json:"receipts,omitempty"`
}

// applied is a package that the device has seen.
type applied struct {
	ID      string `json:"id"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"` // of its file
	Name    string `json:"name,omitempty"`
	Done    bool   `json:"done"` // false: it was interrupted
}

// account is a local account that a package made.
type account struct {
	Name          string `json:"name"`
	Administrator bool   `json:"administrator"`
}

// network is a wireless network, without its key.
type network struct {
	SSID           string `json:"ssid"`
	Authentication string `json:"authentication"`
	Hidden         bool   `json:"hidden,omitempty"`
}

// certificate is one that the device trusts.
type certificate struct {
	SHA1    string `json:"sha1"`
	Subject string `json:"subject"`
}

// receipt is what Installer keeps of a component: what is on the disk, with the
// owners and modes that only root could give it.
type receipt struct {
	Version string     `json:"version"`
	Files   []onVolume `json:"files"`
}

// onVolume is a file as Installer would have made it.
type onVolume struct {
	Path   string `json:"path"` // on the volume, with a slash first
	Mode   uint32 `json:"mode"` // with its type, as in st_mode
	UID    uint32 `json:"uid"`
	GID    uint32 `json:"gid"`
	Target string `json:"target,omitempty"` // of a symbolic link, which is not made
}

const stateFile = "device.json"

// readState gives nil if there is none.
func readState(dir string) (*state, error) {
	path := filepath.Join(dir, stateFile)
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxState+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxState {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, maxState)
	}
	s := new(state)
	if err := json.Unmarshal(data, s); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if s.Schema != stateSchema {
		return nil, fmt.Errorf("%s has schema %d; this build reads %d", path, s.Schema, stateSchema)
	}
	return s, nil
}

func (s *state) write(dir string) error {
	s.Schema = stateSchema
	data, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.WriteFile(filepath.Join(dir, stateFile), append(data, '\n'), 0o600)
}

// seen finds what the device knows of a package, newest first.
func (s *state) seen(id string) *applied {
	for i := range slices.Backward(s.Applied) {
		if s.Applied[i].ID == id {
			return &s.Applied[i]
		}
	}
	return nil
}

// begin notes that a package is being applied.
func (s *state) begin(a applied) {
	s.Applied = slices.DeleteFunc(s.Applied, func(o applied) bool { return o.ID == a.ID })
	s.Applied = append(s.Applied, a)
}
