package templates

import (
	"io"
	"time"
)

// Instructions is what INSTRUCTIONS.md is filled with: everything the person
// with the stick has to know, and what IT wants to look up later.
type Instructions struct {
	Organisation string
	HelpURL      string // whom to ask; may be empty

	Package        string // the package's file name: "Acme.ppkg"
	Catalog        string // its catalog's: "Acme.cat"
	PackageID      string
	PackageVersion string
	Size           int64  // of the package, in bytes
	SHA256         string // of the package, lower-case hexadecimal
	AgentVersion   string
	Built          time.Time

	// ExpiresAt is when the package stops enrolling devices; zero if that is
	// not known.
	ExpiresAt time.Time

	Signer    string // who signed; empty if nobody did
	Throwaway bool   // signed with an identity made for this build only

	HideOOBE     bool
	SignIn       bool   // whether the sign-in screen offers "Sign in with …"
	BreakGlass   string // name of the emergency account, or empty
	ComputerName string // the template, or empty
	WiFi         []string
	Payloads     []string // file names, in the order of installation
	Secrets      []CarriedSecret
}

// CarriedSecret is a secret inside the package: never the secret itself.
type CarriedSecret struct {
	Kind string // "connect key", "Wi-Fi password"
	Name string // of the account or network; may be empty
}

// Write writes INSTRUCTIONS.md.
func (i Instructions) Write(w io.Writer) error { return write(w, "instructions.md.tmpl", i) }

// Signed says whether somebody signed the package.
func (i Instructions) Signed() bool { return i.Signer != "" }

// maxFAT32 is the largest file FAT32 can hold, in bytes.
const maxFAT32 = 1<<32 - 1

// FileSystem says how the stick must be formatted.
func (i Instructions) FileSystem() string {
	if i.Size > maxFAT32 {
		return "exFAT (the package is too large for FAT32)"
	}
	return "FAT32 or exFAT"
}
