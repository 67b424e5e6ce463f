package kit

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/pkgbuild"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// buildMacOS writes the installer package, and what device management needs
// with it, into dir.
func (b *builder) buildMacOS(ctx context.Context, dir, work string) (*Package, error) {
	agent, err := b.macAgent(ctx, work)
	if err != nil {
		return nil, err
	}
	plugin, err := b.macPlugin(ctx, work, agent.Version)
	if err != nil {
		return nil, err
	}
	id, enrollment, err := b.macEnrollment(ctx, agent, plugin)
	if err != nil {
		return nil, err
	}
	tree, err := b.macTree(work, agent, plugin, enrollment)
	if err != nil {
		return nil, err
	}
	product, err := b.macProduct(work, tree, agent)
	if err != nil {
		return nil, err
	}
	name := b.Config.Package.Name + ".pkg"
	if err := b.writeProduct(ctx, filepath.Join(dir, name), product, agent.Size+plugin.Size); err != nil {
		return nil, fmt.Errorf("building %s: %w", name, err)
	}
	built := &Package{
		Platform: MacOS, File: name, ID: id, Name: b.Config.Package.Name, Version: b.Config.Package.Version,
		Identifier: b.Config.MacOS.Identifier, Contents: []Content{agent.Content, plugin.Content},
		Signer: signerOf(b.installer, b.Config.MacOS.Signing.Installer),
	}
	b.sources[name+"/"+agent.File] = agent.path
	b.inside[name+"/"+plugin.File] = plugin.files
	if err := b.notarise(ctx, filepath.Join(dir, name)); err != nil {
		return nil, err
	}
	built.Notarised = b.Notary != nil
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	built.Size = info.Size()
	var done int64
	built.SHA256, err = sumFile(ctx, filepath.Join(dir, name), func(n int64) {
		done += n
		b.progress("hashing", done, built.Size)
	})
	if err != nil {
		return nil, err
	}
	return built, b.writeManagement(ctx, dir, built, agent)
}

// macEnrollment is what the agent lives by. A reproducible build takes the
// package's id from everything else.
func (b *builder) macEnrollment(ctx context.Context, agent *part, plugin *loginPlugin) (uuid.UUID, []byte, error) {
	if !b.Reproducible {
		id, err := b.newID(ctx, MacOS)
		if err != nil {
			return id, nil, err
		}
		e, err := b.enrollmentOf(id, agent, plugin)
		return id, e, err
	}
	placeholder := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://firstday.dev/package/macos"))
	e, err := b.enrollmentOf(placeholder, agent, plugin)
	if err != nil {
		return uuid.Nil, nil, err
	}
	m := b.Config.MacOS
	all := fmt.Sprintf("%s\x00%s\x00%s\x00%d\x00%s", e, m.Identifier, m.MinimumVersion, b.Time.Unix(), b.Config.Package.Name)
	id := uuid.NewSHA1(placeholder, []byte(all))
	e, err = b.enrollmentOf(id, agent, plugin)
	return id, e, err
}

func (b *builder) enrollmentOf(id uuid.UUID, agent *part, plugin *loginPlugin) ([]byte, error) {
	e := b.commonEnrollment(id, MacOS, b.Config.MacOS.SignIn)
	for _, arch := range []string{"amd64", "arm64"} {
		e.Agents = append(e.Agents, api.AgentFile{
			File: agent.File, Arch: arch, Version: agent.Version, SHA256: agent.SHA256,
			LoginPlugin: api.CarriedFile{File: plugin.File, SHA256: plugin.SHA256},
		})
	}
	return encodeEnrollment(e)
}

// macTree puts the files of the package into a folder as they will lie on the
// Mac.
func (b *builder) macTree(work string, agent *part, plugin *loginPlugin, enrollment []byte) (string, error) {
	root := filepath.Join(work, "root")
	program := macAgentPath(agent.Version)
	small := macJobs(program)
	small[path.Join(macos.DataFolder, api.EnrollmentFile)] = enrollment
	small[macos.UninstallPath] = macos.Uninstall(b.Config.MacOS.Identifier)
	for name, contents := range small {
		if err := putFile(root, name, contents); err != nil {
			return "", err
		}
	}
	for _, f := range plugin.files {
		name := filepath.FromSlash(f.File)
		if _, err := b.shared.put(filepath.Join(plugin.dir, name), filepath.Join(root, filepath.FromSlash(macos.PluginPath), name)); err != nil {
			return "", err
		}
	}
	place := filepath.Join(root, filepath.FromSlash(program))
	var err error
	agent.path, err = b.shared.put(agent.path, place)
	return root, err
}

// macAgentPath is where the agent of a version lies on a Mac.
func macAgentPath(version string) string {
	return path.Join(macos.ProgramFolder, version, macos.Executable)
}

// macJobs are the property lists of all that launchd runs by the agent's program.
func macJobs(program string) map[string][]byte {
	jobs := macos.LoginJobs(program)
	jobs[macos.DaemonPath] = macos.LaunchDaemon(program)
	return jobs
}

func putFile(root, name string, contents []byte) error {
	place := filepath.Join(root, filepath.FromSlash(name))
	if err := os.MkdirAll(filepath.Dir(place), 0o755); err != nil {
		return err
	}
	return os.WriteFile(place, contents, 0o600)
}

// macAttributes are what the files get on the Mac, where that is not plain: the
// key to the organisation's directory is root's alone.
func macAttributes(name string, info fs.FileInfo) pkgbuild.Attributes {
	a := pkgbuild.DefaultAttributes(name, info)
	switch absolute := "/" + name; {
	case absolute == macos.DataFolder:
		a.Mode = 0o700
	case strings.HasPrefix(absolute, macos.DataFolder+"/"):
		a.Mode = 0o600
	case absolute == macos.UninstallPath, path.Base(absolute) == macos.Executable, absolute == macos.PluginPath+"/"+macos.PluginProgram:
		a.Mode = 0o755
	case !info.IsDir():
		a.Mode = 0o644
	}
	return a
}

func (b *builder) macProduct(work, tree string, agent *part) (*pkgbuild.Product, error) {
	m, p := b.Config.MacOS, b.Config.Package
	scripts := filepath.Join(work, "scripts")
	for name, contents := range map[string][]byte{"preinstall": macos.Preinstall(), "postinstall": macos.Postinstall(agent.Version)} {
		if err := putFile(scripts, name, contents); err != nil {
			return nil, err
		}
	}
	return &pkgbuild.Product{
		Identifier: m.Identifier, Version: p.Version, Title: b.Config.Organisation.Name,
		HostArchitectures: []string{"x86_64", "arm64"}, MinOSVersion: m.MinimumVersion,
		Components: []pkgbuild.ProductComponent{{
			Name: "firstday.pkg",
			Component: &pkgbuild.Component{
				Identifier: m.Identifier, Version: p.Version,
				Payload: os.DirFS(tree), Attributes: macAttributes, Scripts: os.DirFS(scripts),
			},
		}},
	}, nil
}

// writeProduct lets the package appear once it is whole and signed.
func (b *builder) writeProduct(ctx context.Context, name string, p *pkgbuild.Product, total int64) error {
	o := pkgbuild.Options{Time: b.Time, Progress: func(done int64) { b.progress("packing", min(done, total), total) }}
	if b.installer != nil {
		opts := SigningOptions(b.Config.MacOS.Signing.Installer, "")
		opts.Time = b.Time
		var err error
		if o.Signer, err = signing.PackageSigner(b.installer, opts); err != nil {
			return err
		}
	}
	f, err := atomicfile.Create(name, privateFile)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := pkgbuild.WriteProduct(ctx, f, p, o); err != nil {
		return err
	}
	return f.Commit()
}
