package console

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

const pathDevices = Path + "devices"

func (c *Console) deviceRoutes() []route {
	list := []route{
		{method: http.MethodGet, path: "devices", roles: readers, serve: c.devices},
		{method: http.MethodGet, path: "devices/export", roles: readers, serve: c.exportDevices},
		{method: http.MethodGet, path: "devices/{id}", roles: readers, serve: c.device},
		{method: http.MethodPost, path: "devices/{id}/approve", roles: keepers, serve: c.approveDevice},
		{method: http.MethodPost, path: "devices/{id}/sign-in", roles: keepers, serve: c.setDeviceSignIn},
		{method: http.MethodPost, path: "devices/{id}/bind", roles: keepers, serve: c.bindDevice},
		{method: http.MethodGet, path: "devices/{id}/unbind", roles: keepers, serve: c.askUnbindDevice},
		{method: http.MethodPost, path: "devices/{id}/unbind", roles: keepers, serve: c.unbindDevice},
		{method: http.MethodGet, path: "devices/{id}/remove", roles: keepers, fresh: true, serve: c.askRemoveDevice},
		{method: http.MethodPost, path: "devices/{id}/remove", roles: keepers, fresh: true, serve: c.removeDevice},
		{method: http.MethodGet, path: "devices/{id}/reveal", roles: keepers, fresh: true, serve: c.askReveal},
		{method: http.MethodPost, path: "devices/{id}/reveal", roles: keepers, fresh: true, serve: c.reveal},
	}
	return append(list, c.bulkRoutes()...)
}

// shownDevice is a device as pages show it.
type shownDevice struct{ *api.Device }

// Name is how people call the device.
func (d shownDevice) Name() string {
	switch {
	case d.Facts.Name != "":
		return d.Facts.Name
	case d.Facts.Serial != "":
		return d.Facts.Serial
	}
	return d.ID.String()
}

// Path is where the device's page is.
func (d shownDevice) Path() string { return pathDevices + "/" + d.ID.String() }

// Person is who the device belongs to, or waits for; the first of several.
func (d shownDevice) Person() *api.Person {
	for _, state := range []api.BindingState{api.Bound, api.Awaiting} {
		for _, b := range d.Users {
			if b.State == state {
				return &b.User
			}
		}
	}
	return nil
}

// taken tells whether the device is somebody's, who has an account on it.
func (d shownDevice) taken() bool {
	return slices.ContainsFunc(d.Users, func(b api.Binding) bool { return b.State == api.Bound })
}

// Here tells whether the device is in, or waits to be let in.
func (d shownDevice) Here() bool { return d.State == api.DeviceActive || d.State == api.DevicePending }

// Pending tells whether the device waits to be let in.
func (d shownDevice) Pending() bool { return d.State == api.DevicePending }

// States are where the device stands, what is most urgent first.
func (d shownDevice) States() (list []badge) {
	switch d.State {
	case api.DevicePending:
		list = append(list, badge{"wait", sentence("waits for approval")})
	case api.DeviceRemoved:
		list = append(list, badge{"bad", sentence("removed")})
	case api.DeviceReplaced:
		list = append(list, badge{"plain", sentence("replaced")})
	case api.DeviceActive:
		if d.taken() {
			list = append(list, badge{"good", sentence("signed in")})
		} else {
			list = append(list, badge{"plain", sentence("waits for its person")})
		}
	}
	if len(d.Facts.Problems) > 0 && d.Here() {
		list = append(list, badge{"bad", sentence("in trouble")})
	}
	if d.SSAPOff && d.Here() {
		list = append(list, badge{"wait", sentence("sign-in off here")})
	}
	return list
}

// standingWords are what the standings are called that lists are filtered by.
var standingWords = map[api.Standing]sentence{
	api.StandingActive: sentence("in"), api.StandingPending: sentence("waits for approval"), api.StandingWaiting: sentence("waits for its person"),
	api.StandingSignedIn: sentence("signed in"), api.StandingTrouble: sentence("in trouble"), api.StandingOff: sentence("sign-in off here"),
}

// happenings say of a list what happened to its devices, where links lead to it.
var happenings = map[api.EventKind]sentence{
	api.EventEnrolled: sentence("Only devices that came since then:"), api.EventBound: sentence("Only devices that somebody signed in on since then:"),
}

// devicesData is a page of the list, and what it was asked for by.
type devicesData struct {
	Query    *api.DeviceQuery
	Devices  []shownDevice
	Total    int
	AtLeast  bool
	Next     string
	Asked    string // the filter, as it stands in an address
	Filtered bool
	More     bool // whether one of the further filters is on
	Happened sentence

	Platforms, States, Keys, Orders []choice
}

// devicesShown is how many devices a page of the list shows.
const devicesShown = 50

// devices shows the list. What is wrong with a filter is told above it.
func (c *Console) devices(v *visit) (*page, error) {
	p := &page{Title: "Devices", Template: "devices", Topics: []directory.Topic{directory.TopicDevices}}
	q, refused := v.deviceQuery()
	if refused != nil {
		q = &api.DeviceQuery{Text: v.form("text"), Batch: v.form("batch"), Tag: v.form("tag")}
	}
	data := devicesData{Query: q, Platforms: platformChoices(), States: standingChoices(), Asked: filterOf(q).Encode(), Happened: happenings[q.Happened]}
	data.Filtered = data.Asked != ""
	data.More = q.Batch != "" || q.Tag != "" || q.Key != uuid.Nil || q.Order != uuid.Nil || q.Package != uuid.Nil
	if q.Happened != "" && data.Happened == "" {
		data.Happened = sentence("Only devices to which something happened since then:")
	}
	var err error
	if data.Keys, err = c.keyChoices(v.Context(), q.Key); err != nil {
		return nil, err
	}
	if data.Orders, err = c.orderChoices(v.Context(), q.Order); err != nil {
		return nil, err
	}
	if refused == nil {
		q.Limit = devicesShown
		found, err := c.directory.SearchDevices(v.Context(), *q)
		if err != nil && api.CodeOf(err) != api.CodeBadRequest {
			return nil, err
		}
		refused = err
		if err == nil {
			data.Total, data.AtLeast, data.Next = found.Total, found.AtLeast, found.Next
			for _, d := range found.Items {
				data.Devices = append(data.Devices, shownDevice{d})
			}
		}
	}
	p.Data = data
	return p, refused
}

// deviceQuery reads the filter in the address.
func (v *visit) deviceQuery() (*api.DeviceQuery, error) {
	return parseDeviceQuery(v.query())
}

// parseDeviceQuery reads a filter as it stands in addresses of the console, whose
// tables are sorted and turned over by parameters of their own.
func parseDeviceQuery(asked url.Values) (*api.DeviceQuery, error) {
	own := maps.Clone(asked)
	own.Set("cursor", asked.Get("after"))
	own.Del("descending")
	if asked.Get("down") != "" {
		own.Set("descending", "true")
	}
	own.Del("limit")
	q, err := api.ParseDeviceQuery(own)
	if err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	return q, nil
}

// filterOf is what a query asks for, without how it is sorted and which page it is.
func filterOf(q *api.DeviceQuery) url.Values {
	bare := *q
	bare.Sort, bare.Descending, bare.After, bare.Limit = "", false, "", 0
	return bare.Values()
}

// Kept are the parts of the filter that no field of the form has.
func (d devicesData) Kept() map[string]string {
	kept := make(map[string]string)
	if d.Query.Problem != "" {
		kept["problem"] = d.Query.Problem
	}
	if d.Query.Happened != "" {
		v := d.Query.Values()
		kept["happened"], kept["since"] = v.Get("happened"), v.Get("since")
	}
	if d.Query.Sort != "" {
		kept["sort"] = string(d.Query.Sort)
	}
	if d.Query.Descending {
		kept["down"] = "1"
	}
	return kept
}

// Platform and State are the filters' values; of several in the address, the first.
func (d devicesData) Platform() string { return first(d.Query.Platforms) }

// State is the filter's value.
func (d devicesData) State() string { return first(d.Query.States) }

func first[T ~string](list []T) string {
	if len(list) == 0 {
		return ""
	}
	return string(list[0])
}

// Export is what the file with the list is asked for by: the filter, and the order.
func (d devicesData) Export() string {
	q := *d.Query
	q.After, q.Limit, q.Descending = "", 0, false
	v := q.Values()
	if d.Query.Descending {
		v.Set("down", "1")
	}
	return v.Encode()
}

// KeyText, OrderText and PackageText are ids in the filter.
func (d devicesData) KeyText() string { return idText(d.Query.Key) }

// OrderText is one, too.
func (d devicesData) OrderText() string { return idText(d.Query.Order) }

// PackageText is one, too.
func (d devicesData) PackageText() string { return idText(d.Query.Package) }

// idText is an id in a field; none: empty.
func idText(id uuid.UUID) string {
	if id == uuid.Nil {
		return ""
	}
	return id.String()
}

func platformChoices() []choice {
	list := []choice{{Text: sentence("All platforms")}}
	for _, p := range api.Platforms {
		list = append(list, choice{string(p), sentence(platformName(p))})
	}
	return list
}

func standingChoices() []choice {
	list := []choice{{Text: sentence("All states")}}
	for _, s := range api.Standings {
		list = append(list, choice{string(s), standingWords[s]})
	}
	return list
}

// keyChoices are the newest connect keys, and the one that is chosen.
func (c *Console) keyChoices(ctx context.Context, chosen uuid.UUID) ([]choice, error) {
	keys, err := c.directory.Keys(ctx, uuid.Nil)
	if err != nil {
		return nil, err
	}
	list := []choice{{Text: sentence("All connect keys")}}
	for _, k := range keys {
		list = append(list, choice{k.ID.String(), sentence(shownKey{k}.Name())})
	}
	return withChosen(list, chosen), nil
}

// orderChoices are the newest orders, and the one that is chosen.
func (c *Console) orderChoices(ctx context.Context, chosen uuid.UUID) ([]choice, error) {
	orders, err := c.directory.Orders(ctx, "", uuid.Nil)
	if err != nil {
		return nil, err
	}
	list := []choice{{Text: sentence("All orders")}}
	for _, o := range orders {
		list = append(list, choice{o.ID.String(), sentence(o.PO)})
	}
	return withChosen(list, chosen), nil
}

// withChosen adds what is chosen and is not among the newest, by its id.
func withChosen(list []choice, chosen uuid.UUID) []choice {
	if chosen == uuid.Nil {
		return list
	}
	for _, c := range list {
		if c.Value == chosen.String() {
			return list
		}
	}
	return append(list, choice{chosen.String(), sentence(chosen.String())})
}

// exportDevices writes what the filter finds as CSV, while it is found.
func (c *Console) exportDevices(v *visit) (*page, error) {
	q, err := v.deviceQuery()
	if err != nil {
		return nil, err
	}
	q.After, q.Limit = "", api.MaxDeviceLimit
	return &page{download: &download{
		Name: "devices.csv", Type: "text/csv; charset=utf-8",
		Write: func(ctx context.Context, w io.Writer) error { return c.directory.ExportDevices(ctx, *q, w) },
	}}, nil
}
