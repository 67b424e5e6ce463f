package wim

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"slices"
	"strings"
)

// A metadata resource holds an image's tree: a block of security descriptors,
// then directory entries ("dentries"): the root, and for each directory the
// list of its children. A list ends with eight zero bytes. All is aligned to
// eight bytes. (design/libraries.md §3.2)

// Offsets in a dentry of the fields this package uses.
const (
	dentryLength     = 0
	dentryAttributes = 8
	dentrySecurity   = 12 // index of the descriptor; -1 for none
	dentryListing    = 16 // where the children's list starts; 0 for none
	dentryCreated    = 40
	dentryAccessed   = 48
	dentryModified   = 56
	dentryHash       = 64
	dentryStreams    = 96  // number of stream entries after the dentry
	dentryShortName  = 98  // its length in bytes
	dentryName       = 100 // its length in bytes
	dentryFixed      = 102 // the names follow, each with a zero unit
	streamHash       = 16
	streamName       = 36 // length in bytes
	streamFixed      = 38
	noDescriptor     = 0xFFFFFFFF
	listEnd          = 8
)

func align8[T int | int64](n T) T { return (n + 7) &^ 7 }

// metadata is a tree that is laid out: the root's own list first, then the
// lists of children, breadth first. The bytes are made as they are read, since
// those of a large tree would take more memory than all else.
type metadata struct {
	root        *node
	dirs        []*node // breadth first
	security    []byte  // the block of descriptors
	descriptors map[string]uint32
	size        int64
}

// layOut gives each list its place.
func layOut(root *node) (*metadata, error) {
	m := &metadata{root: root, dirs: []*node{root}}
	m.security, m.descriptors = collectDescriptors(root)
	m.size = int64(len(m.security)) + root.encodedSize() + listEnd
	for i := 0; i < len(m.dirs); i++ {
		// An empty directory has an empty list of its own: to readers who do
		// not check for it, an offset of 0 would mean the security block.
		m.dirs[i].listing = m.size
		for _, c := range m.dirs[i].children {
			m.size += c.encodedSize()
			if c.isDir() {
				m.dirs = append(m.dirs, c)
			}
		}
		m.size += listEnd
	}
	if m.size > maxMetadata {
		return nil, fmt.Errorf("%w: %d bytes of file names and attributes", ErrUnsupported, m.size)
	}
	return m, nil
}

// open returns a reader of the bytes.
func (m *metadata) open() io.ReadCloser {
	r := &metadataReader{metadata: m}
	r.made = m.root.appendDentry(bytes.Clone(m.security), m.descriptors)
	r.made = append(r.made, make([]byte, listEnd)...)
	r.rest = r.made
	return io.NopCloser(r)
}

type metadataReader struct {
	*metadata
	dir, child int // what comes next
	made, rest []byte
}

func (r *metadataReader) Read(b []byte) (int, error) {
	if len(r.rest) == 0 {
		if r.dir == len(r.dirs) {
			return 0, io.EOF
		}
		r.made = r.made[:0]
		for r.dir < len(r.dirs) && len(r.made) < chunkSize {
			r.step()
		}
		r.rest = r.made
	}
	n := copy(b, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// step makes one dentry, or the end of a list.
func (r *metadataReader) step() {
	if children := r.dirs[r.dir].children; r.child < len(children) {
		r.made = children[r.child].appendDentry(r.made, r.descriptors)
		r.child++
		return
	}
	r.made = append(r.made, make([]byte, listEnd)...)
	r.dir, r.child = r.dir+1, 0
}

// collectDescriptors makes the security block, each descriptor once.
func collectDescriptors(root *node) (block []byte, index map[string]uint32) {
	index = map[string]uint32{}
	var list []string
	root.all(func(n *node) bool {
		if d := n.extra().descriptor; d != nil {
			if _, known := index[string(d)]; !known {
				index[string(d)] = uint32(len(list))
				list = append(list, string(d))
			}
		}
		return true
	})
	size := align8(8 + 8*len(list) + len(strings.Join(list, "")))
	block = binary.LittleEndian.AppendUint32(nil, uint32(size))
	block = binary.LittleEndian.AppendUint32(block, uint32(len(list)))
	for _, d := range list {
		block = binary.LittleEndian.AppendUint64(block, uint64(len(d)))
	}
	for _, d := range list {
		block = append(block, d...)
	}
	return append(block, make([]byte, size-len(block))...), index
}

func (n *node) encodedSize() int64 {
	size := dentryFixed
	for _, name := range []string{n.name, n.extra().shortName} {
		if name != "" {
			size += 2*utf16Len(name) + 2
		}
	}
	return align8(int64(size))
}

func (n *node) appendDentry(b []byte, descriptors map[string]uint32) []byte {
	at := len(b)
	b = append(b, make([]byte, dentryFixed)...)
	d := b[at:]
	binary.LittleEndian.PutUint32(d[dentryAttributes:], n.attributes)
	binary.LittleEndian.PutUint32(d[dentrySecurity:], noDescriptor)
	if r := n.extra(); r.descriptor != nil {
		binary.LittleEndian.PutUint32(d[dentrySecurity:], descriptors[string(r.descriptor)])
	}
	if n.isDir() {
		binary.LittleEndian.PutUint64(d[dentryListing:], uint64(n.listing))
	}
	binary.LittleEndian.PutUint64(d[dentryCreated:], n.created)
	binary.LittleEndian.PutUint64(d[dentryAccessed:], n.accessed)
	binary.LittleEndian.PutUint64(d[dentryModified:], n.modified)
	copy(d[dentryHash:], n.hash[:])
	binary.LittleEndian.PutUint16(d[dentryShortName:], uint16(2*utf16Len(n.extra().shortName)))
	binary.LittleEndian.PutUint16(d[dentryName:], uint16(2*utf16Len(n.name)))
	for _, name := range []string{n.name, n.extra().shortName} {
		if name != "" {
			b = append(appendUTF16(b, name), 0, 0)
		}
	}
	size := n.encodedSize()
	b = append(b, make([]byte, size-int64(len(b)-at))...)
	binary.LittleEndian.PutUint64(b[at:], uint64(size))
	return b
}

// decodeMetadata reads a tree. Sizes of files are not in it.
func decodeMetadata(b []byte) (*node, error) {
	d := &metadataDecoder{b: b}
	pos, err := d.readSecurity()
	if err != nil {
		return nil, err
	}
	root, _, err := d.readDentry(pos)
	switch {
	case err != nil:
		return nil, fmt.Errorf("root: %w", err)
	case root == nil || !root.isDir():
		return nil, fmt.Errorf("%w: root is not a directory", ErrFormat)
	}
	root.name = ""

	level := []*node{root}
	for depth := 0; len(level) > 0; depth++ {
		if depth > maxDepth {
			return nil, fmt.Errorf("%w: more than %d directories deep", ErrFormat, maxDepth)
		}
		var below []*node
		for _, dir := range level {
			if err := d.readList(dir); err != nil {
				return nil, fmt.Errorf("directory %q: %w", dir.name, err)
			}
			for _, c := range dir.children {
				if c.isDir() && c.listing != 0 {
					below = append(below, c)
				}
			}
		}
		level = below
	}
	return root, nil
}

type metadataDecoder struct {
	b           []byte
	descriptors [][]byte

	// read counts the bytes of all dentries. Only if lists overlap or form a
	// loop can it exceed the metadata's size, so it bounds the work.
	read int64
}

// readSecurity returns where the root's dentry is.
func (d *metadataDecoder) readSecurity() (int64, error) {
	if len(d.b) < 8 {
		return 0, fmt.Errorf("%w: metadata of %d bytes", ErrFormat, len(d.b))
	}
	total := int64(binary.LittleEndian.Uint32(d.b))
	count := int64(binary.LittleEndian.Uint32(d.b[4:]))
	total = max(total, 8) // WIMGAPI writes 0 for an empty block
	pos := 8 + 8*count
	if total > int64(len(d.b)) || pos > total {
		return 0, fmt.Errorf("%w: security block claims %d bytes, %d descriptors", ErrFormat, total, count)
	}
	d.descriptors = make([][]byte, count)
	for i := range d.descriptors {
		size := binary.LittleEndian.Uint64(d.b[8+8*i:])
		if size > uint64(total-pos) {
			return 0, fmt.Errorf("%w: security descriptor claims %d bytes", ErrFormat, size)
		}
		d.descriptors[i] = d.b[pos : pos+int64(size) : pos+int64(size)]
		pos += int64(size)
	}
	return align8(total), nil
}

// readList reads the children of dir and sorts them by name.
func (d *metadataDecoder) readList(dir *node) error {
	if dir.listing == 0 {
		return nil
	}
	for pos := dir.listing; ; {
		child, next, err := d.readDentry(pos)
		if err != nil {
			return err
		}
		if child == nil {
			break
		}
		if err := checkStoredName(child.name); err != nil {
			return err
		}
		child.parent = dir
		dir.children = append(dir.children, child)
		pos = next
	}
	slices.SortFunc(dir.children, func(a, b *node) int { return strings.Compare(a.name, b.name) })
	for i := 1; i < len(dir.children); i++ {
		if dir.children[i].name == dir.children[i-1].name {
			return fmt.Errorf("%w: two files called %q", ErrFormat, dir.children[i].name)
		}
	}
	return nil
}

// checkStoredName refuses names that mean something else in a path. It lets
// pass what only Windows objects to: wimlib stores such names on request.
func checkStoredName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\\\x00") {
		return fmt.Errorf("%w: file name %q", ErrFormat, name)
	}
	return nil
}

// readDentry reads the dentry at pos and returns where the next one is. It
// returns nil at the end of a list.
func (d *metadataDecoder) readDentry(pos int64) (*node, int64, error) {
	if pos < 0 || pos%8 != 0 || pos > int64(len(d.b))-8 {
		return nil, 0, fmt.Errorf("%w: directory entry at %d of %d", ErrFormat, pos, len(d.b))
	}
	b := d.b[pos:]
	length := binary.LittleEndian.Uint64(b[dentryLength:])
	if length <= 8 {
		return nil, 0, nil
	}
	if length < dentryFixed || length > uint64(len(b)) {
		return nil, 0, fmt.Errorf("%w: directory entry claims %d bytes", ErrFormat, length)
	}
	n, err := d.parseDentry(b[:length])
	if err != nil {
		return nil, 0, err
	}
	next := min(align8(int64(length)), int64(len(b)))
	for range binary.LittleEndian.Uint16(b[dentryStreams:]) {
		size, err := n.parseStream(b[next:])
		if err != nil {
			return nil, 0, fmt.Errorf("file %q: %w", n.name, err)
		}
		next += size
	}
	if d.read += next; d.read > int64(len(d.b)) {
		return nil, 0, fmt.Errorf("%w: directory entries overlap or form a loop", ErrFormat)
	}
	return n, pos + next, nil
}

func (d *metadataDecoder) parseDentry(b []byte) (*node, error) {
	listing := binary.LittleEndian.Uint64(b[dentryListing:])
	if listing > uint64(len(d.b)) {
		return nil, fmt.Errorf("%w: directory list at %d of %d", ErrFormat, listing, len(d.b))
	}
	n := &node{
		hash:       [20]byte(b[dentryHash:]),
		listing:    int64(listing),
		attributes: binary.LittleEndian.Uint32(b[dentryAttributes:]),
		created:    binary.LittleEndian.Uint64(b[dentryCreated:]),
		accessed:   binary.LittleEndian.Uint64(b[dentryAccessed:]),
		modified:   binary.LittleEndian.Uint64(b[dentryModified:]),
	}
	var r rare
	if id := binary.LittleEndian.Uint32(b[dentrySecurity:]); id < uint32(len(d.descriptors)) {
		r.descriptor = d.descriptors[id]
	}
	names := b[dentryFixed:]
	for _, name := range []struct {
		size uint16
		s    *string
	}{
		{binary.LittleEndian.Uint16(b[dentryName:]), &n.name},
		{binary.LittleEndian.Uint16(b[dentryShortName:]), &r.shortName},
	} {
		if name.size == 0 {
			continue
		}
		if int(name.size) > len(names) {
			return nil, fmt.Errorf("%w: file name claims %d bytes", ErrFormat, name.size)
		}
		var ok bool
		if *name.s, ok = decodeUTF16(names[:name.size]); !ok {
			return nil, fmt.Errorf("%w: file name is not UTF-16", ErrFormat)
		}
		names = names[min(int(name.size)+2, len(names)):]
	}
	n.setExtra(r)
	return n, nil
}

// parseStream reads a stream entry after a dentry and returns its length. The
// unnamed stream is the file's contents if the dentry itself has no hash.
func (n *node) parseStream(b []byte) (int64, error) {
	if len(b) < streamFixed {
		return 0, fmt.Errorf("%w: stream entry cut off", ErrFormat)
	}
	length := binary.LittleEndian.Uint64(b)
	size := binary.LittleEndian.Uint16(b[streamName:])
	if length < streamFixed+uint64(size) || length > uint64(len(b)) {
		return 0, fmt.Errorf("%w: stream entry claims %d bytes", ErrFormat, length)
	}
	name, ok := decodeUTF16(b[streamFixed : streamFixed+int(size)])
	switch {
	case !ok:
		return 0, fmt.Errorf("%w: stream name is not UTF-16", ErrFormat)
	case name != "":
		r := n.extra()
		r.streams = append(r.streams, name)
		n.setExtra(r)
	case n.hash == [20]byte{}:
		n.hash = [20]byte(b[streamHash:])
	}
	return min(align8(int64(length)), int64(len(b))), nil
}
