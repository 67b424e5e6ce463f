package wim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync"
	"time"

	"firstday.dev/ppkg/xpress"
)

// Cache is a file of contents that are compressed and hashed once, for many
// WIMs that [Write] copies them into. It may be used by several goroutines.
//
// It must lie where nobody else writes: what is copied is not read again. That
// its size and time are still those it was left with is checked with every
// copy where the system keeps them truthfully (on Unix), which tells of
// accidents, and not of somebody who sets the time back.
type Cache struct {
	file *os.File

	mu       sync.RWMutex // held for writing while contents are added
	end      int64        // of what is in it, whole blocks
	modified time.Time
}

// Prepared is a content in a cache.
type Prepared struct {
	cache       *Cache
	blob        blob // its offset is that in the cache
	compression Compression
	level       xpress.Level
}

// blockSize is that of most file systems. Contents in a cache, and those copied
// from there, begin on a block and have their blocks for themselves: the kernel
// then copies pages, not pieces of them, and can share the blocks instead where
// the file system does such things.
const blockSize = 4096

// inBlocks rounds a place or size up to whole blocks.
func inBlocks(n int64) int64 { return roundUp(n, blockSize) }

func roundUp(n, unit int64) int64 { return (n + unit - 1) / unit * unit }

// CreateCache makes a new file that its owner alone may read.
func CreateCache(name string) (*Cache, error) {
	f, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	c := &Cache{file: f}
	if err := c.settle(0); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return c, nil
}

// Close ends the use of all that was prepared. The file stays.
func (c *Cache) Close() error { return c.file.Close() }

// Prepare adds a content of the given size. Of the options it heeds those of
// compression, Threads and Progress.
//
// A content that is longer or shorter is refused with [ErrChanged].
func (c *Cache) Prepare(ctx context.Context, name string, size int64, open func() (io.ReadCloser, error), opts Options) (*Prepared, error) {
	if opts.Compression != XPRESS && opts.Compression != None {
		return nil, fmt.Errorf("%w: writing %v", ErrUnsupported, opts.Compression)
	}
	if size <= 0 {
		return nil, fmt.Errorf("preparing %s: an empty file has no content", name)
	}
	if opts.Threads <= 0 {
		opts.Threads = runtime.GOMAXPROCS(0)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.check(); err != nil {
		return nil, err
	}
	s := &store{
		writer: &writer{Options: opts, ctx: ctx, out: c.file, pos: c.end},
		files:  []*node{{name: name, size: size}},
		open:   func(*node) (io.ReadCloser, error) { return open() },
		total:  size,
	}
	if err := s.run(); err != nil {
		return nil, errors.Join(err, c.settle(c.end))
	}
	if err := c.settle(s.pos); err != nil {
		return nil, err
	}
	return &Prepared{c, s.order[0].blob, opts.Compression, opts.Level}, nil
}

// longAgo is the time that a cache bears: whoever writes to it makes it newer,
// however soon after us. Where times cannot be set it bears its own, which may not
// tell two writes apart that follow each other at once.
var longAgo = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// settle ends the file behind its contents, the last block filled with zeros,
// and notes what it looks like.
func (c *Cache) settle(end int64) error {
	if err := errors.Join(c.file.Truncate(end), c.file.Truncate(inBlocks(end))); err != nil {
		return err
	}
	_ = os.Chtimes(c.file.Name(), longAgo, longAgo)
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	c.end, c.modified = inBlocks(end), info.ModTime()
	return nil
}

// check says whether somebody else wrote to the file.
func (c *Cache) check() error {
	info, err := c.file.Stat()
	if err != nil {
		return err
	}
	if info.Size() != c.end || truthfulTimes && !info.ModTime().Equal(c.modified) {
		return fmt.Errorf("%w: %s, which is nobody else's to write to", ErrChanged, c.file.Name())
	}
	return nil
}

// copyTo copies a content, and the rest of its last block, to its place in a WIM.
func (p *Prepared) copyTo(out io.WriterAt, at int64) error {
	p.cache.mu.RLock()
	defer p.cache.mu.RUnlock()
	if err := copyRange(out, p.cache.file, p.blob.offset, at, inBlocks(p.blob.size)); err != nil {
		return fmt.Errorf("writing WIM: %w", err)
	}
	return p.cache.check()
}

// copyBytes copies part of a file where the system has no better way.
func copyBytes(out io.WriterAt, in io.ReaderAt, from, to, size int64) error {
	n, err := io.CopyBuffer(onlyWriter{io.NewOffsetWriter(out, to)}, io.NewSectionReader(in, from, size), make([]byte, 1<<18))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return err
}

// onlyWriter hides everything else from [io.CopyBuffer].
type onlyWriter struct{ io.Writer }
