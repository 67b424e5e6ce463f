package kit

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/ppkg"
)

// commandLine is what Windows runs, in the folder that holds the package's
// files. The amd64 agent starts on ARM64 machines too, and installs the one
// that is native there.
const commandLine = "firstday-agent-amd64.exe install"

// exitReboot is with what the agent asks for a restart.
const exitReboot = 3010

// buildWindows writes the provisioning package and its catalog into dir.
func (b *builder) buildWindows(ctx context.Context, dir, work string) (*Package, error) {
	if err := b.gather(ctx, work); err != nil {
		return nil, err
	}
	name := b.Config.Package.Name
	p, err := b.windowsPackage(ctx)
	if err != nil {
		return nil, err
	}
	built, err := writePackage(ctx, filepath.Join(dir, name+".ppkg"), p, packageOptions{
		Options:  ppkg.Options{Time: b.Time, Level: b.Level, Threads: b.threads()},
		sign:     b.signCatalog,
		begun:    b.shared.begun,
		progress: b.progress,
	})
	if err != nil {
		return nil, err
	}
	built.Platform, built.Signer, built.Contents = Windows, signerOf(b.identity, b.Config.Signing), b.contents()
	for _, part := range b.parts {
		b.sources[built.File+"/"+part.File] = part.path
	}
	return built, nil
}

// threads leaves the cores to the other kits of a batch: there is little to
// compress in any, and each thread needs its memory.
func (b *builder) threads() int {
	if b.shared.cache != nil {
		return 1
	}
	return 0
}

// windowsPackage puts the package together. A reproducible build takes its id
// from everything else in it.
func (b *builder) windowsPackage(ctx context.Context) (*ppkg.Package, error) {
	if !b.Reproducible {
		id, err := b.newID(ctx, Windows)
		if err != nil {
			return nil, err
		}
		return b.identified(id)
	}
	placeholder := uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://firstday.dev/package"))
	p, err := b.identified(placeholder)
	if err != nil {
		return nil, err
	}
	id, err := contentID(ctx, p, b.Time)
	if err != nil {
		return nil, err
	}
	return b.identified(id)
}

// contentID derives an id from what a package says.
func contentID(ctx context.Context, p *ppkg.Package, t time.Time) (uuid.UUID, error) {
	all, err := contentOf(ctx, p, t)
	return uuid.NewSHA1(p.ID, all), err
}

// contentOf is the tree of files a package compiles to. The files carried need
// no second look: their hashes are in the tree's names.
func contentOf(ctx context.Context, p *ppkg.Package, t time.Time) ([]byte, error) {
	tree, err := ppkg.Compile(ctx, p, t)
	if err != nil {
		return nil, err
	}
	var all []byte
	err = fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		all = append(all, name...)
		all = append(all, 0)
		if strings.HasPrefix(name, "DataAsset/") && name != "DataAsset/DataAsset.xml" {
			return nil
		}
		content, err := fs.ReadFile(tree, name)
		all = append(all, content...)
		return err
	})
	return all, err
}

// identified is the package with that id.
func (b *builder) identified(id uuid.UUID) (*ppkg.Package, error) {
	c := b.Config
	owner, err := ppkg.ParseOwner(string(c.Package.Owner))
	if err != nil {
		return nil, err
	}
	p := &ppkg.Package{
		ID: id, Name: c.Package.Name, Version: c.Package.Version,
		Owner: owner, Rank: c.Package.Rank,
		Description: "Connects this device to " + c.Organisation.Name,
		Author:      c.Organisation.Name,
	}
	if p.Settings, err = b.windowsSettings(id); err != nil {
		return nil, err
	}
	return p, nil
}

// windowsSettings are in the order of Windows Configuration Designer, which
// sorts by name.
func (b *builder) windowsSettings(id uuid.UUID) ([]ppkg.Setting, error) {
	w := b.Config.Windows
	var settings []ppkg.Setting
	if w.ComputerName != "" {
		settings = append(settings, ppkg.ComputerName(string(w.ComputerName)))
	}
	if w.BreakGlass.Enabled {
		password, err := b.secrets.breakGlassPassword(id, b.Reproducible)
		if err != nil {
			return nil, err
		}
		settings = append(settings, ppkg.User(w.BreakGlass.Name, password.Reveal(), ppkg.Administrators))
	}
	for _, root := range w.RootCertificates {
		for _, cert := range root.Certificates {
			settings = append(settings, ppkg.RootCertificate(fmt.Sprintf("root-%x", sha256.Sum256(cert.Raw))[:21], cert))
		}
	}
	for i, network := range w.WiFi {
		settings = append(settings, wlan(network, b.secrets.wifi[i]).Setting())
	}
	if w.HideOOBE {
		settings = append(settings, ppkg.HideOobe())
	}
	for _, p := range w.Policies {
		kind, err := ppkg.ParseType(string(p.Type))
		if err != nil {
			return nil, err
		}
		settings = append(settings, ppkg.Policy(p.Area, p.Name, kind, p.Value))
	}
	command, err := b.command(id)
	if err != nil {
		return nil, err
	}
	return append(settings, command), nil
}

func wlan(w config.WiFi, passphrase api.Secret) ppkg.WLAN {
	if w.ProfileXML != "" {
		return ppkg.WLAN{SSID: w.SSID, Profile: w.ProfileXML}
	}
	security := map[config.Security]ppkg.Security{
		config.WPA2: ppkg.WPA2, config.WPA3: ppkg.WPA3, config.Open: ppkg.OpenNetwork,
	}[w.Security]
	return ppkg.WLAN{SSID: w.SSID, Security: security, Key: passphrase.Reveal(), Hidden: w.Hidden}
}

// command is the one command of the package: it installs the agent, which does
// everything else.
func (b *builder) command(id uuid.UUID) (ppkg.Setting, error) {
	enrollment, err := b.enrollment(id)
	if err != nil {
		return ppkg.Setting{}, err
	}
	command := ppkg.Command{
		Name: "Firstday", Line: commandLine,
		Restart:      exitReboot,
		Dependencies: []*ppkg.File{ppkg.NewFile(api.EnrollmentFile, enrollment)},
	}
	for _, part := range b.parts {
		if command.File == nil {
			command.File = part.file
			continue
		}
		command.Dependencies = append(command.Dependencies, part.file)
	}
	return command.Setting(), nil
}

// enrollment is what the agent finds beside itself.
func (b *builder) enrollment(id uuid.UUID) ([]byte, error) {
	w := b.Config.Windows
	e := b.commonEnrollment(id, Windows, w.SignIn)
	if w.BreakGlass.Enabled {
		e.BreakGlass = w.BreakGlass.Name
	}
	payloads := w.Payloads
	for _, part := range b.parts {
		switch part.Kind {
		case kindAgent:
			e.Agents = append(e.Agents, api.AgentFile{File: part.File, Arch: part.Arch, Version: part.Version, SHA256: part.SHA256})
			continue
		case kindProvider: // of the agent before it
			e.Agents[len(e.Agents)-1].CredentialProvider = api.CarriedFile{File: part.File, SHA256: part.SHA256}
			continue
		}
		configured := payloads[0]
		payloads = payloads[1:]
		payload := api.Payload{
			File: part.File, SHA256: part.SHA256, Kind: part.Kind,
			SuccessCodes: configured.SuccessCodes, RebootCodes: configured.RebootCodes,
		}
		if configured.Arguments != nil {
			payload.Arguments = *configured.Arguments
		}
		e.Payloads = append(e.Payloads, payload)
	}
	return encodeEnrollment(e)
}
