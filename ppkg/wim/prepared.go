package wim

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"

	"firstday.dev/ppkg/xpress"
)

// Prepared is a content that is compressed and hashed already: [Write] copies
// it into as many WIMs as shall hold it, and gives each the bytes it would have
// had without.
type Prepared struct {
	file        *os.File
	blob        blob // its offset is that in file
	compression Compression
	level       xpress.Level
}

// Prepare stores a content of the given size at the end of cache, which is the
// caller's: nobody else may write to it meanwhile, and it must stay open for as
// long as the result is in use. Of the options it heeds those of compression,
// Threads and Progress.
//
// A content that is longer or shorter is refused with [ErrChanged].
func Prepare(ctx context.Context, cache *os.File, name string, size int64, open func() (io.ReadCloser, error), opts Options) (*Prepared, error) {
	if opts.Compression != XPRESS && opts.Compression != None {
		return nil, fmt.Errorf("%w: writing %v", ErrUnsupported, opts.Compression)
	}
	if size <= 0 {
		return nil, fmt.Errorf("preparing %s: an empty file has no content", name)
	}
	if opts.Threads <= 0 {
		opts.Threads = runtime.GOMAXPROCS(0)
	}
	end, err := cache.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	s := &store{
		writer: &writer{Options: opts, ctx: ctx, out: cache, pos: end},
		files:  []*node{{name: name, size: size}},
		open:   func(*node) (io.ReadCloser, error) { return open() },
		total:  size,
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	return &Prepared{cache, s.order[0].blob, opts.Compression, opts.Level}, nil
}

// claimPrepared gives the files of the tree their prepared contents.
func (w *writer) claimPrepared(root *node) error {
	if len(w.Prepared) == 0 {
		return nil
	}
	found := 0
	var wrong error
	root.all(func(n *node) bool {
		if n.isDir() {
			return true
		}
		path := n.path()
		p := w.Prepared[path]
		if p == nil {
			return true
		}
		found++
		switch {
		case p.compression != w.Compression || p.level != w.Level:
			wrong = fmt.Errorf("%s was prepared for another compression", path)
		case p.blob.plain != n.size:
			wrong = fmt.Errorf("%w: %s has %d bytes, and had %d when it was prepared", ErrChanged, path, n.size, p.blob.plain)
		}
		n.hash = p.blob.hash
		return wrong == nil
	})
	if wrong == nil && found != len(w.Prepared) {
		wrong = errors.New("a file was prepared that the image does not have")
	}
	return wrong
}

// deliverPrepared copies a prepared content to its place, unless it is in the
// file already.
func (s *store) deliverPrepared(t *task) error {
	n, p := t.large, t.prepared
	if s.place(n, s.pos, p.blob.size, p.blob.compressed()) {
		if err := copyRange(s.out, p.file, p.blob.offset, s.pos, p.blob.size); err != nil {
			return fmt.Errorf("writing WIM: %w", err)
		}
		s.pos += p.blob.size
	}
	s.progress(n.size)
	return s.ctx.Err()
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
