package wim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// node is a file or directory of an image, whether about to be written or
// read. Directories have children, files a size and a hash.
type node struct {
	name     string // "" at the root
	stat     Stat
	hash     [20]byte // zero for an empty file
	size     int64
	children []*node // sorted: by foldName when writing, by name when reading

	path    string // in the file system it comes from, when writing
	listing int64  // where the list of children starts in the metadata
}

func (n *node) isDir() bool { return n.stat.Attributes&AttrDirectory != 0 }

// all yields n and everything below it, parents first, in the children's order.
func (n *node) all(yield func(*node) bool) bool {
	if !yield(n) {
		return false
	}
	for _, c := range n.children {
		if !c.all(yield) {
			return false
		}
	}
	return true
}

// scan lists a file system as a tree in the order in which it will be stored.
func scan(ctx context.Context, fsys fs.FS) (*node, error) {
	info, err := fs.Stat(fsys, ".")
	if err != nil {
		return nil, err
	}
	root := newNode(info, ".")
	root.name = ""
	if !info.IsDir() {
		return nil, errors.New("root is not a directory")
	}
	return root, scanDir(ctx, fsys, root, 1)
}

func scanDir(ctx context.Context, fsys fs.FS, dir *node, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d directories deep: %s", ErrUnsupported, maxDepth, dir.path)
	}
	entries, err := fs.ReadDir(fsys, dir.path)
	if err != nil {
		return err
	}
	dir.children = make([]*node, len(entries))
	for i, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		child := newNode(info, path.Join(dir.path, entry.Name()))
		if err := child.check(info.Mode()); err != nil {
			return fmt.Errorf("%s: %w", child.path, err)
		}
		dir.children[i] = child
	}
	if err := sortChildren(dir); err != nil {
		return err
	}
	for _, child := range dir.children {
		if child.isDir() {
			if err := scanDir(ctx, fsys, child, depth+1); err != nil {
				return err
			}
		}
	}
	return nil
}

func newNode(info fs.FileInfo, path string) *node {
	n := &node{name: info.Name(), path: path}
	if stat, ok := info.Sys().(*Stat); ok {
		n.stat = *stat
	} else {
		t := info.ModTime()
		n.stat = Stat{Attributes: AttrArchive, Created: t, Modified: t, Accessed: t}
		if info.IsDir() {
			n.stat.Attributes = 0
		}
	}
	if info.IsDir() {
		n.stat.Attributes |= AttrDirectory
	} else {
		n.stat.Attributes &^= AttrDirectory
		n.size = info.Size()
	}
	return n
}

// check refuses what a WIM or Windows cannot hold, or this package not write.
func (n *node) check(mode fs.FileMode) error {
	switch {
	case !mode.IsDir() && !mode.IsRegular(), n.stat.Attributes&AttrReparsePoint != 0:
		return fmt.Errorf("%w: neither a regular file nor a directory", ErrUnsupported)
	case len(n.stat.Streams) > 0:
		return fmt.Errorf("%w: alternate data stream %q", ErrUnsupported, n.stat.Streams[0])
	case utf16Len(n.stat.ShortName) > maxShortName:
		return fmt.Errorf("%w: short name %.300q", ErrName, n.stat.ShortName)
	case n.size < 0:
		return fmt.Errorf("size of %d bytes", n.size)
	}
	return checkName(n.name)
}

// sortChildren puts them into the order of NTFS, in which names that differ
// only by case are the same.
func sortChildren(dir *node) error {
	type keyed struct {
		key string
		*node
	}
	list := make([]keyed, len(dir.children))
	for i, c := range dir.children {
		list[i] = keyed{foldName(c.name), c}
	}
	slices.SortFunc(list, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i, c := range list {
		if i > 0 && list[i-1].key == c.key {
			return fmt.Errorf("%w: %s and %s are the same to it", ErrName, list[i-1].path, c.path)
		}
		dir.children[i] = c.node
	}
	return nil
}
