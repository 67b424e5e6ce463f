package api

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/google/uuid"
)

// Duration is a span of time that JSON has as text, such as 168h.
type Duration time.Duration

// MarshalJSON writes it as [time.Duration.String] does.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).String()) }

// UnmarshalJSON reads what [time.ParseDuration] reads.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var text string
	if err := json.Unmarshal(b, &text); err != nil {
		return err
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf("%.40q is no span of time, such as 168h", text)
	}
	*d = Duration(parsed)
	return nil
}

// What a new connect key allows unless somebody says otherwise.
const (
	DefaultKeyLife = Duration(7 * 24 * time.Hour)
	DefaultKeyUses = 100
)

// NewConnectKey asks for a connect key.
type NewConnectKey struct {
	Label string   `json:"label,omitempty"`
	Life  Duration `json:"life,omitempty"` // 0: DefaultKeyLife
	Uses  int      `json:"uses,omitempty"` // 0: DefaultKeyUses
	// Platforms, Serials and PackageID limit what it is for; empty: everything.
	Platforms []Platform `json:"platforms,omitempty"`
	Serials   []string   `json:"serials,omitempty"`
	PackageID uuid.UUID  `json:"packageId,omitzero"`
	Batch     string     `json:"batch,omitempty"`    // shown with the devices it brings
	Tags      []string   `json:"tags,omitempty"`     // given to them
	Approval  bool       `json:"approval,omitempty"` // each device waits for an admin
	// OrderID makes it one of an order's keys. Life, uses, serial numbers, batch
	// and tags are the order's then, and must be left out here.
	OrderID uuid.UUID `json:"orderId,omitzero"`
}

// ConnectKey is what lets devices enrol, without the secret itself.
type ConnectKey struct {
	ID        uuid.UUID  `json:"id"`
	Label     string     `json:"label,omitempty"`
	CreatedAt time.Time  `json:"createdAt"`
	CreatedBy string     `json:"createdBy"`
	ExpiresAt time.Time  `json:"expiresAt"`
	RevokedAt time.Time  `json:"revokedAt,omitzero"`
	MaxUses   int        `json:"maxUses"`
	Uses      int        `json:"uses"`
	Platforms []Platform `json:"platforms,omitempty"`
	Serials   []string   `json:"serials,omitempty"`
	PackageID uuid.UUID  `json:"packageId,omitzero"`
	Batch     string     `json:"batch,omitempty"`
	Tags      []string   `json:"tags,omitempty"`
	Approval  bool       `json:"approval,omitempty"`
	OrderID   uuid.UUID  `json:"orderId,omitzero"` // whose quota and serial numbers bound it, too
}

// MintedConnectKey is a new key with its secret, which nobody can ask for again.
type MintedConnectKey struct {
	ConnectKey
	Secret Secret `json:"secret"`
}

// ConnectKeyUse is an attempt to enrol with a key.
type ConnectKeyUse struct {
	Time    time.Time `json:"time"`
	Refusal Code      `json:"refusal,omitempty"` // empty: the device is enrolled
	Device  uuid.UUID `json:"device,omitzero"`
	Serial  string    `json:"serial,omitempty"`
	Remote  string    `json:"remote"` // address it came from
}

// Device is a row of the directory's list.
type Device struct {
	ID         uuid.UUID   `json:"id"`
	State      DeviceState `json:"state"`
	Facts      Facts       `json:"facts"`
	EnrolledAt time.Time   `json:"enrolledAt"`
	SeenAt     time.Time   `json:"seenAt"`
	KeyID      uuid.UUID   `json:"keyId"` // the connect key that brought it
	PackageID  uuid.UUID   `json:"packageId"`
	Batch      string      `json:"batch,omitempty"`
	Tags       []string    `json:"tags,omitempty"`
	Users      []Binding   `json:"users,omitempty"`   // only where one device is asked for, or some are searched for
	SSAPOff    bool        `json:"ssapOff,omitempty"` // the sign-in is off on this device
	// Replaces is the device that the same hardware was before.
	Replaces uuid.UUID `json:"replaces,omitzero"`
}

// VersionedSettings are settings and the revision they have; who changes them
// says which revision they saw.
type VersionedSettings struct {
	Settings
	Revision int64 `json:"revision"`
}

// Role is what the bearer of a token may do.
type Role string

// The roles.
const (
	Owner      Role = "owner"      // everything
	Technician Role = "technician" // devices, users and connect keys
	Auditor    Role = "auditor"    // reads all, the audit log too, and changes nothing
	Builder    Role = "builder"    // mints connect keys, for CI
)

// Roles are all of them.
var Roles = []Role{Owner, Technician, Auditor, Builder}

// Known tells roles from other words.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// NewToken asks for a token.
type NewToken struct {
	Name string   `json:"name"` // one word: it stands in the audit log
	Role Role     `json:"role"`
	Life Duration `json:"life"`
}

// Token is what administers, without the secret itself.
type Token struct {
	ID        uuid.UUID `json:"id"`
	Name      string    `json:"name"`
	Role      Role      `json:"role"`
	CreatedAt time.Time `json:"createdAt"`
	ExpiresAt time.Time `json:"expiresAt"`
	RevokedAt time.Time `json:"revokedAt,omitzero"`
}

// CreatedToken is a new token with its secret, which nobody can ask for again.
type CreatedToken struct {
	Token
	Secret Secret `json:"secret"`
}
