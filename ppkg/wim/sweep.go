package wim

import (
	"context"
	"crypto/sha1"
	"fmt"
	"hash"
)

// sweep reads many blobs, each once and verified, in parallel: small ones
// whole, many to a task, large ones in segments.
type sweep struct {
	r     *Reader
	blobs []*blob // best in the order in which they lie in the file

	// small is called once by each worker for a function that takes the
	// bytes of the small blob of that index.
	small func() func(i int, plain []byte) error

	// large takes a segment of a large blob, in order. When it returns an
	// error, or one is found elsewhere, no more segments come.
	large func(i int, plain []byte, pos int64) error

	progress func(done, total int64)

	// Used while dealing.
	next int
	pos  int64 // in the large blob being dealt

	// Used while delivering.
	sum         hash.Hash
	done, total int64
}

// piece is a task of a sweep.
type piece struct {
	first, last int // blobs first to last-1, all small, or one that is large
	pos, end    int64
	plain       []byte
}

func (s *sweep) run(ctx context.Context, threads int) error {
	s.sum = sha1.New()
	for _, b := range s.blobs {
		s.total += b.plain
	}
	return pipeline[piece]{deal: s.deal, worker: s.worker, deliver: s.deliver}.run(ctx, threads)
}

func (s *sweep) deal(p *piece) (bool, error) {
	if s.next == len(s.blobs) {
		return false, nil
	}
	p.first, p.pos, p.end = s.next, s.pos, 0
	if b := s.blobs[s.next]; b.plain > segmentSize {
		p.end = min(p.pos+segmentSize, b.plain)
		p.last = s.next + 1
		if s.pos = p.end; s.pos == b.plain {
			s.next, s.pos = s.next+1, 0
		}
		return true, nil
	}
	for s.next < len(s.blobs) && s.next-p.first < maxBatch {
		p.end += s.blobs[s.next].plain
		if p.end > segmentSize {
			break
		}
		s.next++
	}
	p.last = s.next
	return true, nil
}

func (s *sweep) isLarge(p *piece) bool { return s.blobs[p.first].plain > segmentSize }

func (s *sweep) worker() func(*piece) error {
	d := s.r.newDecoder()
	take := s.small()
	return func(p *piece) error {
		if p.plain == nil {
			p.plain = make([]byte, segmentSize)
		}
		if s.isLarge(p) {
			b := s.blobs[p.first]
			if err := d.read(p.plain[:p.end-p.pos], b.resource, p.pos); err != nil {
				return fmt.Errorf("%s: %w", s.r.nameOf(b), err)
			}
			return nil
		}
		for i := p.first; i < p.last; i++ {
			b := s.blobs[i]
			plain := p.plain[:b.plain]
			if err := d.read(plain, b.resource, 0); err != nil {
				return fmt.Errorf("%s: %w", s.r.nameOf(b), err)
			}
			if sha1.Sum(plain) != b.hash {
				return fmt.Errorf("%w: %s", ErrChecksum, s.r.nameOf(b))
			}
			if err := take(i, plain); err != nil {
				return err
			}
		}
		return nil
	}
}

func (s *sweep) deliver(p *piece) error {
	size := int64(0)
	for _, b := range s.blobs[p.first:p.last] {
		size += b.plain
	}
	if s.isLarge(p) {
		size = p.end - p.pos
		if err := s.deliverSegment(p); err != nil {
			return err
		}
	}
	s.done += size
	if s.progress != nil {
		s.progress(s.done, s.total)
	}
	return nil
}

func (s *sweep) deliverSegment(p *piece) error {
	b := s.blobs[p.first]
	plain := p.plain[:p.end-p.pos]
	if p.pos == 0 {
		s.sum.Reset()
	}
	s.sum.Write(plain)
	if p.end == b.plain && [20]byte(s.sum.Sum(nil)) != b.hash {
		return fmt.Errorf("%w: %s", ErrChecksum, s.r.nameOf(b))
	}
	return s.large(p.first, plain, p.pos)
}
