package simulate

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"firstday.dev/api"
)

// maxInstalled bounds what a package puts on a disk, in bytes.
const maxInstalled = 16 << 30

// Apply does with the package what the device's system does: Windows at its
// first screen, macOS's Installer with the running system as its target. A
// package that was applied to its end is left alone, one that was interrupted
// is applied once more.
//
// The error wraps [ErrRefused] if nothing was done, and [ErrSetting] if
// something was left out and the rest was done.
func (m *Machine) Apply(ctx context.Context, p *Package) error {
	if is := m.Device().Platform; is != p.Platform {
		err := fmt.Errorf("%w: it is for %s, the device runs %s", ErrRefused, p.Platform, is)
		m.told.failed(StepPackage, "package "+p.name, err)
		return err
	}
	id, version := p.identity()
	if known := m.state.seen(id); known != nil && known.Done && known.SHA256 == p.sha256 {
		m.told.note(StepPackage, fmt.Sprintf("package %s is applied already", p.name), "version "+version+"; the device goes on where it was")
		return nil
	}
	work := m.applyInstaller
	if p.Platform == api.Windows {
		work = m.applyProvisioning
	}
	return work(ctx, p)
}

// begin notes that a package is about to change the device, and finish that it
// did so.
func (m *Machine) begin(p *Package) error {
	return m.change(func(s *state) error {
		id, version := p.identity()
		s.begin(applied{ID: id, Version: version, SHA256: p.sha256, Name: p.name})
		return nil
	})
}

func (m *Machine) finish(p *Package) error {
	return m.change(func(s *state) error {
		id, _ := p.identity()
		s.seen(id).Done = true
		return nil
	})
}

// compareVersions compares numbers with dots between; what is missing is zero.
func compareVersions(a, b string) int {
	for a != "" || b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, _ := strconv.ParseUint(x, 10, 32) // what is no number is zero
		n, _ := strconv.ParseUint(y, 10, 32)
		if m != n {
			if m < n {
				return -1
			}
			return 1
		}
	}
	return 0
}

// counted says how many of something there are.
func counted(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}
