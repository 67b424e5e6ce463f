package packages

import (
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testmount"
)

// A disk may be full where kits are built, and where they are kept.
func TestFullDisks(t *testing.T) {
	testmount.Apart(t, func() {
		const small = 256 << 10 // a kit has 1.2 MB
		for _, c := range []struct {
			name   string
			change func(*Options, string)
			code   api.Code
		}{
			{"of the worker", func(o *Options, disk string) { o.Folder = disk }, api.CodePackageDisk},
			{"of the store", func(o *Options, disk string) { o.Store = disk }, api.CodePackageStoreFull},
		} {
			t.Run(c.name, func(t *testing.T) {
				r := newRoom(t)
				disk := testmount.Disk(t, small)
				p := start(t, r, func(o *Options) { c.change(o, disk) })
				id := p.mustQueue(t, forMacs("spring"))
				job := p.await(t, id, api.PackageFailed)
				if job.Error.Code != c.code {
					t.Errorf("%+v", job.Error)
				}
				p.mustHaveEndedOnce(t, id)
				p.mustBeTidy(t)
				if _, open := p.keys(t); open != 0 {
					t.Errorf("%d keys open", open)
				}
			})
		}
	})
}
