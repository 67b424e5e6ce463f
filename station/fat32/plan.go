package fat32

import (
	"fmt"
	"io/fs"
	"path"
	"unicode/utf16"
)

// node is a file or folder on its way onto a volume.
type node struct {
	path     string // in the tree
	name     string
	short    shortName
	long     bool // the short name does not say all
	dir      bool
	size     int64
	first    uint32 // its clusters; 0: none
	clusters uint32
	parent   *node
	children []*node
}

// readTree looks at every name and size, and opens no file.
func readTree(tree fs.FS) (*node, error) {
	root := &node{path: ".", dir: true}
	return root, root.read(tree)
}

func (n *node) read(tree fs.FS) error {
	entries, err := fs.ReadDir(tree, n.path)
	if err != nil {
		return err
	}
	seen := make(map[string]string)
	for _, e := range entries {
		child := &node{path: path.Join(n.path, e.Name()), name: e.Name(), dir: e.IsDir(), parent: n}
		if err := CheckName(child.name); err != nil {
			return err
		}
		if twin, ok := seen[fold(child.name)]; ok {
			return fmt.Errorf("%w: %.300q and %.300q are one name", ErrName, twin, child.name)
		}
		seen[fold(child.name)] = child.name
		n.children = append(n.children, child)
		if child.dir {
			if err := child.read(tree); err != nil {
				return err
			}
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		switch child.size = info.Size(); {
		case !info.Mode().IsRegular():
			return fmt.Errorf("%w: %s is a link or device", ErrFile, child.path)
		case child.size > MaxFile:
			return fmt.Errorf("%w: %s has %d bytes, %d is the most", ErrFile, child.path, child.size, int64(MaxFile))
		}
	}
	n.giveShortNames()
	if count := n.entries(); count > maxEntries {
		return fmt.Errorf("%w: the folder %s has %d entries, %d is the most", ErrFile, n.path, count, maxEntries)
	}
	return nil
}

// giveShortNames lets names that are short keep theirs.
func (n *node) giveShortNames() {
	taken := make(map[shortName]bool)
	for _, c := range n.children {
		s, exact := exactShort(c.name)
		if c.long = !exact; exact {
			c.short, taken[s] = s, true
		}
	}
	for _, c := range n.children {
		if c.long {
			c.short = madeShort(c.name, taken)
			taken[c.short] = true
		}
	}
}

// entries counts those of a folder: the label of the root, or the two dots of
// others, then one for each child and those of its long name.
func (n *node) entries() int {
	count := 1
	if n.parent != nil {
		count = 2
	}
	for _, c := range n.children {
		count += 1 + len(c.longEntries())
	}
	return count
}

// longEntries cuts the name into what entries of long names hold.
func (n *node) longEntries() [][]uint16 {
	if !n.long {
		return nil
	}
	var parts [][]uint16
	for units := utf16.Encode([]rune(n.name)); len(units) > 0; {
		part := units[:min(perLong, len(units))]
		parts, units = append(parts, part), units[len(part):]
	}
	return parts
}

// each visits a node and all below, folders before what is in them.
func (n *node) each(visit func(*node) error) error {
	if err := visit(n); err != nil {
		return err
	}
	for _, c := range n.children {
		if err := c.each(visit); err != nil {
			return err
		}
	}
	return nil
}

// allocate gives every node its clusters, one after the other, and returns the
// first that is free.
func (n *node) allocate(g *geometry) (free uint32, err error) {
	next, end := uint64(rootCluster), uint64(g.clusters)+rootCluster
	_ = n.each(func(n *node) error {
		size := n.size
		if n.dir {
			size = int64(n.entries()) * entrySize
		}
		if n.clusters = g.need(size); n.clusters > 0 {
			n.first = uint32(next)
		}
		next += uint64(n.clusters)
		return nil
	})
	if next > end {
		return 0, fmt.Errorf("%w: the files need %d bytes, it has room for %d", ErrFull, int64(next-rootCluster)*g.clusterSize(), int64(g.clusters)*g.clusterSize())
	}
	return uint32(next), nil
}

// SizeFor is the size of the smallest image that holds a tree and so many free
// bytes, in whole MiB.
func SizeFor(tree fs.FS, free int64) (int64, error) {
	const step = 1 << 20
	root, err := readTree(tree)
	if err != nil {
		return 0, err
	}
	var content int64
	_ = root.each(func(n *node) error { content += n.size; return nil })
	for size := max(MinSize, (content+free+step-1)/step*step); ; size += step {
		g, err := newGeometry(size)
		if err != nil {
			return 0, err
		}
		first, err := root.allocate(&g)
		if err == nil && int64(g.clusters+rootCluster-first)*g.clusterSize() >= free {
			return size, nil
		}
	}
}
