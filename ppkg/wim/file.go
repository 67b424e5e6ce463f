package wim

import (
	"errors"
	"hash"
	"io"
	"io/fs"
	"slices"
	"sync"
)

// openFile reads a blob segment by segment.
type openFile struct {
	*node
	r    *Reader
	blob *blob
	path string

	pos     int64  // of the next Read
	segment []byte // plain bytes around pos, if any
	start   int64  // where they are in the file

	sum    hash.Hash // of everything before hashed
	hashed int64
	err    error // once the contents turned out wrong, or the file is closed

	mu     sync.Mutex // guards random
	random *openFile  // the same file, for ReadAt
}

func (f *openFile) Stat() (fs.FileInfo, error) { return fileInfo{f.node}, nil }

func (f *openFile) Close() error {
	if errors.Is(f.err, fs.ErrClosed) {
		return f.fail("close", fs.ErrClosed)
	}
	f.err, f.segment = fs.ErrClosed, nil
	return nil
}

func (f *openFile) fail(op string, err error) error {
	return &fs.PathError{Op: op, Path: f.path, Err: err}
}

func (f *openFile) Read(b []byte) (int, error) {
	switch {
	case f.err != nil:
		return 0, f.fail("read", f.err)
	case len(b) == 0:
		return 0, nil
	case f.pos >= f.size:
		return 0, io.EOF
	}
	if f.pos != f.hashed {
		if err := f.r.verifyBlob(f.blob); err != nil {
			return 0, f.fail("read", err)
		}
	}
	if err := f.load(); err != nil {
		return 0, f.fail("read", err)
	}
	n := copy(b, f.segment[f.pos-f.start:])
	if f.pos == f.hashed {
		f.sum.Write(b[:n])
		f.hashed += int64(n)
		if f.hashed == f.size && [20]byte(f.sum.Sum(nil)) != f.hash {
			f.err = ErrChecksum
			return 0, f.fail("read", f.err)
		}
	}
	f.pos += int64(n)
	return n, nil
}

// load brings the segment around pos into memory.
func (f *openFile) load() error {
	start := f.pos / segmentSize * segmentSize
	if len(f.segment) > 0 && f.start == start {
		return nil
	}
	size := min(segmentSize, f.size-start)
	f.segment = slices.Grow(f.segment[:0], int(size))[:size]
	d := f.r.newDecoder()
	defer f.r.decoders.Put(d)
	if err := d.read(f.segment, f.blob.resource, start); err != nil {
		f.segment = nil
		return err
	}
	f.start = start
	return nil
}

func (f *openFile) Seek(offset int64, whence int) (int64, error) {
	switch whence {
	case io.SeekCurrent:
		offset += f.pos
	case io.SeekEnd:
		offset += f.size
	}
	if f.err != nil {
		return 0, f.fail("seek", f.err)
	}
	if offset < 0 {
		return 0, f.fail("seek", errNegative)
	}
	f.pos = offset
	return offset, nil
}

// ReadAt may be called from several goroutines at once, as [io.ReaderAt] asks.
func (f *openFile) ReadAt(b []byte, pos int64) (int, error) {
	if errors.Is(f.err, fs.ErrClosed) {
		return 0, f.fail("read", f.err)
	}
	if pos < 0 {
		return 0, f.fail("read", errNegative)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.random == nil {
		f.random = &openFile{node: f.node, r: f.r, blob: f.blob, path: f.path, hashed: -1}
	}
	f.random.pos = pos
	n := 0
	for n < len(b) {
		m, err := f.random.Read(b[n:])
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, nil
}
