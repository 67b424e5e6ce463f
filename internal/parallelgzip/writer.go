// Package parallelgzip compresses a stream on several threads into one gzip
// member that any reader of RFC 1952 takes, the same bytes whatever the number
// of threads.
package parallelgzip

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"sync"

	"github.com/klauspost/compress/flate"
)

const (
	// blockSize is how much one thread compresses at a time, in bytes.
	blockSize = 2 << 20
	// windowSize is how far back matches reach (RFC 1951 §2), in bytes.
	windowSize = 32 << 10
)

// header is that of RFC 1952 §2.3: deflate, no name, no time, from no system
// in particular.
var header = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// final is an empty last block: every other block leaves the stream open.
var final = []byte{0x03, 0x00}

// ErrClosed: the writer was closed.
var ErrClosed = errors.New("parallelgzip: write after close")

// Writer compresses what is written to it. It holds a block for each thread and two
// more, and their output.
type Writer struct {
	w       io.Writer
	block   *block
	free    chan *block
	work    chan *block
	order   chan *block
	workers sync.WaitGroup
	done    chan struct{} // all is written
	crc     uint32
	size    uint32 // modulo 2³²
	closed  bool

	mu  sync.Mutex
	err error // of the first write that failed
}

// block is a piece of the stream on its way through a thread.
type block struct {
	in    []byte // the window, then what is to be compressed
	start int    // where that begins
	out   bytes.Buffer
	ready chan struct{}
}

// NewWriter gives a writer that compresses on so many threads. It must be
// closed, also after an error.
func NewWriter(w io.Writer, threads int) *Writer {
	threads = max(threads, 1)
	blocks := threads + 2
	z := &Writer{
		w: w, free: make(chan *block, blocks), work: make(chan *block, blocks), order: make(chan *block, blocks),
		done: make(chan struct{}),
	}
	for range blocks {
		z.free <- &block{ready: make(chan struct{}, 1)}
	}
	z.block = z.next(nil)
	for range threads {
		z.workers.Go(z.compress)
	}
	go z.write()
	return z
}

// next gives a block that begins with the window that goes before it.
func (z *Writer) next(window []byte) *block {
	b := <-z.free
	if b.in == nil {
		b.in = make([]byte, 0, windowSize+blockSize)
	}
	b.in = append(b.in[:0], window...)
	b.start = len(window)
	b.out.Reset()
	return b
}

// Write compresses p in time. Its error may be that of an earlier write.
func (z *Writer) Write(p []byte) (int, error) {
	if z.closed {
		return 0, ErrClosed
	}
	z.crc = crc32.Update(z.crc, crc32.IEEETable, p)
	z.size += uint32(len(p))
	for rest := p; len(rest) > 0; {
		room := z.block.start + blockSize - len(z.block.in)
		n := min(room, len(rest))
		z.block.in = append(z.block.in, rest[:n]...)
		if rest = rest[n:]; n == room {
			full := z.block
			z.block = z.next(full.in[len(full.in)-windowSize:])
			z.send(full)
		}
	}
	if err := z.failed(); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (z *Writer) send(b *block) {
	z.order <- b
	z.work <- b
}

// Close writes what is left, and waits for the threads. The writer below stays
// open.
func (z *Writer) Close() error {
	if z.closed {
		return z.failed()
	}
	z.closed = true
	if len(z.block.in) > z.block.start {
		z.send(z.block)
	}
	close(z.work)
	close(z.order)
	z.workers.Wait()
	<-z.done
	if err := z.failed(); err != nil {
		return err
	}
	end := binary.LittleEndian.AppendUint32(bytes.Clone(final), z.crc)
	_, err := z.w.Write(binary.LittleEndian.AppendUint32(end, z.size))
	return err
}

// compress is what a thread does.
func (z *Writer) compress() {
	c := make(compressors)
	for b := range z.work {
		z.fail(c.compress(b))
		b.ready <- struct{}{}
	}
}

// write writes the blocks in their order. After an error it only frees them.
func (z *Writer) write() {
	defer close(z.done)
	_, err := z.w.Write(header)
	z.fail(err)
	for b := range z.order {
		<-b.ready
		if z.failed() == nil {
			_, err := z.w.Write(b.out.Bytes())
			z.fail(err)
		}
		z.free <- b
	}
}

func (z *Writer) fail(err error) {
	z.mu.Lock()
	defer z.mu.Unlock()
	if z.err == nil {
		z.err = err
	}
}

func (z *Writer) failed() error {
	z.mu.Lock()
	defer z.mu.Unlock()
	return z.err
}

// compressors are a thread's, by level.
type compressors map[int]*flate.Writer

func (c compressors) compress(b *block) error {
	window, in := b.in[:b.start], b.in[b.start:]
	level, err := c.levelFor(in, &b.out)
	if err != nil {
		return err
	}
	b.out.Reset()
	return c.at(level, in, window, &b.out)
}

// The library's level 7 searches longer than level 6. It takes half as much
// time again and gains most where there is little to gain: in what compresses
// well it finds no more. Both together make what gzip -6 makes, plus two
// percent.
const (
	levelProbe = 1
	levelFast  = 6
	levelBest  = 7

	// sampleSize is how much of a block is tried, in bytes.
	sampleSize = 128 << 10
	// easily is how small a sample gets that compresses well: one part in so many.
	easily = 3
)

// levelFor tries a sample from the middle, and leaves it in out.
func (c compressors) levelFor(in []byte, out *bytes.Buffer) (int, error) {
	size := min(len(in), sampleSize)
	middle := (len(in) - size) / 2
	if err := c.at(levelProbe, in[middle:middle+size], nil, out); err != nil {
		return 0, err
	}
	if out.Len()*easily > size {
		return levelBest, nil
	}
	return levelFast, nil
}

// at appends in, compressed, to out, up to a byte boundary: more may follow.
func (c compressors) at(level int, in, window []byte, out *bytes.Buffer) error {
	z := c[level]
	if z == nil {
		var err error
		if z, err = flate.NewWriter(nil, level); err != nil {
			return err
		}
		c[level] = z
	}
	z.ResetDict(out, window)
	if _, err := z.Write(in); err != nil {
		return err
	}
	return z.Flush()
}
