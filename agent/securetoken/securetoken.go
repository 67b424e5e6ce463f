// Package securetoken tells which accounts of a Mac have a secure token: the key
// with which an account unlocks FileVault and, on Apple silicon, owns the volume,
// which approves updates. macOS has no interface for it; what its tools print is
// read here.
//
// Who gets one, in Apple's words (deployment guide, dep24dbdcf9e): the very first
// account whose password is set, unless its AuthenticationAuthority has
// ";DisabledTags;SecureToken" before; with a bootstrap token that the device
// management (MDM) keeps, whoever signs in at the login window; else only whom
// somebody with a token gives one.
package securetoken

import (
	"fmt"
	"slices"
	"strings"
)

// Mac is what a Mac says of its tokens. What it does not say is nil.
type Mac struct {
	Holders   *[]Holder `json:"holders"`   // by diskutil
	Escrowed  *bool     `json:"escrowed"`  // the MDM has a bootstrap token
	FileVault string    `json:"fileVault"` // in the words of fdesetup, its first line
	Unlockers *[]string `json:"unlockers"` // accounts that unlock FileVault, by fdesetup; nil also where it is off
}

// Holder is an account with a token.
type Holder struct {
	ID    string `json:"id"`    // GeneratedUID
	Owner bool   `json:"owner"` // of the volume, as macOS 11 and newer say
}

// Has tells whether the account of the GeneratedUID has a token, as far as
// diskutil says.
func (m *Mac) Has(id string) *bool {
	if m.Holders == nil || id == "" {
		return nil
	}
	return new(slices.ContainsFunc(*m.Holders, func(h Holder) bool { return strings.EqualFold(h.ID, id) }))
}

// NobodyHas tells that there is no token yet, so that the next password that is
// set brings one. Not knowing is not nobody.
func (m *Mac) NobodyHas() bool { return m.Holders != nil && len(*m.Holders) == 0 }

// IsEscrowed tells that macOS gives tokens by itself at the login window.
func (m *Mac) IsEscrowed() bool { return m.Escrowed != nil && *m.Escrowed }

// State is how an account stands.
type State string

const (
	// Held: both tools say that the account has a token.
	Held State = "held"
	// Alone: so they do, but no administrator has one. Nobody can give another one
	// then, unless the MDM does.
	Alone State = "alone"
	// Coming: it has none, and macOS gives it one when its person signs in at the
	// login window with the MDM in reach.
	Coming State = "coming"
	// Missing: it has none, and nothing will give it one by itself.
	Missing State = "missing"
	// Unknown: the tools do not say, or not the same.
	Unknown State = "unknown"
)

// Judge weighs both tools: told is what sysadminctl says of the account. Who is an
// administrator it does not know: see Alone.
func (m *Mac) Judge(id string, told *bool) State {
	onDisk := m.Has(id)
	switch {
	case told == nil || onDisk == nil || *told != *onDisk:
		return Unknown
	case *told:
		return Held
	case m.IsEscrowed():
		return Coming
	default:
		return Missing
	}
}

// Problem says in a sentence what an account's state keeps from its person and
// what helps, nothing if nothing is wrong. It fits into the 200 bytes that the
// directory takes.
func (s State) Problem(account string) string {
	switch s {
	case Held, Coming:
		return ""
	case Alone:
		return fmt.Sprintf("account %.31s has a secure token, but no administrator has: nobody can give another one. Make it one, or have an MDM keep a bootstrap token", account)
	case Missing:
		return fmt.Sprintf("account %.31s has no secure token: no FileVault, no updates on Apple silicon. Run: sudo sysadminctl interactive -secureTokenOn %.31s -password -", account, account)
	default:
		return fmt.Sprintf("whether account %.31s has a secure token is not known; see: sysadminctl -secureTokenStatus %.31s, diskutil apfs listUsers /", account, account)
	}
}
