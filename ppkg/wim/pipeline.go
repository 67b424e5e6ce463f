package wim

import (
	"context"
	"runtime"
	"sync"
)

// pipeline is the one way this package uses several cores: tasks are dealt
// one by one, worked on in parallel, and delivered one by one in the order in
// which they were dealt. So the result does not depend on the number of
// workers, and no more than a few tasks' buffers are alive at a time.
type pipeline[T any] struct {
	// deal fills the next task; false when there is none left. The task is
	// reused: its fields are those it was delivered with.
	deal func(*T) (bool, error)
	// worker is called once by each worker for the function that does its
	// tasks, so that scratch space belongs to the worker.
	worker func() func(*T) error
	// deliver takes the finished tasks.
	deliver func(*T) error
}

// run does all tasks, or stops at the first error or at ctx's end.
func (p pipeline[T]) run(ctx context.Context, threads int) error {
	if threads <= 0 {
		threads = runtime.GOMAXPROCS(0)
	}
	q := &queue[T]{pipeline: p, slots: make([]slot[T], 2*threads+2)}
	q.room.L = &q.mu
	stop := context.AfterFunc(ctx, func() { q.fail(context.Cause(ctx)) })
	defer stop()
	var workers sync.WaitGroup
	for range threads {
		workers.Go(q.work)
	}
	workers.Wait()
	return q.err
}

// queue is a ring of tasks between the one delivered last and the one dealt
// last. There is no dealing or delivering goroutine: each worker deals its own
// next task, and the one whose task is the next to be delivered delivers.
type queue[T any] struct {
	pipeline[T]
	dealing sync.Mutex // held while dealing, so tasks are dealt in order

	mu         sync.Mutex // guards what follows
	room       sync.Cond
	slots      []slot[T]
	dealt      int // tasks dealt so far; the next goes to dealt % len(slots)
	delivered  int
	delivering bool
	err        error
}

type slot[T any] struct {
	task T
	done bool
}

func (q *queue[T]) work() {
	do := q.worker()
	for {
		s := q.next()
		if s == nil {
			return
		}
		if err := do(&s.task); err != nil {
			q.fail(err)
			return
		}
		q.finish(s)
	}
}

// next deals a task; nil when there is nothing more to do.
func (q *queue[T]) next() *slot[T] {
	q.dealing.Lock()
	defer q.dealing.Unlock()

	q.mu.Lock()
	for q.err == nil && q.dealt-q.delivered == len(q.slots) {
		q.room.Wait()
	}
	s := &q.slots[q.dealt%len(q.slots)]
	err := q.err
	q.mu.Unlock()
	if err != nil {
		return nil
	}

	more, err := q.deal(&s.task)
	if err != nil {
		q.fail(err)
		return nil
	}
	if !more {
		return nil
	}
	q.mu.Lock()
	q.dealt++
	q.mu.Unlock()
	return s
}

// finish delivers whatever is due now that s is done.
func (q *queue[T]) finish(s *slot[T]) {
	q.mu.Lock()
	defer q.mu.Unlock()
	s.done = true
	if q.delivering {
		return
	}
	q.delivering = true
	for q.err == nil && q.delivered < q.dealt {
		due := &q.slots[q.delivered%len(q.slots)]
		if !due.done {
			break
		}
		q.mu.Unlock()
		err := q.deliver(&due.task)
		q.mu.Lock()
		if err != nil && q.err == nil {
			q.err = err
		}
		due.done = false
		q.delivered++
		q.room.Broadcast()
	}
	q.delivering = false
}

func (q *queue[T]) fail(err error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.err == nil {
		q.err = err
	}
	q.room.Broadcast()
}
