package kit

import (
	"bytes"
	"context"
	"encoding/pem"
	"fmt"
	"path/filepath"

	"firstday.dev/config"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/signing"
	"firstday.dev/templates"
)

func (b *builder) manifest(packages ...*Package) *Manifest {
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
		m.Secrets = append(m.Secrets, b.carried(p.File)...)
	}
	return m
}

// carried lists the secrets in the package of that name.
func (b *builder) carried(file string) []Secret {
	w := b.Config.Windows
	list := []Secret{{Package: file, Kind: "connect key", ExpiresAt: b.expires()}}
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
	paths := map[string]string{}
	for _, p := range b.parts {
		paths[p.File] = p.path
	}
	bom, err := sbom(m, paths)
	if err != nil {
		return err
	}
	var instructions bytes.Buffer
	if err := b.instructions(m).Write(&instructions); err != nil {
		return err
	}
	papers := map[string][]byte{ManifestFile: manifest, SBOMFile: bom, InstructionsFile: instructions.Bytes()}
	if b.identity != nil {
		var chain bytes.Buffer
		for _, cert := range b.identity.Chain {
			if err := pem.Encode(&chain, &pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}); err != nil {
				return err
			}
		}
		papers[SignerFile] = chain.Bytes()
	}
	for name, content := range papers {
		if err := atomicfile.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (b *builder) instructions(m *Manifest) templates.Instructions {
	p, w := m.Packages[0], b.Config.Windows
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
	for _, s := range m.Secrets {
		i.Secrets = append(i.Secrets, templates.CarriedSecret{Kind: s.Kind, Name: s.Name})
	}
	return i
}

// seal writes the checksums of everything, and signs them.
func (b *builder) seal(ctx context.Context, dir string) error {
	files, err := listFolder(dir)
	if err != nil {
		return err
	}
	s, err := sumFiles(ctx, dir, files, func(done, total int64) { b.progress("checksums", done, total) })
	if err != nil {
		return err
	}
	data := s.encode()
	if err := atomicfile.WriteFile(filepath.Join(dir, SumsFile), data, 0o644); err != nil {
		return err
	}
	if b.identity == nil {
		return nil
	}
	signature, err := signing.SignDetached(ctx, bytes.NewReader(data), b.identity, SigningOptions(b.Config.Signing, ""))
	if err != nil {
		return fmt.Errorf("signing %s: %w", SumsFile, err)
	}
	return atomicfile.WriteFile(filepath.Join(dir, SignatureFile), signature, 0o644)
}
