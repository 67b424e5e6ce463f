package pkgbuild

import (
	"cmp"
	"fmt"
	"path"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// PackageInfo is what a component says of itself (formats/macos-pkg.md §3.6).
type PackageInfo struct {
	Identifier, Version string
	InstallLocation     string // as it stands there; / if it says nothing
	Auth                string // root or none
	PostinstallAction   string // none, logout, restart or shutdown
	// OverwritePermissions says that folders that are there already get owner
	// and mode of those in the package.
	OverwritePermissions bool
	// Relocatable says that the user may choose another place.
	Relocatable bool
	// HasPayload says that there is an element for the payload; the other two
	// are its attributes.
	HasPayload    bool
	NumberOfFiles int   // of the payload, the root included; 0 if not told
	InstallKBytes int64 // 0 if not told
	Scripts       []Script
	Bundles       []Bundle
	// RelocatableBundles are the identifiers of bundles that Installer looks
	// for elsewhere on the disk, and updates where it finds them.
	RelocatableBundles []string

	segmented bool
}

// Script is a script that Installer runs.
type Script struct {
	Kind string // preinstall or postinstall; older ones are preflight, preupgrade, postupgrade and postflight
	File string // path among the scripts
}

// Bundle is an application or another bundle that is installed.
type Bundle struct {
	Path         string // below the install location, without ./
	Identifier   string
	ShortVersion string // CFBundleShortVersionString
	Version      string // CFBundleVersion
}

func parsePackageInfo(data []byte) (*PackageInfo, error) {
	root, err := parseXML(data, "pkg-info")
	if err != nil {
		return nil, err
	}
	i := &PackageInfo{
		Identifier: attribute(root, "identifier"), Version: attribute(root, "version"),
		InstallLocation: cmp.Or(attribute(root, "install-location"), "/"),
		Auth:            cmp.Or(attribute(root, "auth"), "none"), PostinstallAction: cmp.Or(attribute(root, "postinstall-action"), "none"),
		OverwritePermissions: isTrue(root, "overwrite-permissions"), Relocatable: isTrue(root, "relocatable"),
		segmented: isTrue(root, "large-segmented"),
	}
	if i.Identifier == "" {
		return nil, fmt.Errorf("%w: it has no identifier", ErrFormat)
	}
	if err := i.readPayload(root.SelectElement("payload")); err != nil {
		return nil, err
	}
	for _, e := range elements(root, "scripts") {
		if file := attribute(e, "file"); file != "" {
			i.Scripts = append(i.Scripts, Script{e.Tag, path.Clean(file)})
		}
	}
	for _, e := range root.SelectElements("bundle") {
		i.Bundles = append(i.Bundles, Bundle{
			Path: strings.TrimPrefix(attribute(e, "path"), "./"), Identifier: attribute(e, "id"),
			ShortVersion: attribute(e, "CFBundleShortVersionString"), Version: attribute(e, "CFBundleVersion"),
		})
	}
	for _, e := range elements(root, "relocate") {
		i.RelocatableBundles = append(i.RelocatableBundles, attribute(e, "id"))
	}
	return i, nil
}

// readPayload reads how much the payload is said to be.
func (i *PackageInfo) readPayload(e *etree.Element) error {
	if e == nil {
		return nil
	}
	i.HasPayload = true
	i.segmented = i.segmented || isTrue(e, "large-segmented")
	for name, store := range map[string]func(int64){
		"numberOfFiles": func(n int64) { i.NumberOfFiles = int(n) },
		"installKBytes": func(n int64) { i.InstallKBytes = n },
	} {
		value := attribute(e, name)
		if value == "" {
			continue
		}
		n, err := strconv.ParseUint(value, 10, 40)
		if err != nil {
			return fmt.Errorf("%w: %s is %.40q", ErrFormat, name, value)
		}
		store(int64(n))
	}
	return nil
}

// elements gives what the child elements of that name hold.
func elements(root *etree.Element, name string) []*etree.Element {
	var list []*etree.Element
	for _, e := range root.SelectElements(name) {
		list = append(list, e.ChildElements()...)
	}
	return list
}

// volumePath gives where on the volume a path of the payload ends up: relative
// to the volume, "." for its root.
func (i *PackageInfo) volumePath(name string) string {
	return cmp.Or(strings.TrimPrefix(path.Join("/", i.InstallLocation, name), "/"), ".")
}
