// Package config reads firstday.yaml, the one file in which an organisation
// says what its laptops get: where its directory is, which secrets a package
// may carry, how devices are named, and who signs.
//
// [Load] gives a complete, checked [Config] or every mistake in the file at
// once, each with its line and column, what is wrong and what to do about it.
// Secrets never stand in the file: it names where they are ([SecretSource]),
// and they are read only when a package is built.
//
// The comments on the fields below are also what an editor shows: the JSON
// Schema ([Schema]) is made of them.
package config

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"firstday.dev/api"
)

// Version is the version of the file's format that this build reads.
const Version = 1

// Config is a whole firstday.yaml with its defaults filled in and its paths
// made relative to the working directory.
type Config struct {
	// Version of this file's format.
	Version int `yaml:"version,required"`
	// Whose laptops these are.
	Organisation Organisation `yaml:"organisation,required"`
	// The service that devices enrol with.
	Directory Directory `yaml:"directory,required"`
	// Where the connect key is that lets a device enrol; left out where each build mints its own (firstday build --mint). Whoever holds the stick holds this key, so it should expire soon.
	ConnectKey ConnectKey `yaml:"connectKey"`
	// Name and version of the package that is built.
	Package Package `yaml:"package"`
	// What Windows devices get.
	Windows Windows `yaml:"windows"`
	// What Macs get.
	MacOS MacOS `yaml:"macos"`
	// Who signs the kit and what is for Windows in it. Left out: both are unsigned.
	Signing *Signing `yaml:"signing"`

	// Warnings are things that are allowed and probably not meant.
	Warnings Errors `yaml:"-"`

	source *report // where each value stands, for ErrorAt
}

// Organisation is whose name stands on the sign-in button.
type Organisation struct {
	// Name as employees know it; it stands on the button "Sign in with …".
	Name string `yaml:"name,required"`
	// Short name for machines: lower-case letters, digits and hyphens. Default: made from the name.
	ID string `yaml:"id"`
}

// Directory says where the organisation's directory answers and how a device
// recognises it.
type Directory struct {
	// Address of the directory: https, without query or fragment.
	URL string `yaml:"url,required"`
	// The directory's CA by its public key: "sha256:" and 64 hexadecimal digits. Left out, and no ca either: devices trust what Windows trusts.
	Pin string `yaml:"pin"`
	// The directory's CA certificate (PEM or DER file), from which the pin is computed.
	CA Path `yaml:"ca"`
}

// ConnectKey is where the connect key comes from and how long it lives.
type ConnectKey struct {
	SecretSource `yaml:",inline"`
	// When the key stops enrolling devices: a day (to its end, UTC) or a time such as 2027-03-31T18:00:00Z. Shown to whoever holds the stick.
	Expires time.Time `yaml:"expires"`
}

// Owner is who made a package; with the rank it decides whose settings win.
type Owner string

// The owners Windows knows (formats/ppkg.md §1.2).
const (
	Microsoft        Owner = "Microsoft"
	SiliconVendor    Owner = "SiliconVendor"
	OEM              Owner = "OEM"
	SystemIntegrator Owner = "SystemIntegrator"
	MobileOperator   Owner = "MobileOperator"
	ITAdmin          Owner = "ITAdmin"
)

var owners = []Owner{Microsoft, SiliconVendor, OEM, SystemIntegrator, MobileOperator, ITAdmin}

// Package is what the built package is called.
type Package struct {
	// Name of the package and, with .ppkg, of its file. Default: made from the organisation's name.
	Name string `yaml:"name"`
	// Version of the package, two to four numbers, in quotes. Default "1.0".
	Version string `yaml:"version"`
	// Who makes the package; where two packages disagree, Windows lets the higher owner win. Default ITAdmin.
	Owner Owner `yaml:"owner"`
	// Rank among packages of the same owner, 0 to 99. Default 0.
	Rank int `yaml:"rank"`
}

// Windows is what Windows devices get.
type Windows struct {
	// Name of the device, at most 15 characters; %SERIAL% and %RAND:5% stand for the serial number and random digits. Left out: Windows makes up a name.
	ComputerName ComputerName `yaml:"computerName"`
	// Skip the pages of the first start, up to the sign-in screen. Default true; needs the break-glass account.
	HideOOBE bool `yaml:"hideOobe"`
	// The local administrator for emergencies.
	BreakGlass BreakGlass `yaml:"breakGlass"`
	// Sign-in by employees, until the directory says otherwise.
	SignIn SignIn `yaml:"signIn"`
	// Wireless networks the device may join.
	WiFi []WiFi `yaml:"wifi"`
	// CA certificates the device shall trust (PEM or DER files).
	RootCertificates []RootCertificate `yaml:"rootCertificates"`
	// Windows policies by Area/Name, as in the Policy CSP. Of a policy that this build knows, give the value: a number, text, or Yes or No; of any other its type too: {type: integer, value: 1}.
	Policies Policies `yaml:"policies"`
	// Programs to install after the agent, in this order.
	Payloads []Payload `yaml:"payloads"`
}

// Permission is what an employee's account may do on the device.
type Permission string

// The two permission levels.
const (
	Standard      Permission = "standard"
	Administrator Permission = "administrator"
)

var permissions = []Permission{Standard, Administrator}

// SignIn is the first settings of self-service account provisioning.
type SignIn struct {
	// Whether the sign-in screen offers "Sign in with …". Default true.
	Enabled bool `yaml:"enabled"`
	// What employees may do on their device. Default standard.
	Permission Permission `yaml:"permission"`
	// A sentence under the button, at most 200 characters.
	Text string `yaml:"text"`
	// Page with help, shown with every error.
	HelpURL string `yaml:"helpUrl"`
}

// defaults is what a file that says nothing means.
func defaults() *Config {
	return &Config{
		Package: Package{Version: "1.0", Owner: ITAdmin},
		Windows: Windows{
			HideOOBE:   true,
			BreakGlass: BreakGlass{Enabled: true, Name: DefaultBreakGlass},
			SignIn:     SignIn{Enabled: true, Permission: Standard},
		},
		MacOS: MacOS{
			MinimumVersion: "13.0",
			SignIn:         SignIn{Enabled: true, Permission: Standard},
		},
	}
}

// check applies every rule that needs no other file, and fills in what
// follows from something else.
func (c *Config) check(r *report) {
	if c.Version != Version {
		r.errorf("version", "write version: 1", "version is %d; this build reads version %d", c.Version, Version)
	}
	c.Organisation.check(r)
	c.Directory.check(r)
	c.ConnectKey.check(r)
	if c.Package.Name == "" && !r.has("package.name") && c.Organisation.Name != "" {
		c.Package.Name = nameFrom(c.Organisation.Name)
	}
	c.Package.check(r)
	c.Windows.check(r)
	c.MacOS.check(r, c.Organisation.ID)
	if c.Signing != nil {
		c.Signing.check(r, "signing", "the signing key")
	}
}

func (o *Organisation) check(r *report) {
	r.phrase("organisation.name", o.Name, 64)
	if o.ID == "" && o.Name != "" {
		o.ID = strings.ToLower(nameFrom(o.Name))
	}
	if (o.ID != "" || r.has("organisation.id")) && !isSlug(o.ID) {
		r.errorf("organisation.id", "for example: acme", "id is %q; it may hold lower-case letters, digits and inner hyphens, 63 at most", o.ID)
	}
}

func (d *Directory) check(r *report) {
	if !r.has("directory.url") {
		return
	}
	u, err := url.Parse(d.URL)
	switch {
	case err != nil || u.Host == "" || u.Hostname() == "" || len(d.URL) > 2048:
		r.errorf("directory.url", "for example: https://directory.acme.example", "url is not a web address")
	case !strings.HasPrefix(d.URL, "https://"):
		r.errorf("directory.url", "devices talk to the directory over TLS only", "url begins with %q; it must begin with https://", u.Scheme+":")
	case u.User != nil:
		r.secretf("directory.url", "the connect key is what lets a device in", "url carries a user name or password")
	case strings.ContainsAny(d.URL, "?#"):
		r.errorf("directory.url", "", "url has a query or fragment; it must end with the path")
	}
	if hex, ok := strings.CutPrefix(d.Pin, "sha256:"); ok {
		d.Pin = "sha256:" + strings.ToLower(hex)
	}
	if r.has("directory.pin") && !isPin(d.Pin) {
		r.errorf("directory.pin", "`firstday serve` prints it; or name the CA certificate's file with ca", `pin must be "sha256:" and 64 hexadecimal digits`)
	}
	if d.Pin != "" && d.CA != "" {
		r.errorf("directory.ca", "keep one of the two", "directory has both a pin and a ca")
	}
}

// Resolve reads the key. Errors wrap [ErrNoSecret] or [ErrBadSecret].
func (k ConnectKey) Resolve(prompt func(label string) ([]byte, error)) (api.Secret, error) {
	if k.File == "" && k.Env == "" && !k.Prompt {
		return "", fmt.Errorf("nothing says where the connect key is: %w", ErrNoSecret)
	}
	secret, err := k.SecretSource.Resolve(prompt)
	if err != nil {
		return "", err
	}
	if strings.ContainsFunc(secret.Reveal(), func(c rune) bool { return !unicode.IsPrint(c) || c == ' ' }) {
		return "", k.bad("holds a space or a character that cannot be shown")
	}
	return secret, nil
}

// variables are the environment variables that hold the secrets of packages.
func (c *Config) variables() []string {
	var names []string
	sources := []*SecretSource{&c.ConnectKey.SecretSource, c.Windows.BreakGlass.Password}
	for _, w := range c.Windows.WiFi {
		sources = append(sources, w.Password)
	}
	for _, s := range sources {
		if s != nil && s.Env != "" {
			names = append(names, s.Env)
		}
	}
	return names
}

func (k *ConnectKey) check(r *report) {
	k.label = "connect key"
	if r.has("connectKey") {
		k.SecretSource.check(r, "connectKey")
	}
	if !k.Expires.IsZero() && !k.Expires.After(r.now) {
		r.errorf("connectKey.expires", "ask the directory for a new key", "the connect key expired on %s", k.Expires.UTC().Format("2006-01-02"))
	}
}

func (p *Package) check(r *report) {
	if r.has("package.name") {
		err := api.CheckFileName(p.Name + ".ppkg")
		if err == nil && p.Name == "" {
			err = errors.New("it is empty")
		}
		if err != nil {
			r.errorf("package.name", "the package's file is called NAME.ppkg", "name cannot be a file name: %v", err)
		}
	}
	if !isVersion(p.Version) {
		r.errorf("package.version", `for example: "1.2"`, "version is %q; it must be two to four numbers up to 65535 with dots between", p.Version)
	}
	oneOf(r, "package.owner", p.Owner, owners)
	if p.Rank < 0 || p.Rank > 99 {
		r.errorf("package.rank", "", "rank is %d; it must be 0 to 99", p.Rank)
	}
}

func (w *Windows) check(r *report) {
	w.ComputerName.check(r, "windows.computerName")
	w.BreakGlass.check(r, w.ComputerName)
	if w.HideOOBE && !w.BreakGlass.Enabled {
		at := "windows.hideOobe"
		if !r.has(at) {
			at = "windows.breakGlass.enabled"
		}
		r.errorf(at, "keep the break-glass account, or write hideOobe: false",
			"hideOobe without a break-glass account would leave devices that nobody can sign in to")
	}
	w.SignIn.check(r, "windows.signIn")
	checkWiFi(r, w.WiFi)
	checkPayloads(r, w.Payloads)
}

func (s *SignIn) check(r *report, path string) {
	oneOf(r, path+".permission", s.Permission, permissions)
	if s.Text != "" {
		r.phrase(path+".text", s.Text, 200)
	}
	if r.has(path+".helpUrl") && !isWebAddress(s.HelpURL) {
		r.errorf(path+".helpUrl", "for example: https://help.acme.example", "helpUrl must be an http or https address")
	}
}

// oneOf reports a value that is none of those allowed.
func oneOf[T ~string](r *report, path string, v T, allowed []T) {
	for _, a := range allowed {
		if v == a {
			return
		}
	}
	words := make([]string, len(allowed))
	for i, a := range allowed {
		words[i] = string(a)
	}
	hint := ""
	if s := nearest(string(v), words); s != "" {
		hint = "did you mean " + s + "?"
	}
	r.errorf(path, hint, "%s is %q; it must be %s", lastKey(path), v, orList(words))
}

// orList joins words as a sentence does: "a, b or c".
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}

// phrase reports a line of text that is empty, too long or not printable.
// A missing value is somebody else's business.
func (r *report) phrase(path, s string, limit int) {
	if !r.has(path) {
		return
	}
	switch n := utf8.RuneCountInString(s); {
	case strings.TrimSpace(s) == "":
		r.errorf(path, "", "%s is empty", lastKey(path))
	case n > limit:
		r.errorf(path, "", "%s has %d characters; at most %d fit", lastKey(path), n, limit)
	case strings.TrimSpace(s) != s:
		r.errorf(path, "", "%s begins or ends with a space", lastKey(path))
	case strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) }):
		r.errorf(path, "", "%s holds a line break or another character that cannot be shown", lastKey(path))
	}
}

func isWebAddress(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (strings.HasPrefix(s, "https://") || strings.HasPrefix(s, "http://")) && u.Hostname() != "" && len(s) <= 2048
}

func isPin(s string) bool {
	hex, ok := strings.CutPrefix(s, "sha256:")
	return ok && isSHA256(hex)
}

func isSHA256(s string) bool {
	return len(s) == 64 && strings.Trim(s, "0123456789abcdef") == ""
}

func isVersion(s string) bool {
	parts := strings.Split(s, ".")
	if len(parts) < 2 || len(parts) > 4 {
		return false
	}
	for _, p := range parts {
		var n int
		if len(p) > 5 || strings.Trim(p, "0123456789") != "" {
			return false
		}
		if _, err := fmt.Sscan(p, &n); err != nil || n > 65535 || len(p) > 1 && p[0] == '0' {
			return false
		}
	}
	return true
}
