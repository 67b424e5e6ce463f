package simulate

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/ppkg"
)

func TestFleetEnrols(t *testing.T) {
	for platform, build := range map[api.Platform]func(t *testing.T, d api.Directory, key api.Secret) string{
		api.Windows: func(t *testing.T, d api.Directory, key api.Secret) string {
			return provisioningPackage(t, enrollment(t, api.Windows, d, key), ppkg.Command{}, ppkg.ComputerName("ACME-%SERIAL%"))
		},
		api.MacOS: func(t *testing.T, d api.Directory, key api.Secret) string {
			return writeProduct(t, macProduct(t, enrollment(t, api.MacOS, d, key)))
		},
	} {
		t.Run(string(platform), func(t *testing.T) {
			const n = 12
			d, key := newDirectory(t, api.NewConnectKey{Uses: n - 2})
			s := new(story)
			dir := t.TempDir()
			o := FleetOptions{Options: Options{Sandbox: dir, Device: Device{Serial: "FLEET"}, Events: s.tell}, Devices: n, Workers: 4}
			r, err := Fleet(t.Context(), build(t, d.At, key), o)
			if err != nil {
				t.Fatalf("%v\n%s", err, s)
			}
			if r.Enrolled != n-2 || r.Refused[api.CodeKeySpent] != 2 || r.Failed != 0 || r.Median <= 0 || r.Slowest < r.Median {
				t.Errorf("%+v\n%s", r, s)
			}
			if err := r.Err(); api.CodeOf(err) != api.CodeKeySpent {
				t.Errorf("error: %v", err)
			}
			devices, err := d.Devices(t.Context(), "", uuid.Nil)
			if err != nil {
				t.Fatal(err)
			}
			serials := make(map[string]bool)
			for _, device := range devices {
				serials[device.Facts.Serial] = true
			}
			for i := range n {
				delete(serials, fmt.Sprintf("FLEET-%04d", i+1))
			}
			if len(devices) != n-2 || len(serials) != 0 {
				t.Errorf("the directory knows %d devices, %v", len(devices), serials)
			}
			// The agent's program is there once, however many devices there are.
			programs := 0
			err = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
				if e != nil && filepath.Base(filepath.Dir(path)) == "1.2.3" {
					programs++
				}
				return err
			})
			if err != nil || programs != 1 {
				t.Errorf("%d programs, %v", programs, err)
			}
		})
	}
}

func TestFleetsThatCannotBe(t *testing.T) {
	path := provisioningPackage(t, enrollment(t, api.Windows, nowhere, "fk_x"), ppkg.Command{})
	for _, o := range []FleetOptions{
		{Devices: 0},
		{Devices: MaxFleet + 1},
		{Devices: 1, Options: Options{Device: Device{Platform: api.MacOS}}},
	} {
		o.Sandbox = t.TempDir()
		if r, err := Fleet(t.Context(), path, o); err == nil {
			t.Errorf("%+v: %+v", o, r)
		}
	}
	o := FleetOptions{Devices: 1, Options: Options{Sandbox: t.TempDir(), Trust: Trust{}}}
	o.Trust.RequireSignature = true
	if _, err := Fleet(t.Context(), path, o); err == nil || errors.Is(err, ErrNotEnrolled) {
		t.Errorf("unsigned: %v", err)
	}
}
