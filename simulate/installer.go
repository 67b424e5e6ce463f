package simulate

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"firstday.dev/pkgbuild"
)

// installer is an installer package on its way onto a Mac.
type installer struct {
	*Machine
	p      *Package
	placed map[string]onVolume // by path without the first slash, in lower case
	bytes  int64
	// restart says why the Mac is to restart; empty: it is not.
	restart string
}

// applyInstaller does what macOS's Installer does with the running system as its
// target: it decides by the Distribution, then each component's preinstall,
// payload and postinstall in turn.
func (m *Machine) applyInstaller(ctx context.Context, p *Package) error {
	i := &installer{Machine: m, p: p, placed: make(map[string]onVolume)}
	components, err := i.admit()
	if err != nil {
		m.told.failed(StepInstaller, "Installer refuses the package", err)
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if err := m.begin(p); err != nil {
		return err
	}
	for _, c := range components {
		if err := i.install(ctx, c); err != nil {
			if ctx.Err() == nil {
				m.told.failed(StepInstaller, "component "+c.Info.Identifier, err)
			}
			return fmt.Errorf("%s: %w", p.name, err)
		}
	}
	if err := m.finish(p); err != nil {
		return err
	}
	if i.restart != "" {
		return m.reboot(ctx, i.restart)
	}
	return nil
}

// hostArchitectures are Apple's words for Go's.
var hostArchitectures = map[string]string{"amd64": "x86_64", "arm64": "arm64"}

// admit decides as Installer does before it writes anything, and gives the
// components that it installs.
func (i *installer) admit() ([]*pkgbuild.PackagedComponent, error) {
	d, device := i.p.macos.Product, i.Device()
	if d == nil {
		i.told.note(StepInstaller, "a component package without Distribution", "device management does not take it")
		return i.p.macos.Components, nil
	}
	id, version := i.p.identity()
	i.told.good(StepInstaller, fmt.Sprintf("%.100s, version %s", d.Title, version), id)
	architectures := d.HostArchitectures
	if len(architectures) == 0 {
		architectures = []string{hostArchitectures["amd64"]} // what macOS takes it for
	}
	native := hostArchitectures[device.Arch]
	switch {
	case !slices.Contains(architectures, native):
		return nil, fmt.Errorf("%w: it is for %s, this Mac is %s; without Rosetta nothing is installed", ErrRefused, strings.Join(architectures, " and "), native)
	case d.MinOSVersion != "" && compareVersions(device.OSVersion, d.MinOSVersion) < 0:
		return nil, fmt.Errorf("%w: it needs macOS %s, this Mac has %s", ErrRefused, d.MinOSVersion, device.OSVersion)
	case !d.Domains.LocalSystem && !d.Domains.Anywhere:
		return nil, fmt.Errorf("%w: its domains do not allow the local system", ErrRefused)
	}
	i.told.good(StepInstaller, "the Mac is one it is for", fmt.Sprintf("hostArchitectures %s, macOS %s or later, volume /", strings.Join(architectures, ","), orAny(d.MinOSVersion)))
	if d.HasScripts {
		i.told.note(StepInstaller, "the Distribution holds JavaScript", "not run here, taken to allow the installation")
	}
	return i.named(d)
}

func orAny(version string) string {
	if version == "" {
		return "any"
	}
	return version
}

// named gives the components that the Distribution names; others are never
// installed.
func (i *installer) named(d *pkgbuild.Distribution) ([]*pkgbuild.PackagedComponent, error) {
	var list []*pkgbuild.PackagedComponent
	for _, ref := range d.Packages {
		folder := ref.Folder()
		if folder == "" {
			i.told.note(StepInstaller, fmt.Sprintf("the package %.100s is elsewhere", ref.ID), "it is not fetched")
			continue
		}
		at := slices.IndexFunc(i.p.macos.Components, func(c *pkgbuild.PackagedComponent) bool { return c.Folder == folder })
		if at < 0 {
			return nil, fmt.Errorf("%w: Installer cannot locate the data of %.100s", ErrRefused, ref.ID)
		}
		list = append(list, i.p.macos.Components[at])
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: the Distribution names no component", ErrRefused)
	}
	return list, nil
}

// install installs one component.
func (i *installer) install(ctx context.Context, c *pkgbuild.PackagedComponent) error {
	scripts, err := i.readScripts(ctx, c)
	if err != nil {
		return err
	}
	for _, work := range []func() error{
		func() error { return i.runScript(ctx, c, scripts, "preinstall") },
		func() error { return i.place(ctx, c) },
		func() error { return i.checkDaemons(c) },
		func() error { return i.runScript(ctx, c, scripts, "postinstall") },
	} {
		if err := errors.Join(ctx.Err(), work()); err != nil {
			return err
		}
	}
	if action := c.Info.PostinstallAction; action == "restart" || action == "shutdown" {
		i.restart = c.Info.Identifier + " asks for it"
	}
	return nil
}
