package kit

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"firstday.dev/api"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/catalog"
)

// Inspection says what a file is and holds. It judges nothing but the
// signatures of programs; [Verify] does. Of the parts only those are set that
// the kind of file has.
type Inspection struct {
	File      string               `json:"file"`
	Kind      string               `json:"kind"`
	Size      int64                `json:"size"` // bytes
	Package   *PackageInspection   `json:"package,omitempty"`
	Installer *InstallerInspection `json:"installer,omitempty"`
	Catalog   *CatalogInspection   `json:"catalog,omitempty"`
	Program   *ProgramInspection   `json:"program,omitempty"`
	MachO     *MachOInspection     `json:"machO,omitempty"`
	Signature *SignatureState      `json:"signature,omitempty"`
}

// PackageInspection is what a provisioning package holds.
type PackageInspection struct {
	ID           string               `json:"id"`
	Name         string               `json:"name"`
	Version      string               `json:"version"`
	Description  string               `json:"description,omitempty"`
	Author       string               `json:"author,omitempty"`
	Notes        string               `json:"notes,omitempty"`
	Altitude     int                  `json:"altitude"`
	Created      time.Time            `json:"created"`
	Settings     []SettingInspection  `json:"settings"`
	Commands     []CommandInspection  `json:"commands"`
	Certificates []CertificateSummary `json:"certificates,omitempty"`
	Programs     []ProgramInspection  `json:"programs,omitempty"`
	Secrets      []SecretInspection   `json:"secrets,omitempty"`
	Tree         []TreeEntry          `json:"tree"`
}

// SettingInspection is one value that Windows is given. The value of a secret
// is left out.
type SettingInspection struct {
	Path   string `json:"path"` // of the node and its parameter
	Type   string `json:"type"`
	Value  string `json:"value,omitempty"`
	Secret bool   `json:"secret,omitempty"`
}

// CommandInspection is a command that Windows runs as SYSTEM.
type CommandInspection struct {
	Context string   `json:"context"`
	Line    string   `json:"line"`
	Files   []string `json:"files,omitempty"`
}

// CertificateSummary describes a certificate that the device will trust.
type CertificateSummary struct {
	Subject  string    `json:"subject"`
	SHA256   string    `json:"sha256"`
	NotAfter time.Time `json:"notAfter"`
}

// SecretInspection is a secret that the file carries.
type SecretInspection struct {
	File string `json:"file"` // in the tree
	What string `json:"what"`
	// Value is only set for those who ask.
	Value string `json:"value,omitempty"`
}

// TreeEntry is a file in a package.
type TreeEntry struct {
	Path string `json:"path"`
	Size int64  `json:"size"` // bytes
}

// CatalogInspection is what a catalog says.
type CatalogInspection struct {
	ListIdentifier string    `json:"listIdentifier"`
	Time           time.Time `json:"time"`
	SHA1           string    `json:"sha1"`
	SHA256         string    `json:"sha256"`
}

// InspectOptions say how much to show.
type InspectOptions struct {
	Reveal bool // the values of secrets, too
	VerifyOptions
}

// Inspect reads a package for Windows or macOS, a catalog or a program.
func Inspect(ctx context.Context, path string, o InspectOptions) (*Inspection, error) {
	f, size, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	i := &Inspection{File: filepath.Base(path), Size: size}
	switch kindOf(f, path) {
	case kindPackage:
		i.Kind = "provisioning package"
		i.Package, err = inspectPackage(ctx, f, size, o)
	case kindInstaller:
		i.Kind = "installer package"
		i.Installer, i.Signature, err = inspectInstaller(ctx, f, size, o)
	case kindMachO:
		i.Kind = "program for macOS"
		m := inspectMachO(ctx, f, size, i.File, o)
		i.MachO, err = &m, ctx.Err()
	case kindCatalog:
		i.Kind = "catalog"
		err = i.inspectCatalog(path, o)
	case kindProgram:
		i.Kind = "program"
		var p ProgramInspection
		p, err = inspectProgram(ctx, f, size, i.File, o)
		i.Program = &p
	default:
		err = fmt.Errorf("%s: %w: neither a package, catalog nor program", path, ErrKind)
	}
	if err != nil {
		return nil, err
	}
	return i, nil
}

func (i *Inspection) inspectCatalog(path string, o InspectOptions) error {
	der, err := readSmall(path)
	if err != nil {
		return err
	}
	c, err := catalog.Parse(der)
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	i.Catalog = &CatalogInspection{
		ListIdentifier: fmt.Sprintf("%x", c.ListIdentifier),
		Time:           c.ThisUpdate,
		SHA1:           fmt.Sprintf("%x", c.Digests.SHA1),
		SHA256:         fmt.Sprintf("%x", c.Digests.SHA256),
	}
	i.Signature = catalogState(der, c, o)
	return nil
}

func inspectPackage(ctx context.Context, f *os.File, size int64, o InspectOptions) (*PackageInspection, error) {
	r, err := ppkg.Open(f, size)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", f.Name(), err)
	}
	p := &PackageInspection{
		ID: r.ID.String(), Name: r.Name, Version: r.Version,
		Description: r.Description, Author: r.Author, Notes: r.Notes,
		Altitude: r.Altitude, Created: r.Created,
	}
	p.addSettings(r)
	for _, c := range r.Commands() {
		command := CommandInspection{Context: c.Context, Line: c.Line}
		for _, a := range c.Files {
			command.Files = append(command.Files, a.Name)
		}
		p.Commands = append(p.Commands, command)
	}
	p.addSecrets(r, o.Reveal)
	for _, a := range r.Assets {
		if strings.EqualFold(filepath.Ext(a.Name), ".exe") || strings.EqualFold(filepath.Ext(a.Name), ".dll") {
			err := unpacked(ctx, r.FS, a, func(f *os.File, size int64) error {
				program, err := inspectProgram(ctx, f, size, a.Name, o)
				p.Programs = append(p.Programs, program)
				return err
			})
			if err != nil {
				return nil, err
			}
		}
	}
	return p, p.addTree(r.FS)
}

// addSettings lists every value, without those that are secret.
func (p *PackageInspection) addSettings(r *ppkg.Reader) {
	type key struct{ file, setting string }
	secret := map[key]bool{}
	for _, s := range r.Secrets() {
		secret[key{filepath.Base(s.File), s.Setting}] = true
	}
	for _, e := range r.Entries {
		for _, parm := range e.Parms {
			path := strings.Join(append(append([]string(nil), parm.Node...), parm.Name), "/")
			s := SettingInspection{Path: path, Type: parm.Type.String(), Value: parm.Value}
			if secret[key{e.File, path}] {
				s.Value, s.Secret = "", true
			}
			p.Settings = append(p.Settings, s)
			if parm.Name == "EncodedCertificate" {
				p.addCertificate(parm.Value)
			}
		}
	}
}

// addCertificate describes a certificate; one that cannot be read is shown as
// such, since it still is in the package.
func (p *PackageInspection) addCertificate(encoded string) {
	der, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		p.Certificates = append(p.Certificates, CertificateSummary{Subject: "unreadable: not base64"})
		return
	}
	c := CertificateSummary{SHA256: fmt.Sprintf("%x", sha256.Sum256(der))}
	if cert, err := x509.ParseCertificate(der); err != nil {
		c.Subject = "unreadable: " + err.Error()
	} else {
		c.Subject, c.NotAfter = cert.Subject.String(), cert.NotAfter
	}
	p.Certificates = append(p.Certificates, c)
}

// addSecrets lists the secrets among the settings, and the connect key of our
// own enrollment file.
func (p *PackageInspection) addSecrets(r *ppkg.Reader, reveal bool) {
	add := func(file, what, value string) {
		s := SecretInspection{File: file, What: what}
		if reveal {
			s.Value = value
		}
		p.Secrets = append(p.Secrets, s)
	}
	for _, s := range r.Secrets() {
		add(s.File, s.Setting, s.Reveal())
	}
	for _, a := range r.Assets {
		if a.Name != api.EnrollmentFile {
			continue
		}
		e, err := readEnrollment(r.FS, a)
		if err != nil {
			add(a.Path, "unreadable enrollment: "+err.Error(), "")
			continue
		}
		if e.ConnectKey != "" {
			add(a.Path, "connect key of "+e.Organisation, e.ConnectKey.Reveal())
		}
	}
}

func (p *PackageInspection) addTree(tree fs.FS) error {
	return fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		p.Tree = append(p.Tree, TreeEntry{name, info.Size()})
		return nil
	})
}
