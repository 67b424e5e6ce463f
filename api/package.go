package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Bounds of a request for packages.
const (
	maxPackageWiFi     = 20
	maxPackagePayloads = 20
	maxWiFiPassword    = 64 // bytes
)

// NewPackage asks the directory to build a kit. What it does not say, the
// configuration says that whoever builds has.
type NewPackage struct {
	Label string `json:"label,omitempty"`
	// Platforms are windows, macos, or both: each gets a package with a connect
	// key of its own.
	Platforms []Platform `json:"platforms"`
	Life      Duration   `json:"life,omitempty"`     // of each key; 0: DefaultKeyLife
	Uses      int        `json:"uses,omitempty"`     // of each key; 0: DefaultKeyUses
	Approval  bool       `json:"approval,omitempty"` // each device waits for an admin
	Tags      []string   `json:"tags,omitempty"`     // given to the devices
	Batch     string     `json:"batch,omitempty"`    // shown with the devices

	// What follows is for Windows.
	ComputerName string           `json:"computerName,omitempty"` // template, such as ACME-%SERIAL%
	WiFi         []PackageWiFi    `json:"wifi,omitempty"`
	Payloads     []PackagePayload `json:"payloads,omitempty"` // installed in this order
}

// PackageWiFi is a wireless network that devices may join.
type PackageWiFi struct {
	SSID     string `json:"ssid"`
	Security string `json:"security,omitempty"` // wpa2, wpa3 or open; empty: wpa2
	Hidden   bool   `json:"hidden,omitempty"`
	Password Secret `json:"password,omitempty"` // the directory forgets it when the job has ended
}

// PackagePayload is an uploaded installer that a package carries.
type PackagePayload struct {
	Upload uuid.UUID `json:"upload"`
	// Arguments is the installer's command line; an .exe must be told how to be
	// silent. It may hold a licence key, and is forgotten as passwords are. nil:
	// there is none.
	Arguments *Secret `json:"arguments,omitempty"`
}

// Check refuses a request that nothing could be built of. Whether its names and
// passwords can be those of devices and networks, it does not know.
func (n *NewPackage) Check() error {
	switch {
	case !PlainText(n.Label) || !PlainText(n.Batch):
		return errors.New("the label or batch is too long, or no plain text")
	case len(n.Platforms) == 0 || len(n.Platforms) > 2:
		return errors.New("name one platform or both: windows, macos")
	case len(n.Tags) > MaxOrderTags || slices.ContainsFunc(n.Tags, func(t string) bool { return t == "" || !PlainText(t) }):
		return fmt.Errorf("at most %d tags, and each plain text", MaxOrderTags)
	case len(n.WiFi) > maxPackageWiFi || len(n.Payloads) > maxPackagePayloads:
		return fmt.Errorf("at most %d networks and %d payloads", maxPackageWiFi, maxPackagePayloads)
	}
	for i, p := range n.Platforms {
		if p != Windows && p != MacOS || slices.Contains(n.Platforms[:i], p) {
			return fmt.Errorf("platform %.20q is neither windows nor macos, or there twice", string(p))
		}
	}
	if (n.ComputerName != "" || len(n.WiFi) > 0 || len(n.Payloads) > 0) && !slices.Contains(n.Platforms, Windows) {
		return errors.New("computer name, Wi-Fi networks and payloads are for Windows, which is not among the platforms")
	}
	for i, p := range n.Payloads {
		if slices.ContainsFunc(n.Payloads[:i], func(o PackagePayload) bool { return o.Upload == p.Upload }) {
			return fmt.Errorf("the upload %s is listed twice", p.Upload)
		}
	}
	return n.secrets().check()
}

// Secrets takes what must be kept apart out of a request.
func (n *NewPackage) Secrets() *PackageSecrets {
	s := n.secrets()
	n.WiFi, n.Payloads = slices.Clone(n.WiFi), slices.Clone(n.Payloads)
	for i := range n.WiFi {
		n.WiFi[i].Password = ""
	}
	for i := range n.Payloads {
		n.Payloads[i].Arguments = nil
	}
	return s
}

func (n *NewPackage) secrets() *PackageSecrets {
	s := new(PackageSecrets)
	for _, w := range n.WiFi {
		if w.Password != "" {
			s.WiFi = append(s.WiFi, PackageWiFi{SSID: w.SSID, Password: w.Password})
		}
	}
	for _, p := range n.Payloads {
		if p.Arguments != nil {
			s.Payloads = append(s.Payloads, p)
		}
	}
	return s
}

// Reveal puts secrets back where they were taken from.
func (n *NewPackage) Reveal(s *PackageSecrets) {
	for _, w := range s.WiFi {
		for i := range n.WiFi {
			if n.WiFi[i].SSID == w.SSID {
				n.WiFi[i].Password = w.Password
			}
		}
	}
	for _, p := range s.Payloads {
		for i := range n.Payloads {
			if n.Payloads[i].Upload == p.Upload {
				n.Payloads[i].Arguments = p.Arguments
			}
		}
	}
}

// PackageSecrets are the secrets of a request: of networks the SSID and the
// password, of payloads the upload and the arguments. Whoever tries a job again
// gives them again.
type PackageSecrets struct {
	WiFi     []PackageWiFi    `json:"wifi,omitempty"`
	Payloads []PackagePayload `json:"payloads,omitempty"`
}

func (s *PackageSecrets) check() error {
	for _, w := range s.WiFi {
		if len(w.Password) > maxWiFiPassword {
			return fmt.Errorf("a password of Wi-Fi %.40q has more than %d bytes", w.SSID, maxWiFiPassword)
		}
	}
	for _, p := range s.Payloads {
		if p.Arguments != nil && len(*p.Arguments) > maxArguments {
			return fmt.Errorf("the arguments of upload %s have more than %d bytes", p.Upload, maxArguments)
		}
	}
	return nil
}

// Names gives whose secrets they are, without them.
func (s *PackageSecrets) Names() *PackageSecrets {
	names := &PackageSecrets{WiFi: slices.Clone(s.WiFi), Payloads: slices.Clone(s.Payloads)}
	for i := range names.WiFi {
		names.WiFi[i].Password = ""
	}
	for i := range names.Payloads {
		names.Payloads[i].Arguments = nil
	}
	return names
}

// Lacks says which secrets of those that a job once had are not in s.
func (s *PackageSecrets) Lacks(had *PackageSecrets) error {
	for _, w := range had.WiFi {
		if !slices.ContainsFunc(s.WiFi, func(o PackageWiFi) bool { return o.SSID == w.SSID && o.Password != "" }) {
			return fmt.Errorf("the password of Wi-Fi %q was forgotten when the job ended; give it again", w.SSID)
		}
	}
	for _, p := range had.Payloads {
		if !slices.ContainsFunc(s.Payloads, func(o PackagePayload) bool { return o.Upload == p.Upload && o.Arguments != nil }) {
			return fmt.Errorf("the arguments of upload %s were forgotten when the job ended; give them again", p.Upload)
		}
	}
	return nil
}

// PackageState is how far a job is.
type PackageState string

// The states. A job ends once: ready, failed or cancelled.
const (
	PackageQueued    PackageState = "queued"
	PackageBuilding  PackageState = "building"
	PackageReady     PackageState = "ready"
	PackageFailed    PackageState = "failed"
	PackageCancelled PackageState = "cancelled"
)

// Ended tells whether nobody works on the job any more, or will.
func (s PackageState) Ended() bool { return s != PackageQueued && s != PackageBuilding }

// PackageJob is the building of a kit, and the kit once it is ready.
type PackageJob struct {
	ID    uuid.UUID    `json:"id"`
	State PackageState `json:"state"`
	// Request is what was asked for, without its secrets.
	Request NewPackage `json:"request"`
	// Step is what is being done; Done of Total says how far, in bytes.
	Step  string `json:"step,omitempty"`
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`
	// Error is why it failed; Text is for IT and holds no secret.
	Error *PackageError `json:"error,omitempty"`
	// Attempts is how many workers took it up since it was queued.
	Attempts  int           `json:"attempts"`
	CreatedBy string        `json:"createdBy"`
	CreatedAt time.Time     `json:"createdAt"`
	ReadyAt   time.Time     `json:"readyAt,omitzero"`
	EndedAt   time.Time     `json:"endedAt,omitzero"`
	Keys      []PackageKey  `json:"keys,omitempty"`  // only once it is ready
	Files     []PackageFile `json:"files,omitempty"` // likewise; the whole kit
}

// PackageError is why a job failed.
type PackageError struct {
	Code Code   `json:"code"`
	Text string `json:"text,omitempty"`
}

// PackageKey is the connect key that a package of a kit carries.
type PackageKey struct {
	Platform  Platform  `json:"platform"`
	PackageID uuid.UUID `json:"packageId"`
	KeyID     uuid.UUID `json:"keyId"`
}

// PackageFile is a file of a kit.
type PackageFile struct {
	Name   string `json:"name"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
	CRC32  uint32 `json:"crc32"` // as zip has it
}

// PackageUpload is an installer that was uploaded for packages to carry. It goes
// some days after the last job that uses it.
type PackageUpload struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	Kind      string    `json:"kind"` // msi or exe
	Size      int64     `json:"size"` // bytes
	SHA256    string    `json:"sha256"`
	CreatedAt time.Time `json:"createdAt"`
	CreatedBy string    `json:"createdBy"`
}

// MaxPackageJobs is how many jobs [Client.Packages] gives at least, if there are
// so many.
const MaxPackageJobs = 10_000

const pathPackages = "/packages"

// BuildPackage asks for a kit.
func (c *Client) BuildPackage(ctx context.Context, n *NewPackage) (*PackageJob, error) {
	return ask[PackageJob](ctx, c, http.MethodPost, pathPackages, n)
}

// Packages lists jobs, the newest first.
func (c *Client) Packages(ctx context.Context) ([]PackageJob, error) {
	return pages(ctx, c, pathPackages, MaxPackageJobs, func(last *PackageJob) url.Values { return url.Values{"before": {last.ID.String()}} })
}

// Package gives one job.
func (c *Client) Package(ctx context.Context, id uuid.UUID) (*PackageJob, error) {
	return ask[PackageJob](ctx, c, http.MethodGet, pathPackages+"/"+id.String(), nil)
}

// CancelPackage ends a job, or withdraws a kit that is ready: its keys are revoked
// and its files deleted.
func (c *Client) CancelPackage(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+pathPackages+"/"+id.String()+"/cancel", struct{}{}, nil)
}

// RetryPackage builds what failed or was cancelled once more. s are the secrets of
// the request.
func (c *Client) RetryPackage(ctx context.Context, id uuid.UUID, s *PackageSecrets) (*PackageJob, error) {
	return ask[PackageJob](ctx, c, http.MethodPost, pathPackages+"/"+id.String()+"/retry", s)
}

// PackageUploads lists what was uploaded, the newest first.
func (c *Client) PackageUploads(ctx context.Context) ([]PackageUpload, error) {
	return list[PackageUpload](ctx, c, pathPackages+"/uploads")
}

// UploadPayload brings an installer of that name and size for packages to carry.
func (c *Client) UploadPayload(ctx context.Context, name string, r io.Reader, size int64) (*PackageUpload, error) {
	path := PathAdmin + pathPackages + "/uploads?" + url.Values{"name": {name}}.Encode()
	resp, err := c.send(ctx, http.MethodPost, path, "application/octet-stream", io.NopCloser(r), size)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	out := new(PackageUpload)
	return out, c.read(resp, out)
}

// RemovePackageUpload removes what was uploaded.
func (c *Client) RemovePackageUpload(ctx context.Context, id uuid.UUID) error {
	return c.Do(ctx, http.MethodPost, PathAdmin+pathPackages+"/uploads/"+id.String()+"/remove", struct{}{}, nil)
}

// DownloadPackage writes a kit as one zip.
func (c *Client) DownloadPackage(ctx context.Context, id uuid.UUID, w io.Writer) error {
	return c.download(ctx, pathPackages+"/"+id.String()+"/kit.zip", w)
}

// DownloadPackageFile writes a file of a kit. Its size and checksum are for the
// caller to compare.
func (c *Client) DownloadPackageFile(ctx context.Context, id uuid.UUID, name string, w io.Writer) error {
	return c.download(ctx, pathPackages+"/"+id.String()+"/files/"+url.PathEscape(name), w)
}

func (c *Client) download(ctx context.Context, path string, w io.Writer) error {
	resp, err := c.send(ctx, http.MethodGet, PathAdmin+path, "", nil, 0)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK || resp.ContentLength < 0 {
		if err := c.read(resp, nil); err != nil {
			return err
		}
		return fmt.Errorf("%w: %s does not say how much it sends", ErrUnreachable, c.base)
	}
	n, err := io.Copy(w, io.LimitReader(resp.Body, resp.ContentLength))
	if err == nil && n < resp.ContentLength {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return fmt.Errorf("downloading from %s: %w", c.base, err)
	}
	return nil
}
