package templates

import (
	"io"
	"time"
)

// MacInstructions is what the instructions for Macs are filled with.
type MacInstructions struct {
	Organisation string
	HelpURL      string // whom to ask; may be empty

	Package        string // the package's file name: "Acme.pkg"
	Manifest       string // of the manifest for device management; may be empty
	Profile        string // of the configuration profile: "Acme.mobileconfig"
	Identifier     string // of the package
	PackageID      string
	PackageVersion string
	SHA256         string // of the package, lower-case hexadecimal
	AgentVersion   string
	Program        string // where the agent will be, quoted for a shell
	MinimumVersion string // of macOS
	Built          time.Time
	// ExpiresAt is when the package stops enrolling devices; zero if that is
	// not known.
	ExpiresAt time.Time

	Signer    string // who signed; empty if nobody did
	Throwaway bool   // signed with an identity made for this build only
	Notarised bool   // the package carries Apple's ticket
	SignIn    bool   // whether the login window offers "Sign in with …"
	Secrets   []CarriedSecret
}

// Write writes the instructions.
func (i MacInstructions) Write(w io.Writer) error { return write(w, "instructions-mac.md.tmpl", i) }

// Signed says whether somebody signed the package.
func (i MacInstructions) Signed() bool { return i.Signer != "" }
