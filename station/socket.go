package station

import (
	"time"

	"firstday.dev/station/media"
)

// SocketState is how it goes with what is in a socket.
type SocketState string

// The states of a socket.
const (
	SocketEmpty   SocketState = "empty"
	SocketWaiting SocketState = "waiting" // a stick is there, its volume not yet
	SocketBusy    SocketState = "busy"    // it is written or read back
	SocketGood    SocketState = "good"    // take it out
	SocketFailed  SocketState = "failed"
	SocketRefused SocketState = "refused" // nothing was written to it
)

// Socket is a place for a stick at the machine, as [Watch] tells of it.
type Socket struct {
	Port  string      `json:"port"` // such as 1-4.2; the disk's name where there are none
	State SocketState `json:"state"`
	// Disk is the one that is in it; in an empty socket the one that was last.
	Disk  media.Disk `json:"disk"`
	Since time.Time  `json:"since"` // of the state

	// Phase is what is done with a busy one, and how far, in bytes.
	Phase string `json:"phase,omitempty"`
	Done  int64  `json:"done,omitempty"`
	Total int64  `json:"total,omitempty"`

	// Again: the stick is a good one, and was before: it is none more.
	Again bool `json:"again,omitempty"`

	Message string `json:"message,omitempty"` // why it failed, or was refused
	Hint    string `json:"hint,omitempty"`    // what to do about it
}
