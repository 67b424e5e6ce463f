package kit

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"path/filepath"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/signing"
	"firstday.dev/templates"
	"firstday.dev/templates/macos"
)

func (b *builder) manifest(packages []*Package) *Manifest {
	m := &Manifest{
		Version:      ManifestVersion,
		Builder:      "firstday " + b.Builder,
		Organisation: b.Config.Organisation.Name,
		Directory:    b.Config.Directory.URL,
		Created:      b.Time.UTC(),
		ExpiresAt:    b.expires(),
	}
	for _, p := range packages {
		m.Packages = append(m.Packages, *p)
		m.Secrets = append(m.Secrets, b.carried(p)...)
	}
	return m
}

// carried lists the secrets in a package.
func (b *builder) carried(p *Package) []Secret {
	w, file := b.Config.Windows, p.File
	list := []Secret{{Package: file, Kind: "connect key", ExpiresAt: b.expires()}}
	if p.Platform != Windows {
		return list
	}
	if w.BreakGlass.Enabled {
		list = append(list, Secret{Package: file, Kind: "password of a local administrator", Name: w.BreakGlass.Name})
	}
	for _, network := range w.WiFi {
		if network.ProfileHasKey || network.ProfileXML == "" && network.Security != config.Open {
			list = append(list, Secret{Package: file, Kind: "Wi-Fi password", Name: network.SSID})
		}
	}
	return list
}

// writePapers writes what describes the kit.
func (b *builder) writePapers(m *Manifest, dir string) error {
	manifest, err := m.encode()
	if err != nil {
		return err
	}
	bom, err := sbom(m, b.sources, b.inside, b.shared.info)
	if err != nil {
		return err
	}
	papers := map[string][]byte{ManifestFile: manifest, SBOMFile: bom}
	for _, p := range m.Packages {
		var instructions bytes.Buffer
		if err := b.instructions(m, p).Write(&instructions); err != nil {
			return err
		}
		papers[instructionsFile[p.Platform]] = instructions.Bytes()
	}
	chains, err := b.certificates()
	if err != nil {
		return err
	}
	if len(chains) > 0 {
		papers[SignerFile] = chains
	}
	for name, content := range papers {
		if err := atomicfile.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// instructionsFile is what the person with the stick reads.
var instructionsFile = map[Platform]string{Windows: InstructionsFile, MacOS: MacInstructionsFile}

func (b *builder) instructions(m *Manifest, p Package) interface{ Write(io.Writer) error } {
	if p.Platform == MacOS {
		return b.macInstructions(m, p)
	}
	return b.windowsInstructions(m, p)
}

func (b *builder) macInstructions(m *Manifest, p Package) templates.MacInstructions {
	mac, agent := b.Config.MacOS, p.Contents[0]
	i := templates.MacInstructions{
		Organisation: m.Organisation, HelpURL: mac.SignIn.HelpURL,
		Package: p.File, Profile: p.Name + ".mobileconfig", Identifier: p.Identifier,
		PackageID: p.ID.String(), PackageVersion: p.Version, SHA256: p.SHA256,
		AgentVersion:   agent.Version,
		Program:        `"` + path.Join(macos.ProgramFolder, agent.Version, macos.Executable) + `"`,
		MinimumVersion: mac.MinimumVersion,
		Built:          m.Created, SignIn: mac.SignIn.Enabled, Notarised: p.Notarised,
		Secrets: secretsIn(m, p),
	}
	if mac.DownloadURL != "" {
		i.Manifest = MDMManifestFile
	}
	if m.ExpiresAt != nil {
		i.ExpiresAt = *m.ExpiresAt
	}
	if p.Signer != nil {
		i.Signer, i.Throwaway = p.Signer.Subject, p.Signer.Throwaway
	}
	return i
}

func secretsIn(m *Manifest, p Package) []templates.CarriedSecret {
	var list []templates.CarriedSecret
	for _, s := range m.Secrets {
		if s.Package == p.File {
			list = append(list, templates.CarriedSecret{Kind: s.Kind, Name: s.Name})
		}
	}
	return list
}

func (b *builder) windowsInstructions(m *Manifest, p Package) templates.Instructions {
	w := b.Config.Windows
	i := templates.Instructions{
		Organisation: m.Organisation,
		HelpURL:      w.SignIn.HelpURL,
		Package:      p.File, Catalog: p.Catalog,
		PackageID: p.ID.String(), PackageVersion: p.Version,
		Size: p.Size, SHA256: p.SHA256,
		AgentVersion: p.Contents[0].Version,
		Built:        m.Created,
		HideOOBE:     w.HideOOBE,
		ComputerName: string(w.ComputerName),
	}
	if m.ExpiresAt != nil {
		i.ExpiresAt = *m.ExpiresAt
	}
	if p.Signer != nil {
		i.Signer, i.Throwaway = p.Signer.Subject, p.Signer.Throwaway
	}
	if w.BreakGlass.Enabled {
		i.BreakGlass = w.BreakGlass.Name
	}
	for _, network := range w.WiFi {
		i.WiFi = append(i.WiFi, network.SSID)
	}
	for _, payload := range w.Payloads {
		i.Payloads = append(i.Payloads, payload.Name())
	}
	i.Secrets = secretsIn(m, p)
	return i
}

// seal writes the checksums of everything, and signs them.
func (b *builder) seal(ctx context.Context, dir string) error {
	files, err := listFolder(dir)
	if err != nil {
		return err
	}
	s, err := sumFiles(ctx, dir, files, b.sums, func(done, total int64) { b.progress("checksums", done, total) })
	if err != nil {
		return err
	}
	data := s.encode()
	if err := atomicfile.WriteFile(filepath.Join(dir, SumsFile), data, 0o644); err != nil {
		return err
	}
	who, section := b.ofKit(b.Config)
	if who == nil {
		return nil
	}
	signature, err := signing.SignDetached(ctx, bytes.NewReader(data), who, SigningOptions(section, ""))
	if err != nil {
		return fmt.Errorf("signing %s: %w", SumsFile, err)
	}
	return atomicfile.WriteFile(filepath.Join(dir, SignatureFile), signature, 0o644)
}
