package ppkg

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/ppkg/wim"
)

// ErrHash is what [Reader.CheckAsset] wraps. Windows does not check these
// hashes, and some packages made by ICD have wrong ones.
var ErrHash = errors.New("ppkg: file is not what its folder's name promises")

// Reader reads a provisioning package, whoever made it.
type Reader struct {
	// The metadata are as the package says; ID is the nil UUID and Altitude
	// -1 where it does not say so in the right form.
	ID                         uuid.UUID
	Name, Version              string
	Description, Author, Notes string
	Altitude                   int
	Created, Modified          time.Time

	Entries []Entry // in the order of RunTime.xml
	Assets  []Asset // in the order of DataAsset.xml

	// FS is the tree of files. Reading a file verifies it.
	FS fs.FS

	// WIM is the file as such, to verify or extract it whole.
	WIM *wim.Reader
}

// Asset is a file that a package carries for a setting.
type Asset struct {
	Setting string // path, such as /ProvisioningCommands/PrimaryContext/Command/0/CommandFile
	Name    string // that it gets on the device
	Path    string // in the package's tree
	Size    int64  // bytes

	hash string // what the name of its folder says
}

// Bounds on what is read of a package when it is opened.
const (
	maxProvxml = 16 << 20 // bytes of one file
	maxTotal   = 64 << 20 // bytes of all
	maxParms   = 1 << 17
)

// Open reads the metadata, settings and list of files of the package in r. An
// encrypted package must be decrypted first. Errors wrap [ErrFormat],
// [ErrEncrypted] or one of package wim.
func Open(r io.ReaderAt, size int64) (*Reader, error) {
	w, err := wim.NewReader(r, size)
	if errors.Is(err, wim.ErrFormat) && Encrypted(r, size) {
		return nil, fmt.Errorf("%w: %w", ErrEncrypted, err)
	}
	if err != nil {
		return nil, err
	}
	if len(w.Images) != 1 {
		return nil, fmt.Errorf("%w: WIM of %d images", ErrFormat, len(w.Images))
	}
	image := w.Images[0]
	p := &Reader{
		Name: image.Property("NAME"), Version: image.Property("VERSION"),
		Description: image.Property("DESCRIPTION"), Author: image.Property("AUTHOR"),
		Notes:   image.Property("NOTES"),
		Created: image.Created, Modified: image.Modified,
		FS: image, WIM: w,
	}
	if p.ID, err = uuid.Parse(strings.TrimSpace(image.Property(packageID))); err != nil {
		p.ID = uuid.Nil
	}
	if p.Altitude, err = strconv.Atoi(image.Property("ALTITUDE")); err != nil {
		p.Altitude = -1
	}
	b := &budget{fsys: image, left: maxTotal}
	if err := p.readEntries(b); err != nil {
		return nil, err
	}
	if err := p.readAssets(b); err != nil {
		return nil, err
	}
	return p, nil
}

// budget bounds what reading a package's XML may cost: a small WIM can hold
// much, and name it many times.
type budget struct {
	fsys fs.FS
	left int64
}

func (b *budget) read(name string) ([]byte, error) {
	info, err := fs.Stat(b.fsys, name)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%w: %w", ErrFormat, err)
		}
		return nil, err
	}
	b.left -= info.Size()
	switch {
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%w: %s is not a file", ErrFormat, name)
	case info.Size() > maxProvxml || b.left < 0:
		return nil, fmt.Errorf("%w: %s or all settings together are too large", ErrFormat, name)
	}
	return fs.ReadFile(b.fsys, name)
}

func (b *budget) parse(name, root string) (*element, error) {
	data, err := b.read(name)
	if err != nil {
		return nil, err
	}
	e, err := parseXML(data)
	if err == nil && e.name != root {
		err = syntaxError(e.line, "root element is <%.60s>, not %s", e.name, root)
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %s: %w", ErrFormat, name, err)
	}
	return e, nil
}

func (p *Reader) readEntries(b *budget) error {
	const list = "Multivariant/0/Prov/RunTime.xml"
	root, err := b.parse(list, "ConfigurationSource")
	if err != nil {
		return err
	}
	if len(root.children) > maxEntries {
		return fmt.Errorf("%w: more than %d settings", ErrFormat, maxEntries)
	}
	total := 0
	for _, set := range root.children {
		file, ok := strings.CutPrefix(set.attr("Data"), runTimePrefix)
		if set.name != "ConfigurationSet" || !ok || strings.ContainsAny(file, `/\`) {
			return fmt.Errorf("%w: %s: line %d: not a ConfigurationSet of this folder", ErrFormat, list, set.line)
		}
		data, err := b.read(runTimeFolder + file)
		if err != nil {
			return err
		}
		parms, err := parseProvxml(data)
		if err != nil {
			return fmt.Errorf("%w: %s: %w", ErrFormat, file, err)
		}
		if total += len(parms); total > maxParms {
			return fmt.Errorf("%w: more than %d values", ErrFormat, maxParms)
		}
		e := Entry{File: file, Group: set.attr("SettingsGroup"), Parms: parms}
		if len(parms) > 0 {
			e.Path = parms[0].Path
		}
		p.Entries = append(p.Entries, e)
	}
	return nil
}

func (p *Reader) readAssets(b *budget) error {
	const list = "DataAsset/DataAsset.xml"
	if _, err := fs.Stat(p.FS, list); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	root, err := b.parse(list, "Elements")
	if err != nil {
		return err
	}
	for _, e := range root.children {
		for _, m := range e.children {
			key := m.attr("Key")
			if key == "Name" {
				continue
			}
			folder, name, ok := strings.Cut(key, `\`)
			_, hash, _ := strings.Cut(folder, "_")
			if !ok || checkFileName(name) != nil || checkFileName(folder) != nil || checkFileName(e.attr("Index")) != nil {
				return fmt.Errorf("%w: %s: line %d: %.200q does not name a file", ErrFormat, list, m.line, key)
			}
			a := Asset{
				Setting: m.attr("Value"), Name: name, hash: hash,
				Path: "DataAsset/" + e.attr("Index") + "/" + folder + "/" + name,
			}
			info, err := fs.Stat(p.FS, a.Path)
			if err != nil || !info.Mode().IsRegular() {
				return fmt.Errorf("%w: %s: line %d: %s is not in the package", ErrFormat, list, m.line, a.Path)
			}
			a.Size = info.Size()
			p.Assets = append(p.Assets, a)
		}
	}
	if len(p.Assets) > maxAssets {
		return fmt.Errorf("%w: more than %d files", ErrFormat, maxAssets)
	}
	return nil
}

// CheckAsset reads an asset whole and compares it with the hash in the name of
// its folder. It returns an error that wraps [ErrHash] if they differ.
func (p *Reader) CheckAsset(ctx context.Context, a Asset) error {
	f, err := OpenFile(p.FS, a.Path)
	if err != nil {
		return err
	}
	sum, err := f.digest(ctx)
	if err != nil {
		return err
	}
	if folderHash(sum) != a.hash {
		return fmt.Errorf("%w: %s", ErrHash, a.Path)
	}
	return nil
}

// CommandInfo is a command of a package that was read.
type CommandInfo struct {
	Context string // PrimaryContext or DeviceContext
	Number  string // within the PrimaryContext
	Line    string
	Files   []Asset // that share the command's folder

	ContinueInstall, RestartRequired     bool
	ReturnCodeSuccess, ReturnCodeRestart string
}

// Commands are the commands in the order of their entries. What a package does
// not say is what Windows takes then (formats/ppkg.md §4).
func (p *Reader) Commands() []*CommandInfo {
	var list []*CommandInfo
	byNode := map[string]*CommandInfo{}
	for _, e := range p.Entries {
		for _, parm := range e.Parms {
			if len(parm.Node) != 4 || parm.Node[0] != "ProvisioningCommands" {
				continue
			}
			node := parm.Node[1] + "/" + parm.Node[3]
			c := byNode[node]
			if c == nil {
				c = &CommandInfo{
					Context: parm.Node[1], Number: parm.Node[3],
					ContinueInstall: true, ReturnCodeSuccess: "0", ReturnCodeRestart: "3010",
				}
				if c.Context == "DeviceContext" {
					c.Number = ""
				}
				c.Files = p.filesOf(c)
				byNode[node] = c
				list = append(list, c)
			}
			switch parm.Name {
			case "CommandLine":
				c.Line = parm.Value
			case "ContinueInstall":
				c.ContinueInstall = parm.Value == "true"
			case "RestartRequired":
				c.RestartRequired = parm.Value == "true"
			case "ReturnCodeSuccess":
				c.ReturnCodeSuccess = parm.Value
			case "ReturnCodeRestart":
				c.ReturnCodeRestart = parm.Value
			}
		}
	}
	return list
}

func (p *Reader) filesOf(c *CommandInfo) []Asset {
	prefix := commandPath + c.Number + "/"
	if c.Context == "DeviceContext" {
		prefix = deviceFilesPath
	}
	var files []Asset
	for _, a := range p.Assets {
		if strings.HasPrefix(a.Setting, prefix) {
			files = append(files, a)
		}
	}
	return files
}

// Secret is a value of a package that its holder should not show: anybody who
// has the package can read it.
type Secret struct {
	File    string // in the package's tree
	Setting string // what it is, such as Accounts/Users/admin/Password

	value string
}

// Reveal returns the secret itself.
func (s Secret) Reveal() string { return s.value }

// String does not reveal it.
func (s Secret) String() string { return s.Setting + " (hidden)" }

// GoString does not reveal it.
func (s Secret) GoString() string { return s.String() }

// Secrets lists passwords, keys and tokens among the settings. The project
// that a package holds, customizations.xml, and AnswerFile.xml repeat most of
// them. What commands and files hold is not looked at.
func (p *Reader) Secrets() []Secret {
	var list []Secret
	for _, e := range p.Entries {
		for _, parm := range e.Parms {
			if parm.Value != "" && parm.secret() {
				list = append(list, Secret{
					File:    runTimeFolder + e.File,
					Setting: strings.Join(append(slices.Clone(parm.Node), parm.Name), "/"),
					value:   parm.Value,
				})
			}
		}
	}
	return list
}

// secretNames are parts of the names of parms whose values are secret.
var secretNames = []string{"password", "secret", "bprt", "pfxcertblob", "securitykey", "token"}

func (p *Parm) secret() bool {
	name := strings.ToLower(p.Name)
	if name == "wlanxml" {
		return strings.Contains(p.Value, "keyMaterial")
	}
	// A carried file's parm is named by its hash and name, which may hold any word.
	asset := len(p.Node) > 1 && p.Node[0] == "Provisioning" && p.Node[1] == "Assets"
	return p.Node != nil && p.Node[0] != "Policy" && !asset && p.Type == String &&
		slices.ContainsFunc(secretNames, func(part string) bool { return strings.Contains(name, part) })
}

// Package returns the package from the project it holds, so that it can be
// changed and written again; files are read from r as they are needed.
func (p *Reader) Package() (*Package, error) {
	const name = "Multivariant/0/customizations.xml"
	project, err := (&budget{fsys: p.FS, left: maxTotal}).read(name)
	if err != nil {
		return nil, fmt.Errorf("reading the package's project: %w", err)
	}
	found, err := readProject(bytes.NewReader(project), p.fileFinder())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	found.Author = p.Author
	return found, nil
}

// fileFinder finds the files of the project that a package holds: each asset
// once, in their order, and certificates in the settings made from them.
func (p *Reader) fileFinder() finder {
	assets := slices.Clone(p.Assets)
	var roots, clients []string
	for _, e := range p.Entries {
		for _, parm := range e.Parms {
			switch parm.Name {
			case "EncodedCertificate":
				roots = append(roots, parm.Value)
			case "PFXCertBlob":
				clients = append(clients, parm.Value)
			}
		}
	}
	certificate := func(list *[]string, name string) (*File, error) {
		if len(*list) == 0 {
			return nil, fs.ErrNotExist
		}
		b, err := base64.StdEncoding.DecodeString((*list)[0])
		*list = (*list)[1:]
		return NewFile(name, b), err
	}
	return func(at *place) (*File, error) {
		name := baseName(strings.TrimSpace(at.text))
		switch at.path {
		case rootCertificatePath:
			return certificate(&roots, name)
		case clientCertificatePath:
			return certificate(&clients, name)
		}
		i := slices.IndexFunc(assets, func(a Asset) bool { return strings.EqualFold(a.Name, name) })
		if i < 0 {
			return nil, fs.ErrNotExist
		}
		a := assets[i]
		assets = slices.Delete(assets, i, i+1)
		return OpenFile(p.FS, a.Path)
	}
}
