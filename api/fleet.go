package api

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"
)

// Standing is where a device stands on the way to its person. A device may stand
// in several places at once.
type Standing string

// The standings.
const (
	StandingActive   Standing = "active"
	StandingPending  Standing = "pending"   // for an admin to let it in
	StandingWaiting  Standing = "waiting"   // let in, and for its person to sign in
	StandingSignedIn Standing = "signed-in" // it is somebody's
	StandingTrouble  Standing = "trouble"   // its agent reports problems
	StandingOff      Standing = "off"       // the sign-in is off on this device
)

// Standings are all of them.
var Standings = []Standing{StandingActive, StandingPending, StandingWaiting, StandingSignedIn, StandingTrouble, StandingOff}

// DeviceSort is what a list of devices is sorted by.
type DeviceSort string

// The orders of lists.
const (
	SortName     DeviceSort = "name"
	SortSerial   DeviceSort = "serial"
	SortEnrolled DeviceSort = "enrolled"
	SortSeen     DeviceSort = "seen"
)

// DeviceSorts are all of them, the default first.
var DeviceSorts = []DeviceSort{SortName, SortSerial, SortEnrolled, SortSeen}

// Bounds of a search for devices.
const (
	DefaultDeviceLimit = 100
	MaxDeviceLimit     = 500
	maxSearchText      = 200  // bytes
	maxSearchWords     = 8    // of it
	maxCursor          = 2048 // bytes
)

// DeviceQuery asks for devices that are in or wait to be let in. Zero: all of
// them by name.
type DeviceQuery struct {
	// Text is words, each of which a device has in its name, serial number, maker
	// or model, or in the names or address of its people; or a device's id.
	Text      string     `json:"text,omitempty"`
	Platforms []Platform `json:"platforms,omitempty"` // any of them; none: all
	States    []Standing `json:"states,omitempty"`    // any of them; none: all
	Order     uuid.UUID  `json:"order,omitzero"`
	Package   uuid.UUID  `json:"package,omitzero"`
	Key       uuid.UUID  `json:"key,omitzero"`
	Batch     string     `json:"batch,omitempty"`
	Tag       string     `json:"tag,omitempty"`
	Problem   string     `json:"problem,omitempty"` // that its agent reports, word for word
	// Happened is what happened to a device, as far as it is remembered, at Since or
	// later.
	Happened EventKind `json:"happened,omitempty"`
	Since    time.Time `json:"since,omitzero"`

	Sort       DeviceSort `json:"sort,omitempty"` // empty: by name
	Descending bool       `json:"descending,omitempty"`
	After      string     `json:"after,omitempty"` // [DevicePage.Next] of the page before
	Limit      int        `json:"limit,omitempty"` // 0: DefaultDeviceLimit
}

// Check refuses what is no question.
func (q *DeviceQuery) Check() error {
	for _, text := range []string{q.Text, q.Batch, q.Tag} {
		if len(text) > maxSearchText || !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
			return fmt.Errorf("%.20q… is longer than %d bytes, or no plain text", text, maxSearchText)
		}
	}
	if len(strings.Fields(q.Text)) > maxSearchWords {
		return fmt.Errorf("text: more than %d words", maxSearchWords)
	}
	for _, p := range q.Platforms {
		if !slices.Contains(Platforms, p) {
			return fmt.Errorf("platform %.20q is none of %v", string(p), Platforms)
		}
	}
	for _, s := range q.States {
		if !slices.Contains(Standings, s) {
			return fmt.Errorf("state %.20q is none of %v", string(s), Standings)
		}
	}
	switch {
	case !PlainText(q.Problem):
		return fmt.Errorf("problem %.20q… is none that a device reports", q.Problem)
	case len(q.Platforms) > len(Platforms) || len(q.States) > len(Standings):
		return errors.New("a platform or a state is named twice")
	case q.Happened != "" && !slices.Contains(EventKinds, q.Happened):
		return fmt.Errorf("happened %.20q is none of %v", string(q.Happened), EventKinds)
	case (q.Happened == "") != q.Since.IsZero():
		return errors.New("what happened and since when must be told together")
	case !q.Since.IsZero() && (q.Since.UTC().Year() < 1970 || q.Since.UTC().Year() > 9999): // an address has no others
		return errors.New("since: nothing happened then")
	case q.Sort != "" && !slices.Contains(DeviceSorts, q.Sort):
		return fmt.Errorf("sort %.20q is none of %v", string(q.Sort), DeviceSorts)
	case q.Limit < 0 || q.Limit > MaxDeviceLimit:
		return fmt.Errorf("limit: %d is not from 1 to %d", q.Limit, MaxDeviceLimit)
	case len(q.After) > maxCursor:
		return errors.New("the place in the list is none")
	}
	return nil
}

// Values are the question as it stands in an address. [ParseDeviceQuery] reads
// them.
func (q *DeviceQuery) Values() url.Values {
	v := url.Values{}
	set := func(name, value string) {
		if value != "" {
			v.Set(name, value)
		}
	}
	set("text", q.Text)
	for _, p := range q.Platforms {
		v.Add("platform", string(p))
	}
	for _, s := range q.States {
		v.Add("state", string(s))
	}
	for name, id := range map[string]uuid.UUID{"order": q.Order, "package": q.Package, "key": q.Key} {
		if id != uuid.Nil {
			v.Set(name, id.String())
		}
	}
	set("batch", q.Batch)
	set("tag", q.Tag)
	set("problem", q.Problem)
	set("happened", string(q.Happened))
	if !q.Since.IsZero() {
		v.Set("since", q.Since.UTC().Format(time.RFC3339))
	}
	set("sort", string(q.Sort))
	if q.Descending {
		v.Set("descending", "true")
	}
	set("cursor", q.After)
	if q.Limit != 0 {
		v.Set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// ParseDeviceQuery reads a question from an address. Errors name what is wrong.
func ParseDeviceQuery(v url.Values) (*DeviceQuery, error) {
	q := &DeviceQuery{
		Text: strings.TrimSpace(v.Get("text")), Batch: v.Get("batch"), Tag: v.Get("tag"), Problem: v.Get("problem"),
		Happened: EventKind(v.Get("happened")), Sort: DeviceSort(v.Get("sort")), After: v.Get("cursor"),
	}
	for _, p := range v["platform"] {
		if p != "" {
			q.Platforms = append(q.Platforms, Platform(p))
		}
	}
	for _, s := range v["state"] {
		if s != "" {
			q.States = append(q.States, Standing(s))
		}
	}
	for name, id := range map[string]*uuid.UUID{"order": &q.Order, "package": &q.Package, "key": &q.Key} {
		text := v.Get(name)
		if text == "" {
			continue
		}
		var err error
		if *id, err = uuid.Parse(text); err != nil {
			return nil, fmt.Errorf("%s: %.60q is no id", name, text)
		}
	}
	var err error
	if text := v.Get("since"); text != "" {
		if q.Since, err = time.Parse(time.RFC3339, text); err != nil {
			return nil, fmt.Errorf("since: %.40q is no time such as 2026-01-31T12:00:00Z", text)
		}
	}
	if text := v.Get("descending"); text != "" {
		if q.Descending, err = strconv.ParseBool(text); err != nil {
			return nil, fmt.Errorf("descending: %.20q is neither true nor false", text)
		}
	}
	if text := v.Get("limit"); text != "" {
		if q.Limit, err = strconv.Atoi(text); err != nil {
			return nil, fmt.Errorf("limit: %.20q is no number", text)
		}
	}
	return q, q.Check()
}

// DevicePage is a page of a list of devices.
type DevicePage struct {
	Items []*Device `json:"items"`
	Next  string    `json:"next,omitempty"` // what follows; empty: nothing
	// Total is how many there are on all pages, or, if AtLeast, a number that they
	// are more than. It is as of the first page.
	Total   int  `json:"total"`
	AtLeast bool `json:"atLeast,omitempty"`
}

// EventKind says what happened to a device.
type EventKind string

// The kinds.
const (
	EventEnrolled EventKind = "enrolled"
	EventApproved EventKind = "approved"
	EventRemoved  EventKind = "removed"
	EventReplaced EventKind = "replaced"
	EventSignIn   EventKind = "sign-in"  // somebody's try; the code says what became of it
	EventBound    EventKind = "bound"    // the account is made
	EventAssigned EventKind = "assigned" // an admin gave the device to somebody
	EventUnbound  EventKind = "unbound"
	EventSettings EventKind = "settings" // the device has these
	EventTrouble  EventKind = "trouble"  // its agent reports problems that it had not
	EventWell     EventKind = "well"     // its agent reports none any more
	EventOff      EventKind = "off"      // the sign-in was switched off here
	EventOn       EventKind = "on"
	EventRevealed EventKind = "revealed" // somebody saw the break-glass password
)

// EventKinds are all of them.
var EventKinds = []EventKind{EventEnrolled, EventApproved, EventRemoved, EventReplaced, EventSignIn, EventBound, EventAssigned, EventUnbound,
	EventSettings, EventTrouble, EventWell, EventOff, EventOn, EventRevealed}

// DeviceEvent is something that happened to a device.
type DeviceEvent struct {
	Number int64     `json:"number"` // from 1; numbers of what is forgotten are missing
	Time   time.Time `json:"time"`
	Kind   EventKind `json:"kind"`
	Code   Code      `json:"code,omitempty"` // why it did not succeed; empty: it did
	Actor  string    `json:"actor"`          // as in the audit log
	// Detail says more, by name: user, key, package, remote, revision, problems….
	// What comes from the device is text of a stranger's.
	Detail map[string]string `json:"detail,omitempty"`
}

// SSAPRequest switches the sign-in off on a device, or on again: where it is on in
// the settings.
type SSAPRequest struct {
	Off bool `json:"off"`
}

// BulkAction is what is done to many devices.
type BulkAction string

// The actions.
const (
	BulkApprove BulkAction = "approve"
	BulkRemove  BulkAction = "remove"
	BulkSSAPOff BulkAction = "ssap-off"
	BulkSSAPOn  BulkAction = "ssap-on"
)

// BulkActions are all of them.
var BulkActions = []BulkAction{BulkApprove, BulkRemove, BulkSSAPOff, BulkSSAPOn}

// MaxBulk is how many devices one call changes.
const MaxBulk = 10_000

// BulkRequest asks for the same to be done to many devices: those of the ids, or
// those that the query finds.
type BulkRequest struct {
	Action BulkAction  `json:"action"`
	IDs    []uuid.UUID `json:"ids,omitempty"`
	// Query names them instead, and Count says how many they are: if they are not
	// as many any more, nothing is done.
	Query *DeviceQuery `json:"query,omitempty"`
	Count int          `json:"count,omitempty"`
}

// Check refuses what cannot be done.
func (r *BulkRequest) Check() error {
	switch {
	case !slices.Contains(BulkActions, r.Action):
		return fmt.Errorf("action %.20q is none of %v", string(r.Action), BulkActions)
	case (len(r.IDs) == 0) == (r.Query == nil):
		return errors.New("either ids or a query must name the devices")
	case len(r.IDs) > MaxBulk:
		return fmt.Errorf("%d devices, at most %d are changed at once", len(r.IDs), MaxBulk)
	case r.Query != nil && (r.Count < 1 || r.Count > MaxBulk):
		return fmt.Errorf("count: %d is not from 1 to %d", r.Count, MaxBulk)
	}
	if r.Query != nil {
		return r.Query.Check()
	}
	return nil
}

// BulkResult is what became of one of many devices.
type BulkResult struct {
	ID     uuid.UUID `json:"id"`
	Code   Code      `json:"code,omitempty"` // empty: it is done
	Detail string    `json:"detail,omitempty"`
}

// Overview is how the fleet stands.
type Overview struct {
	Time  time.Time `json:"time"`  // as of
	Since time.Time `json:"since"` // a day before: what Enrolled and SignedIn count from

	Devices  int `json:"devices"` // that are in, or wait to be let in
	Enrolled int `json:"enrolled"`
	SignedIn int `json:"signedIn"` // devices that got a person
	Pending  int `json:"pending"`
	Waiting  int `json:"waiting"` // for their person
	Trouble  int `json:"trouble"`
	Off      int `json:"off"`
	// Problems are those that most devices report, at most [MaxOverviewProblems].
	Problems []ProblemCount `json:"problems,omitempty"`
	Ending   []Ending       `json:"ending,omitempty"` // the first one first
}

// MaxOverviewProblems bounds a list.
const MaxOverviewProblems = 10

// ProblemCount is how many devices report a problem.
type ProblemCount struct {
	Problem string `json:"problem"` // as they say
	Devices int    `json:"devices"`
}

// EndingKind is a kind of what ends.
type EndingKind string

// The kinds.
const (
	EndingKey         EndingKind = "key"         // a connect key that has uses left
	EndingUses        EndingKind = "uses"        // a connect key that has time left
	EndingToken       EndingKind = "token"       // of who administers
	EndingCertificate EndingKind = "certificate" // of the directory: ca, or browsers
	EndingOrder       EndingKind = "order"       // devices are missing
)

// Ending is something that ends soon, or just has.
type Ending struct {
	Kind EndingKind `json:"kind"`
	ID   uuid.UUID  `json:"id,omitzero"`
	Name string     `json:"name"`
	Ends time.Time  `json:"ends"`
	Left int        `json:"left,omitempty"` // uses of a key, devices of an order
}

// KeyRefusal is an attempt to enrol that a connect key was of no use to.
type KeyRefusal struct {
	ID     uuid.UUID `json:"id"`
	Key    uuid.UUID `json:"key"`
	Label  string    `json:"label,omitempty"` // the key's
	Time   time.Time `json:"time"`
	Code   Code      `json:"code"`
	Serial string    `json:"serial,omitempty"` // as the device said
	Remote string    `json:"remote"`
}

// ProgressStep is how finely an order's progress is told.
type ProgressStep string

// The steps, in UTC.
const (
	ByHour ProgressStep = "hour"
	ByDay  ProgressStep = "day"
)

// OrderProgress is how an order's devices came over time.
type OrderProgress struct {
	Expected int            `json:"expected"`
	Seen     int            `json:"seen"`
	From     time.Time      `json:"from"`  // when the order was made
	Until    time.Time      `json:"until"` // when it ends, or did
	Step     ProgressStep   `json:"step"`
	Points   []OrderedCount `json:"points"` // those at which any came
}

// OrderedCount is how many devices of an order had come at the end of a step.
type OrderedCount struct {
	Time time.Time `json:"time"` // its begin
	Seen int       `json:"seen"`
}

// SettingsChange is a change of the settings.
type SettingsChange struct {
	Revision  int64     `json:"revision"`
	ChangedAt time.Time `json:"changedAt"`
	ChangedBy string    `json:"changedBy"`
	// Changes are to what was before, by key.
	Changes []SettingChange `json:"changes"`
}

// SettingChange is what a change did to one setting: JSON, empty where there was
// or is none. Of a logo only its size and SHA-256 are told.
type SettingChange struct {
	Key  string `json:"key"` // such as windows.ssap
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
}

// RevertRequest asks for the settings of an earlier revision.
type RevertRequest struct {
	To       int64 `json:"to"`
	Revision int64 `json:"revision"` // of the settings in force, as who asks saw them
}

// UserCheck is what making a user would come to.
type UserCheck struct {
	Row    int    `json:"row"` // from 1
	Name   string `json:"name"`
	Email  string `json:"email,omitempty"`
	Code   Code   `json:"code,omitempty"` // why not; empty: it would
	Detail string `json:"detail,omitempty"`
}

// UserDevice is a device that a user has or had.
type UserDevice struct {
	ID       uuid.UUID   `json:"id"`
	State    DeviceState `json:"state"`
	Platform Platform    `json:"platform"`
	Name     string      `json:"name"`
	Serial   string      `json:"serial,omitempty"`
	SeenAt   time.Time   `json:"seenAt"`
	Binding  Binding     `json:"binding"`
}
