package bom

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// paths are entries in the order in which they are numbered: a folder before
// what it holds, siblings by the bytes of their names. The number of an entry
// is its place here plus one.
type paths struct {
	entries  []*Entry
	parents  []uint32 // number of the folder; 0 for the root
	children []uint32 // how many a folder holds
	byParent []uint32 // places in the order of the tree: by parent, then name
}

// sortPaths checks that entries are one tree with nothing missing or twice.
func sortPaths(entries []Entry) (*paths, error) {
	if len(entries) > MaxPaths {
		return nil, fmt.Errorf("%w: %d paths", ErrTooLarge, len(entries))
	}
	p := &paths{
		entries:  make([]*Entry, len(entries)),
		parents:  make([]uint32, len(entries)),
		children: make([]uint32, len(entries)),
		byParent: make([]uint32, len(entries)),
	}
	for i := range entries {
		if err := entries[i].check(); err != nil {
			return nil, err
		}
		p.entries[i], p.byParent[i] = &entries[i], uint32(i)
	}
	slices.SortFunc(p.entries, func(a, b *Entry) int { return comparePaths(a.Path, b.Path) })
	if err := p.findParents(); err != nil {
		return nil, err
	}
	// Places grow with the names of siblings already.
	slices.SortStableFunc(p.byParent, func(a, b uint32) int { return cmp.Compare(p.parents[a], p.parents[b]) })
	return p, nil
}

// findParents walks down: the folders above an entry are those last seen.
func (p *paths) findParents() error {
	if len(p.entries) == 0 || p.entries[0].Path != "." {
		return fmt.Errorf("%w: the root is missing", ErrPath)
	}
	var above []int // places of the folders that lead here
	for i, e := range p.entries {
		for len(above) > 0 && !strings.HasPrefix(e.Path, p.entries[above[len(above)-1]].Path+"/") {
			above = above[:len(above)-1]
		}
		if i > 0 {
			if p.entries[i-1].Path == e.Path {
				return fmt.Errorf("%w: %.300q is listed twice", ErrPath, e.Path)
			}
			parent, _ := splitPath(e.Path)
			if len(above) == 0 || p.entries[above[len(above)-1]].Path != parent {
				return fmt.Errorf("%w: %.300q is in no listed folder", ErrPath, e.Path)
			}
			folder := above[len(above)-1]
			p.parents[i] = uint32(folder) + 1
			p.children[folder]++
		}
		if e.Mode&ModeType == ModeDir {
			above = append(above, i)
		}
	}
	return nil
}

// splitPath gives the folder and the name: for the root "" and ".".
func splitPath(path string) (folder, name string) {
	i := strings.LastIndexByte(path, '/')
	return path[:max(i, 0)], path[i+1:]
}

// comparePaths puts what a folder holds right behind it: a slash comes before
// every other character.
func comparePaths(a, b string) int {
	for i := range min(len(a), len(b)) {
		if x, y := a[i], b[i]; x != y {
			switch {
			case x == '/':
				return -1
			case y == '/':
				return 1
			}
			return cmp.Compare(x, y)
		}
	}
	return cmp.Compare(len(a), len(b))
}

// maxPath bounds paths in bytes; macOS's PATH_MAX is 1024.
const maxPath = 4096

func (e *Entry) check() error {
	bad := func(why string) error { return fmt.Errorf("%w: %.300q %s", ErrPath, e.Path, why) }
	if e.Path != "." {
		below, ok := strings.CutPrefix(e.Path, "./")
		if !ok || len(e.Path) > maxPath {
			return bad("does not begin with ./ or is too long")
		}
		for part := range strings.SplitSeq(below, "/") {
			if part == "" || part == "." || part == ".." || strings.ContainsRune(part, 0) {
				return bad("has a part that is no name")
			}
		}
	}
	switch e.Mode & ModeType {
	case ModeDir, ModeRegular, ModeSymlink:
	default:
		return bad("is neither a file, folder nor symbolic link")
	}
	switch {
	case e.Path == "." && e.Mode&ModeType != ModeDir:
		return bad("is not a folder")
	case e.Mode>>16 != 0 || e.Size < 0:
		return bad("has an impossible mode or size")
	case (e.Target != "") != (e.Mode&ModeType == ModeSymlink) || len(e.Target) > maxPath || strings.ContainsRune(e.Target, 0):
		return bad("has a target that is none")
	case len(e.Slices) > 0 && e.Mode&ModeType != ModeRegular || len(e.Slices) > maxSlices:
		return bad("has slices and is no executable")
	}
	return nil
}

// maxSlices bounds the architectures of an executable.
const maxSlices = 32
