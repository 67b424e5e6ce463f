package directory

import (
	"context"
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// sight is that a device was seen, with the version that it had then.
type sight struct {
	at      time.Time
	version int64
}

// seen notes when devices were seen last, and writes that down now and then:
// most check-ins bring nothing else.
type seen struct {
	mu     sync.Mutex
	sights map[uuid.UUID]sight
}

func (s *seen) init() { s.sights = make(map[uuid.UUID]sight) }

func (s *seen) note(id uuid.UUID, now sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sights[id] = now
}

// take gives what is not written down yet.
func (s *seen) take() map[uuid.UUID]sight {
	s.mu.Lock()
	defer s.mu.Unlock()
	sights := s.sights
	s.init()
	return sights
}

// giveBack keeps what could not be written, but for what is newer by now.
func (s *seen) giveBack(sights map[uuid.UUID]sight) {
	s.mu.Lock()
	defer s.mu.Unlock()
	maps.DeleteFunc(sights, func(id uuid.UUID, _ sight) bool { _, newer := s.sights[id]; return newer })
	maps.Copy(s.sights, sights)
}

const seenPause = time.Minute

// keepSeen writes down, each minute and at the end, who was seen, and forgets what
// happened to devices too long ago.
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
		if err := d.forgetEvents(ctx); err != nil {
			d.Log.WarnContext(ctx, "what happened to devices long ago is not forgotten yet", "error", err)
		}
	}
}

// seenBatch is how many devices one transaction is about: those who change
// something get their turn in between.
const seenBatch = 500

func (d *Directory) writeSeen(ctx context.Context) error {
	sights := d.seen.take()
	if len(sights) == 0 {
		return nil
	}
	settings, err := d.views.current().get(func() (settingsView, error) { return d.readSettings(ctx) })
	if err != nil {
		d.seen.giveBack(sights)
		return err
	}
	// All who write so many take them in one order: none waits for another in a
	// ring.
	ids := slices.SortedFunc(maps.Keys(sights), func(a, b uuid.UUID) int { return strings.Compare(a.String(), b.String()) })
	var errs []error
	for batch := range slices.Chunk(ids, seenBatch) {
		err := d.change(ctx, func(t *transaction) error {
			for _, id := range batch {
				if err := t.see(id, sights[id], settings.revision); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for _, id := range batch {
			delete(sights, id)
		}
	}
	d.seen.giveBack(sights)
	return errors.Join(errs...)
}

// see writes down that a device was seen, and notes if it has the settings of that
// revision, and had not.
func (t *transaction) see(id uuid.UUID, s sight, settings int64) error {
	for _, query := range []string{
		`UPDATE devices SET seen_at = $1 WHERE id = $2 AND seen_at < $1`,
		`UPDATE fleet SET seen_at = $1 WHERE device = $2 AND seen_at < $1`,
	} {
		if _, err := t.exec(query, millis(s.at), id.String()); err != nil {
			return err
		}
	}
	if s.version < settings {
		return nil
	}
	n, err := t.exec(`UPDATE fleet SET settings = $1 WHERE device = $2 AND settings < $1`, settings, id.String())
	if err != nil || n == 0 {
		return err
	}
	return t.event(id, api.EventSettings, "", "device:"+id.String(), map[string]string{"revision": strconv.FormatInt(settings, 10)})
}
