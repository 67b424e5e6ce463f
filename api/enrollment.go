// Package api holds what crosses the wire between the agent, the directory and
// the command line: types and error codes, nothing else. It is the only place
// where those three meet.
package api

import (
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"firstday.dev/internal/strictjson"
)

// EnrollmentFile is the name under which a package carries its [Enrollment],
// beside the agent.
const EnrollmentFile = "enrollment.json"

// EnrollmentVersion is the version of the enrollment file this build writes,
// and the newest it reads.
const EnrollmentVersion = 1

// MaxEnrollmentSize bounds what a reader accepts, in bytes.
const MaxEnrollmentSize = 1 << 20

// Enrollment is everything a freshly unboxed device is told: whom it belongs
// to, how to enrol, and what else to install. A package carries it in
// [EnrollmentFile]; the agent moves it into its own protected folder and
// erases the connect key once the device is enrolled.
type Enrollment struct {
	Version      int         `json:"version"`
	Organisation string      `json:"organisation"`
	Directory    Directory   `json:"directory"`
	ConnectKey   Secret      `json:"connectKey,omitempty"`
	ExpiresAt    *time.Time  `json:"expiresAt,omitempty"` // end of the connect key's life, UTC
	PackageID    uuid.UUID   `json:"packageId"`
	PackageName  string      `json:"packageName"`
	PackageVer   string      `json:"packageVersion"`
	BreakGlass   string      `json:"breakGlassUser,omitempty"` // local administrator whose password the agent rotates
	SignIn       SignIn      `json:"signIn"`
	Agents       []AgentFile `json:"agents"`
	Payloads     []Payload   `json:"payloads,omitempty"`
}

// Directory says where the organisation's directory answers and how a device
// recognises it.
type Directory struct {
	URL string `json:"url"` // https, no query, no fragment
	// Pin is "sha256:" and the lower-case hex SHA-256 of the DER
	// SubjectPublicKeyInfo of the directory's CA. Empty: the system's roots.
	Pin string `json:"pin,omitempty"`
}

// AgentFile is one build of the agent inside the package.
type AgentFile struct {
	File    string `json:"file"`    // base name
	Arch    string `json:"arch"`    // amd64 or arm64, the machine's native one
	Version string `json:"version"` // semantic version
	SHA256  string `json:"sha256"`  // lower-case hex
	// CredentialProvider is the tile of Windows' sign-in screen that goes with
	// this build; zero: none does.
	CredentialProvider CarriedFile `json:"credentialProvider,omitzero"`
	// LoginPlugin is the bundle for macOS' login window that goes with this build,
	// where every architecture's is the same; its hash is that of its list of files,
	// see templates/macos. Zero: none does.
	LoginPlugin CarriedFile `json:"loginPlugin,omitzero"`
}

// CarriedFile is a file inside the package.
type CarriedFile struct {
	File   string `json:"file"`   // base name
	SHA256 string `json:"sha256"` // lower-case hex
}

// Payload is a further installer, run after the agent, in the order given.
type Payload struct {
	File         string `json:"file"` // base name
	SHA256       string `json:"sha256"`
	Kind         string `json:"kind"` // "msi" or "exe"
	Arguments    string `json:"arguments,omitempty"`
	SuccessCodes []int  `json:"successCodes,omitempty"` // default 0
	RebootCodes  []int  `json:"rebootCodes,omitempty"`  // default 3010 and 1641
}

// SignIn is the first settings of self-service account provisioning, used
// until the directory says otherwise.
type SignIn struct {
	Enabled    bool   `json:"enabled"`
	Permission string `json:"permission"`        // "standard" or "administrator"
	Text       string `json:"text,omitempty"`    // shown under the button
	HelpURL    string `json:"helpUrl,omitempty"` // shown with every error
}

// ReadEnrollment reads one enrollment, refusing unknown fields, trailing data,
// more than [MaxEnrollmentSize] bytes, versions newer than this build, and what
// [Enrollment.Check] refuses.
func ReadEnrollment(r io.Reader) (*Enrollment, error) {
	e := new(Enrollment)
	if err := strictjson.Read(r, MaxEnrollmentSize, e); err != nil {
		return nil, fmt.Errorf("reading enrollment: %w", err)
	}
	if e.Version < 1 || e.Version > EnrollmentVersion {
		return nil, fmt.Errorf("enrollment has version %d; this build reads up to %d", e.Version, EnrollmentVersion)
	}
	if err := e.Check(); err != nil {
		return nil, err
	}
	return e, nil
}
