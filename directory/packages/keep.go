package packages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

const (
	// keepPause is how often a process looks for jobs whose worker is lost.
	keepPause = 5 * time.Second
	// tidyPause is how often one looks through the whole store.
	tidyPause = time.Hour
)

// keep sees to it that every job ends. Every process does, so that it does not
// matter which is lost.
func (p *Packages) keep(ctx context.Context) {
	for ctx.Err() == nil {
		p.tell(ctx, "packages cannot be looked after", errors.Join(p.d.RequeuePackages(ctx), p.dispatch(ctx)))
		pause(ctx, keepPause, p.waiting)
	}
}

// sweep sees to it that nothing stays in the store that is no kit's. A store that
// hangs keeps nobody else waiting.
func (p *Packages) sweep(ctx context.Context) {
	var tidied time.Time
	for ctx.Err() == nil {
		p.tell(ctx, "the files of packages cannot be removed yet", p.removeLeftovers(ctx))
		if time.Since(tidied) > tidyPause {
			err := p.tidy(ctx)
			p.tell(ctx, "the store of kits cannot be tidied up yet", err)
			if err == nil {
				tidied = time.Now()
			}
		}
		pause(ctx, keepPause, p.leftover)
	}
}

// pause waits, unless there is something to do.
func pause(ctx context.Context, d time.Duration, something <-chan struct{}) {
	select {
	case <-time.After(d):
	case <-something:
	case <-ctx.Done():
	}
}

func (p *Packages) tell(ctx context.Context, what string, err error) {
	if err != nil && ctx.Err() == nil {
		p.d.Log.WarnContext(ctx, what, "error", err)
	}
}

// dispatch makes sure that the queue has a note of each job that waits.
func (p *Packages) dispatch(ctx context.Context) error {
	waiting, err := p.d.QueuedPackages(ctx)
	if err != nil {
		return err
	}
	stuck, err := p.queue.offer(ctx, waiting)
	if err != nil || len(stuck) == 0 {
		return err
	}
	var again []directory.QueuedPackage
	for _, q := range stuck {
		next, err := p.d.RedispatchPackage(ctx, q)
		switch {
		case errors.Is(err, directory.ErrPackageLost):
			continue // it was taken up in the meantime
		case err != nil:
			return err
		}
		again = append(again, next)
	}
	_, err = p.queue.offer(ctx, again)
	return err
}

// removeLeftovers removes the files of jobs that came to nothing.
func (p *Packages) removeLeftovers(ctx context.Context) error {
	places, err := p.d.PackageLeftovers(ctx)
	if err != nil {
		return err
	}
	for _, place := range places {
		if err := p.clean(ctx, place); err != nil {
			return err
		}
	}
	return nil
}

// clean removes what workers left of a job.
func (p *Packages) clean(ctx context.Context, place directory.PackagePlace) error {
	if err := p.removeBefore(ctx, place); err != nil {
		return fmt.Errorf("%w: %s: %w", errStore, p.store, err)
	}
	return p.d.PackageCleaned(ctx, place)
}

func (p *Packages) removeBefore(ctx context.Context, place directory.PackagePlace) error {
	names, err := p.store.list(ctx, kitsFolder+"/"+place.Job.String())
	if err != nil {
		return err
	}
	removed := make(map[int64]bool)
	for _, name := range names {
		job, fence, ok := parseKitFile(name)
		if !ok || job != place.Job || fence > place.Fence || fence == place.Keep || removed[fence] {
			continue
		}
		removed[fence] = true
		if err := p.store.remove(ctx, kitFolder(job, fence)); err != nil {
			return err
		}
	}
	return nil
}

// tidy removes from the store what the directory knows nothing of, or no more.
func (p *Packages) tidy(ctx context.Context) error {
	old, err := p.d.OldPackageUploads(ctx)
	if err != nil {
		return err
	}
	for _, id := range old {
		err := p.RemoveUpload(ctx, "system", id)
		if code := api.CodeOf(err); err != nil && code != api.CodeConflict && code != api.CodeNotFound {
			return err
		}
	}
	return errors.Join(p.tidyUploads(ctx), p.tidyKits(ctx))
}

func (p *Packages) tidyUploads(ctx context.Context) error {
	names, err := p.store.list(ctx, uploadsFolder)
	if err != nil {
		return err
	}
	for _, name := range names {
		id, err := uuid.Parse(strings.TrimSuffix(strings.TrimPrefix(name, uploadsFolder+"/"), partly))
		if err != nil {
			continue // none of ours
		}
		known, err := p.d.KnowsPackageUpload(ctx, id)
		if err != nil {
			return err
		}
		if known {
			continue
		}
		if err := p.store.remove(ctx, uploadFile(id)); err != nil {
			return err
		}
	}
	return nil
}

func (p *Packages) tidyKits(ctx context.Context) error {
	names, err := p.store.list(ctx, kitsFolder)
	if err != nil {
		return err
	}
	places := make(map[uuid.UUID]directory.PackagePlace)
	for _, name := range names {
		job, fence, ok := parseKitFile(name)
		if !ok {
			continue // none of ours
		}
		place, known := places[job]
		if !known {
			if place, err = p.d.PackagePlaceOf(ctx, job); err != nil {
				return err
			}
			places[job] = place
		}
		// A worker may have taken the job up since: it has a fence of its own.
		if fence == place.Keep || fence > place.Fence && place.Fence > 0 {
			continue
		}
		if err := p.store.remove(ctx, kitFolder(job, fence)); err != nil {
			return err
		}
	}
	return nil
}
