package console

import (
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

func (c *Console) homeRoutes() []route {
	return []route{{method: "GET", path: "{$}", roles: readers, serve: c.home}}
}

// homeData is today's story, as far as the first page of the devices tells it.
type homeData struct {
	Devices, Waiting, Today int
	More                    bool // devices than those that are counted
	Ending                  []keyEnding
}

func (c *Console) home(v *visit) (*page, error) {
	devices, err := c.directory.Devices(v.Context(), "", uuid.Nil)
	if err != nil {
		return nil, err
	}
	data := homeData{Devices: len(devices), More: len(devices) == directory.DevicePage}
	for _, d := range devices {
		if d.State == api.DevicePending {
			data.Waiting++
		}
		if time.Since(d.EnrolledAt) < 24*time.Hour {
			data.Today++
		}
	}
	keys, err := c.directory.Keys(v.Context(), uuid.Nil)
	if err != nil {
		return nil, err
	}
	data.Ending = endings(keys)
	return &page{Title: "Home", Template: "home", Data: data, Topics: []directory.Topic{directory.TopicDevices, directory.TopicKeys}}, nil
}
