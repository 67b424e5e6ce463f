package local

import (
	"context"
	"errors"
	"time"

	"firstday.dev/api"
)

// Desk is what a login window needs beside the sign-in: the people of the device,
// its network, what it is, and to restart it. Each call returns when its context
// ends, after a few seconds; what takes longer goes on behind it. It gives
// [errors.ErrUnsupported] where the system has no such thing. Its calls may come
// from several surfaces at once.
type Desk interface {
	Users(context.Context) (Users, error)
	Network(context.Context) (Network, error)
	// Scan looks for networks; Network tells what was found.
	Scan(context.Context) error
	// Join joins a network; Network tells what came of it.
	Join(context.Context, Join) error
	SetWiFi(ctx context.Context, on bool) error
	Info(context.Context) (Info, error)
	// Power gives ErrOthers while somebody is logged in.
	Power(context.Context, Power) error
	// Logo gives a PNG of the organisation's, empty if there is none.
	Logo(context.Context) ([]byte, error)
}

// ErrOthers: other people are logged in, and would lose what they do.
var ErrOthers = errors.New("other people are logged in")

// Bounds of what a block holds. Whoever gives more has the rest left out.
const (
	MaxUsers      = 100
	MaxNetworks   = 60
	MaxIdentities = 20
	MaxAddresses  = 64
	MaxLogo       = api.MaxLogo // bytes
)

// Users are the people who may log in.
type Users struct {
	List bool // they are shown; else there is a field for the name
	More bool // there are more than are told
	All  []User
}

// User is a person with an account of this device.
type User struct {
	Name    string // of the account, without spaces
	Managed bool   // the directory's
	Label   string // what people read; empty: the name
}

// Network is what the device is connected to, and could be.
type Network struct {
	Link      Link
	Internet  Reach
	Directory Reach  // of the organisation; never Captive
	Portal    string // address of the page that asks, where Internet is Captive
	WiFi      WiFi
	Name      string // of the Wi-Fi network that the device is in, if it is known
	Withheld  string // why names are missing: a word, such as location, off or failed
	Scanning  bool
	Scanned   time.Time // when Networks were found, zero: never
	Networks  []WiFiNetwork
	// Identities are for 802.1X, which profiles have brought.
	Identities []Identity
	// Join is how the last joining stands, of the network JoinName; empty: there was
	// none. JoinCode is a word for why it failed.
	Join               JoinState
	JoinCode, JoinName string
}

// Link is by what the device is connected.
type Link string

// The links.
const (
	LinkNone     Link = "none"
	LinkEthernet Link = "ethernet"
	LinkWiFi     Link = "wifi"
)

// Reach tells whether something answers.
type Reach string

// What may come of looking.
const (
	ReachUnknown Reach = "unknown"
	ReachYes     Reach = "yes"
	ReachNo      Reach = "no"
	ReachCaptive Reach = "captive" // a portal answers in its place
)

// WiFi is the state of the device's Wi-Fi.
type WiFi string

// The states.
const (
	WiFiNone WiFi = "none" // the device has none, or there is no way to use it
	WiFiOff  WiFi = "off"
	WiFiOn   WiFi = "on"
)

// WiFiNetwork is one that could be joined.
type WiFiNetwork struct {
	Security Security
	Saved    bool
	Strength int // 0 to 4
	Name     string
}

// Security is what a network asks for.
type Security string

// The kinds.
const (
	Open       Security = "open"
	Password   Security = "password"
	Enterprise Security = "enterprise" // 802.1X
)

// Identity is a certificate to join a network with.
type Identity struct {
	ID    string // without spaces
	Label string
}

// JoinState is how a joining stands.
type JoinState string

// The states.
const (
	JoinRunning JoinState = "running"
	JoinDone    JoinState = "done"
	JoinFailed  JoinState = "failed"
)

// Join is a network to join.
type Join struct {
	Name     string // 1 to MaxSSID bytes
	Password string // empty: none, or the one that is saved
	Hidden   bool   // it does not tell its name
	Identity string // ID of one, for 802.1X; empty: none
}

// MaxSSID is how long the name of a network is, in bytes.
const MaxSSID = 32

// Info is what the device is.
type Info struct {
	Computer, Serial, Model, OS, Agent, Organisation string
	Addresses                                        []Address
}

// Address is one of the device.
type Address struct {
	Interface string // without spaces
	Kind      string // ethernet, wifi or other
	MAC, IP   string // empty: it has none
}

// Power is what becomes of the device.
type Power string

// What Power takes.
const (
	Restart  Power = "restart"
	Shutdown Power = "shutdown"
)
