package main

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
)

func TestDeviceTellsWhereItsKeyIs(t *testing.T) {
	for want, facts := range map[string]api.Facts{
		"in its TPM (INTC, firmware 600.18.54.0), as the device says": {KeyStorage: api.KeyInTPM, TPM: &api.TPM{Manufacturer: "INTC", Firmware: "600.18.54.0"}},
		"in its TPM, as the device says":                              {KeyStorage: api.KeyInTPM},
		"in a file, as the device says":                               {KeyStorage: api.KeyInFile},
	} {
		var out bytes.Buffer
		describeDevice(&text{w: &out}, &api.Device{Facts: facts})
		if !strings.Contains(out.String(), "key       "+want+"\n") {
			t.Errorf("%q is not in\n%s", want, &out)
		}
	}
}

// A device that the directory tells nothing of is not changed, as far as anybody
// knows.
func TestRefusedDevices(t *testing.T) {
	one, two := uuid.New(), uuid.New()
	done, gone := api.BulkResult{ID: one}, api.BulkResult{ID: two, Code: api.CodeNotFound, Detail: "there is none"}
	for name, test := range map[string]struct {
		asked   []uuid.UUID
		results []api.BulkResult
		want    string
	}{
		"all are done":      {[]uuid.UUID{one, one}, []api.BulkResult{done}, ""},
		"the only one":      {[]uuid.UUID{two}, []api.BulkResult{gone}, "device " + two.String() + ": not_found: there is none"},
		"one of two":        {[]uuid.UUID{one, two, two}, []api.BulkResult{done, gone}, "1 of 2 devices are not changed; device " + two.String() + ": not_found: there is none"},
		"nothing is told":   {[]uuid.UUID{two}, nil, "device " + two.String() + ": unavailable: the directory tells nothing of it"},
		"of others is told": {[]uuid.UUID{two}, []api.BulkResult{done}, "device " + two.String() + ": unavailable: the directory tells nothing of it"},
	} {
		err := refusedOf(test.asked, test.results)
		if got := fmt.Sprint(err); (test.want == "") != (err == nil) || test.want != "" && got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
}

// What a device says of itself stays between its quotes, and on its line.
func TestHistoryQuotesWhatDevicesSay(t *testing.T) {
	e := &api.DeviceEvent{Kind: api.EventTrouble, Actor: "device:1", Detail: map[string]string{"problems": "no disk\nx\", user \"root\x1b[2J", "count": "2"}}
	want := `0001-01-01T00:00:00Z  trouble    by device:1  count "2", problems "no disk\nx\", user \"root\x1b[2J"`
	if got := describeEvent(e); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
