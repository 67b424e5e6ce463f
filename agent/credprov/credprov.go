// Package credprov is the tile on Windows' sign-in screen: a credential provider
// in C, since what runs in LogonUI must never bring it down. It decides nothing;
// it draws what the agent's service says, and sends back what was typed. build.sh
// builds the DLLs, `make native` calls it.
//
// In Go there is what an installation must know of it.
package credprov

// CLSID is the class of the provider, by which Windows and its policies know it.
// It never changes.
const CLSID = "{287BFA49-BAD6-483D-8E25-E7C626759CD4}"

// File is what the DLL is called on a device, where it lies beside the agent.
const File = "firstday-credprov.dll"

// Name is the provider's, for registry editors.
const Name = "Firstday"
