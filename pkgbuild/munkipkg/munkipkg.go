// Package munkipkg reads package projects as the tool munkipkg keeps them
// (github.com/munki/munki-pkg): a folder with build-info, payload and scripts.
//
// What munkipkg leaves to tools of macOS, extended attributes for instance, is
// an error here, not left out; who signs and notarises is for others to say, and
// a warning reminds of it.
package munkipkg

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"firstday.dev/pkgbuild"
)

// ErrProject: the folder is no project, or one that cannot be built here.
var ErrProject = errors.New("munkipkg: not a project that can be built")

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrProject, fmt.Errorf(format, args...))
}

// Project is a project that is read. Close it after the package is written.
type Project struct {
	Name      string // of the package's file
	Component *pkgbuild.Component
	// Product holds the component where the project asks for a product archive;
	// else it is nil.
	Product *pkgbuild.Product
	// Warnings are sentences about what is not done here.
	Warnings []string

	root *os.Root
}

// Open reads a project. Nothing outside of its folder is read, not now and not
// when the package is written.
func Open(dir string) (p *Project, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(fmt.Errorf("%s: %w", dir, err), root.Close())
		}
	}()
	info, err := readBuildInfo(root)
	if err != nil {
		return nil, err
	}
	p = &Project{Name: info.Name, Warnings: info.warnings, root: root}
	p.Component = &pkgbuild.Component{
		Identifier: info.Identifier, Version: info.Version,
		InstallLocation: info.InstallLocation, PostinstallAction: info.PostinstallAction,
	}
	if p.Component.Payload, err = folder(root, "payload"); err != nil {
		return nil, err
	}
	if p.Component.Scripts, err = folder(root, "scripts"); err != nil {
		return nil, err
	}
	owners, err := readOwners(root)
	if err != nil {
		return nil, err
	}
	if len(owners) > 0 {
		p.Component.Attributes = owners.attributes(info.InstallLocation)
	}
	if info.DistributionStyle {
		p.Product = &pkgbuild.Product{
			Identifier: info.ProductID, Version: info.Version, MinOSVersion: info.MinOSVersion,
			HostArchitectures: []string{"x86_64", "arm64"},
			Components:        []pkgbuild.ProductComponent{{Name: componentName(info.Name), Component: p.Component}},
		}
	}
	return p, nil
}

// Close lets go of the folder.
func (p *Project) Close() error { return p.root.Close() }

// componentName is the folder of the component in the product archive, where
// some characters would have to be escaped.
func componentName(file string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("/#%", c) {
			return '-'
		}
		return c
	}, strings.TrimSuffix(file, ".pkg")) + ".pkg"
}

// folder gives a folder of the project; nil if there is none, or if nothing is
// in it but what the Finder and git leave.
func folder(root *os.Root, name string) (fs.FS, error) {
	entries, err := fs.ReadDir(root.FS(), name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	empty := true
	for _, e := range entries {
		empty = empty && (e.Name() == ".DS_Store" || e.Name() == ".gitkeep")
	}
	if empty && name == "scripts" {
		return nil, nil
	}
	return fs.Sub(root.FS(), name)
}

// owners are what Bom.txt says of files, by path.
type owners map[string]pkgbuild.Attributes

// Bounds of Bom.txt, in bytes.
const (
	ownersFile   = "Bom.txt"
	maxOwners    = 64 << 20
	maxOwnerLine = 8 << 10
)

// readOwners reads what lsbom printed of an earlier package: git keeps no
// owners, and of modes only one bit.
func readOwners(root *os.Root) (owners, error) {
	f, err := root.Open(ownersFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return parseOwners(io.LimitReader(f, maxOwners))
}

func parseOwners(r io.Reader) (owners, error) {
	list := make(owners)
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxOwnerLine)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		fields := strings.Split(lines.Text(), "\t")
		if len(fields) < 3 {
			return nil, invalid("%s:%d: not a path, a mode and an owner with tabs between", ownersFile, n)
		}
		mode, err := strconv.ParseUint(fields[1], 8, 32)
		uid, gid, found := strings.Cut(fields[2], "/")
		user, userErr := strconv.ParseUint(uid, 10, 32)
		group, groupErr := strconv.ParseUint(gid, 10, 32)
		if err != nil || !found || userErr != nil || groupErr != nil {
			return nil, invalid("%s:%d: mode %q or owner %q", ownersFile, n, fields[1], fields[2])
		}
		path := strings.TrimPrefix(fields[0], "./")
		list[path] = pkgbuild.Attributes{Mode: uint32(mode) & 0o7777, UID: uint32(user), GID: uint32(group)}
	}
	if err := lines.Err(); err != nil {
		return nil, invalid("%s: %w", ownersFile, err)
	}
	return list, nil
}

// attributes asks the list, which has paths below the install location, and
// takes what is usual for the rest.
func (o owners) attributes(location string) func(string, fs.FileInfo) pkgbuild.Attributes {
	base := strings.Trim(location, "/")
	return func(path string, info fs.FileInfo) pkgbuild.Attributes {
		inside := path
		if base != "" {
			if inside = strings.TrimPrefix(path, base+"/"); path == base {
				inside = "."
			}
		}
		if a, ok := o[inside]; ok {
			return a
		}
		return pkgbuild.DefaultAttributes(path, info)
	}
}
