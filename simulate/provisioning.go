package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"firstday.dev/ppkg"
)

// The policies by which Windows decides about packages (formats/ppkg.md §5.5).
const (
	policyAllow   = "Security/AllowAddProvisioningPackage"
	policySigning = "Security/RequireProvisioningPackageSignature"
)

// provisioning is a provisioning package on its way into a device.
type provisioning struct {
	*Machine
	p      *Package
	failed []error // what was left out
	// restart says why the device is to restart; empty: it is not.
	restart string
}

// applyProvisioning does what the provisioning engine of Windows does at the
// first screen (formats/ppkg.md §3): the settings in the order of RunTime.xml,
// then the commands.
func (m *Machine) applyProvisioning(ctx context.Context, p *Package) error {
	w := &provisioning{Machine: m, p: p}
	if err := w.admit(); err != nil {
		m.told.failed(StepPackage, "Windows refuses the package", err)
		return fmt.Errorf("%s: %w", p.name, err)
	}
	if err := m.begin(p); err != nil {
		return err
	}
	if w.shared == nil {
		w.readProject()
	}
	for _, work := range []func(context.Context) error{w.applySettings, w.runCommands, w.tidy} {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := work(ctx); err != nil {
			return err
		}
	}
	if err := m.finish(p); err != nil {
		return err
	}
	if w.restart != "" {
		if err := m.reboot(ctx, w.restart); err != nil {
			return err
		}
	}
	if len(w.failed) > 0 {
		return fmt.Errorf("%s: %w: %w", p.name, ErrSetting, errors.Join(w.failed...))
	}
	return nil
}

// admit is what Windows asks before it touches anything.
func (w *provisioning) admit() error {
	id, version := w.p.identity()
	policies := w.state.Policies
	switch known := w.state.seen(id); {
	case policies[policyAllow] == "0":
		return fmt.Errorf("%w: 0x80070005, the policy %s forbids all packages", ErrRefused, policyAllow)
	case policies[policySigning] == "1" && !w.p.Trusted:
		return fmt.Errorf("%w: the policy %s wants a trusted signature", ErrRefused, policySigning)
	case known != nil && known.Done && compareVersions(version, known.Version) <= 0:
		return fmt.Errorf("%w: 0x800700B7, it knows package %s in version %s; this one has %s", ErrRefused, id, known.Version, version)
	}
	return nil
}

// readProject looks at the Designer's project, which Windows does not read.
func (w *provisioning) readProject() {
	const file = "customizations.xml"
	project, err := w.p.windows.Package()
	switch {
	case err != nil:
		w.told.note(StepPackage, file+" cannot be read; Windows does not look at it", err.Error())
	case project.ID != w.p.windows.ID || project.Version != w.p.windows.Version:
		w.told.note(StepPackage, file+" speaks of another package; Windows does not look at it", fmt.Sprintf("%s, version %s", project.ID, project.Version))
	default:
		w.told.good(StepPackage, fmt.Sprintf("package %s, version %s", project.Name, project.Version),
			fmt.Sprintf("id %s, altitude %d, by %s", project.ID, w.p.windows.Altitude, project.Author))
	}
}

// leaveOut notes what Windows could not apply. It goes on with the rest.
func (w *provisioning) leaveOut(step Step, what string, err error) {
	w.told.failed(step, what, err)
	w.failed = append(w.failed, fmt.Errorf("%s: %w", what, err))
}

// values are the parms of one node, as a configuration service provider gets them.
type values struct {
	node  []string
	parms []ppkg.Parm
}

func (v *values) get(name string) (string, bool) {
	for _, p := range v.parms {
		if p.Name == name {
			return p.Value, true
		}
	}
	return "", false
}

func (v *values) path() string { return strings.Join(v.node, "/") }

// byNode puts neighbouring parms of the same node together.
func byNode(parms []ppkg.Parm) []values {
	var list []values
	for _, p := range parms {
		if n := len(list); n > 0 && list[n-1].path() == strings.Join(p.Node, "/") {
			list[n-1].parms = append(list[n-1].parms, p)
			continue
		}
		list = append(list, values{p.Node, []ppkg.Parm{p}})
	}
	return list
}

// applySettings hands each provxml to its provider. One that is refused does not
// keep Windows from the next.
func (w *provisioning) applySettings(ctx context.Context) error {
	accounts := 0
	err := w.change(func(s *state) error {
		for _, e := range w.p.windows.Entries {
			for _, v := range byNode(e.Parms) {
				if err := ctx.Err(); err != nil {
					return err
				}
				w.applyNode(s, &v)
			}
		}
		accounts = len(s.Accounts)
		return nil
	})
	if err != nil {
		return err
	}
	if w.state.HideOOBE && accounts == 0 {
		w.leaveOut(StepSetting, "first-run pages are hidden", errors.New("but nothing makes an account: nobody could use the device"))
	}
	return nil
}

func (w *provisioning) applyNode(s *state, v *values) {
	set := provider(v.node)
	if set == nil {
		return // not a setting: files, and commands, which come last
	}
	text, detail, err := set(w, s, v)
	if err != nil {
		w.leaveOut(StepSetting, text, fmt.Errorf("%w (Windows: 0x82AA0002)", err))
		return
	}
	w.told.good(StepSetting, text, detail)
}
