package pkgbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"time"

	"firstday.dev/internal/parallelgzip"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/cpio"
)

// payload writes a tree as a compressed cpio archive and notes what a Bom
// lists of it.
type payload struct {
	ctx        context.Context
	o          *Options
	tree       fs.FS
	attributes func(path string, info fs.FileInfo) Attributes
	cpio       *cpio.Writer
	entries    []bom.Entry
	buf        []byte
}

// writePayload writes the tree to w. The entries are in the order of the
// archive: the root first, parents before what they hold.
func writePayload(ctx context.Context, w io.Writer, tree fs.FS, attributes func(string, fs.FileInfo) Attributes, o *Options) ([]bom.Entry, error) {
	z := parallelgzip.NewWriter(w, o.threads())
	p := &payload{ctx: ctx, o: o, tree: tree, attributes: attributes, cpio: cpio.NewWriter(z), buf: make([]byte, 256<<10)}
	err := fs.WalkDir(tree, ".", p.add)
	if err == nil {
		err = p.cpio.Close()
	}
	// Close waits for its threads, also after an error.
	return p.entries, errors.Join(err, z.Close())
}

func (p *payload) add(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if err := p.ctx.Err(); err != nil {
		return err
	}
	info, err := d.Info()
	if err != nil {
		return err
	}
	entry := bom.Entry{Path: "./" + name, ModTime: p.modTime(info.ModTime())}
	if name == "." {
		entry.Path = name
	}
	if strings.ContainsRune(path.Base(name), 0) || len(entry.Path) > maxPath {
		return fmt.Errorf("%w: %.300q is no path on a Mac", ErrTree, name)
	}
	a := p.attributes(name, info)
	entry.Mode, entry.UID, entry.GID = a.Mode&0o7777, a.UID, a.GID
	switch {
	case info.IsDir():
		entry.Mode |= bom.ModeDir
		err = p.write(&entry, nil)
	case info.Mode().IsRegular():
		entry.Mode |= bom.ModeRegular
		entry.Size = info.Size()
		err = p.addFile(&entry, name)
	case info.Mode()&fs.ModeSymlink != 0:
		entry.Mode |= bom.ModeSymlink
		err = p.addLink(&entry, name)
	default:
		err = fmt.Errorf("%w: %s is neither a file, folder nor symbolic link", ErrTree, name)
	}
	if err != nil {
		return err
	}
	p.entries = append(p.entries, entry)
	return nil
}

// maxPath is macOS's PATH_MAX, in bytes.
const maxPath = 1024

// modTime is no later than that of the package.
func (p *payload) modTime(t time.Time) uint32 {
	if t.After(p.o.Time) {
		t = p.o.Time
	}
	return uint32(max(t.Unix(), 0))
}

func (p *payload) addFile(entry *bom.Entry, name string) error {
	f, err := p.tree.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := p.write(entry, f); err != nil {
		return fmt.Errorf("packing %s: %w", name, err)
	}
	return nil
}

func (p *payload) addLink(entry *bom.Entry, name string) error {
	target, err := fs.ReadLink(p.tree, name)
	if err != nil {
		return err
	}
	entry.Target, entry.Size = target, int64(len(target))
	return p.write(entry, strings.NewReader(target))
}

// write writes one entry, and takes its checksums on the way.
func (p *payload) write(entry *bom.Entry, content io.Reader) error {
	h := cpio.Header{
		Name: entry.Path, Mode: entry.Mode, UID: entry.UID, GID: entry.GID,
		ModTime: int64(entry.ModTime), Size: entry.Size,
	}
	if err := p.cpio.WriteHeader(&h); err != nil {
		return err
	}
	if content == nil {
		return nil
	}
	var sums *sums
	for left := entry.Size; ; {
		if err := p.ctx.Err(); err != nil {
			return err
		}
		chunk, err := p.read(content, left)
		if err != nil {
			return err
		}
		if sums == nil {
			sums = newSums(chunk, entry.Size)
		}
		sums.write(chunk)
		if _, err := p.cpio.Write(chunk); err != nil {
			return err
		}
		p.progress(int64(len(chunk)))
		if left -= int64(len(chunk)); left == 0 {
			break
		}
	}
	sums.into(entry)
	return nil
}

// read reads what is left, or as much of it as fits. It asks for one byte more:
// a file that has it has grown, and one that has not needs no further look.
func (p *payload) read(content io.Reader, left int64) ([]byte, error) {
	want := min(left, int64(len(p.buf)-1))
	n, err := io.ReadAtLeast(content, p.buf[:want+1], int(want))
	switch {
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), int64(n) > left:
		return nil, ErrChanged
	case err != nil:
		return nil, err
	}
	return p.buf[:n], nil
}

func (p *payload) progress(n int64) {
	p.o.packed += n
	if p.o.Progress != nil {
		p.o.Progress(p.o.packed)
	}
}
