package wim

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
)

// Extract writes the image's tree below dir, which best is empty: a file that
// exists is an error. Nothing is written outside of dir, whatever the image
// says. Each file is verified and gets its times; attributes, security
// descriptors and alternate data streams stay behind. threads and progress
// are as for [Reader.Verify].
//
// When it fails, files already extracted are there, whole, and the error says
// what stopped it; a file half written is removed.
func (i *ImageReader) Extract(ctx context.Context, dir *os.Root, threads int, progress func(done, total int64)) error {
	root, err := i.root()
	if err != nil {
		return err
	}
	x := &extraction{r: i.r, dir: dir}
	defer x.close()
	if err := x.plan(root); err != nil {
		return err
	}
	if err := x.makeDirs(); err != nil {
		return err
	}
	slices.SortStableFunc(x.targets, func(a, b target) int { return cmp.Compare(a.blob.offset, b.blob.offset) })
	s := &sweep{r: i.r, small: x.writer, large: x.writeSegment, progress: progress}
	for j, t := range x.targets {
		// Files of the same small content are written from one reading of it.
		if j > 0 && t.blob == x.targets[j-1].blob && t.blob.plain <= segmentSize {
			continue
		}
		s.blobs = append(s.blobs, t.blob)
		x.starts = append(x.starts, j)
	}
	x.starts = append(x.starts, len(x.targets))
	err = s.run(ctx, threads)
	if err != nil {
		return errors.Join(err, x.discard())
	}
	return x.setDirTimes()
}

// extraction is one call of Extract.
type extraction struct {
	r       *Reader
	dir     *os.Root
	dirs    []*node // parents first
	empty   []*node
	targets []target // files with contents
	starts  []int    // for each blob of the sweep the first of its targets

	mu      sync.Mutex // guards folders
	folders []*folder

	file *os.File // the large file being written
	name string   // its path
}

// target is a file to be made, and its contents.
type target struct {
	*node
	blob *blob
}

// plan lists what is to be made, and refuses what this system cannot hold.
func (x *extraction) plan(n *node) error {
	switch {
	case n.attributes&AttrReparsePoint != 0:
		return fmt.Errorf("%w: extracting reparse point %s", ErrUnsupported, n.path())
	case n.isDir():
		x.dirs = append(x.dirs, n)
	case n.size == 0:
		x.empty = append(x.empty, n)
	default:
		x.targets = append(x.targets, target{n, x.r.blobs[n.hash]})
	}
	for _, c := range n.children {
		if _, err := filepath.Localize(c.name); err != nil {
			return fmt.Errorf("file name %q: %w", c.name, err)
		}
		if err := x.plan(c); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) makeDirs() error {
	for _, d := range x.dirs[1:] {
		err := x.dir.Mkdir(d.path(), 0o777)
		if err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	f := x.newFolder()
	for _, n := range x.empty {
		if err := f.write(n, nil); err != nil {
			return err
		}
	}
	return nil
}

func (x *extraction) setDirTimes() error {
	for _, d := range slices.Backward(x.dirs) {
		if err := x.dir.Chtimes(d.path(), fromFiletime(d.accessed), fromFiletime(d.modified)); err != nil {
			return err
		}
	}
	return nil
}

// writer returns a function that writes the files of a small blob.
func (x *extraction) writer() func(int, []byte) error {
	f := x.newFolder()
	return func(i int, plain []byte) error {
		for _, t := range x.targets[x.starts[i]:x.starts[i+1]] {
			if err := f.write(t.node, plain); err != nil {
				return err
			}
		}
		return nil
	}
}

// folder is the directory last written to, kept open: files come in the order
// of the tree, and a path is costly to walk.
type folder struct {
	root *os.Root
	dir  *node
	open *os.Root
}

func (x *extraction) newFolder() *folder {
	x.mu.Lock()
	defer x.mu.Unlock()
	f := &folder{root: x.dir}
	x.folders = append(x.folders, f)
	return f
}

func (x *extraction) close() {
	for _, f := range x.folders {
		f.close()
	}
}

// close gives up the handle, through which no data was written.
func (f *folder) close() {
	if f.open != nil {
		_ = f.open.Close()
		f.open = nil
	}
}

func (f *folder) write(n *node, plain []byte) error {
	if f.open == nil || f.dir != n.parent {
		open, err := f.root.OpenRoot(n.parent.path())
		if err != nil {
			return err
		}
		f.close()
		f.open, f.dir = open, n.parent
	}
	file, err := create(f.open, n.name)
	if err != nil {
		return err
	}
	_, err = file.Write(plain)
	err = cmp.Or(err, file.Close())
	if err == nil {
		err = f.open.Chtimes(n.name, fromFiletime(n.accessed), fromFiletime(n.modified))
	}
	if err != nil {
		return errors.Join(err, f.open.Remove(n.name))
	}
	return nil
}

// create makes a file that does not exist yet.
func create(dir *os.Root, name string) (*os.File, error) {
	return dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
}

// writeSegment writes a part of a large file.
func (x *extraction) writeSegment(i int, plain []byte, pos int64) (err error) {
	t := x.targets[x.starts[i]]
	if pos == 0 {
		x.name = t.path()
		if x.file, err = create(x.dir, x.name); err != nil {
			return err
		}
	}
	if _, err := x.file.Write(plain); err != nil {
		return err
	}
	if pos+int64(len(plain)) < t.size {
		return nil
	}
	if err := x.file.Close(); err != nil {
		return err
	}
	if err := x.dir.Chtimes(x.name, fromFiletime(t.accessed), fromFiletime(t.modified)); err != nil {
		return err
	}
	x.file = nil
	return nil
}

// discard removes the large file that was not finished.
func (x *extraction) discard() error {
	if x.file == nil {
		return nil
	}
	x.file.Close()
	return x.dir.Remove(x.name)
}
