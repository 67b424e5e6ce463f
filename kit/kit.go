// Package kit does the main job: from an organisation's configuration and the
// agent's binaries it builds a kit, the folder that goes onto a USB stick or
// to a purchasing partner. It also reads kits and packages back, to say what
// is in them and whether they are what they were.
//
// A kit holds a package for each platform, and for machines and people what
// they need to handle them:
//
//	Acme.ppkg, Acme.cat   the provisioning package for Windows and its catalog
//	Acme.pkg              the installer package for macOS
//	Acme.mobileconfig     a profile for device management
//	manifest.plist        the same for the download of the package
//	manifest.json         ids, versions, sizes, hashes, secrets, expiry
//	SHA256SUMS            of every other file
//	SHA256SUMS.p7s        the signature of those, when there is an identity
//	signer.pem            the signers' certificates, likewise
//	sbom.cdx.json         what the package is made of (CycloneDX)
//	INSTRUCTIONS*.md      for the person with the stick
//
// [Build] makes one kit. A [Batch] makes many, for hundreds of organisations,
// sites or orders, and does once what is the same in all: it signs the agents
// and compresses and hashes what the packages carry, which those for Windows
// begin with. [Batch.BuildAll] goes on where an earlier run ended, and reports.
package kit

import (
	"io"
	"os"

	"firstday.dev/ppkg"
)

// The kinds of files a package carries.
const (
	kindAgent       = "agent"
	kindProvider    = "credential-provider"
	kindLoginPlugin = "login-plugin"
	kindMSI         = "msi"
	kindEXE         = "exe"
)

// A package carries the keys to an organisation's devices, so only its owner
// reads it, until somebody decides otherwise.
const (
	privateFolder = 0o700
	privateFile   = 0o600
)

// part is a file on its way into a package.
type part struct {
	Content
	path string // where it is now
	file *ppkg.File
}

func fileOf(name, path string, size int64) *ppkg.File {
	return &ppkg.File{Name: name, Size: size, Open: func() (io.ReadCloser, error) { return os.Open(path) }}
}
