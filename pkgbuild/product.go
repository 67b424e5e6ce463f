package pkgbuild

import (
	"context"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"firstday.dev/pkgbuild/xar"
)

// Product is a product archive: what Installer shows, and the components that
// it installs, all of them.
type Product struct {
	Identifier, Version string
	Title               string
	// HostArchitectures are those that run what is installed. Where arm64 is
	// missing Installer asks for Rosetta, and fails where nobody can answer.
	HostArchitectures []string
	MinOSVersion      string // such as 13.0; empty: any
	// Resources are files for Installer's pages, below folders such as
	// en.lproj or at the top; nil: none.
	Resources fs.FS
	// The names of files among Resources for pages of their own; empty: none.
	Welcome, ReadMe, License, Conclusion string
	Components                           []ProductComponent
}

// ProductComponent is a component and what the archive calls it: either one to
// be made, or one that is taken from a package as it is.
type ProductComponent struct {
	Name string // of its folder in the archive, ending in .pkg
	*Component
	Packaged *PackagedComponent
}

// WriteProduct writes a product archive.
func WriteProduct(ctx context.Context, out xar.Output, p *Product, o Options) error {
	if err := p.check(); err != nil {
		return err
	}
	resources, err := p.resources()
	if err != nil {
		return err
	}
	var headers []xar.Header
	for _, c := range p.Components {
		headers = append(headers, c.headers()...)
	}
	for _, name := range resources {
		headers = append(headers, xar.Header{Name: "Resources/" + name, Compress: true})
	}
	w, err := newWriter(out, append(headers, xar.Header{Name: "Distribution", Compress: true}), &o)
	if err != nil {
		return err
	}
	sizes := make([]int64, len(p.Components)) // in KiB
	for i, c := range p.Components {
		if sizes[i], err = c.write(ctx, w); err != nil {
			return err
		}
	}
	for _, name := range resources {
		if err := w.file("Resources/"+name, func(f io.Writer) error { return copyFile(f, p.Resources, name) }); err != nil {
			return err
		}
	}
	err = w.file("Distribution", func(f io.Writer) error {
		_, err := p.distribution(sizes).WriteTo(f)
		return err
	})
	if err != nil {
		return err
	}
	return w.Close(ctx)
}

func copyFile(w io.Writer, tree fs.FS, name string) error {
	f, err := tree.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

var architectures = []string{"x86_64", "arm64"}

func (p *Product) check() error {
	switch {
	case !isIdentifier(p.Identifier):
		return fmt.Errorf("%w: identifier %q", ErrDescription, p.Identifier)
	case !isVersion(p.Version):
		return fmt.Errorf("%w: version %q; it must be numbers with dots between", ErrDescription, p.Version)
	case p.MinOSVersion != "" && !isVersion(p.MinOSVersion):
		return fmt.Errorf("%w: version of macOS %q", ErrDescription, p.MinOSVersion)
	case len(p.Components) == 0:
		return fmt.Errorf("%w: a product of no components", ErrDescription)
	case len(p.HostArchitectures) == 0:
		return fmt.Errorf("%w: no architecture of hosts is named", ErrDescription)
	}
	for _, a := range p.HostArchitectures {
		if !slices.Contains(architectures, a) {
			return fmt.Errorf("%w: architecture %q; Macs are x86_64 or arm64", ErrDescription, a)
		}
	}
	seen := map[string]bool{}
	for _, c := range p.Components {
		if !strings.HasSuffix(c.Name, ".pkg") || strings.ContainsAny(c.Name, "/#%") {
			return fmt.Errorf("%w: component %q is not called NAME.pkg", ErrDescription, c.Name)
		}
		if (c.Component == nil) == (c.Packaged == nil) {
			return fmt.Errorf("%w: component %q is neither made nor packaged", ErrDescription, c.Name)
		}
		id := c.about().identifier
		if seen[id] {
			return fmt.Errorf("%w: two components are %s", ErrDescription, id)
		}
		seen[id] = true
	}
	return nil
}

// resources lists the files for Installer's pages.
func (p *Product) resources() ([]string, error) {
	var names []string
	if p.Resources == nil {
		return nil, nil
	}
	err := fs.WalkDir(p.Resources, ".", func(name string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, name)
		}
		return err
	})
	return names, err
}

// distribution says what to install where, and on which Macs.
func (p *Product) distribution(sizes []int64) *etree.Document {
	doc := newDocument()
	script := doc.CreateElement("installer-gui-script")
	script.CreateAttr("minSpecVersion", "2")
	if p.Title != "" {
		script.CreateElement("title").SetText(p.Title)
	}
	product := script.CreateElement("product")
	product.CreateAttr("id", p.Identifier)
	product.CreateAttr("version", p.Version)
	options := script.CreateElement("options")
	options.CreateAttr("customize", "never")
	options.CreateAttr("require-scripts", "false")
	options.CreateAttr("hostArchitectures", strings.Join(p.HostArchitectures, ","))
	domains := script.CreateElement("domains")
	domains.CreateAttr("enable_anywhere", "false")
	domains.CreateAttr("enable_currentUserHome", "false")
	domains.CreateAttr("enable_localSystem", "true")
	if p.MinOSVersion != "" {
		// Outside volume-check Installer would not look at it.
		versions := script.CreateElement("volume-check").CreateElement("allowed-os-versions")
		versions.CreateElement("os-version").CreateAttr("min", p.MinOSVersion)
	}
	for _, page := range []struct{ kind, file string }{
		{"welcome", p.Welcome}, {"readme", p.ReadMe}, {"license", p.License}, {"conclusion", p.Conclusion},
	} {
		if page.file != "" {
			e := script.CreateElement(page.kind)
			e.CreateAttr("file", page.file)
			e.CreateAttr("mime-type", mimeType(page.file))
		}
	}
	p.addChoices(script, sizes)
	doc.Indent(4)
	return doc
}

func mimeType(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case ".html", ".htm":
		return "text/html"
	case ".rtf":
		return "text/rtf"
	default:
		return "text/plain"
	}
}

// addChoices has one invisible choice for each component, none to be made.
func (p *Product) addChoices(script *etree.Element, sizes []int64) {
	line := script.CreateElement("choices-outline").CreateElement("line")
	line.CreateAttr("choice", "default")
	for _, c := range p.Components {
		line.CreateElement("line").CreateAttr("choice", c.about().identifier)
	}
	script.CreateElement("choice").CreateAttr("id", "default")
	for i, c := range p.Components {
		about := c.about()
		choice := script.CreateElement("choice")
		choice.CreateAttr("id", about.identifier)
		choice.CreateAttr("visible", "false")
		choice.CreateElement("pkg-ref").CreateAttr("id", about.identifier)
		ref := script.CreateElement("pkg-ref")
		ref.CreateAttr("id", about.identifier)
		ref.CreateAttr("version", about.version)
		ref.CreateAttr("onConclusion", conclusion(about.action))
		ref.CreateAttr("installKBytes", strconv.FormatInt(sizes[i], 10))
		ref.CreateAttr("auth", "Root")
		ref.SetText("#" + c.Name)
	}
}

// conclusion is how a Distribution calls an action after the installation.
func conclusion(action string) string {
	switch action {
	case "logout":
		return "RequireLogout"
	case "restart":
		return "RequireRestart"
	case "shutdown":
		return "RequireShutdown"
	default:
		return "none"
	}
}
