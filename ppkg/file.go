package ppkg

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"path"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/ppkg/wim"
)

// File is a file that a package carries or that a setting is read from.
type File struct {
	Name string // without a path; the name it gets on the device
	Size int64  // bytes

	// Open gives the contents. It is called more than once and must give the
	// same bytes each time.
	Open func() (io.ReadCloser, error)

	prepared *prepared // nil unless Prepare was called
}

// prepared is a file that is not read again.
type prepared struct {
	sum     [sha256.Size]byte
	content *wim.Prepared
}

// Prepare compresses and hashes the file once, so that all packages it is in
// from then on cost no more than a copy. They say and carry the same as without,
// but lie in another order: what is prepared comes first, see [Options.Prefix].
//
// The result goes into the cache, which must stay open for as long as packages
// with the file are written. Those must be written with the level of compression
// that o has, and all their prepared files be in one cache.
func (f *File) Prepare(ctx context.Context, cache *wim.Cache, o Options) error {
	if f.Size == 0 {
		return nil // nothing to spare
	}
	sum, err := f.digest(ctx)
	if err != nil {
		return err
	}
	asset := &treeFile{asset: f, sum: sum}
	content, err := cache.Prepare(ctx, f.Name, f.Size, asset.open, wim.Options{
		Level: o.Level, Threads: o.Threads, Progress: o.Progress,
	})
	if err != nil {
		return err
	}
	f.prepared = &prepared{sum, content}
	return nil
}

// NewFile is a file with contents in memory.
func NewFile(name string, contents []byte) *File {
	return &File{Name: name, Size: int64(len(contents)), Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(contents)), nil
	}}
}

// OpenFile is a regular file of a file system.
func OpenFile(fsys fs.FS, name string) (*File, error) {
	info, err := fs.Stat(fsys, name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", name)
	}
	return &File{Name: path.Base(name), Size: info.Size(), Open: func() (io.ReadCloser, error) {
		return fsys.Open(name)
	}}, nil
}

// maxSmallFile bounds files that a setting takes whole, such as certificates.
const maxSmallFile = 1 << 20

// read returns the contents of a small file.
func (f *File) read() ([]byte, error) {
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, maxSmallFile+1))
	if err == nil && len(b) > maxSmallFile {
		err = fmt.Errorf("%s has more than %d bytes", f.Name, maxSmallFile)
	}
	return b, err
}

// digest hashes the contents, which must have the promised size.
func (f *File) digest(ctx context.Context) (sum [sha256.Size]byte, err error) {
	if f.prepared != nil {
		return f.prepared.sum, nil
	}
	r, err := f.Open()
	if err != nil {
		return sum, err
	}
	defer r.Close()
	h := sha256.New()
	n, err := io.CopyBuffer(h, contextio.Reader(ctx, r), make([]byte, 256<<10))
	switch {
	case err != nil:
		return sum, fmt.Errorf("reading %s: %w", f.Name, err)
	case n != f.Size:
		return sum, fmt.Errorf("%w: %s has %d bytes, not %d", ErrChanged, f.Name, n, f.Size)
	}
	return [sha256.Size]byte(h.Sum(nil)), nil
}

// folderHash is how a hash stands in the name of an asset's folder: base64
// with "." for "/", which a name cannot hold (formats/ppkg.md §2).
func folderHash(sum [sha256.Size]byte) string {
	return strings.ReplaceAll(base64.StdEncoding.EncodeToString(sum[:]), "/", ".")
}

// assetReader reads a file again and checks that it is still the one that was
// hashed: the name of its folder promises so.
type assetReader struct {
	io.ReadCloser
	name string
	left int64
	hash hash.Hash
	want [sha256.Size]byte
}

func (a *assetReader) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.hash.Write(p[:n])
	a.left -= int64(n)
	ended := a.left <= 0 || errors.Is(err, io.EOF)
	if ended && (a.left != 0 || [sha256.Size]byte(a.hash.Sum(nil)) != a.want) {
		return n, fmt.Errorf("%w: %s", ErrChanged, a.name)
	}
	return n, err
}
