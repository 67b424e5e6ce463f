package console

import (
	"strconv"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// deviceData is all that is known of a device.
type deviceData struct {
	Device shownDevice
	Key    shownKey
	Order  *api.Order // whose key brought it; nil: none
	Events []shownEvent
	Next   string // where older events begin
	// Remote is the address that the device or its people came from last, as far as
	// the events of the page tell.
	Remote string
	At     time.Time // when
}

func (c *Console) device(v *visit) (*page, error) {
	d, err := c.findDevice(v)
	if err != nil {
		return nil, err
	}
	return c.devicePage(v, d)
}

func (c *Console) findDevice(v *visit) (shownDevice, error) {
	id, err := v.id()
	if err != nil {
		return shownDevice{}, err
	}
	d, err := c.directory.Device(v.Context(), id)
	return shownDevice{d}, err
}

// devicePage is the page of a device, also where a form of it comes back.
func (c *Console) devicePage(v *visit, d shownDevice) (*page, error) {
	key, err := c.directory.Key(v.Context(), d.KeyID)
	if err != nil {
		return nil, err
	}
	data := &deviceData{Device: d, Key: shownKey{key}}
	if key.OrderID != uuid.Nil {
		if data.Order, err = c.directory.Order(v.Context(), key.OrderID); err != nil {
			return nil, err
		}
	}
	before, err := strconv.ParseInt(v.query().Get("before"), 10, 64)
	if err != nil {
		before = 0
	}
	events, err := c.directory.DeviceEvents(v.Context(), d.ID, before)
	if err != nil {
		return nil, err
	}
	for _, e := range events {
		data.Events = append(data.Events, shownEvent{e})
		if remote := e.Detail["remote"]; remote != "" && data.Remote == "" {
			data.Remote, data.At = remote, e.Time
		}
	}
	if len(events) == directory.EventPage {
		data.Next = strconv.FormatInt(events[len(events)-1].Number, 10)
	}
	return &page{
		Title: "Device", Of: d.Name(), Up: link{pathDevices, "Devices"}, Template: "device", Data: data,
		Topics: []directory.Topic{directory.TopicDevices, directory.TopicUsers, directory.TopicKeys},
	}, nil
}

// Package is the id of the package that brought the device; empty: none is known.
func (d deviceData) Package() string { return idText(d.Device.PackageID) }

// Former is the id of what the same hardware was before.
func (d deviceData) Former() string { return idText(d.Device.Replaces) }

// who did something: a sentence, or a name, which is data.
type who struct {
	Text sentence
	Name string
}

// Who says who an actor of the audit log is, as seen from the device.
func (d deviceData) Who(actor string) who {
	switch actor {
	case "device:" + d.Device.ID.String():
		return who{Text: sentence("the device")}
	case "page":
		return who{Text: sentence("somebody at the sign-in page")}
	}
	for _, b := range d.Device.Users {
		if actor == "user:"+b.User.ID.String() {
			return who{Name: b.User.Name}
		}
	}
	return who{Name: actor}
}

// Disk tells whether the system's disk is encrypted.
func (d deviceData) Disk() badge {
	switch encrypted := d.Device.Facts.Encrypted; {
	case encrypted == nil:
		return badge{"plain", sentence("not known")}
	case *encrypted:
		return badge{"good", sentence("encrypted")}
	}
	return badge{"bad", sentence("not encrypted")}
}

// bindingBadge is where somebody stands on a device.
func bindingBadge(b api.Binding) badge {
	switch b.State {
	case api.Bound:
		return badge{"good", sentence("has an account")}
	case api.Awaiting:
		return badge{"wait", sentence("is to sign in")}
	case api.Claimed:
		return badge{"wait", sentence("is signing in")}
	case api.Unbound:
		return badge{"plain", sentence("account disabled")}
	}
	return badge{"plain", sentence("not known")}
}

// holdsDevice tells whether somebody has the device, or is to have it.
func holdsDevice(b api.Binding) bool {
	return b.State == api.Bound || b.State == api.Awaiting || b.State == api.Claimed
}

// shownEvent is something that happened to a device, as pages show it.
type shownEvent struct{ *api.DeviceEvent }

// eventWords say what happened.
var eventWords = map[api.EventKind]sentence{
	api.EventEnrolled: sentence("The device enrolled"), api.EventApproved: sentence("Approved"), api.EventRemoved: sentence("Removed"),
	api.EventReplaced: sentence("The same hardware enrolled anew"), api.EventSignIn: sentence("Somebody signed in"),
	api.EventBound: sentence("The account was made"), api.EventAssigned: sentence("Given to a person"), api.EventUnbound: sentence("Taken from a person"),
	api.EventSettings: sentence("The device has the settings"), api.EventTrouble: sentence("The agent reports trouble"), api.EventWell: sentence("The trouble is over"),
	api.EventOff: sentence("Sign-in switched off here"), api.EventOn: sentence("Sign-in as the settings say"), api.EventRevealed: sentence("The break-glass password was shown"),
}

// What happened, in words.
func (e shownEvent) What() badge {
	switch {
	case e.Code != "":
		return badge{"bad", sentence("A sign-in did not succeed")}
	case e.Kind == api.EventTrouble || e.Kind == api.EventRemoved:
		return badge{"bad", eventWords[e.Kind]}
	case e.Kind == api.EventBound || e.Kind == api.EventSignIn || e.Kind == api.EventWell || e.Kind == api.EventApproved:
		return badge{"good", eventWords[e.Kind]}
	case e.Kind == api.EventRevealed || e.Kind == api.EventOff:
		return badge{"wait", eventWords[e.Kind]}
	}
	return badge{"plain", eventWords[e.Kind]}
}

// detail is a line about an event: what it is, and what it says, which is data.
type detail struct {
	Name sentence
	Text string
}

// detailWords are what details are called, in the order in which they are told.
var detailWords = []struct {
	key  string
	Name sentence
}{
	{"user", sentence("Person")}, {"account", sentence("Account")}, {"reason", sentence("Reason")}, {"problems", sentence("Problems")},
	{"revision", sentence("Revision")}, {"remote", sentence("Address")},
}

// Details are what more there is to say.
func (e shownEvent) Details() (list []detail) {
	for _, w := range detailWords {
		if text := e.Detail[w.key]; text != "" {
			list = append(list, detail{w.Name, text})
		}
	}
	return list
}

// By is another device that has to do with the event.
func (e shownEvent) By() string {
	for _, key := range []string{"by", "replaces"} {
		if id, err := uuid.Parse(e.Detail[key]); err == nil {
			return id.String()
		}
	}
	return ""
}

func (c *Console) approveDevice(v *visit) (*page, error) {
	return c.changeDevice(v, sentence("%s is approved."), func(d shownDevice) error { return c.directory.ApproveDevice(v.Context(), v.actor(), d.ID) })
}

// changeDevice does something to a device. What it is refused for stands on the
// device's page, as it is by then.
func (c *Console) changeDevice(v *visit, said sentence, change func(shownDevice) error) (*page, error) {
	d, err := c.findDevice(v)
	if err != nil {
		return nil, err
	}
	if refused := change(d); refused != nil {
		p, err := c.devicePage(v, d)
		if err != nil {
			return nil, err
		}
		return p, refused
	}
	return v.done(d.Path(), said, d.Name())
}

// setDeviceSignIn switches the sign-in off on a device, or lets it be as the settings
// say.
func (c *Console) setDeviceSignIn(v *visit) (*page, error) {
	off := v.form("off") != ""
	said := sentence("%s does as the settings say.")
	if off {
		said = sentence("The sign-in is off on %s.")
	}
	return c.changeDevice(v, said, func(d shownDevice) error { return c.directory.SetDeviceSSAP(v.Context(), v.actor(), d.ID, off) })
}

// bindDevice gives the device to somebody. A name that is none stands at its field.
func (c *Console) bindDevice(v *visit) (*page, error) {
	d, err := c.findDevice(v)
	if err != nil {
		return nil, err
	}
	user := v.form("user")
	refused := error(nil)
	if user == "" {
		v.wrong("user", "This is the name or the e-mail address of a user.")
	} else {
		refused = c.directory.Bind(v.Context(), v.actor(), d.ID, user)
	}
	if api.CodeOf(refused) == api.CodeNotFound {
		v.wrong("user", "There is no user %s.", user)
		refused = nil
	}
	if refused != nil || len(v.wrongs) > 0 {
		p, err := c.devicePage(v, d)
		if err != nil {
			return nil, err
		}
		return v.again(p, refused)
	}
	return v.done(d.Path(), "%s has the device from now on; the account waits for them.", user)
}

func (c *Console) askUnbindDevice(v *visit) (*page, error) {
	d, err := c.findDevice(v)
	if err != nil {
		return nil, err
	}
	user := v.form("user")
	return &page{Title: "Take the device from a person", Up: link{d.Path(), "Device"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to take this device from this person?"), Of: d.Name() + " – " + user,
		Then:   []sentence{sentence("Their account on it is disabled, and not deleted: their files stay."), sentence("The device waits for its next person.")},
		Hidden: map[string]string{"user": user},
		Do:     sentence("Take it"), To: d.Path() + "/unbind", Back: d.Path(),
	}}, nil
}

func (c *Console) unbindDevice(v *visit) (*page, error) {
	return c.changeDevice(v, sentence("%s is taken from its person."), func(d shownDevice) error {
		return c.directory.Unbind(v.Context(), v.actor(), d.ID, v.form("user"))
	})
}

func (c *Console) askRemoveDevice(v *visit) (*page, error) {
	d, err := c.findDevice(v)
	if err != nil {
		return nil, err
	}
	return &page{Title: "Remove a device", Up: link{d.Path(), "Device"}, Template: "confirm", Data: confirm{
		Question: sentence("Do you want to remove this device?"), Of: d.Name(), Then: removal,
		Do: sentence("Remove it"), To: d.Path() + "/remove", Back: d.Path(),
	}}, nil
}

func (c *Console) removeDevice(v *visit) (*page, error) {
	return c.changeDevice(v, sentence("%s is removed."), func(d shownDevice) error { return c.directory.RemoveDevice(v.Context(), v.actor(), d.ID) })
}
