package ppkg

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// customizations renders the package as a project of the Designer. It goes
// into the package, where Windows does not read it; icd.exe does the same.
func (p *Package) customizations(common *element) []byte {
	config := newElement("PackageConfig").add(
		textElement("ID", braced(p.ID)),
		textElement("Name", p.Name),
		textElement("Version", p.Version),
		textElement("OwnerType", p.Owner.String()),
		textElement("Rank", strconv.Itoa(p.Rank)),
		textElement("Notes", p.Notes))
	if p.Description != "" {
		config.add(textElement("Description", p.Description))
	}
	return document(declaration, newElement("WindowsCustomizations").add(
		inSpace(configNamespace, config), settingsElement(common)))
}

// Assets finds the file that a setting of a project names: path is what the
// project says, mostly an absolute path on its author's disk. An error that
// wraps [fs.ErrNotExist] says that the file is missing.
type Assets func(path string) (*File, error)

// AssetsFrom looks for files by the last part of their path alone, whatever
// its case, at the top of a file system.
func AssetsFrom(fsys fs.FS) Assets {
	return func(path string) (*File, error) {
		base := baseName(path)
		if !fs.ValidPath(base) || base == "." {
			return nil, fmt.Errorf("%.200q does not name a file: %w", path, fs.ErrNotExist)
		}
		f, err := OpenFile(fsys, base)
		if !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
		entries, err := fs.ReadDir(fsys, ".")
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if strings.EqualFold(e.Name(), base) {
				f, err := OpenFile(fsys, e.Name())
				if err == nil {
					f.Name = base
				}
				return f, err
			}
		}
		return nil, fmt.Errorf("%.200q: %w", base, fs.ErrNotExist)
	}
}

// baseName is the last part of a path of Windows or another system.
func baseName(path string) string { return path[strings.LastIndexAny(path, `\/`)+1:] }

// MissingFilesError lists the files that a project names and that were not
// found.
type MissingFilesError struct {
	Files []MissingFile
}

// MissingFile is a file that a project names.
type MissingFile struct {
	Path string // as the project says
	Line int
}

func (e *MissingFilesError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d of the project's files not found:", len(e.Files))
	for _, f := range e.Files {
		fmt.Fprintf(&b, " line %d: %s;", f.Line, f.Path)
	}
	return strings.TrimSuffix(b.String(), ";")
}

func (e *MissingFilesError) Unwrap() error { return fs.ErrNotExist }

// ReadCustomizations reads a project of Windows Configuration Designer, its
// customizations.xml, in UTF-8 or UTF-16 and of at most 16 MiB. assets may be
// nil if the project names no files.
//
// The whole project is checked: an error that wraps [ErrSyntax] says what is
// not a project, a [SettingError] names the setting that is not known, or
// whose value is not, and its line; a [MissingFilesError] lists the files.
func ReadCustomizations(r io.Reader, assets Assets) (*Package, error) {
	return readProject(r, func(at *place) (*File, error) {
		if assets == nil {
			return nil, fs.ErrNotExist
		}
		return assets(strings.TrimSpace(at.text))
	})
}

// finder finds the file that an element of a project names.
type finder func(at *place) (*File, error)

func readProject(r io.Reader, find finder) (*Package, error) {
	root, err := readXML(r)
	if err != nil {
		return nil, err
	}
	if root.name != "WindowsCustomizations" {
		return nil, syntaxError(root.line, "root element is <%.60s>, not WindowsCustomizations", root.name)
	}
	p := &Package{}
	var config, settings *element
	for _, e := range root.children {
		switch {
		case e.name == "PackageConfig" && e.space == configNamespace && config == nil:
			config = e
		case e.name == "Settings" && e.space == settingsNamespace && settings == nil:
			settings = e
		default:
			return nil, syntaxError(e.line, "<%.60s> of the namespace %.100q is not expected here", e.name, e.space)
		}
	}
	if config == nil || settings == nil {
		return nil, syntaxError(root.line, "PackageConfig or Settings is missing")
	}
	if err := p.readConfig(config); err != nil {
		return nil, err
	}
	if err := p.readSettings(settings); err != nil {
		return nil, err
	}
	if err := p.findFiles(find); err != nil {
		return nil, err
	}
	return p, p.checkSettings()
}

func (p *Package) readConfig(config *element) error {
	seen := map[string]bool{}
	for _, e := range config.children {
		if seen[e.name] {
			return syntaxError(e.line, "%s is given twice", e.name)
		}
		seen[e.name] = true
		text := strings.TrimSpace(e.text)
		var err error
		switch e.name {
		case "ID":
			if p.ID, err = uuid.Parse(text); err != nil {
				err = fmt.Errorf("%.60q is not a GUID", text)
			}
		case "Name":
			p.Name = text
		case "Version":
			p.Version = text
		case "OwnerType":
			p.Owner, err = ParseOwner(text)
		case "Rank":
			if p.Rank, err = strconv.Atoi(text); err != nil {
				err = fmt.Errorf("rank %.20q is not a number", text)
			}
		case "Notes":
			p.Notes = text
		case "Description":
			p.Description = text
		default:
			err = errors.New("unknown element")
		}
		if err != nil {
			return syntaxError(e.line, "PackageConfig/%.60s: %w", e.name, err)
		}
	}
	if p.Version == "" {
		p.Version = "1.0" // what ICD takes
	}
	if err := p.check(); err != nil {
		return syntaxError(config.line, "%w", err)
	}
	return nil
}

// readSettings takes what is below Settings/Customizations/Common.
func (p *Package) readSettings(settings *element) error {
	for _, customizations := range settings.children {
		if customizations.name != "Customizations" {
			return syntaxError(customizations.line, "<%.60s> is not expected in Settings", customizations.name)
		}
		for _, e := range customizations.children {
			switch e.name {
			case "Common":
				for _, branch := range e.children {
					p.Settings = append(p.Settings, Setting{root: branch})
				}
			case "Targets", "Variant":
				return fmt.Errorf("%w: line %d: settings that depend on a condition (%s)", ErrUnsupported, e.line, e.name)
			default:
				return syntaxError(e.line, "<%.60s> is not expected in Customizations", e.name)
			}
		}
	}
	return nil
}

// Paths of the elements whose text names a file.
const (
	rootCertificatePath   = "Certificates/RootCertificates/RootCertificate/CertificatePath"
	clientCertificatePath = "Certificates/ClientCertificates/ClientCertificate/CertificatePath"
)

var filePaths = []string{
	rootCertificatePath,
	clientCertificatePath,
	"Personalization/DeployDesktopImage",
	"Personalization/DeployLockScreenImage",
	"ProvisioningCommands/DeviceContext/CommandFiles/CommandFile",
	"ProvisioningCommands/PrimaryContext/Command/CommandConfig/CommandFile",
	"ProvisioningCommands/PrimaryContext/Command/CommandConfig/DependencyPackages/Dependency",
}

// findFiles finds the files that settings name, and lists those it does not.
func (p *Package) findFiles(find finder) error {
	missing := &MissingFilesError{}
	var walk func(at *place) error
	walk = func(at *place) error {
		if slices.Contains(filePaths, at.path) {
			f, err := find(at)
			if errors.Is(err, fs.ErrNotExist) {
				missing.Files = append(missing.Files, MissingFile{strings.TrimSpace(at.text), at.line})
			} else if err != nil {
				return at.errorf("%w", err)
			}
			at.file = f
		}
		for _, e := range at.children {
			if err := walk(at.at(e)); err != nil {
				return err
			}
		}
		return nil
	}
	for _, s := range p.Settings {
		if err := walk((&place{}).at(s.root)); err != nil {
			return err
		}
	}
	if len(missing.Files) > 0 {
		return missing
	}
	return nil
}

// checkSettings compiles the settings without reading what they carry.
func (p *Package) checkSettings() error {
	common, err := merge(p.Settings)
	if err != nil {
		return err
	}
	c := &compiler{
		ctx: context.Background(), id: braced(p.ID), tree: newTree(time.Time{}),
		groups: map[string]int{},
	}
	return c.compile(common)
}
