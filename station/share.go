package station

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"

	"firstday.dev/kit"
	"firstday.dev/station/media"
)

// The ring of pieces that are read and not yet written to all sticks.
const (
	chunkSize = 1 << 20 // bytes
	chunks    = 8
)

// chunk is a piece of a file, on its way to several sticks.
type chunk struct {
	file int // in the order of paths
	at   int64
	data []byte
	last bool // of the file, which is as it was verified

	buffer []byte // with zeros after the data
	users  atomic.Int32
	stuck  atomic.Bool // somebody may be writing it for ever
	ring   *ring
}

// release lets the ring use the memory again, once nobody does.
func (c *chunk) release() {
	if c.users.Add(-1) > 0 {
		return
	}
	if c.stuck.Load() {
		c.buffer = nil
	}
	c.ring.free <- c.buffer
}

// ring bounds how much is read before it is written.
type ring struct{ free chan []byte }

func newRing() *ring {
	r := &ring{make(chan []byte, chunks)}
	for range chunks {
		r.free <- nil
	}
	return r
}

// take waits for memory.
func (r *ring) take(ctx context.Context) ([]byte, error) {
	select {
	case b := <-r.free:
		if b == nil {
			b = media.Buffer(chunkSize)
		}
		return b, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// queue is what one stick has still to write. It never holds more than the ring.
type queue struct {
	mu      sync.Mutex
	some    *sync.Cond
	waiting []*chunk
	current *chunk
	end     error // nil: more may come; io.EOF: that was all
}

func newQueue() *queue {
	q := new(queue)
	q.some = sync.NewCond(&q.mu)
	return q
}

// put adds a piece. It says whether anybody will take it.
func (q *queue) put(c *chunk) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end != nil {
		return false
	}
	q.waiting = append(q.waiting, c)
	q.some.Signal()
	return true
}

// next gives the piece before back, and waits for another one. The error is how
// it ended.
func (q *queue) next() (*chunk, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.done(false)
	for len(q.waiting) == 0 && q.end == nil {
		q.some.Wait()
	}
	if len(q.waiting) == 0 {
		return nil, q.end
	}
	q.current, q.waiting = q.waiting[0], q.waiting[1:]
	return q.current, nil
}

func (q *queue) done(stuck bool) {
	if q.current != nil {
		q.current.stuck.Store(q.current.stuck.Load() || stuck)
		q.current.release()
		q.current = nil
	}
}

// finish says that no more comes; with io.EOF what waits is still written.
func (q *queue) finish(why error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.end == nil {
		q.end = why
	}
	if !errors.Is(why, io.EOF) {
		q.drop()
	}
	q.some.Broadcast()
}

// leave ends the queue of a stick that takes nothing any more. Who is at work on a
// piece keeps its memory.
func (q *queue) leave(why error) {
	q.finish(why)
	q.mu.Lock()
	defer q.mu.Unlock()
	q.drop()
	q.done(true)
}

func (q *queue) drop() {
	for _, c := range q.waiting {
		c.release()
	}
	q.waiting = nil
}

// reader is one who wants some of the files.
type reader struct {
	queue *queue
	wants func(file int) bool
}

// share reads each file that anybody wants, once, and hands it to all who do. What
// is wrong with a file of the kit is told to everybody.
func (s *Stick) share(ctx context.Context, files []File, readers []reader) {
	ring := newRing()
	err := func() error {
		for i := range files {
			var who []*queue
			for _, r := range readers {
				if r.wants(i) {
					who = append(who, r.queue)
				}
			}
			if len(who) == 0 {
				continue
			}
			if err := s.shareFile(ctx, ring, i, files[i], who); err != nil {
				return err
			}
		}
		return io.EOF
	}()
	for _, r := range readers {
		r.queue.finish(err)
	}
}

func (s *Stick) shareFile(ctx context.Context, ring *ring, number int, file File, who []*queue) error {
	f, err := s.Open(file.Path)
	if err != nil {
		return fmt.Errorf("reading the kit: %w", err)
	}
	defer f.Close()
	for at := int64(0); ; {
		b, err := ring.take(ctx)
		if err != nil {
			return err
		}
		n, err := io.ReadFull(f, b[:min(chunkSize, file.Size-at)])
		if err == nil && at+int64(n) == file.Size {
			// The checksum is compared where the file ends.
			var more int
			if more, err = f.Read(make([]byte, 1)); more > 0 {
				err = fmt.Errorf("%s %w since it was verified", file.Path, kit.ErrIntegrity)
			}
			if errors.Is(err, io.EOF) {
				err = nil
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("%s %w since it was verified: it is shorter", file.Path, kit.ErrIntegrity)
		}
		if err != nil {
			return fmt.Errorf("reading the kit: %w", err)
		}
		clear(b[n:])
		c := &chunk{file: number, at: at, data: b[:n], last: at+int64(n) == file.Size, buffer: b, ring: ring}
		at += int64(n)
		c.users.Store(int32(len(who)) + 1)
		taken := false
		for _, q := range who {
			if q.put(c) {
				taken = true
			} else {
				c.users.Add(-1) // ours is still there
			}
		}
		c.release()
		if c.last || !taken {
			return nil
		}
	}
}
