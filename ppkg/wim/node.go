package wim

// node is a file or directory of an image, whether about to be written or
// read. There may be a hundred thousand of them, so they are kept small.
type node struct {
	name   string // "" at the root
	parent *node  // nil at the root

	// children of a directory are sorted: by foldName when writing, by name
	// when reading.
	children []*node
	listing  int64 // where the list of children starts in the metadata

	size int64
	hash [20]byte // zero for an empty file

	attributes                  uint32
	created, modified, accessed uint64 // FILETIME
	rare                        *rare  // nil for most
}

// rare is what few files have.
type rare struct {
	descriptor []byte
	shortName  string
	streams    []string
}

func (n *node) isDir() bool { return n.attributes&AttrDirectory != 0 }

// extra is n.rare, or an empty one.
func (n *node) extra() rare {
	if n.rare == nil {
		return rare{}
	}
	return *n.rare
}

// setExtra spares the memory if r is empty.
func (n *node) setExtra(r rare) {
	if r.descriptor != nil || r.shortName != "" || r.streams != nil {
		n.rare = &r
	}
}

func (n *node) setStat(s *Stat) {
	n.attributes = s.Attributes
	n.created, n.modified, n.accessed = filetime(s.Created), filetime(s.Modified), filetime(s.Accessed)
	n.setExtra(rare{s.SecurityDescriptor, s.ShortName, s.Streams})
}

func (n *node) stat() *Stat {
	r := n.extra()
	return &Stat{
		Attributes:         n.attributes,
		Created:            fromFiletime(n.created),
		Modified:           fromFiletime(n.modified),
		Accessed:           fromFiletime(n.accessed),
		SecurityDescriptor: r.descriptor,
		ShortName:          r.shortName,
		Streams:            r.streams,
	}
}

// path is the node's name in the sense of [io/fs].
func (n *node) path() string {
	if n.parent == nil {
		return "."
	}
	size := -1
	for up := n; up.parent != nil; up = up.parent {
		size += len("/") + len(up.name)
	}
	b := make([]byte, size)
	for up := n; ; up = up.parent {
		size -= len(up.name)
		copy(b[size:], up.name)
		if size == 0 {
			return string(b)
		}
		size--
		b[size] = '/'
	}
}

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
