// Package packages has kits built on the directory's side: by jobs that any number
// of workers take up, which mint the keys, build, sign and verify, and put the kit
// into a store, from which it is downloaded.
//
// A kit is offered once all of it is in the store and verified, or never: a job
// that fails, is cancelled or given up has its keys revoked and its files deleted.
// The directory's tables say what became of each job (see package directory);
// River only brings jobs to workers.
package packages

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/directory"
)

// DefaultMaxUpload bounds an upload unless somebody says otherwise, in bytes.
const DefaultMaxUpload = 2 << 30

// Options say what a process does about packages.
type Options struct {
	// Store is where kits and uploads lie: a folder, or an S3-compatible store,
	// https://host/bucket/prefix.
	Store string
	// Work is whether this process builds. It needs what follows, then.
	Work bool
	// Config is the file firstday.yaml that kits are built from.
	Config string
	// Agents is the folder of the agents.
	Agents string
	// Folder is where kits are built. They hold keys: nobody else may write there,
	// or above it.
	Folder string
	// Notarize has packages for macOS notarised by Apple, with the key that the
	// configuration names.
	Notarize bool
	// Version is the program's, for the manifests.
	Version string

	MaxUpload int64 // of one upload, in bytes; 0: DefaultMaxUpload
	Quota     int64 // of all that is in the store, in bytes; 0: there is none
}

// Packages is what one process does about packages. Its methods may be called at
// once.
type Packages struct {
	Options
	d     *directory.Directory
	store store
	queue queue

	background sync.WaitGroup
	stop       context.CancelFunc
	// There is a job that waits, or one that left files.
	waiting, leftover chan struct{}
}

// closeTime is how long a process that ends waits for its job to be given back.
const closeTime = 15 * time.Second

// Open lets a process have a part in building packages, until Close. The directory
// offers them: see [directory.Directory.OfferPackages].
func Open(ctx context.Context, d *directory.Directory, o Options) (*Packages, error) {
	s, err := openStore(o.Store, storeFolder(d))
	if err != nil {
		return nil, fmt.Errorf("opening the store of kits: %w", err)
	}
	p, err := openWith(ctx, d, o, s)
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return p, nil
}

// openWith is Open with a store that is open.
func openWith(ctx context.Context, d *directory.Directory, o Options, s store) (*Packages, error) {
	if o.MaxUpload == 0 {
		o.MaxUpload = DefaultMaxUpload
	}
	p := &Packages{Options: o, d: d, store: s, waiting: make(chan struct{}, 1), leftover: make(chan struct{}, 1)}
	var work func(context.Context, directory.QueuedPackage)
	if o.Work {
		if err := p.checkWorker(); err != nil {
			return nil, err
		}
		work = p.work
	}
	var err error
	if p.queue, err = openQueue(ctx, d, work); err != nil {
		return nil, err
	}
	ctx, p.stop = context.WithCancel(context.WithoutCancel(ctx))
	p.background.Go(func() { p.keep(ctx) })
	p.background.Go(func() { p.sweep(ctx) })
	return p, nil
}

// storeFolder keeps what is one directory's apart from what is another's.
func storeFolder(d *directory.Directory) string {
	const digits = 16
	return "directory-" + strings.TrimPrefix(d.Pin(), "sha256:")[:digits]
}

// Close gives the job back that is being built, and ends.
func (p *Packages) Close() error {
	p.stop()
	ctx, cancel := context.WithTimeout(context.Background(), closeTime)
	defer cancel()
	err := p.queue.close(ctx)
	p.background.Wait()
	return errors.Join(err, p.store.close())
}

// Queue has a kit built.
func (p *Packages) Queue(ctx context.Context, actor string, n *api.NewPackage) (*api.PackageJob, error) {
	if err := n.Check(); err != nil {
		return nil, api.Refuse(api.CodeBadRequest, "%v", err)
	}
	uploads, err := p.uploads(ctx, n)
	if err != nil {
		return nil, err
	}
	if err := checkRequest(n, uploads); err != nil {
		return nil, err
	}
	job, err := p.d.QueuePackage(ctx, actor, *n)
	if err == nil {
		p.hurry()
	}
	return job, err
}

// uploads are those that a request names, in its order.
func (p *Packages) uploads(ctx context.Context, n *api.NewPackage) ([]*api.PackageUpload, error) {
	if len(n.Payloads) == 0 {
		return nil, nil
	}
	known := make(map[uuid.UUID]*api.PackageUpload)
	all, err := p.d.PackageUploads(ctx)
	if err != nil {
		return nil, err
	}
	for _, u := range all {
		known[u.ID] = u
	}
	uploads := make([]*api.PackageUpload, len(n.Payloads))
	for i, payload := range n.Payloads {
		if uploads[i] = known[payload.Upload]; uploads[i] == nil {
			return nil, api.Refuse(api.CodeNotFound, "there is no upload %s", payload.Upload)
		}
	}
	return uploads, nil
}

// Cancel ends a job, or withdraws the kit that it came to.
func (p *Packages) Cancel(ctx context.Context, actor string, id uuid.UUID) error {
	err := p.d.CancelPackage(ctx, actor, id)
	if err == nil {
		p.hurry()
	}
	return err
}

// Retry builds a kit again that came to nothing.
func (p *Packages) Retry(ctx context.Context, actor string, id uuid.UUID, s *api.PackageSecrets) (*api.PackageJob, error) {
	old, err := p.d.PackageJob(ctx, id)
	if err != nil {
		return nil, err
	}
	n := old.Request
	n.Reveal(s)
	if err := checkPasswords(n.WiFi); err != nil {
		return nil, err
	}
	job, err := p.d.RetryPackage(ctx, actor, id, s)
	if err == nil {
		p.hurry()
	}
	return job, err
}

// List lists jobs, the newest first, a page of those before the one named.
func (p *Packages) List(ctx context.Context, before uuid.UUID) ([]*api.PackageJob, error) {
	return p.d.PackageJobs(ctx, before)
}

// Get gives one job.
func (p *Packages) Get(ctx context.Context, id uuid.UUID) (*api.PackageJob, error) {
	return p.d.PackageJob(ctx, id)
}

// hurry lets keep and sweep do at once what they do every few seconds.
func (p *Packages) hurry() {
	for _, wake := range []chan struct{}{p.waiting, p.leftover} {
		select {
		case wake <- struct{}{}:
		default: // it will
		}
	}
}
