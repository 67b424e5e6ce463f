package console

import (
	"net/url"
	"time"

	"firstday.dev/api"
	"firstday.dev/directory"
)

func (c *Console) homeRoutes() []route {
	return []route{{method: "GET", path: "{$}", roles: readers, serve: c.home}}
}

// homeData is today's story.
type homeData struct {
	*api.Overview
	Tiles    []tile
	Problems []problemTile
	Ends     []shownEnding
}

// tile is a number that leads to the list that it counts.
type tile struct {
	To     string
	Number int
	Text   sentence
	Kind   string // as of badges: how it looks if it is not 0
}

// problemTile is how many devices report a problem.
type problemTile struct {
	To string
	api.ProblemCount
}

// listOf is the address of the list of devices that a query finds.
func listOf(q api.DeviceQuery) string {
	if asked := q.Values().Encode(); asked != "" {
		return pathDevices + "?" + asked
	}
	return pathDevices
}

func (c *Console) home(v *visit) (*page, error) {
	o, err := c.directory.Overview(v.Context())
	if err != nil {
		return nil, err
	}
	in := func(s api.Standing) string { return listOf(api.DeviceQuery{States: []api.Standing{s}}) }
	since := func(kind api.EventKind) string { return listOf(api.DeviceQuery{Happened: kind, Since: o.Since}) }
	data := homeData{Overview: o, Tiles: []tile{
		{since(api.EventEnrolled) + "&sort=enrolled&down=1", o.Enrolled, sentence("enrolled in the last 24 hours"), "plain"},
		{in(api.StandingPending), o.Pending, sentence("wait for approval"), "wait"},
		{in(api.StandingWaiting), o.Waiting, sentence("wait for their person"), "plain"},
		{since(api.EventBound), o.SignedIn, sentence("got their person in the last 24 hours"), "good"},
		{in(api.StandingTrouble), o.Trouble, sentence("in trouble"), "bad"},
		{in(api.StandingOff), o.Off, sentence("have their sign-in off"), "wait"},
		{pathDevices, o.Devices, sentence("devices in all"), "plain"},
	}}
	for _, p := range o.Problems {
		data.Problems = append(data.Problems, problemTile{listOf(api.DeviceQuery{Problem: p.Problem}), p})
	}
	for _, e := range o.Ending {
		data.Ends = append(data.Ends, c.ending(e))
	}
	return &page{Title: "Home", Template: "home", Data: data, Topics: []directory.Topic{
		directory.TopicDevices, directory.TopicKeys, directory.TopicOrders, directory.TopicAdministrators,
	}}, nil
}

// shownEnding is something that ends, as pages show it.
type shownEnding struct {
	api.Ending
	To string // its page; empty: it has none
}

// endingPaths are the pages of what ends.
var endingPaths = map[api.EndingKind]string{
	api.EndingKey: "keys/{id}", api.EndingUses: "keys/{id}", api.EndingOrder: "orders/{id}", api.EndingToken: "administrators/tokens",
}

func (c *Console) ending(e api.Ending) shownEnding {
	return shownEnding{e, c.address(endingPaths[e.Kind], url.PathEscape(e.ID.String()))}
}

// endingWords say what it is that ends.
var endingWords = map[api.EndingKind]sentence{
	api.EndingKey: sentence("Connect key"), api.EndingUses: sentence("Connect key"), api.EndingToken: sentence("Token"),
	api.EndingCertificate: sentence("Certificate"), api.EndingOrder: sentence("Order"),
}

// Kind is what it is.
func (e shownEnding) What() sentence { return endingWords[e.Kind] }

// certificateWords are what the directory's certificates are for.
var certificateWords = map[string]sentence{"ca": sentence("of the directory's authority"), "browsers": sentence("that browsers see")}

// Certificate is which one it is.
func (e shownEnding) Certificate() sentence { return certificateWords[e.Name] }

// State is how near the end is.
func (e shownEnding) State() badge {
	switch {
	case e.Kind == api.EndingUses:
		return badge{"wait", sentence("nearly used up")}
	case !e.Ends.After(time.Now()):
		return badge{"bad", sentence("has ended")}
	}
	return badge{"wait", sentence("ends soon")}
}
