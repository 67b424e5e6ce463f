package agent

import (
	"context"
	"sync"
	"time"

	"firstday.dev/api"
)

// refreshes are people in front of the device who want the directory asked now.
type refreshes struct {
	wanted chan struct{} // holds one: somebody waits

	mu        sync.Mutex
	asked     answers
	interrupt context.CancelFunc // of the attempt that waits for news
}

// answers are where those who asked wait for what came of it.
type answers []chan<- api.Code

func (a answers) answer(code api.Code) {
	for _, c := range a {
		c <- code
	}
}

func newRefreshes() *refreshes { return &refreshes{wanted: make(chan struct{}, 1)} }

// refreshPatience is how long somebody waits for the directory to answer.
const refreshPatience = 15 * time.Second

// ask has the directory asked, and gives a code if that fails.
func (r *refreshes) ask(ctx context.Context) api.Code {
	ctx, cancel := context.WithTimeout(ctx, refreshPatience)
	defer cancel()
	answer := make(chan api.Code, 1)
	r.mu.Lock()
	r.asked = append(r.asked, answer)
	if r.interrupt != nil {
		r.interrupt()
	}
	r.mu.Unlock()
	select {
	case r.wanted <- struct{}{}:
	default:
	}
	select {
	case code := <-answer:
		return code
	case <-ctx.Done():
		return api.CodeOffline
	}
}

// begin gives a context for an attempt, and who waits for it. As long as nobody
// does, it ends when somebody asks.
func (r *refreshes) begin(ctx context.Context) (context.Context, answers) {
	r.mu.Lock()
	defer r.mu.Unlock()
	asked := r.asked
	r.asked = nil
	if len(asked) == 0 {
		ctx, r.interrupt = context.WithCancel(ctx)
	}
	return ctx, asked
}

// end tells whether the attempt was interrupted.
func (r *refreshes) end(attempt context.Context) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	interrupted := attempt.Err() != nil
	if r.interrupt != nil {
		r.interrupt()
		r.interrupt = nil
	}
	return interrupted
}

// patience is how long an attempt may wait for news: who has asked wants to know
// what there is.
func patience(asked answers) time.Duration {
	if len(asked) > 0 {
		return 0
	}
	return newsWait
}
