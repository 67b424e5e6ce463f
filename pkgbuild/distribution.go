package pkgbuild

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"github.com/beevik/etree"

	"firstday.dev/pkgbuild/xar"
)

// Distribution is what a product archive says of itself
// (formats/macos-pkg.md §3.7).
type Distribution struct {
	Identifier, Version, Title string
	// HostArchitectures are those that the product is for; none if it does not
	// say, which macOS takes for x86_64 alone.
	HostArchitectures []string
	MinOSVersion      string // the lowest that is allowed; empty: any
	Customize         string // never, allow or always; empty if not told
	Domains           Domains
	Choices           []Choice
	Packages          []PackageRef
	// The files of Installer's pages; empty: none.
	Welcome, ReadMe, License, Conclusion string
	// Resources are the files in the archive for these pages.
	Resources []string
	// HasScripts says that there is JavaScript for Installer to run.
	HasScripts bool

	// strayVersions: there are allowed-os-versions where Installer does not
	// look for them.
	strayVersions bool
}

// Domains are where a product may be installed.
type Domains struct{ Anywhere, CurrentUserHome, LocalSystem bool }

// Choice is something to choose, or not, and the packages that belong to it.
type Choice struct {
	ID, Title string
	Packages  []string // identifiers
}

// PackageRef is a package that a product installs.
type PackageRef struct {
	ID, Version string
	// Location is where it is: #NAME.pkg says in a folder of the archive.
	Location     string
	OnConclusion string
}

// Folder is the folder of the archive that holds the package; empty if it is
// elsewhere.
func (r *PackageRef) Folder() string {
	name, ok := strings.CutPrefix(r.Location, "#")
	if !ok {
		return ""
	}
	if plain, err := url.PathUnescape(name); err == nil {
		return plain
	}
	return name
}

func parseDistribution(data []byte) (*Distribution, error) {
	root, err := parseXML(data, "installer-gui-script", "installer-script")
	if err != nil {
		return nil, err
	}
	product, options, domains := root.SelectElement("product"), root.SelectElement("options"), root.SelectElement("domains")
	d := &Distribution{
		Identifier: attribute(product, "id"), Version: attribute(product, "version"),
		Customize: attribute(options, "customize"),
		Domains: Domains{
			Anywhere: isTrue(domains, "enable_anywhere"), CurrentUserHome: isTrue(domains, "enable_currentUserHome"),
			LocalSystem: domains == nil || isTrue(domains, "enable_localSystem"),
		},
		Welcome: attribute(root.SelectElement("welcome"), "file"), ReadMe: attribute(root.SelectElement("readme"), "file"),
		License: attribute(root.SelectElement("license"), "file"), Conclusion: attribute(root.SelectElement("conclusion"), "file"),
		HasScripts: root.SelectElement("script") != nil,
	}
	if title := root.SelectElement("title"); title != nil {
		d.Title = strings.TrimSpace(title.Text())
	}
	for a := range strings.SplitSeq(attribute(options, "hostArchitectures"), ",") {
		if a = strings.TrimSpace(a); a != "" {
			d.HostArchitectures = append(d.HostArchitectures, a)
		}
	}
	d.readVersions(root)
	for _, e := range root.SelectElements("choice") {
		c := Choice{ID: attribute(e, "id"), Title: attribute(e, "title")}
		for _, ref := range e.SelectElements("pkg-ref") {
			c.Packages = append(c.Packages, attribute(ref, "id"))
		}
		d.Choices = append(d.Choices, c)
	}
	return d, d.readPackages(root)
}

// readVersions reads which versions of macOS are allowed.
func (d *Distribution) readVersions(root *etree.Element) {
	d.strayVersions = root.SelectElement("allowed-os-versions") != nil
	for _, e := range elements(root, "volume-check") {
		if e.Tag != "allowed-os-versions" {
			continue
		}
		for i, v := range e.SelectElements("os-version") {
			if lowest := attribute(v, "min"); i == 0 || versionLess(lowest, d.MinOSVersion) {
				d.MinOSVersion = lowest
			}
		}
	}
}

// versionLess compares numbers with dots between; no version is below all.
func versionLess(a, b string) bool {
	for a != "" && b != "" {
		var x, y string
		x, a, _ = strings.Cut(a, ".")
		y, b, _ = strings.Cut(b, ".")
		m, _ := strconv.Atoi(x)
		n, _ := strconv.Atoi(y)
		if m != n {
			return m < n
		}
	}
	return a == "" && b != ""
}

// readPackages puts together what several elements say of a package: one tells
// where it is, others what must be closed for it.
func (d *Distribution) readPackages(root *etree.Element) error {
	place := map[string]int{}
	refs := root.SelectElements("pkg-ref")
	for _, c := range root.SelectElements("choice") {
		refs = append(refs, c.SelectElements("pkg-ref")...)
	}
	for _, e := range refs {
		id := attribute(e, "id")
		if id == "" {
			return fmt.Errorf("%w: a pkg-ref without id", ErrFormat)
		}
		i, ok := place[id]
		if !ok {
			i = len(d.Packages)
			place[id] = i
			d.Packages = append(d.Packages, PackageRef{ID: id})
		}
		ref := &d.Packages[i]
		for _, set := range []struct {
			to    *string
			value string
		}{
			{&ref.Version, attribute(e, "version")}, {&ref.OnConclusion, attribute(e, "onConclusion")},
			{&ref.Location, strings.TrimSpace(e.Text())},
		} {
			if set.value != "" {
				*set.to = set.value
			}
		}
	}
	return nil
}

// addResources lists the files for Installer's pages.
func (d *Distribution) addResources(a *xar.Archive) {
	for _, f := range a.Files {
		if name, ok := strings.CutPrefix(f.Name, "Resources/"); ok && !f.IsDir {
			d.Resources = append(d.Resources, name)
		}
	}
}
