package wim

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// scan lists a file system as a tree in the order in which it will be stored.
func scan(ctx context.Context, fsys fs.FS) (*node, error) {
	info, err := fs.Stat(fsys, ".")
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, errors.New("root is not a directory")
	}
	root := newNode(info, nil)
	root.name = ""
	return root, scanDir(ctx, fsys, root, 1)
}

func scanDir(ctx context.Context, fsys fs.FS, dir *node, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if depth > maxDepth {
		return fmt.Errorf("%w: more than %d directories deep: %s", ErrUnsupported, maxDepth, dir.path())
	}
	entries, err := fs.ReadDir(fsys, dir.path())
	if err != nil {
		return err
	}
	dir.children = make([]*node, len(entries))
	for i, entry := range entries {
		info, err := entry.Info()
		if err != nil {
			return err
		}
		child := newNode(info, dir)
		if err := child.check(info.Mode()); err != nil {
			return fmt.Errorf("%s: %w", child.path(), err)
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

func newNode(info fs.FileInfo, parent *node) *node {
	n := &node{name: info.Name(), parent: parent}
	if stat, ok := info.Sys().(*Stat); ok {
		n.setStat(stat)
	} else {
		n.modified = filetime(info.ModTime())
		n.created, n.accessed = n.modified, n.modified
		if !info.IsDir() {
			n.attributes = AttrArchive
		}
	}
	if info.IsDir() {
		n.attributes |= AttrDirectory
	} else {
		n.attributes &^= AttrDirectory
		n.size = info.Size()
	}
	return n
}

// check refuses what a WIM or Windows cannot hold, or this package not write.
func (n *node) check(mode fs.FileMode) error {
	r := n.extra()
	switch {
	case !mode.IsDir() && !mode.IsRegular(), n.attributes&AttrReparsePoint != 0:
		return fmt.Errorf("%w: neither a regular file nor a directory", ErrUnsupported)
	case len(r.streams) > 0:
		return fmt.Errorf("%w: alternate data stream %q", ErrUnsupported, r.streams[0])
	case utf16Len(r.shortName) > maxShortName:
		return fmt.Errorf("%w: short name %.300q", ErrName, r.shortName)
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
			return fmt.Errorf("%w: %s and %s are the same to it", ErrName, list[i-1].path(), c.path())
		}
		dir.children[i] = c.node
	}
	return nil
}
