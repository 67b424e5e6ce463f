package kit

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"firstday.dev/api"
	"firstday.dev/pkgbuild/bundle"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// loginPlugin checks that with the agent goes the plug-in of the login window that
// was built and signed with it, and that launchd runs what is ours and no more of
// it. A package without an enrollment is not one of ours, and has none.
func (v *verifier) loginPlugin(ctx context.Context, name string, c *carried) error {
	if c.enrollment == nil {
		return nil
	}
	detail, err := v.plugin(ctx, name, c)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	v.add(name, "login plug-in", detail, err)
	v.add(name, "jobs of launchd", "", c.checkJobs())
	return nil
}

func (v *verifier) plugin(ctx context.Context, name string, c *carried) (detail string, err error) {
	agent, err := c.oneAgent()
	if err != nil {
		return "", err
	}
	if agent.LoginPlugin.File == "" {
		return "", fmt.Errorf("%w: no plug-in of the login window goes with its agent; build the package again", ErrOutdated)
	}
	if err := c.checkOwners(); err != nil {
		return "", err
	}
	root, err := c.root.OpenRoot(macos.Plugin)
	if err != nil {
		return "", fmt.Errorf("%w: it lacks %s", ErrIntegrity, macos.PluginPath)
	}
	defer root.Close()
	digest, err := macos.PluginDigest(root.FS())
	switch {
	case err != nil:
		return "", fmt.Errorf("%w: %w", ErrIntegrity, err)
	case agent.LoginPlugin.File != macos.Plugin || digest != agent.LoginPlugin.SHA256:
		return "", fmt.Errorf("%w: %s in it has the digest %s, the enrollment says %s of %s",
			ErrIntegrity, macos.Plugin, digest, agent.LoginPlugin.SHA256, agent.LoginPlugin.File)
	}
	if err := checkPlugin(root.FS(), agent.Version); err != nil {
		return "", fmt.Errorf("%w: %s: %w", ErrOtherProgram, macos.Plugin, err)
	}
	b, err := bundle.Open(root.FS())
	if err != nil {
		return "", err
	}
	return v.signedWith(ctx, name, b, c)
}

// signedWith checks the seal, and that who signed the plug-in signed the agent.
func (v *verifier) signedWith(ctx context.Context, name string, b *bundle.Bundle, c *carried) (detail string, err error) {
	f, err := c.root.Open(macos.Executable)
	if err != nil {
		return "", fmt.Errorf("%w: it lacks the agent", ErrIntegrity)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	version, err := stampedVersion(f)
	switch want := c.enrollment.Agents[0].Version; {
	case err != nil:
		return "", fmt.Errorf("%w: the agent: %w", ErrOtherProgram, err)
	case version != want:
		return "", fmt.Errorf("%w: the agent has version %s, the enrollment says %s", ErrOtherProgram, version, want)
	}
	agents, doubt := signing.VerifyMachO(ctx, f, info.Size(), v.VerifyOptions.VerifyOptions)
	if agents == nil {
		return "", fmt.Errorf("the signature of the agent: %w", doubt)
	}
	plugins, err := signing.VerifyBundle(ctx, b, v.VerifyOptions.VerifyOptions)
	if plugins == nil {
		return "", fmt.Errorf("the seal of %s: %w", macos.Plugin, err)
	}
	doubt = cmp.Or(doubt, err)
	agent, plugin := signersOf(agents), signersOf(plugins[0].Reports)
	switch {
	case len(agent) != 1 || len(plugin) != 1 || len(plugins) != 1:
		return "", fmt.Errorf("%w: the architectures are signed by different people", signing.ErrBadSignature)
	case !isHardened(plugins[0].Reports):
		return "", fmt.Errorf("%w: %s lacks the hardened runtime", ErrOtherProgram, macos.Plugin)
	}
	if err := signedAlike(agent[0], plugin[0]); err != nil {
		return "", fmt.Errorf("%w: %s %w", ErrIntegrity, macos.Plugin, err)
	}
	if plugin[0] == nil {
		return macos.Plugin + ", ad hoc as its agent", nil
	}
	// Whose signature it is, is said of the package, which holds it all; macOS judges
	// programs by themselves once more.
	if doubt != nil {
		v.warn("%s: the signature of %s and its agent: %v", name, macos.Plugin, doubt)
	}
	return macos.Plugin + ", signed " + signedBy(plugin[0]), nil
}

// signersOf gives whoever signed for one of the architectures, each once; nil
// stands for nobody.
func signersOf(reports []signing.CodeReport) (list []*signing.Report) {
	seen := make(map[string]bool)
	for _, r := range reports {
		who := ""
		if r.Report != nil {
			who = fingerprint(r.Report.Signer)
		}
		if !seen[who] {
			seen[who] = true
			list = append(list, r.Report)
		}
	}
	return list
}

func isHardened(reports []signing.CodeReport) bool {
	return !slices.ContainsFunc(reports, func(r signing.CodeReport) bool { return r.Flags&macho.FlagRuntime == 0 })
}

// oneAgent gives the agent, which is the same for all architectures.
func (c *carried) oneAgent() (*api.AgentFile, error) {
	first := &c.enrollment.Agents[0]
	for _, a := range c.enrollment.Agents {
		if a.Version != first.Version || a.SHA256 != first.SHA256 || a.LoginPlugin != first.LoginPlugin {
			return nil, fmt.Errorf("%w: its enrollment names several agents, where a Mac has one", ErrIntegrity)
		}
	}
	if got := c.programs[macAgentPath(first.Version)]; got != first.SHA256 {
		return nil, fmt.Errorf("%w: the agent in it has SHA-256 %q, the enrollment says %s", ErrIntegrity, got, first.SHA256)
	}
	return first, nil
}

// checkOwners demands that the plug-in is root's alone, with its program one that
// can be run: who can change it reads everybody's password.
func (c *carried) checkOwners() error {
	for _, h := range c.plugin {
		mode, kind := h.Mode&0o7777, h.Mode&cpio.ModeType
		switch {
		case kind != cpio.ModeDir && kind != cpio.ModeRegular:
			return fmt.Errorf("%w: %s is neither a file nor a folder", ErrIntegrity, h.Name)
		case h.UID != 0 || h.GID != 0 || mode&^0o755 != 0 || mode&0o444 != 0o444:
			return fmt.Errorf("%w: %s is %04o %d:%d; it must be root's alone, for everybody to read", ErrIntegrity, h.Name, mode, h.UID, h.GID)
		case mode&0o111 != 0o111 && (kind == cpio.ModeDir || h.Name == path.Join(macos.PluginPath, macos.PluginProgram)):
			return fmt.Errorf("%w: %s is %04o; nobody can run it, or look into it", ErrIntegrity, h.Name, mode)
		}
	}
	return nil
}

// checkJobs compares what launchd is to run with what we write: byte by byte, as a
// property list can hold an environment, too.
func (c *carried) checkJobs() error {
	want := macJobs(macAgentPath(c.enrollment.Agents[0].Version))
	for _, name := range slices.Sorted(maps.Keys(want)) {
		got, there := c.jobs[name]
		switch {
		case !there:
			return fmt.Errorf("%w: it lacks %s; build the package again", ErrOutdated, name)
		case !bytes.Equal(got, want[name]):
			return fmt.Errorf("%w: %s is not what this firstday writes; build the package again", ErrIntegrity, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.jobs)) {
		if want[name] == nil {
			return fmt.Errorf("%w: %s does not belong there", ErrIntegrity, name)
		}
	}
	return nil
}
