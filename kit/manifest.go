package kit

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"firstday.dev/internal/strictjson"
)

// The files of a kit that are there whatever the configuration says.
const (
	ManifestFile  = "manifest.json"
	SumsFile      = "SHA256SUMS"
	SignatureFile = "SHA256SUMS.p7s" // only when the kit is signed
	SBOMFile      = "sbom.cdx.json"
	SignerFile    = "signer.pem" // likewise: the signer's certificates

	// For the person with the stick, by what the package is for.
	InstructionsFile    = "INSTRUCTIONS.md"
	MacInstructionsFile = "INSTRUCTIONS-Mac.md"
)

// ManifestVersion is the version of the manifest this build writes, and the
// newest it reads.
const ManifestVersion = 1

// maxManifestSize bounds what a reader accepts, in bytes.
const maxManifestSize = 4 << 20

// Manifest says what a kit holds: for machines what INSTRUCTIONS.md says for
// people.
type Manifest struct {
	Version      int       `json:"version"`
	Builder      string    `json:"builder"` // "firstday" and its version
	Organisation string    `json:"organisation"`
	Directory    string    `json:"directory"` // URL
	Created      time.Time `json:"created"`
	// ExpiresAt is when the kit stops enrolling devices: the end of the
	// connect key's life, where that is known.
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
	Packages  []Package  `json:"packages"`
	Secrets   []Secret   `json:"secrets,omitempty"`
}

// Package is one installable package of a kit.
type Package struct {
	Platform   Platform  `json:"platform"`
	File       string    `json:"file"`
	Size       int64     `json:"size"` // bytes
	SHA256     string    `json:"sha256"`
	ID         uuid.UUID `json:"id"`
	Name       string    `json:"name"`
	Version    string    `json:"version"`
	Catalog    string    `json:"catalog,omitempty"`    // file name of its catalog, on Windows
	Identifier string    `json:"identifier,omitempty"` // of the receipt, on macOS
	Signer     *Signer   `json:"signer,omitempty"`
	Notarised  bool      `json:"notarised,omitempty"` // by Apple; its ticket is stapled to it
	Contents   []Content `json:"contents"`
}

// Signer is whose certificate signed a package, or its catalog.
type Signer struct {
	Subject    string    `json:"subject"`
	Issuer     string    `json:"issuer"`
	SHA256     string    `json:"sha256"` // of the certificate's DER
	NotAfter   time.Time `json:"notAfter"`
	Throwaway  bool      `json:"throwaway,omitempty"`
	Timestamps []string  `json:"timestamps,omitempty"` // URLs of the timestamp authorities asked
}

// Content is one file inside a package, or a bundle, whose hash is that of
// [macos.PluginDigest].
type Content struct {
	File    string `json:"file"`
	Kind    string `json:"kind"`           // "agent", "credential-provider", "login-plugin", "msi" or "exe"
	Arch    string `json:"arch,omitempty"` // amd64, arm64, or universal for both
	Version string `json:"version,omitempty"`
	Size    int64  `json:"size"` // bytes
	SHA256  string `json:"sha256"`
}

// Secret says that a package carries a secret, never which: whoever holds the
// stick holds the secret, so somebody must know that it is there.
type Secret struct {
	Package   string     `json:"package"` // file name
	Kind      string     `json:"kind"`
	Name      string     `json:"name,omitempty"` // which account, which network
	ExpiresAt *time.Time `json:"expiresAt,omitempty"`
}

// encode writes the manifest as it stands in the kit.
func (m *Manifest) encode() ([]byte, error) {
	data, err := json.MarshalIndent(m, "", "  ")
	return append(data, '\n'), err
}

// ReadManifest reads a manifest strictly: unknown fields, trailing data and
// newer versions are errors.
func ReadManifest(r io.Reader) (*Manifest, error) {
	m := new(Manifest)
	if err := strictjson.Read(r, maxManifestSize, m); err != nil {
		return nil, fmt.Errorf("reading manifest: %w", err)
	}
	if m.Version < 1 || m.Version > ManifestVersion {
		return nil, fmt.Errorf("manifest has version %d; this build reads up to %d", m.Version, ManifestVersion)
	}
	return m, nil
}
