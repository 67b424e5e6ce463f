package packages

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"

	"firstday.dev/api"
	"firstday.dev/config"
	"firstday.dev/directory"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/kit"
	"firstday.dev/pkgbuild/notary"
)

// How often a worker says that it is there, and how far it is.
const (
	renewPause    = 2 * time.Second
	progressPause = 500 * time.Millisecond
	// renewTime is how long that may take.
	renewTime = 4 * time.Second
	// cleanTime is how long it may take to clean up.
	cleanTime = time.Minute
)

// progress is how far a job is.
type progress struct {
	mu          sync.Mutex
	step        string
	done, total int64
}

func (p *progress) set(step string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.step, p.done, p.total = step, done, total
}

func (p *progress) get() (step string, done, total int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.step, p.done, p.total
}

// work takes a job up and brings it to its end, unless somebody else has it.
func (p *Packages) work(ctx context.Context, q directory.QueuedPackage) {
	w, err := p.d.TakePackage(ctx, q)
	if err != nil {
		if !errors.Is(err, directory.ErrPackageLost) {
			p.tell(ctx, "a package cannot be taken up", err)
		}
		return
	}
	log := p.d.Log.With("package", w.Job, "attempt", w.Fence)
	log.InfoContext(ctx, "building a package")
	b := &building{Packages: p, work: w}
	if err = b.leased(ctx); err != nil && errors.Is(ctx.Err(), context.DeadlineExceeded) {
		err = fmt.Errorf("it took longer than %v: %w", buildLimit, err)
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanTime)
	defer cancel()
	if err == nil {
		log.InfoContext(ctx, "the package is ready")
		return
	}
	switch code := b.codeOf(ctx, err); {
	case errors.Is(err, directory.ErrPackageLost):
		log.WarnContext(ctx, "the package is no longer this worker's")
	case code == "":
		log.WarnContext(ctx, "the package is given back", "error", err)
		p.tell(end, "a package cannot be given back; it will be missed", b.giveBack(end, err))
	default:
		log.WarnContext(ctx, "the package cannot be built", "code", code, "error", err)
		if err := p.d.FailPackage(end, w, code, err); err != nil {
			p.tell(end, "a package that failed cannot be noted; it will be missed", err)
			return
		}
	}
	// Whether its files may go, the directory says.
	p.tell(end, "the files of a package cannot be removed yet", p.cleanAfter(end, w))
}

// giveBack lets another worker take the job up at once, if this one ends. If the
// database was away, the lease says when: it counts as an attempt.
func (b *building) giveBack(ctx context.Context, err error) error {
	if errors.Is(err, errDirectory) {
		return nil
	}
	return b.d.ReturnPackage(ctx, b.work)
}

// cleanAfter removes what a worker left that has no more to do with a job.
func (p *Packages) cleanAfter(ctx context.Context, w *directory.PackageWork) error {
	place, err := p.d.PackagePlaceOf(ctx, w.Job)
	if err != nil || place.Fence == w.Fence && place.Keep == w.Fence {
		return err
	}
	place.Fence = w.Fence
	return p.clean(ctx, place)
}

// leased builds while the job is this worker's.
func (b *building) leased(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var renewing sync.WaitGroup
	defer renewing.Wait()
	ended := make(chan struct{})
	defer close(ended)
	renewing.Go(func() {
		if err := b.renew(ctx, ended); err != nil {
			cancel(err)
		}
	})
	err := b.run(ctx)
	if cause := context.Cause(ctx); err != nil && errors.Is(cause, directory.ErrPackageLost) {
		return cause
	}
	return err
}

// renew says that the worker is there until the job has ended. A worker that could
// not say so in time ends by itself, before another takes the job up.
func (b *building) renew(ctx context.Context, ended <-chan struct{}) error {
	until, said := time.Now().Add(directory.PackageLease-renewTime), time.Now()
	var step string
	var done int64
	ticks := time.NewTicker(progressPause)
	defer ticks.Stop()
	for {
		select {
		case <-ended:
			return nil
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
		now, so, total := b.progress.get()
		if now == step && so == done && time.Since(said) < renewPause {
			continue
		}
		begin := time.Now()
		limited, cancel := context.WithTimeout(ctx, renewTime)
		err := b.d.RenewPackage(limited, b.work, now, so, total)
		cancel()
		switch {
		case err == nil:
			step, done, said, until = now, so, begin, begin.Add(directory.PackageLease-renewTime)
		case errors.Is(err, directory.ErrPackageLost):
			return err
		case time.Now().After(until):
			return fmt.Errorf("%w: %w", directory.ErrPackageLost, err)
		}
	}
}

// errDirectory: the directory's database does not do what it should.
var errDirectory = errors.New("the directory")

// ofDirectory marks what went wrong with the database, and not with the job.
func ofDirectory(err error) error {
	if err == nil || errors.Is(err, directory.ErrPackageLost) || api.CodeOf(err) != "" {
		return err
	}
	return fmt.Errorf("%w: %w", errDirectory, err)
}

// codeOf tells why a job failed; empty: another worker may have more luck.
func (b *building) codeOf(ctx context.Context, err error) api.Code {
	var mistakes config.Errors
	var mistake *config.Error
	var path *fs.PathError
	var link *os.LinkError
	var call *os.SyscallError
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case ctx.Err() != nil && !is(context.DeadlineExceeded), is(errDirectory):
		return ""
	case api.CodeOf(err) != "":
		return api.CodeOf(err)
	case is(errStoreFull):
		return api.CodePackageStoreFull
	case is(errStore):
		return api.CodePackageStore
	case is(errPayload, kit.ErrPayload):
		return api.CodePackagePayload
	case errors.As(err, &mistakes), errors.As(err, &mistake), is(errConfig):
		return api.CodePackageConfig
	case is(kit.ErrIdentity, notary.ErrKey, notary.ErrCredentials, notary.ErrRejected, config.ErrNoSecret, config.ErrBadSecret): // other secrets are at a place of the configuration
		return api.CodePackageSigning
	case is(kit.ErrNoAgent, kit.ErrNoCredentialProvider, kit.ErrNoLoginPlugin):
		return api.CodePackageAgents
	case is(errDamaged):
		return api.CodePackageDamaged
	case is(syscall.ENOSPC, syscall.EDQUOT, syscall.EIO, atomicfile.ErrInTheWay), errors.As(err, &path), errors.As(err, &link), errors.As(err, &call):
		return api.CodePackageDisk
	}
	return api.CodeInternal
}
