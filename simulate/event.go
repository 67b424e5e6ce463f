package simulate

import (
	"sync"
	"time"

	"firstday.dev/api"
)

// Event is something that happened to a device, in the order of happening.
type Event struct {
	At     api.Duration `json:"at"` // since the simulation began
	Step   Step         `json:"step"`
	Mark   Mark         `json:"mark"`
	Text   string       `json:"text"`
	Detail string       `json:"detail,omitempty"`
	Error  string       `json:"error,omitempty"`
}

// Step is what the device is busy with.
type Step string

// The steps.
const (
	StepPackage   Step = "package" // opening and checking it
	StepPower     Step = "power"
	StepSetting   Step = "setting"   // one that Windows applies
	StepInstaller Step = "installer" // what macOS's Installer looks at
	StepFiles     Step = "files"
	StepCommand   Step = "command" // a program or script of the package
	StepService   Step = "service" // the agent's entry in the service manager
	StepAgent     Step = "agent"   // what the real agent says itself
	StepEnrolment Step = "enrolment"
	StepSignIn    Step = "sign-in" // what the device's screen shows
	StepPages     Step = "pages"   // what a person's browser shows
	StepAccount   Step = "account"
	StepDevice    Step = "device" // one device of a fleet
)

// Mark tells good from bad.
type Mark string

// The marks. A note is neither good nor bad, or nothing to stop for.
const (
	Good   Mark = "ok"
	Note   Mark = "note"
	Failed Mark = "failed"
)

// narrator tells events to one listener. The agent speaks from goroutines of
// its own.
type narrator struct {
	began time.Time
	mu    sync.Mutex
	tell  func(Event)
}

func newNarrator(tell func(Event)) *narrator { return &narrator{began: time.Now(), tell: tell} }

func (n *narrator) add(e Event) {
	if n.tell == nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	e.At = api.Duration(time.Since(n.began).Round(time.Millisecond))
	n.tell(e)
}

func (n *narrator) good(s Step, text, detail string) {
	n.add(Event{Step: s, Mark: Good, Text: text, Detail: detail})
}

func (n *narrator) note(s Step, text, detail string) {
	n.add(Event{Step: s, Mark: Note, Text: text, Detail: detail})
}

func (n *narrator) failed(s Step, text string, err error) {
	n.add(Event{Step: s, Mark: Failed, Text: text, Error: err.Error()})
}
