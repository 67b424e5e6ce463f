package fat32

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"time"
	"unicode/utf16"
)

// Volume is the FAT32 volume of an image, to be read. It is an [fs.FS] whose names
// are as Windows compares them: the case of letters does not count in Open.
//
// A hostile volume can hold a folder in itself: paths deeper than sixteen names
// are refused.
type Volume struct {
	Label  string
	Serial uint32

	geometry
	r    io.ReaderAt
	root uint32
}

const maxDepth = 16

// Open finds the volume in an image of so many bytes: in its first partition
// that holds one, or all over it.
func Open(r io.ReaderAt, size int64) (*Volume, error) {
	b := make([]byte, SectorSize)
	if _, err := r.ReadAt(b, 0); err != nil {
		return nil, fmt.Errorf("%w: no partition table: %w", ErrFormat, notEOF(err))
	}
	if b[510] != 0x55 || b[511] != 0xaa {
		return nil, fmt.Errorf("%w: neither a partition table nor a boot sector", ErrFormat)
	}
	if string(b[82:87]) == "FAT32" {
		return open(r, 0, size, b)
	}
	for p := b[446:510]; len(p) > 0; p = p[16:] {
		if p[4] == typeGPT {
			return nil, fmt.Errorf("%w: it has a GPT, and sticks of ours an MBR", ErrFormat)
		}
		if p[4] != typeFAT32 && p[4] != typeFAT32LBA {
			continue
		}
		start := int64(binary.LittleEndian.Uint32(p[8:])) * SectorSize
		length := int64(binary.LittleEndian.Uint32(p[12:])) * SectorSize
		if start == 0 || start+length > size {
			return nil, fmt.Errorf("%w: the partition ends after the image", ErrFormat)
		}
		if _, err := r.ReadAt(b, start); err != nil {
			return nil, fmt.Errorf("reading the boot sector: %w", notEOF(err))
		}
		return open(r, start, length, b)
	}
	return nil, fmt.Errorf("%w: no partition is FAT32", ErrFormat)
}

// notEOF: what ends too early is no end to those who read files.
func notEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func open(r io.ReaderAt, start, length int64, boot []byte) (*Volume, error) {
	le := binary.LittleEndian
	v := &Volume{r: r, root: le.Uint32(boot[44:]), Serial: le.Uint32(boot[67:]), geometry: geometry{
		start: start, sectors: le.Uint32(boot[32:]), perCluster: uint32(boot[13]), reserved: uint32(le.Uint16(boot[14:])), fat: le.Uint32(boot[36:]),
	}}
	before := int64(v.reserved) + fats*int64(v.fat)
	switch {
	case boot[510] != 0x55 || boot[511] != 0xaa || le.Uint16(boot[11:]) != SectorSize || boot[16] != fats || le.Uint16(boot[22:]) != 0 || le.Uint16(boot[42:]) != 0:
		return nil, fmt.Errorf("%w: no boot sector of FAT32 with sectors of %d bytes and two FATs", ErrFormat, SectorSize)
	case v.perCluster == 0 || v.perCluster&(v.perCluster-1) != 0 || v.reserved == 0 || v.fat == 0:
		return nil, fmt.Errorf("%w: clusters of %d sectors, %d reserved, %d of each FAT", ErrFormat, v.perCluster, v.reserved, v.fat)
	case int64(v.sectors)*SectorSize > length || before >= int64(v.sectors):
		return nil, fmt.Errorf("%w: %d sectors are more than there are, or less than it needs", ErrFormat, v.sectors)
	}
	v.clusters = (v.sectors - uint32(before)) / v.perCluster
	if v.clusters < minClusters || v.clusters > maxClusters || int64(v.clusters)+rootCluster > int64(v.fat)*SectorSize/4 {
		return nil, fmt.Errorf("%w: %d clusters", ErrFormat, v.clusters)
	}
	if err := v.readLabel(); err != nil {
		return nil, err
	}
	return v, nil
}

func (v *Volume) readLabel() error {
	records, err := v.records(v.root)
	if err != nil {
		return err
	}
	for _, e := range records {
		if e[11]&(attrLabel|attrDirectory) == attrLabel && e[11]&attrLongName != attrLongName {
			v.Label = strings.TrimRight(string(e[:11]), " ")
			break
		}
	}
	return nil
}

// next follows a chain; 0 is its end.
func (v *Volume) next(cluster uint32) (uint32, error) {
	b := make([]byte, 4)
	if _, err := v.r.ReadAt(b, v.sector(v.reserved)+4*int64(cluster)); err != nil {
		return 0, fmt.Errorf("reading the FAT: %w", notEOF(err))
	}
	next := binary.LittleEndian.Uint32(b) & clusterMask
	switch {
	case next > firstBad:
		return 0, nil
	case !v.valid(next):
		return 0, fmt.Errorf("%w: cluster %d leads to %d", ErrFormat, cluster, next)
	}
	return next, nil
}

func (v *Volume) valid(cluster uint32) bool {
	return cluster >= rootCluster && cluster < v.clusters+rootCluster
}

// records reads the entries of a folder, up to its end.
func (v *Volume) records(first uint32) (list [][]byte, err error) {
	if !v.valid(first) {
		return nil, fmt.Errorf("%w: a folder begins at cluster %d", ErrFormat, first)
	}
	for c := first; c != 0; {
		b := make([]byte, v.clusterSize())
		if _, err := v.r.ReadAt(b, v.cluster(c)); err != nil {
			return nil, fmt.Errorf("reading a folder: %w", notEOF(err))
		}
		for ; len(b) > 0; b = b[entrySize:] {
			if b[0] == 0 {
				return list, nil
			}
			if len(list) == maxEntries {
				return nil, fmt.Errorf("%w: a folder has more than %d entries", ErrFormat, maxEntries)
			}
			list = append(list, b[:entrySize])
		}
		if c, err = v.next(c); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// folder lists what is in a folder, without its label and dots.
func (v *Volume) folder(first uint32) (list []*info, err error) {
	records, err := v.records(first)
	if err != nil {
		return nil, err
	}
	seen := make(map[string]bool)
	var long longReader
	for _, e := range records {
		switch {
		case e[0] == 0xe5: // removed
			long = longReader{}
			continue
		case e[11]&attrLongName == attrLongName:
			long.add(e)
			continue
		case e[11]&attrLabel != 0 || e[0] == '.':
			long = longReader{}
			continue
		}
		i := newInfo(e, &long)
		long = longReader{}
		if !fs.ValidPath(i.name) || strings.Contains(i.name, "/") || i.name == "." || seen[fold(i.name)] {
			return nil, fmt.Errorf("%w: the name %.300q is there twice, or is none", ErrFormat, i.name)
		}
		seen[fold(i.name)] = true
		list = append(list, i)
	}
	return list, nil
}

// longReader puts a long name together from its entries, the last one first.
type longReader struct {
	units    []uint16
	expect   byte // number of the next entry; 0: complete or none
	checksum byte
	good     bool
}

func (l *longReader) add(e []byte) {
	number := e[0] &^ 0x40
	switch {
	case e[0]&0x40 != 0 && number >= 1 && number <= (maxName+perLong-1)/perLong:
		*l = longReader{units: make([]uint16, int(number)*perLong), checksum: e[13], good: true}
	case !l.good || number != l.expect || number == 0 || e[13] != l.checksum:
		*l = longReader{}
		return
	}
	l.expect = number - 1
	for k, at := range longAt {
		l.units[int(number-1)*perLong+k] = binary.LittleEndian.Uint16(e[at:])
	}
}

// name is the long name, if it belongs to the short one.
func (l *longReader) name(s shortName) string {
	if !l.good || l.expect != 0 || l.checksum != s.checksum() {
		return ""
	}
	units := l.units
	for i, u := range units {
		if u == 0 {
			units = units[:i]
			break
		}
	}
	return string(utf16.Decode(units))
}

// info is what a folder says of a file or folder.
type info struct {
	name  string
	attr  byte
	first uint32
	size  uint32
	time  time.Time
}

func newInfo(e []byte, long *longReader) *info {
	le := binary.LittleEndian
	s := shortName(e[:11])
	i := &info{
		name: long.name(s), attr: e[11], size: le.Uint32(e[28:]),
		first: uint32(le.Uint16(e[20:]))<<16 | uint32(le.Uint16(e[26:])),
		time:  goTime(le.Uint16(e[24:]), le.Uint16(e[22:])),
	}
	if i.name == "" {
		if s[0] == 0x05 { // stands for a letter that would look like a removed file
			s[0] = 0xe5
		}
		i.name = visibleShort(s, e[12])
	}
	if i.IsDir() {
		i.size = 0
	}
	return i
}

// visibleShort gives a short name as Windows NT shows it: a bit each says that
// the name and the extension are in small letters. What is not ASCII is in a code
// page that the volume does not name.
func visibleShort(s shortName, bits byte) string {
	for i, c := range s {
		if c >= 0x80 || c < ' ' {
			s[i] = '_'
		}
	}
	lower := func(part []byte) { copy(part, strings.ToLower(string(part))) }
	if bits&0x08 != 0 {
		lower(s[:8])
	}
	if bits&0x10 != 0 {
		lower(s[8:])
	}
	return s.String()
}

func goTime(day, clock uint16) time.Time {
	return time.Date(1980+int(day>>9), time.Month(day>>5&15), int(day&31), int(clock>>11), int(clock>>5&63), int(clock&31)*2, 0, time.UTC)
}

// The methods of [fs.FileInfo].

func (i *info) Name() string       { return i.name }
func (i *info) Size() int64        { return int64(i.size) }
func (i *info) ModTime() time.Time { return i.time }
func (i *info) IsDir() bool        { return i.attr&attrDirectory != 0 }
func (i *info) Sys() any           { return nil }
func (i *info) Mode() fs.FileMode {
	if i.IsDir() {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

// Open opens a file or folder.
func (v *Volume) Open(name string) (fs.File, error) {
	i, err := v.find(name)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	if !i.IsDir() {
		if i.size > 0 && !v.valid(i.first) {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fmt.Errorf("%w: it begins at cluster %d", ErrFormat, i.first)}
		}
		return &file{v: v, info: i, cluster: i.first, left: int64(i.size)}, nil
	}
	list, err := v.folder(i.first)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &folder{info: i, list: list}, nil
}

func (v *Volume) find(name string) (*info, error) {
	if !fs.ValidPath(name) {
		return nil, fs.ErrInvalid
	}
	at := &info{name: ".", attr: attrDirectory, first: v.root}
	if name == "." {
		return at, nil
	}
	parts := strings.Split(name, "/")
	if len(parts) > maxDepth {
		return nil, fmt.Errorf("%w: deeper than %d folders", ErrFormat, maxDepth)
	}
	for _, part := range parts {
		if !at.IsDir() {
			return nil, fs.ErrNotExist
		}
		list, err := v.folder(at.first)
		if err != nil {
			return nil, err
		}
		at = nil
		for _, i := range list {
			if fold(i.name) == fold(part) {
				at = i
				break
			}
		}
		if at == nil {
			return nil, fs.ErrNotExist
		}
	}
	return at, nil
}

// file is one that is open. It is read from begin to end.
type file struct {
	*info
	v       *Volume
	cluster uint32 // where the next byte is
	at      int64  // in the cluster, bytes
	left    int64
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// Read follows the chain of clusters. One that leads in a circle ends with the
// size of the file.
func (f *file) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	if len(p) == 0 {
		return 0, nil
	}
	size := f.v.clusterSize()
	if f.at == size {
		next, err := f.v.next(f.cluster)
		if err == nil && next == 0 {
			err = fmt.Errorf("%w: %s ends %d bytes too early", ErrFormat, f.name, f.left)
		}
		if err != nil {
			return 0, err
		}
		f.cluster, f.at = next, 0
	}
	n := min(int64(len(p)), size-f.at, f.left)
	k, err := f.v.r.ReadAt(p[:n], f.v.cluster(f.cluster)+f.at)
	if int64(k) == n {
		err = nil
	}
	f.at, f.left = f.at+int64(k), f.left-int64(k)
	return k, notEOF(err)
}

// folder is one that is open.
type folder struct {
	*info
	list []*info
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.name, Err: fmt.Errorf("%w: it is a folder", fs.ErrInvalid)}
}

// ReadDir lists the folder.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n > 0 && len(f.list) == 0 {
		return nil, io.EOF
	}
	if n <= 0 || n > len(f.list) {
		n = len(f.list)
	}
	entries := make([]fs.DirEntry, n)
	for k, i := range f.list[:n] {
		entries[k] = fs.FileInfoToDirEntry(i)
	}
	f.list = f.list[n:]
	return entries, nil
}
