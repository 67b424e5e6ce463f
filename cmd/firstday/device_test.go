package main

import (
	"bytes"
	"strings"
	"testing"

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
