package ppkg

import (
	"bytes"
	"crypto/sha256"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/ppkg/wim"
)

// Tree is the tree of files of a compiled package, before it becomes a WIM.
// It is a file system; reading an asset from it fails with [ErrChanged] if it
// is not what it was when it was compiled.
type Tree struct {
	// Entries are the settings in the order in which Windows applies them.
	Entries []Entry

	time  time.Time
	files map[string]*treeFile
	dirs  map[string][]string // names in each directory, sorted
}

// treeFile is either bytes or an asset.
type treeFile struct {
	data  []byte
	asset *File
	sum   [sha256.Size]byte
}

func (f *treeFile) size() int64 {
	if f.asset != nil {
		return f.asset.Size
	}
	return int64(len(f.data))
}

func (f *treeFile) open() (io.ReadCloser, error) {
	if f.asset == nil {
		return io.NopCloser(bytes.NewReader(f.data)), nil
	}
	r, err := f.asset.Open()
	if err != nil {
		return nil, err
	}
	return &assetReader{
		ReadCloser: r, name: f.asset.Name, left: f.asset.Size, hash: sha256.New(), want: f.sum,
	}, nil
}

func newTree(t time.Time) *Tree {
	return &Tree{time: t, files: map[string]*treeFile{}}
}

func (t *Tree) put(name string, data []byte) { t.files[name] = &treeFile{data: data} }

// prepared lists the files that need not be read, by name.
func (t *Tree) prepared() map[string]*wim.Prepared {
	contents := map[string]*wim.Prepared{}
	for name, f := range t.files {
		if f.asset != nil && f.asset.prepared != nil {
			contents[name] = f.asset.prepared.content
		}
	}
	return contents
}

// guid identifies the WIM of a package. Packages with the same prepared files get
// the same one, to begin alike. That does no harm: it tells which parts of a split
// WIM belong together, and these are whole; Windows knows packages by their own id,
// which is in the XML data and is not this (formats/ppkg.md §1.1, §3).
func (t *Tree) guid(p *Package) [16]byte {
	var sums []string
	for _, f := range t.files {
		if f.asset != nil && f.asset.prepared != nil {
			sums = append(sums, string(f.sum[:]))
		}
	}
	if len(sums) == 0 {
		return uuid.NewSHA1(p.ID, []byte("wim "+p.Version))
	}
	slices.Sort(sums)
	return uuid.NewSHA1(uuid.Nil, []byte("wim of "+strings.Join(slices.Compact(sums), "")))
}

// finish lists the directories.
func (t *Tree) finish() {
	sets := map[string]map[string]bool{".": {}}
	for name := range t.files {
		for name != "." {
			dir := path.Dir(name)
			if sets[dir] == nil {
				sets[dir] = map[string]bool{}
			}
			sets[dir][path.Base(name)] = true
			name = dir
		}
	}
	t.dirs = map[string][]string{}
	for dir, names := range sets {
		t.dirs[dir] = slices.Sorted(maps.Keys(names))
	}
}

// Open opens a file or directory.
func (t *Tree) Open(name string) (fs.File, error) {
	info, err := t.stat("open", name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return &treeDir{info: info, entries: t.entries(name)}, nil
	}
	r, err := t.files[name].open()
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return &openTreeFile{r, info}, nil
}

// Stat describes a file or directory.
func (t *Tree) Stat(name string) (fs.FileInfo, error) { return t.stat("stat", name) }

// ReadDir lists a directory.
func (t *Tree) ReadDir(name string) ([]fs.DirEntry, error) {
	info, err := t.stat("readdir", name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	return t.entries(name), nil
}

func (t *Tree) stat(op, name string) (fs.FileInfo, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	info := &treeInfo{name: path.Base(name), time: t.time}
	if f := t.files[name]; f != nil {
		info.size = f.size()
		return info, nil
	}
	if _, ok := t.dirs[name]; !ok {
		return nil, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	info.dir = true
	return info, nil
}

func (t *Tree) entries(dir string) []fs.DirEntry {
	names := t.dirs[dir]
	list := make([]fs.DirEntry, len(names))
	for i, name := range names {
		info, _ := t.stat("stat", strings.TrimPrefix(dir+"/"+name, "./"))
		list[i] = fs.FileInfoToDirEntry(info)
	}
	return list
}

type treeInfo struct {
	name string
	size int64
	dir  bool
	time time.Time
}

func (i *treeInfo) Name() string       { return i.name }
func (i *treeInfo) Size() int64        { return i.size }
func (i *treeInfo) ModTime() time.Time { return i.time }
func (i *treeInfo) IsDir() bool        { return i.dir }
func (i *treeInfo) Sys() any           { return nil }

func (i *treeInfo) Mode() fs.FileMode {
	if i.dir {
		return fs.ModeDir | 0o555
	}
	return 0o444
}

type openTreeFile struct {
	io.ReadCloser
	info fs.FileInfo
}

func (f *openTreeFile) Stat() (fs.FileInfo, error) { return f.info, nil }

type treeDir struct {
	info    fs.FileInfo
	entries []fs.DirEntry
}

func (d *treeDir) Stat() (fs.FileInfo, error) { return d.info, nil }
func (d *treeDir) Close() error               { return nil }
func (d *treeDir) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: d.info.Name(), Err: fs.ErrInvalid}
}

func (d *treeDir) ReadDir(n int) ([]fs.DirEntry, error) {
	list := d.entries
	if n > 0 {
		if len(list) == 0 {
			return nil, io.EOF
		}
		list = list[:min(n, len(list))]
	}
	d.entries = d.entries[len(list):]
	return list, nil
}
