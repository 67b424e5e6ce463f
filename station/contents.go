package station

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// Contents are what lies on a stick, to be read.
type Contents struct {
	fs.FS
	Name     string
	Label    string // of the volume, where it is known
	ReadBack string // how it is read; empty: it is an image

	close func() error
}

// Close lets go of the stick.
func (c *Contents) Close() error { return c.close() }

// OpenFolder reads a stick that is mounted in a folder, past the cache as far as the
// system lets it. Links are not followed.
func OpenFolder(dir string) (*Contents, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	c := &Contents{Name: dir, ReadBack: ReadPast, close: root.Close}
	c.FS = &uncached{root, c}
	return c, nil
}

// uncached is the folder of a stick.
type uncached struct {
	root *os.Root
	of   *Contents
}

func (u *uncached) Open(name string) (fs.File, error) {
	info, err := u.root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return u.root.FS().Open(name)
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is no file")}
	}
	f, how, err := openUncached(u.root, name)
	if err != nil {
		return nil, err
	}
	if how == ReadDropped { // the weakest of all counts
		u.of.ReadBack = how
	}
	return f, nil
}

// OpenTarget reads a stick where it is mounted, else the stick itself.
func OpenTarget(ctx context.Context, t *Target) (*Contents, error) {
	var c *Contents
	var err error
	if t.Folder != "" {
		c, err = OpenFolder(t.Folder)
	} else {
		c, err = OpenDisk(ctx, t.Disk)
	}
	if err == nil {
		c.Name = t.Name
	}
	return c, err
}

// OpenImage reads the image of a stick.
func OpenImage(name string) (_ *Contents, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close())
		}
	}()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, &fs.PathError{Op: "open", Path: name, Err: errors.New("it is no image of a stick")}
	}
	v, err := fat32.Open(f, info.Size())
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return &Contents{FS: v, Name: name, Label: v.Label, close: f.Close}, nil
}

// OpenDisk reads a stick itself, past the cache. It must not be mounted.
func OpenDisk(ctx context.Context, d *media.Disk) (*Contents, error) {
	device, err := d.Open(ctx)
	if err != nil {
		return nil, err
	}
	v, err := fat32.Open(&pieces{r: device, size: device.Size()}, device.Size())
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", d.Name, err), device.Close())
	}
	return &Contents{FS: v, Name: d.Name, Label: v.Label, ReadBack: ReadPast, close: device.Close}, nil
}

const (
	windowSize = 256 << 10 // bytes
	maxWindows = 4
)

// pieces reads a disk in large pieces, of which the last few are kept: a volume is
// read a few bytes at a time. It is for one goroutine.
type pieces struct {
	r    io.ReaderAt
	size int64
	kept []window // the latest first
}

type window struct {
	at   int64
	data []byte
}

func (w *pieces) ReadAt(p []byte, at int64) (n int, err error) {
	for n < len(p) {
		from := at + int64(n)
		if from >= w.size {
			return n, io.EOF
		}
		piece, err := w.window(from / windowSize * windowSize)
		if err != nil {
			return n, err
		}
		n += copy(p[n:], piece[from%windowSize:])
	}
	return n, nil
}

func (w *pieces) window(at int64) ([]byte, error) {
	for i, k := range w.kept {
		if k.at == at {
			copy(w.kept[1:i+1], w.kept[:i])
			w.kept[0] = k
			return k.data, nil
		}
	}
	b := media.Buffer(windowSize)
	if len(w.kept) == maxWindows {
		b = w.kept[maxWindows-1].data[:windowSize]
		w.kept = w.kept[:maxWindows-1]
	}
	b = b[:min(int64(windowSize), w.size-at)]
	if _, err := w.r.ReadAt(b, at); err != nil {
		return nil, unexpected(err)
	}
	w.kept = append([]window{{at, b}}, w.kept...)
	return b, nil
}
