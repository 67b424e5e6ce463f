package console

import (
	"context"
	"net/http"
	"net/url"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// bulkAct is something that is done to many devices at once.
type bulkAct struct {
	action   api.BulkAction
	path     string // below devices/bulk/
	fresh    bool
	Title    sentence
	Do       sentence
	Then     []sentence // what happens
	Terrible bool       // it cannot be taken back
}

// bulkActs are all of them.
var bulkActs = []*bulkAct{
	{action: api.BulkApprove, path: "approve", Title: "Approve devices", Do: sentence("Approve"), Then: []sentence{sentence("They are let in, and offer their sign-in.")}},
	{action: api.BulkSSAPOff, path: "sign-in-off", Title: "Switch the sign-in off on devices", Do: sentence("Switch off here"), Then: []sentence{
		sentence("Nobody new signs in on them, whatever the settings say."), sentence("Accounts that are there stay, and people work on."),
	}},
	{action: api.BulkSSAPOn, path: "sign-in-on", Title: "Let devices do as the settings say", Do: sentence("As the settings say"), Then: []sentence{sentence("They offer their sign-in again where the settings have it on.")}},
	{action: api.BulkRemove, path: "remove", fresh: true, Terrible: true, Title: "Remove devices", Do: sentence("Remove"), Then: removal},
}

// removal is what happens to a device that is removed.
var removal = []sentence{
	sentence("What is removed is refused at once, and for ever."),
	sentence("Accounts that are there stay, and people work on."),
	sentence("To come back, a device enrols anew with a new package."),
}

func (c *Console) bulkRoutes() (list []route) {
	for _, act := range bulkActs {
		path := "devices/bulk/" + act.path
		list = append(list,
			route{method: http.MethodGet, path: path, roles: keepers, fresh: act.fresh, serve: func(v *visit) (*page, error) { return c.askBulk(v, act) }},
			route{method: http.MethodPost, path: path, roles: keepers, fresh: act.fresh, most: maxBulkForm, serve: func(v *visit) (*page, error) { return c.bulk(v, act) }})
	}
	return list
}

const (
	// maxBulkForm holds the ids of a page of the list, or a filter.
	maxBulkForm = 256 << 10
	// namedInBulk is how many of many devices are named.
	namedInBulk = 100
)

// chosenDevices are those of a form around the list: some rows, or all that the
// filter finds.
type chosenDevices struct {
	IDs   []uuid.UUID
	Query *api.DeviceQuery
	Count int
	Asked string // the filter, if it names them

	Named []shownDevice // the first ones
}

// Others is how many are not named.
func (d chosenDevices) Others() int { return d.Count - len(d.Named) }

type bulkData struct {
	*bulkAct
	Chosen *chosenDevices
	Back   string
}

// To is where the form is sent.
func (d bulkData) To() string { return pathDevices + "/bulk/" + d.path }

// askBulk names the devices, and asks.
func (c *Console) askBulk(v *visit, act *bulkAct) (*page, error) {
	p, data := c.bulkPage(v, act)
	chosen, err := c.chosen(v)
	if err != nil {
		return p, err
	}
	data.Chosen = chosen
	return p, nil
}

// bulkPage is the page that asks. It leads back to the list as it was.
func (c *Console) bulkPage(v *visit, act *bulkAct) (*page, *bulkData) {
	data := &bulkData{bulkAct: act, Back: pathDevices}
	if asked := v.form("query"); asked != "" {
		data.Back += "?" + asked
	}
	return &page{Title: act.Title, Up: link{pathDevices, "Devices"}, Template: "bulk", Data: data}, data
}

// chosen reads which devices are meant.
func (c *Console) chosen(v *visit) (*chosenDevices, error) {
	chosen := &chosenDevices{}
	if v.form("all") != "" {
		return chosen, c.chooseAll(v, chosen)
	}
	known := make(map[uuid.UUID]bool)
	for _, text := range v.forms("id") {
		id, err := uuid.Parse(text)
		if err != nil {
			return nil, api.Refuse(api.CodeBadRequest, "%.60q is no id", text)
		}
		if !known[id] {
			known[id], chosen.IDs = true, append(chosen.IDs, id)
		}
	}
	if len(chosen.IDs) > api.MaxDeviceLimit {
		return nil, api.Refuse(api.CodeBadRequest, "%d devices, at most %d are named at once", len(chosen.IDs), api.MaxDeviceLimit)
	}
	chosen.Count = len(chosen.IDs)
	for _, id := range chosen.IDs[:min(len(chosen.IDs), namedInBulk)] {
		d, err := c.directory.Device(v.Context(), id)
		if err != nil {
			return nil, err
		}
		chosen.Named = append(chosen.Named, shownDevice{d})
	}
	return chosen, nil
}

// chooseAll chooses all devices that the filter of the list finds now.
func (c *Console) chooseAll(v *visit, chosen *chosenDevices) error {
	asked, err := url.ParseQuery(v.form("query"))
	if err != nil {
		return api.Refuse(api.CodeBadRequest, "the filter is none")
	}
	q, err := parseDeviceQuery(asked)
	if err != nil {
		return err
	}
	q.After, q.Limit = "", namedInBulk
	found, err := c.directory.SearchDevices(v.Context(), *q)
	if err != nil {
		return err
	}
	if found.Total > api.MaxBulk || found.AtLeast {
		return api.Refuse(api.CodeBadRequest, "the filter finds %d devices or more, at most %d are changed at once", found.Total, api.MaxBulk)
	}
	q.Limit = 0
	chosen.Query, chosen.Count, chosen.Asked = q, found.Total, filterOf(q).Encode()
	for _, d := range found.Items {
		chosen.Named = append(chosen.Named, shownDevice{d})
	}
	return nil
}

// bulkDone is what became of many devices.
type bulkDone struct {
	Good, Refused int
	Results       []bulkOutcome // refusals first
	Left          int           // how many are not named
	Back          string
}

// bulkOutcome is what became of one.
type bulkOutcome struct {
	Device shownDevice
	*api.BulkResult
}

// bulk does it, if the devices are still those that were seen.
func (c *Console) bulk(v *visit, act *bulkAct) (*page, error) {
	p, data := c.bulkPage(v, act)
	chosen, err := c.chosen(v)
	if err != nil {
		return p, err
	}
	data.Chosen = chosen
	if chosen.Count == 0 {
		return p, api.Refuse(api.CodeBadRequest, "no device is chosen")
	}
	r := &api.BulkRequest{Action: act.action, IDs: chosen.IDs, Query: chosen.Query}
	if r.Query != nil {
		r.Count = v.number("count", 1, api.MaxBulk) // as it stood on the page
		if len(v.wrongs) > 0 {
			return p, api.Refuse(api.CodeBadRequest, "the number of devices is missing")
		}
	}
	results, err := c.directory.BulkDevices(v.Context(), v.actor(), r)
	if err != nil {
		return p, err
	}
	done, err := c.outcomes(v.Context(), results)
	if err != nil {
		return nil, err
	}
	done.Back = data.Back
	return &page{Title: act.Title, Up: link{pathDevices, "Devices"}, Template: "bulkdone", Data: done}, nil
}

// outcomes tells what became of each, refusals first: of as many as people read.
func (c *Console) outcomes(ctx context.Context, results []*api.BulkResult) (*bulkDone, error) {
	done := new(bulkDone)
	var good, refused []*api.BulkResult
	for _, r := range results {
		if r.Code == "" {
			good = append(good, r)
		} else {
			refused = append(refused, r)
		}
	}
	done.Good, done.Refused = len(good), len(refused)
	shown := append(refused, good...)
	done.Left = max(len(shown)-namedInBulk, 0)
	for _, r := range shown[:len(shown)-done.Left] {
		d, err := c.directory.Device(ctx, r.ID)
		if api.CodeOf(err) == api.CodeNotFound {
			d, err = &api.Device{ID: r.ID}, nil
		}
		if err != nil {
			return nil, err
		}
		done.Results = append(done.Results, bulkOutcome{shownDevice{d}, r})
	}
	return done, nil
}
