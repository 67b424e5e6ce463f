// Package wifi looks at a Mac's network and joins Wi-Fi, for the person who is at
// the login window and has none yet. There nobody can be asked anything by macOS,
// and since macOS 14 the names of networks are told only to whom the person allows
// to know where the Mac is.
//
// So a [Radio] asks whoever may know, and believes what is true afterwards rather
// than what a program said. Nobody of us has run it on a Mac yet. What it builds
// upon was seen by others:
//
//   - Scanning. CoreWLAN gives networks without names to who has not been allowed
//     to know the location, since macOS 14; root makes no difference (pyobjc issue
//     600, wifitui pull request 191). system_profiler, a program of Apple's, gave
//     them on macOS 14, gives "<redacted>" to many on 15.6 and 26, and gave them on
//     26.5.2 (dracula/tmux issue 358, stats pull request 2719, wifitui pull request
//     191). airport(8) went with macOS 14.4 (OpenGoPro issue 506) and is not used.
//   - The name of the current network. "networksetup -getairportnetwork" says "You
//     are not associated" since macOS 15 whether one is or not (tmux pull request
//     291); "ipconfig getsummary" knows it until 15.5 and says "<redacted>" from
//     15.6 on (tmux issue 358).
//   - Saved networks. "networksetup -listpreferredwirelessnetworks" is withheld from
//     nobody. On macOS 26 the current one is reported to come first (wifi-loc-control
//     pull request 13), before that it need not (stats pull request 2719).
//   - Joining. CoreWLAN's associateToNetwork wants a network that it has seen. What it
//     cannot see by its name, networksetup may join by it. networksetup ends with 0
//     whatever happens and says why on stdout (kota65535/sony_camera_remote_api,
//     NineFiveB/YBar); it takes "-" in a password's place and reads it from stdin, so
//     that no password is on a command line (its manual page, as translated in 2018,
//     and YBar); without one it takes the keychain's (YBar). It saves what it joins;
//     after CoreWLAN, programs that want that do so themselves, here by
//     "-addpreferredwirelessnetworkatindex", which its manual page describes. What
//     asks for no password we do not save, and take what networksetup has saved of it
//     off again by "-removepreferredwirelessnetwork".
//   - The switch. "networksetup -setairportpower" of a device that is none turns the
//     only Wi-Fi there is off: the device's name is never guessed.
//   - 802.1X. associateToEnterpriseNetwork takes an identity of the System keychain:
//     XCreds does so at the login window since 3.0 (its issue 53).
//
// networksetup and ipconfig were seen in English only, and the keys of
// system_profiler's JSON are what its words for people are looked up by.
package wifi

import (
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Link is how the device is connected, a cable first.
type Link string

const (
	LinkNone     Link = "none"
	LinkEthernet Link = "ethernet"
	LinkWiFi     Link = "wifi"
)

// Power is whether there is Wi-Fi, and whether it is switched on.
type Power string

const (
	PowerNone Power = "none"
	PowerOff  Power = "off"
	PowerOn   Power = "on"
)

// Withheld is why names of networks are missing.
type Withheld string

const (
	WithheldLocation Withheld = "location" // macOS tells them only to who may know where it is
	WithheldOff      Withheld = "off"      // Wi-Fi is switched off
	WithheldFailed   Withheld = "failed"   // nobody could be asked
)

// Security is what a network wants of who joins it.
type Security string

const (
	SecurityOpen       Security = "open"
	SecurityPassword   Security = "password"
	SecurityEnterprise Security = "enterprise" // 802.1X
)

// Network is one that can be joined.
type Network struct {
	Name     string
	Security Security
	Saved    bool
	Strength int // 0 to 4
}

// Identity is a certificate with its key that a profile brought, for 802.1X.
type Identity struct {
	ID    string // stays the same as long as the certificate does
	Label string
}

// Join is what a person wants to join.
type Join struct {
	Name     string
	Password []byte // empty: the saved one, or none
	Hidden   bool   // it does not tell its name
	Identity string // the ID of one, for 802.1X
}

// Progress is how far the last join has come; empty: there was none.
type Progress string

const (
	JoinRunning Progress = "running"
	JoinDone    Progress = "done"
	JoinFailed  Progress = "failed"
)

// Code is why a join failed.
type Code string

const (
	CodePassword  Code = "password"   // it is wrong, or missing
	CodeNotFound  Code = "not_found"  // there is no network of that name in reach
	CodeTimeout   Code = "timeout"    // the network does not answer
	CodeIdentity  Code = "identity"   // it wants an identity, or another one
	CodeNoAddress Code = "no_address" // it is joined, but gives no address
	CodeRefused   Code = "refused"    // the network, or macOS, does not want to
	CodeFailed    Code = "failed"
)

// Status is all there is to show.
type Status struct {
	Device   string // the Wi-Fi's, such as en0; empty: there is none
	Link     Link
	Power    Power
	Name     string   // of the current network; empty: none, or not known
	Withheld Withheld // empty: names are not missing
	Scanning bool
	Scanned  time.Time // when Networks were seen; zero: never
	Networks []Network // saved ones first, then by strength; 60 at most
	// Identities are those of the System keychain.
	Identities []Identity

	Join     Progress
	JoinCode Code   // why it failed
	JoinName string // of the network that is, was or was not joined
}

// Bounds.
const (
	maxName     = 32  // bytes of an SSID, IEEE 802.11
	maxPassword = 128 // WPA2's has 64 at most; WPA3 has no such bound
	maxNetworks = 60
	maxIDs      = 20
)

var (
	// ErrMalformed: what is to be joined cannot be a network, or its password.
	ErrMalformed = errors.New("not a network that could be joined")
	// ErrNone: this device has no Wi-Fi.
	ErrNone = errors.New("there is no Wi-Fi")
)

// check refuses what no program should be given. It quotes nothing.
func (j Join) check() error {
	switch {
	case j.Name == "" || len(j.Name) > maxName:
		return fmt.Errorf("%w: a name has 1 to %d bytes", ErrMalformed, maxName)
	case !utf8.ValidString(j.Name) || strings.ContainsFunc(j.Name, unicode.IsControl):
		return fmt.Errorf("%w: the name is no text", ErrMalformed)
	case len(j.Password) > maxPassword:
		return fmt.Errorf("%w: a password has at most %d bytes", ErrMalformed, maxPassword)
	case !utf8.Valid(j.Password):
		return fmt.Errorf("%w: the password is no text", ErrMalformed)
	case len(j.Identity) > maxLabel:
		return fmt.Errorf("%w: no identity is called so", ErrMalformed)
	}
	for _, c := range j.Password {
		if c < ' ' || c == 0x7f { // it would end there
			return fmt.Errorf("%w: the password is no line", ErrMalformed)
		}
	}
	return nil
}

// sighting is a network as somebody saw it.
type sighting struct {
	name     string // empty: it is withheld, or the network does not tell it
	security Security
	dBm      int // 0: not known
}

// strength is in bars, as Mac users are used to them.
func (s sighting) strength() int {
	switch {
	case s.dBm >= 0 || s.dBm < -85:
		return 0
	case s.dBm < -75:
		return 1
	case s.dBm < -65:
		return 2
	case s.dBm < -55:
		return 3
	}
	return 4
}

// showable tells names that are text. Others cannot be shown, or joined by typing
// them.
func showable(name string) bool {
	return name != "" && len(name) <= maxName && utf8.ValidString(name) && !strings.ContainsFunc(name, unicode.IsControl)
}
