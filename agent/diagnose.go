package agent

import (
	"archive/zip"
	"cmp"
	"context"
	"crypto"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent/devicekey"
	"firstday.dev/agent/preflight"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"firstday.dev/internal/visible"
)

// DiagnosisSchema is the version of [Diagnosis] as JSON. Fields may be added
// under the same number; none changes its meaning or goes.
const DiagnosisSchema = 1

// Diagnosis is what [Agent.Diagnose] found, in short.
type Diagnosis struct {
	Schema       int           `json:"schema"`
	At           time.Time     `json:"at"`           // by this device's clock
	AgentVersion string        `json:"agentVersion"` // of the program that looked
	Installed    bool          `json:"installed"`
	Service      ServiceState  `json:"service"`
	Organisation string        `json:"organisation,omitempty"`
	DeviceID     uuid.UUID     `json:"deviceId,omitzero"`
	Key          *KeyDiagnosis `json:"key,omitempty"`
	Network      *Network      `json:"network,omitempty"` // nil: no directory is known
	Problems     []string      `json:"problems"`          // plain sentences, none when all is well
	Files        []BundledFile `json:"files"`
}

// BundledFile is a file of the bundle, or one that is not in it.
type BundledFile struct {
	Name    string `json:"name"`
	About   string `json:"about"`
	Size    int    `json:"size"`              // bytes
	Missing string `json:"missing,omitempty"` // why it is not there
}

// KeyDiagnosis is where the device's own key is, and whether it works.
type KeyDiagnosis struct {
	KeyStatus
	Works    bool             `json:"works"`
	Error    string           `json:"error,omitempty"` // why not
	State    *devicekey.State `json:"tpmState,omitempty"`
	TPMError string           `json:"tpmError,omitempty"` // why its state is not known
}

// Bounds on the bundle.
const (
	maxPart  = 1 << 20   // bytes of a file
	maxTail  = 256 << 10 // bytes of a log
	maxFiles = 2000      // that are listed
)

// collection is a bundle in the making.
type collection struct {
	*Agent
	*Diagnosis
	layout     Layout
	enrollment *api.Enrollment // nil: there is none that can be read
	redactor   *redactor
	contents   []string // of Files
}

// part is a file of the bundle. There are no others.
type part struct {
	name, about string
	make        func(*collection, context.Context) (string, error) // without secrets
}

var parts = []part{
	{"status.json", "what 'firstday-agent status --json' says", asJSON((*collection).status)},
	{"enrollment.json", "what the package told the device, but for the connect key and the installers' arguments", asJSON((*collection).packaged)},
	{"installation.json", "how far the installation is, and what became of each installer", asJSON((*collection).installation)},
	{"report.json", "what the service said of itself last", asJSON((*collection).report)},
	{"membership.json", "what the directory said last: settings (self-service account provisioning is ssap), accounts, certificates' dates", asJSON((*collection).membership)},
	{"key.json", "where the device's own key is, whether it signs, and how the TPM is", asJSON((*collection).key)},
	{"tile.json", "the tile of Windows' sign-in screen: how it is, what Windows knows of it, and what the watchdog has seen", asJSON((*collection).tile)},
	{"loginwindow.json", "macOS' login window: how ours is, what the checks say that come before it, who has switched it off, and what the service has seen", asJSON((*collection).loginWindow)},
	{"tokens.json", "secure tokens of a Mac: who has one by diskutil and sysadminctl, the MDM's bootstrap token, FileVault", asJSON((*collection).tokens)},
	{"network.json", "the way to the directory: name, connection, TLS and pin, its clock", asJSON((*collection).network)},
	{"system.json", "the device and its operating system", asJSON((*collection).system)},
	{"files.json", "names, modes, sizes and times of the files in the agent's two folders", asJSON((*collection).list)},
	{"log/install.jsonl.1", "the installation's older log, its end", tailOf(Layout.InstallLog, ".1")},
	{"log/install.jsonl", "the installation's log, its end", tailOf(Layout.InstallLog, "")},
	{"log/service.jsonl.1", "the service's older log, its end", tailOf(Layout.ServiceLog, ".1")},
	{"log/service.jsonl", "the service's log, its end; the system's own log holds no more than this", tailOf(Layout.ServiceLog, "")},
}

// Diagnose writes a bundle for the help desk: a zip file without secrets that
// tells how the device is doing. Whatever is damaged or not there is said in it;
// an error means that there is no bundle. Only who may read the data folder can
// make one: administrators.
func (a *Agent) Diagnose(ctx context.Context, w io.Writer) (*Diagnosis, error) {
	layout := a.System.Layout()
	_, err := os.ReadDir(layout.Data)
	if errors.Is(err, fs.ErrPermission) {
		return nil, fmt.Errorf("only administrators can look into the agent's data: %w", err)
	}
	c := &collection{Agent: a, layout: layout, redactor: newRedactor(layout), Diagnosis: &Diagnosis{
		Schema: DiagnosisSchema, At: stamp(), AgentVersion: a.Version, Problems: []string{}, Installed: err == nil,
	}}
	if c.Service, err = a.System.ServiceState(ctx); err != nil {
		c.problem("the service manager does not answer: %v", err)
	}
	c.readEnrollment()
	for _, p := range parts {
		f := BundledFile{Name: p.name, About: p.about}
		content, err := p.make(c, ctx)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err == nil && len(content) > maxPart {
			err = fmt.Errorf("it is larger than %d bytes", maxPart)
		}
		if err != nil {
			f.Missing, content = c.redactor.redact(err.Error()), ""
		}
		f.Size = len(content)
		c.Files, c.contents = append(c.Files, f), append(c.contents, content)
	}
	summary, err := asJSON(func(*collection, context.Context) (*Diagnosis, error) { return c.Diagnosis, nil })(c, ctx)
	if err != nil {
		return nil, err
	}
	clean := new(Diagnosis)
	if err := json.Unmarshal([]byte(summary), clean); err != nil {
		return nil, err
	}
	return clean, c.write(w, summary)
}

func (c *collection) problem(format string, args ...any) {
	c.Problems = append(c.Problems, c.redactor.redact(fmt.Sprintf(format, args...)))
}

func (c *collection) readEnrollment() {
	f, err := os.Open(c.layout.Enrollment())
	if err != nil {
		return // status tells
	}
	defer f.Close()
	if e, err := api.ReadEnrollment(f); err == nil {
		c.enrollment, c.Organisation = e, e.Organisation
	}
}

// write writes the index, the summary and the files.
func (c *collection) write(w io.Writer, summary string) error {
	z := zip.NewWriter(w)
	add := func(name, content string) error {
		f, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: c.At})
		if err == nil {
			_, err = io.WriteString(f, content)
		}
		return err
	}
	if err := errors.Join(add("INDEX.txt", c.index()), add("summary.json", summary)); err != nil {
		return err
	}
	for i, f := range c.Files {
		if f.Missing != "" {
			continue
		}
		if err := add(f.Name, c.contents[i]); err != nil {
			return err
		}
	}
	return z.Close()
}

// index says what each file is.
func (c *collection) index() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Made by firstday-agent %s on %s, for the help desk.\n\n", c.AgentVersion, c.At.Format(time.RFC3339))
	fmt.Fprintf(&b, "It holds no connect key, no password, no private key and no ticket of a sign-in.\nIt does hold names of accounts, of this computer and of the organisation.\n\n")
	fmt.Fprintf(&b, "%-20s  %s\n", "summary.json", "what was found, in short")
	for _, f := range c.Files {
		about := f.About
		if f.Missing != "" {
			about = "not there: " + visible.Line(f.Missing)
		}
		fmt.Fprintf(&b, "%-20s  %s\n", f.Name, about)
	}
	for _, p := range c.Problems {
		fmt.Fprintf(&b, "\nproblem: %s", visible.Line(p))
	}
	b.WriteByte('\n')
	return c.redactor.redact(b.String())
}

// asJSON makes a file of what a look came to.
func asJSON[T any](look func(*collection, context.Context) (T, error)) func(*collection, context.Context) (string, error) {
	return func(c *collection, ctx context.Context) (string, error) {
		v, err := look(c, ctx)
		if err != nil {
			return "", err
		}
		b, err := json.MarshalIndent(v, "", "  ")
		return c.redactor.json(string(b)) + "\n", err
	}
}

func (c *collection) status(ctx context.Context) (*Status, error) {
	s, err := c.Status(ctx)
	if err != nil {
		c.problem("%v", err)
		return nil, err
	}
	for _, p := range s.Problems {
		c.problem("%s", p)
	}
	return s, nil
}

var errNoEnrollment = errors.New("there is no enrollment that can be read")

// packaged is what the package told, without what is secret in it.
func (c *collection) packaged(context.Context) (*api.Enrollment, error) {
	if c.enrollment == nil {
		return nil, errNoEnrollment
	}
	e := *c.enrollment
	if e.ConnectKey != "" {
		e.ConnectKey = redacted // it is there
	}
	e.Payloads = slices.Clone(e.Payloads)
	for i := range e.Payloads {
		if p := &e.Payloads[i]; p.Arguments != "" {
			p.Arguments = redacted
		}
	}
	return &e, nil
}

func (c *collection) installation(context.Context) (*state, error) {
	s, err := readState(c.layout.State())
	if err == nil && s == nil {
		err = fs.ErrNotExist
	}
	return s, err
}

func (c *collection) report(context.Context) (*report, error) { return readReport(c.layout.Report()) }

// membershipReport is what a record says, without what nobody needs.
type membershipReport struct {
	DeviceID     uuid.UUID            `json:"deviceId"`
	State        api.DeviceState      `json:"state"`
	Directory    string               `json:"directory"` // URL
	OfPackage    bool                 `json:"ofPackage"` // it is the package's directory
	HeardAt      time.Time            `json:"heardAt"`   // by the directory's clock
	Version      int64                `json:"version"`
	Settings     api.PlatformSettings `json:"settings"`
	Free         bool                 `json:"free"` // for another user
	Users        []boundAccount       `json:"users"`
	Certificates []certificateDates   `json:"certificates"`
}

type boundAccount struct {
	Account string           `json:"account"`
	State   api.BindingState `json:"state"`
}

type certificateDates struct {
	Subject   string    `json:"subject"`
	NotBefore time.Time `json:"notBefore"`
	NotAfter  time.Time `json:"notAfter"`
}

func (c *collection) membership(context.Context) (*membershipReport, error) {
	r := new(record)
	if err := statefile.Read(c.layout.Device(), r); err != nil {
		return nil, err
	}
	h := &r.Heard
	m := &membershipReport{
		DeviceID: r.DeviceID, State: h.State, Directory: r.Directory.URL, HeardAt: h.Time, Version: h.Version, Settings: h.Settings, Free: h.Free,
		OfPackage: c.enrollment != nil && sameDirectory(r.Directory, c.enrollment.Directory),
	}
	c.DeviceID = r.DeviceID
	for _, u := range h.Users {
		m.Users = append(m.Users, boundAccount{u.Account, u.State})
	}
	leaf, err := r.leaf()
	if err != nil {
		c.problem("the device's certificate cannot be read: %v", err)
		return m, nil
	}
	m.Certificates = append(m.Certificates, certificateDates{fact(leaf.Subject.String()), leaf.NotBefore, leaf.NotAfter})
	if c.At.After(leaf.NotAfter) {
		c.problem("by this device's clock its certificate ended on %s", leaf.NotAfter.Format(time.DateOnly))
	}
	return m, nil
}

// key looks at the device's key and signs with it: only that tells whether it
// works.
func (c *collection) key(context.Context) (*KeyDiagnosis, error) {
	tpm := devicekey.NewTPM(c.System.OpenTPM)
	d := new(KeyDiagnosis)
	c.Key = d
	var err error
	if d.State, err = tpm.State(); err != nil {
		d.TPMError = err.Error()
	}
	k, err := devicekey.Read(c.layout.DeviceKey(), tpm)
	if err == nil {
		d.KeyStatus = KeyStatus{Storage: k.Storage(), Reason: k.Reason()}
		if d.Storage == api.KeyInTPM && d.State != nil {
			d.TPM = &d.State.TPM
		}
		_, err = k.Sign(rand.Reader, make([]byte, crypto.SHA256.Size()), crypto.SHA256)
	}
	d.Works = err == nil
	if err != nil {
		d.Error = err.Error()
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		c.problem("the device's key: %v", err)
	}
	return d, nil
}

// tileReport is all there is to know about the tile.
type tileReport struct {
	*TileStatus
	Registration *TileRegistration `json:"registration"`
	Watchdog     *tileRecord       `json:"watchdog"`
}

func (c *collection) tile(context.Context) (r *tileReport, err error) {
	r = new(tileReport)
	if r.TileStatus, err = c.TileStatus(); err != nil {
		return nil, err
	}
	if r.Registration, err = c.System.Tile().Registration(); err != nil {
		return nil, err
	}
	// One that is damaged says nothing, as to the watchdog itself.
	r.Watchdog, _ = readTileRecord(c.layout.Tile())
	return r, nil
}

// loginReport is all there is to know about the login window.
type loginReport struct {
	*LoginWindowStatus
	Checks  []preflight.Check `json:"checks"`
	Off     *LoginOff         `json:"off"`
	Hello   loginHello        `json:"lastHello"`
	Service *loginRecord      `json:"service"`
}

func (c *collection) loginWindow(ctx context.Context) (r *loginReport, err error) {
	r = new(loginReport)
	if r.LoginWindowStatus, err = c.LoginWindowStatus(ctx); err != nil {
		return nil, err
	}
	if r.Checks, err = c.LoginWindowDoctor(ctx); err != nil {
		return nil, err
	}
	// What is damaged says nothing, or that it is off, as to the service itself.
	r.Off, _ = readLoginOff(c.layout.LoginWindowOff())
	r.Hello, r.Service = readLoginHello(c.layout.LoginHello()), c.loginRecord(ctx)
	return r, nil
}

func (c *collection) network(ctx context.Context) (*Network, error) {
	if c.enrollment == nil {
		return nil, errNoEnrollment
	}
	n, err := tryDirectory(ctx, c.enrollment.Directory)
	if err != nil {
		return nil, err
	}
	c.Network = n
	for _, p := range n.problems() {
		c.problem("%s", p)
	}
	return n, nil
}

// systemReport is the device, and what looked at it.
type systemReport struct {
	api.Facts
	Program string `json:"program"` // that looks: version, system and architecture it was built for
	Go      string `json:"go"`
	Boot    string `json:"boot"` // another one each time the system starts
}

func (c *collection) system(context.Context) (*systemReport, error) {
	f, err := c.System.Facts()
	if err != nil {
		return nil, err
	}
	f.AgentVersion = c.Version
	f.KeyStorage = cmp.Or(c.Key.Storage, "none")
	return &systemReport{Facts: f, Program: fmt.Sprintf("%s %s/%s", c.Version, runtime.GOOS, runtime.GOARCH), Go: runtime.Version(), Boot: c.System.BootID()}, nil
}
