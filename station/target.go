package station

import (
	"errors"
	"time"

	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// What becomes of a stick, besides the errors of packages media and fat32.
var (
	// ErrStalled: a stick takes or gives nothing any more.
	ErrStalled = errors.New("nothing has moved for too long")
	// ErrReadBack: a stick does not give back what was written to it.
	ErrReadBack = fat32.ErrReadBack
	// ErrPreflight: something speaks against writing, and was found before anything
	// was written.
	ErrPreflight = errors.New("nothing was written")
	// ErrSticks: not all sticks are good. The run says which.
	ErrSticks = errors.New("not all sticks are good")
)

// Target is a stick to be written. Files are written into the folder of its volume,
// unless it is formatted.
type Target struct {
	// Name is what people call it: sdb, E:, or the folder.
	Name string
	// Format writes the whole disk, whatever is on it.
	Format bool
	// Folder is where its volume is mounted. Empty: it is mounted for the while.
	Folder string
	// Disk is what is known of the stick; nil for a folder of which nothing is.
	Disk *media.Disk
}

// Outcome is what became of a stick.
type Outcome string

// The outcomes. The first three are good ones.
const (
	Written    Outcome = "written"    // all of it
	Repaired   Outcome = "repaired"   // what differed
	Unchanged  Outcome = "unchanged"  // it was as it should be
	Incomplete Outcome = "incomplete" // it says so itself
	Failed     Outcome = "failed"     // the reason says how it is left
)

// Good says that the stick is whole, and was read back.
func (o Outcome) Good() bool { return o == Written || o == Repaired || o == Unchanged }

// Result is what became of a stick, and how.
type Result struct {
	Target  string  `json:"target"`
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason,omitempty"` // of one that is not good
	Hint    string  `json:"hint,omitempty"`   // what to do about it

	Port   string `json:"port,omitempty"`
	Vendor string `json:"vendor,omitempty"`
	Model  string `json:"model,omitempty"`
	Serial string `json:"serial,omitempty"`
	Size   int64  `json:"size,omitempty"` // of the stick, bytes

	Formatted bool     `json:"formatted,omitempty"`
	Files     int      `json:"files"` // written
	Bytes     int64    `json:"bytes"` // of them
	Removed   []string `json:"removed,omitempty"`
	// ReadBack says how the stick was read to compare it.
	ReadBack string    `json:"readBack,omitempty"`
	Problems []Problem `json:"problems,omitempty"`
	Began    time.Time `json:"began"`
	Seconds  float64   `json:"seconds"`

	err error
}

// Err is why the stick is not good; nil if it is.
func (r *Result) Err() error { return r.err }

// How a stick was read.
const (
	ReadPast    = "past the cache"
	ReadDropped = "after the cache was dropped, which the system does not promise"
)

// Phase is what is done with a stick at the moment.
type Phase string

// The phases, in their order.
const (
	Looking   Phase = "looking"
	Writing   Phase = "writing"
	Reading   Phase = "reading back"
	Finishing Phase = "finishing"
	Done      Phase = "done"
)

// Event says how far a stick is.
type Event struct {
	Target      string
	Phase       Phase
	Done, Total int64   // bytes, of the phase
	Result      *Result // at the end
}

// WriteOptions say how sticks are written.
type WriteOptions struct {
	// Clean removes what is not ours from mounted sticks. What is in logs stays.
	Clean bool
	// Repair writes only to sticks that hold something of ours already.
	Repair bool
	// Force writes a kit whose connect key has ended.
	Force bool
	// Operator is who does it.
	Operator string
	// Event, if set, is told what happens, one event after the other.
	Event func(Event)

	now      func() time.Time // nil: time.Now
	patience time.Duration    // 0: patience
}

// patience is how long a stick may stand still before it is given up.
const patience = 60 * time.Second

// Run is what was done to sticks in one go.
type Run struct {
	Station      string       `json:"station"` // the machine
	Operator     string       `json:"operator,omitempty"`
	KitID        string       `json:"kitId"`
	Organisation string       `json:"organisation"`
	Label        string       `json:"label"`
	Packages     []RunPackage `json:"packages"`
	Began        time.Time    `json:"began"`
	Ended        time.Time    `json:"ended"`
	Interrupted  bool         `json:"interrupted,omitempty"`
	Problems     []Problem    `json:"problems,omitempty"` // of the kit
	Sticks       []*Result    `json:"sticks"`
}

// RunPackage is a package that was put onto the sticks.
type RunPackage struct {
	File    string `json:"file"`
	ID      string `json:"id"`
	Version string `json:"version"`
	SHA256  string `json:"sha256"`
}

// Good counts the sticks that are.
func (r *Run) Good() (n int) {
	for _, s := range r.Sticks {
		if s.Outcome.Good() {
			n++
		}
	}
	return n
}
