package directory

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/google/uuid"
)

// seen notes when devices were seen last, and writes that down now and then:
// most check-ins bring nothing else.
type seen struct {
	mu    sync.Mutex
	times map[uuid.UUID]time.Time
}

func (s *seen) init() { s.times = make(map[uuid.UUID]time.Time) }

func (s *seen) note(id uuid.UUID, at time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.times[id] = at
}

// take gives what is not written down yet.
func (s *seen) take() map[uuid.UUID]time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := s.times
	s.init()
	return times
}

// giveBack keeps what could not be written, but for what is newer by now.
func (s *seen) giveBack(times map[uuid.UUID]time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(times, func(id uuid.UUID, _ time.Time) bool { _, newer := s.times[id]; return newer })
	maps.Copy(s.times, times)
}

const seenPause = time.Minute

// keepSeen writes down, each minute and at the end, who was seen.
func (d *Directory) keepSeen(ctx context.Context) {
	ticker := time.NewTicker(seenPause)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
		}
		if err := d.writeSeen(context.WithoutCancel(ctx)); err != nil {
			d.Log.WarnContext(ctx, "when devices were seen is not written down yet", "error", err)
		}
		if ctx.Err() != nil {
			return
		}
	}
}

func (d *Directory) writeSeen(ctx context.Context) error {
	times := d.seen.take()
	if len(times) == 0 {
		return nil
	}
	err := d.change(ctx, func(t *transaction) error {
		for id, at := range times {
			if _, err := t.exec(`UPDATE devices SET seen_at = $1 WHERE id = $2 AND seen_at < $1`, millis(at), id.String()); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		d.seen.giveBack(times)
	}
	return err
}
