// Package order makes what a purchasing partner gets who never sees the
// customer's console: a sealed bundle of a kit and an order, which the partner can
// check without any program of ours. It also compares what an order expects with
// the devices that came.
//
// A bundle is a folder, or a .zip of one:
//
//	kit/                 the kit, as it was built
//	order.json           what was ordered, and which packages are for it
//	INSTRUCTIONS.html    for whoever makes the sticks; INSTRUCTIONS.pdf is the same on one page
//	verify.sh            says whether all is as it was made; verify.ps1 is the same for Windows
//	signer.pem           the signer's certificates
//	SHA256SUMS           of every other file, those of the kit too
//	SHA256SUMS.p7s       the signature of those
//
// The connect keys in the packages are bound to the order at the directory: its
// quantity is one quota over all of them, and they end with its last device.
package order

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/strictjson"
	"firstday.dev/kit"
)

// The files of a bundle. Those that seal it bear the same names as in a kit.
const (
	File             = "order.json"
	KitFolder        = "kit"
	InstructionsFile = "INSTRUCTIONS.html"
	PrintFile        = "INSTRUCTIONS.pdf"
	ShellFile        = "verify.sh"
	PowerShellFile   = "verify.ps1"
)

// Version is the version of the order's file this build writes, and the newest it
// reads.
const Version = 1

// maxSize bounds the order's file, in bytes: the serial numbers of the largest
// order that a directory takes, and room around them.
const maxSize = 2 * api.MaxMessage

// ErrOrder: the order's file is malformed, or contradicts itself or the kit.
var ErrOrder = errors.New("not a good order")

// Order is what was ordered, and which packages are for it.
type Order struct {
	Version      int       `json:"version"`
	ID           uuid.UUID `json:"id"` // at the directory
	PO           string    `json:"po"`
	Partner      string    `json:"partner,omitempty"`
	Organisation string    `json:"organisation"`
	Directory    string    `json:"directory"` // URL
	Created      time.Time `json:"created"`
	ExpiresAt    time.Time `json:"expiresAt"` // when the connect keys end at the latest
	Quantity     int       `json:"quantity"`
	Serials      []string  `json:"serials,omitempty"` // as many; empty: whatever comes
	Tags         []string  `json:"tags,omitempty"`
	Packages     []Package `json:"packages"`
}

// Package is one of the kit's, and the connect key in it.
type Package struct {
	Platform kit.Platform `json:"platform"`
	File     string       `json:"file"` // in the kit
	Size     int64        `json:"size"` // bytes
	SHA256   string       `json:"sha256"`
	ID       uuid.UUID    `json:"id"`
	KeyID    uuid.UUID    `json:"keyId"`
}

// ReadOrder reads an order's file strictly: unknown fields, trailing data, newer
// versions and what contradicts itself are errors. Errors wrap [ErrOrder].
func ReadOrder(r io.Reader) (*Order, error) {
	o := new(Order)
	if err := strictjson.Read(r, maxSize, o); err != nil {
		return nil, fmt.Errorf("reading %s: %w: %w", File, ErrOrder, err)
	}
	if o.Version < 1 || o.Version > Version {
		return nil, fmt.Errorf("%s has version %d; this build reads up to %d: %w", File, o.Version, Version, ErrOrder)
	}
	if err := o.check(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", File, ErrOrder, err)
	}
	return o, nil
}

func (o *Order) check() error {
	n := api.NewOrder{PO: o.PO, Partner: o.Partner, Quantity: o.Quantity, Serials: o.Serials, Tags: o.Tags}
	if err := n.Check(); err != nil {
		return err
	}
	switch {
	case o.ID == uuid.Nil:
		return errors.New("it has no id")
	case o.Organisation == "" || !api.PlainText(o.Organisation):
		return errors.New("the organisation is missing, too long, or no plain text")
	case o.Created.IsZero() || o.ExpiresAt.IsZero():
		return errors.New("a time is missing")
	case len(o.Packages) == 0 || len(o.Packages) > 2:
		return fmt.Errorf("%d packages; there is one for each system", len(o.Packages))
	case len(o.Packages) == 2 && o.Packages[0].Platform == o.Packages[1].Platform:
		return fmt.Errorf("two packages for %s", o.Packages[0].Platform)
	}
	if err := (api.Directory{URL: o.Directory}).Check(); err != nil {
		return err
	}
	for _, p := range o.Packages {
		if p.Platform != kit.Windows && p.Platform != kit.MacOS {
			return fmt.Errorf("platform %.20q is neither windows nor macos", string(p.Platform))
		}
		if err := api.CheckFileName(p.File); err != nil {
			return err
		}
		if sum, err := hex.DecodeString(p.SHA256); err != nil || len(sum) != 32 || p.ID == uuid.Nil || p.KeyID == uuid.Nil || p.Size < 1 {
			return fmt.Errorf("%s: its size, hash, id or key is missing", p.File)
		}
	}
	return nil
}

// checkKit makes sure that the order is for the packages of the kit, and no other.
func (o *Order) checkKit(m *kit.Manifest) error {
	if len(m.Packages) != len(o.Packages) {
		return fmt.Errorf("%w: it is for %d packages, the kit has %d", ErrOrder, len(o.Packages), len(m.Packages))
	}
	for i, p := range m.Packages {
		if q := o.Packages[i]; q.ID != p.ID || q.SHA256 != p.SHA256 || q.File != p.File || q.Size != p.Size || q.Platform != p.Platform {
			return fmt.Errorf("%w: it is for other packages than %s of the kit", ErrOrder, p.File)
		}
	}
	if m.Organisation != o.Organisation {
		return fmt.Errorf("%w: it is of %q, the kit of %q", ErrOrder, o.Organisation, m.Organisation)
	}
	return nil
}

func (o *Order) encode() ([]byte, error) {
	data, err := json.MarshalIndent(o, "", "  ")
	return append(data, '\n'), err
}
