package wim

import (
	"fmt"
	"io"
	"sync"
)

// store writes contents as resources, each content once. Small files are
// handled whole, many to a task. Large ones are read in segments by whoever
// deals the tasks, and laid out by whoever delivers them; only the
// compression of their segments is parallel.
type store struct {
	*writer
	files []*node
	open  func(*node) (io.ReadCloser, error)
	flags byte  // of the resources
	total int64 // bytes of all files, for Progress

	// Used while dealing.
	next   int     // index into files
	stream *stream // the large file being dealt

	mu       sync.Mutex // guards contents
	contents map[[20]byte]*content

	// Used while delivering.
	layout *layout    // the large file being delivered
	order  []*content // as they lie in the file
	done   int64
}

// content is a blob that is written, or about to be.
type content struct {
	blob
	first int // index of the first small file known to have it
}

// task is a segment of a large file, or some small files.
type task struct {
	src  []byte
	out  []byte // what src, or all the small files, became
	ends []int  // where in out each chunk of src ends

	large    *node
	first    bool
	last     bool
	prepared *Prepared // all of large, in place of src and out

	index int // in store.files of the first of the small files
	small []part
}

// part is a small file of a task.
type part struct {
	*node
	start, end int // of its resource in task.out; empty if another file has it
	compressed bool
}

// maxBatch bounds the small files of a task.
const maxBatch = 64

// storeAll stores the files' contents and sets their hashes.
func (w *writer) storeAll(files []*node, open func(*node) (io.ReadCloser, error), total int64) ([]*content, error) {
	s := &store{writer: w, files: files, open: open, total: total}
	if err := s.hashAlikes(); err != nil {
		return nil, err
	}
	copies := s.dropCopies()
	if err := s.run(); err != nil {
		return nil, err
	}
	for _, n := range copies {
		s.contents[n.hash].refs++
		s.progress(n.size)
	}
	return s.order, nil
}

// storeMetadata stores the tree, compressed even where that gains nothing:
// some readers decode the metadata of a compressed WIM without a look at the
// resource's flag (design/libraries.md §3.2).
func (w *writer) storeMetadata(root *node) (*content, error) {
	m, err := layOut(root)
	if err != nil {
		return nil, err
	}
	s := &store{
		writer: w,
		files:  []*node{{name: "metadata", size: m.size}},
		open:   func(*node) (io.ReadCloser, error) { return m.open(), nil },
		flags:  resMetadata,
	}
	if err := s.run(); err != nil {
		return nil, err
	}
	return s.order[0], nil
}

func (s *store) run() error {
	s.contents = map[[20]byte]*content{}
	err := pipeline[task]{deal: s.deal, worker: s.worker, deliver: s.deliver}.run(s.ctx, s.Threads)
	if s.stream != nil {
		s.stream.Close()
	}
	return err
}

func (s *store) progress(n int64) {
	s.done += n
	if s.Progress != nil && s.total > 0 {
		s.Progress(s.done, s.total)
	}
}

// hashAlikes hashes the large files that share their size with another, since
// a duplicate must be known before it is written.
func (s *store) hashAlikes() error {
	bySize := map[int64]int{}
	for _, n := range s.files {
		bySize[n.size]++
	}
	i := 0
	return pipeline[*node]{
		deal: func(n **node) (bool, error) {
			for ; i < len(s.files); i++ {
				if *n = s.files[i]; (*n).size > segmentSize && bySize[(*n).size] > 1 && s.prepared(*n) == nil {
					i++
					return true, nil
				}
			}
			return false, nil
		},
		worker: func() func(**node) error {
			buf := make([]byte, segmentSize)
			return func(n **node) (err error) {
				(*n).hash, err = s.copyFile(*n, buf, func([]byte) error { return s.ctx.Err() })
				return err
			}
		},
		deliver: func(**node) error { return nil },
	}.run(s.ctx, s.Threads)
}

// dropCopies removes the large files that repeat an earlier one.
func (s *store) dropCopies() (copies []*node) {
	seen := map[[20]byte]bool{}
	unique := make([]*node, 0, len(s.files))
	for _, n := range s.files {
		if hashed := n.hash != [20]byte{}; hashed && seen[n.hash] {
			copies = append(copies, n)
		} else {
			unique = append(unique, n)
			seen[n.hash] = hashed
		}
	}
	s.files = unique
	return copies
}

// deal picks the next task, and reads it if it is a segment of a large file.
func (s *store) deal(t *task) (bool, error) {
	t.out, t.ends, t.small = t.out[:0], t.ends[:0], t.small[:0]
	t.large, t.first, t.last, t.prepared = nil, false, false, nil
	if s.stream == nil {
		if s.dealSmall(t) {
			return true, nil
		}
		if s.next == len(s.files) {
			return false, nil
		}
		if p := s.prepared(s.files[s.next]); p != nil {
			t.large, t.prepared = s.files[s.next], p
			s.next++
			return true, nil
		}
		var err error
		if s.stream, err = s.openStream(s.files[s.next]); err != nil {
			return false, err
		}
		s.next++
		t.first = true
	}
	var err error
	if t.src, err = s.stream.read(t.buffer()); err != nil {
		return false, err
	}
	t.large = s.stream.node
	if t.last = s.stream.left == 0; t.last {
		err = s.endStream()
	}
	return true, err
}

// dealSmall gathers small files up to the size of a segment.
func (s *store) dealSmall(t *task) bool {
	t.index = s.next
	for size := int64(0); s.next < len(s.files) && len(t.small) < maxBatch; s.next++ {
		n := s.files[s.next]
		if size += n.size; size > segmentSize || s.prepared(n) != nil {
			break
		}
		t.small = append(t.small, part{node: n})
	}
	return len(t.small) > 0
}

// prepared gives the content of a file that need not be read.
func (s *store) prepared(n *node) *Prepared {
	if len(s.Prepared) == 0 || n.hash == [20]byte{} {
		return nil
	}
	return s.Prepared[n.path()]
}

func (s *store) endStream() error {
	n := s.stream.node
	sum := [20]byte(s.stream.sum.Sum(nil))
	if n.hash != [20]byte{} && n.hash != sum {
		return fmt.Errorf("%w: %s", ErrChanged, n.path())
	}
	n.hash = sum
	err := s.stream.Close()
	s.stream = nil
	return err
}

func (t *task) buffer() []byte {
	if cap(t.src) == 0 {
		// One byte more, to see that a small file does not go on.
		t.src = make([]byte, 0, segmentSize+1)
	}
	return t.src[:cap(t.src)]
}
