package api

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Platform is a kind of operating system that devices run.
type Platform string

// The platforms.
const (
	Windows Platform = "windows"
	MacOS   Platform = "macos"
	Linux   Platform = "linux"
)

// Platforms are all of them.
var Platforms = []Platform{Windows, MacOS, Linux}

// Permission is what an employee's account may do on the device.
type Permission string

// The permission levels.
const (
	Standard      Permission = "standard"
	Administrator Permission = "administrator"
)

// PasswordMode says which password a local account gets.
type PasswordMode string

const (
	// VerifyPassword: that of the directory, which is asked for once more.
	VerifyPassword PasswordMode = "verify"
	// ChoosePassword: one that the employee chooses for this device.
	ChoosePassword PasswordMode = "choose"
)

// PINPolicy says whether an account gets a PIN, on systems that have them and
// devices whose TPM can keep them.
type PINPolicy string

// The policies.
const (
	PINOff      PINPolicy = "off"      // there is none; those there are do not work
	PINOffered  PINPolicy = "offered"  // who signs in may leave it out
	PINRequired PINPolicy = "required" // who signs in must choose one
)

// UnmarshalJSON also reads what builds before 1.0 wrote: true is required, false
// is off.
func (p *PINPolicy) UnmarshalJSON(b []byte) error {
	switch string(b) {
	case "true":
		*p = PINRequired
		return nil
	case "false":
		*p = PINOff
		return nil
	}
	return json.Unmarshal(b, (*string)(p))
}

func (p PINPolicy) known() bool { return p == PINOff || p == PINOffered || p == PINRequired }

// HelloPolicy says whether people are led to Windows Hello, whose PIN they choose
// for themselves: no program can make one for them.
type HelloPolicy string

// The policies.
const (
	HelloOff     HelloPolicy = "off"
	HelloOffered HelloPolicy = "offered"
)

// SignInWindow says what shows the sign-in beside the tile of Windows' sign-in
// screen, or with macOS' login window.
type SignInWindow string

// The windows.
const (
	WindowOff SignInWindow = "off" // none; on Windows the tile alone, which shows the code, too

	WindowQR  SignInWindow = "qr"  // Windows: a code for the employee's phone
	WindowWeb SignInWindow = "web" // Windows: the pages themselves; where that fails, the code

	WindowBeside  SignInWindow = "beside"  // macOS: a window over Apple's login window
	WindowInstead SignInWindow = "instead" // macOS: ours in the place of Apple's, see Builds
)

// signInWindows are those of each platform, the default first.
var signInWindows = map[Platform][]SignInWindow{
	Windows: {WindowQR, WindowWeb, WindowOff},
	MacOS:   {WindowBeside, WindowInstead, WindowOff},
}

// UserList says whether our login window of macOS lists who has an account.
type UserList string

// The lists.
const (
	ListNames  UserList = "names"
	ListFields UserList = "fields" // no list: the name is typed
)

// Settings say how self-service account provisioning goes, per platform.
type Settings struct {
	Windows PlatformSettings `json:"windows"`
	MacOS   PlatformSettings `json:"macos"`
	Linux   PlatformSettings `json:"linux"`
	// SecondFactor: users whose password the directory has need one.
	SecondFactor bool `json:"secondFactor"`
	// RecoveryKey is the age recipient (age1…) to which devices seal the
	// passwords of their break-glass accounts; empty: they keep them.
	RecoveryKey string `json:"recoveryKey,omitempty"`
	// Logo is the organisation's, a PNG of at most [MaxLogo] bytes; none: its name
	// alone is shown.
	Logo []byte `json:"logo,omitempty"`
}

// PlatformSettings are those of the devices of one platform.
type PlatformSettings struct {
	// SSAP is the switch: whether the sign-in screen offers the sign-in at all.
	SSAP       bool       `json:"ssap"`
	Permission Permission `json:"permission"`
	// Users is how many managed users a device may have: 1 for the first one
	// only, 0 for no limit.
	Users    int          `json:"users"`
	Password PasswordMode `json:"password"`
	PIN      PINPolicy    `json:"pin"`
	// Hello says whether who has a new account is led to Windows Hello, once, in
	// their first session. Windows only; empty: off.
	Hello HelloPolicy `json:"hello,omitempty"`
	// Window is what stands beside Windows' tile, empty: qr; or with macOS' login
	// window, empty: beside.
	Window SignInWindow `json:"signInWindow,omitempty"`
	// Builds are those of macOS on which our login window may take the place of
	// Apple's, such as 25A354, or 24* for all that begin so. None: on no Mac.
	Builds []string `json:"signInBuilds,omitempty"`
	// Origins are further ones that the window may show pages of, besides the
	// directory's and its providers': https://host[:port].
	Origins []string `json:"signInOrigins,omitempty"`
	// UserList is that of our login window of macOS; empty: names.
	UserList UserList `json:"userList,omitempty"`
	Domains  []string `json:"domains,omitempty"` // of e-mail addresses that may sign in; none: all
	// AccountName is the template of accounts' names, such as {local} for the
	// part of the e-mail address before the @; empty: {local}.
	AccountName string `json:"accountName,omitempty"`
	Text        string `json:"text,omitempty"`    // under the button
	HelpURL     string `json:"helpUrl,omitempty"` // shown with every error
}

// DefaultSettings are those of a new directory.
func DefaultSettings() Settings {
	p := PlatformSettings{SSAP: true, Permission: Standard, Users: 1, Password: ChoosePassword, PIN: PINRequired}
	return Settings{Windows: p, MacOS: p, Linux: p, SecondFactor: true}
}

// For gives the settings of a platform.
func (s *Settings) For(p Platform) (*PlatformSettings, error) {
	switch p {
	case Windows:
		return &s.Windows, nil
	case MacOS:
		return &s.MacOS, nil
	case Linux:
		return &s.Linux, nil
	default:
		return nil, fmt.Errorf("platform %.20q is none of windows, macos and linux", string(p))
	}
}

const (
	maxUsers      = 1000
	maxDomains    = 100
	maxSignInText = 200 // characters
	maxURL        = 2048
	maxTemplate   = 100 // bytes
)

// Check refuses settings that make no sense. Errors name the field.
func (s *Settings) Check() error {
	for _, p := range Platforms {
		settings, err := s.For(p)
		if err != nil {
			return err
		}
		if err := cmp.Or(settings.check(), settings.checkWindow(p)); err != nil {
			return fmt.Errorf("%s.%w", p, err)
		}
	}
	if err := CheckLogo(s.Logo); err != nil {
		return fmt.Errorf("logo: %w", err)
	}
	if s.RecoveryKey != "" && !recoveryKey.MatchString(s.RecoveryKey) {
		return fmt.Errorf("recoveryKey: %.70q is no age recipient (age1…)", s.RecoveryKey)
	}
	return nil
}

// recoveryKey is an X25519 recipient of age: 58 characters of Bech32.
var recoveryKey = regexp.MustCompile(`^age1[02-9ac-hj-np-z]{58}$`)

func (p *PlatformSettings) check() error {
	switch {
	case p.Permission != Standard && p.Permission != Administrator:
		return fmt.Errorf("permission: %.20q is neither standard nor administrator", string(p.Permission))
	case p.Password != VerifyPassword && p.Password != ChoosePassword:
		return fmt.Errorf("password: %.20q is neither verify nor choose", string(p.Password))
	case !p.PIN.known():
		return fmt.Errorf("pin: %.20q is none of off, offered and required", string(p.PIN))
	case p.Hello != "" && p.Hello != HelloOff && p.Hello != HelloOffered:
		return fmt.Errorf("hello: %.20q is neither off nor offered", string(p.Hello))
	case p.Users < 0 || p.Users > maxUsers:
		return fmt.Errorf("users: %d is not from 0 to %d", p.Users, maxUsers)
	case len(p.Domains) > maxDomains:
		return fmt.Errorf("domains: %d, at most %d are allowed", len(p.Domains), maxDomains)
	case len(p.AccountName) > maxTemplate || strings.ContainsFunc(p.AccountName, unicode.IsControl):
		return fmt.Errorf("accountName: more than %d bytes, or control characters", maxTemplate)
	case utf8.RuneCountInString(p.Text) > maxSignInText || strings.ContainsFunc(p.Text, unicode.IsControl):
		return fmt.Errorf("text: more than %d characters, or control characters", maxSignInText)
	}
	for _, d := range p.Domains {
		if !domain.MatchString(d) || len(d) > 253 {
			return fmt.Errorf("domains: %.60q is not a domain in lower case", d)
		}
	}
	if p.HelpURL == "" {
		return nil
	}
	if u, err := url.Parse(p.HelpURL); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil || len(p.HelpURL) > maxURL {
		return fmt.Errorf("helpUrl: %.60q is not an https:// address", p.HelpURL)
	}
	return nil
}

var domain = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)
