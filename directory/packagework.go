package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// PackageLease is how long a worker has a job without saying that it is there.
const PackageLease = 20 * time.Second

// maxPackageAttempts is how many workers may be lost over a job before it is given
// up.
const maxPackageAttempts = 5

// PackageWork is a job that a worker has taken up. Of all that ever did, only the
// last one's fence is the row's: what the others write is refused.
type PackageWork struct {
	Job     uuid.UUID
	Fence   int64
	Actor   string         // who asked for it
	Request api.NewPackage // with its secrets
	Uploads []*api.PackageUpload

	step string // that was told last, and how far it was
	done int64
}

// ErrPackageLost: the job is no longer this worker's. It was cancelled, or the
// worker was not heard of for too long.
var ErrPackageLost = errors.New("the job is no longer this worker's")

// QueuedPackage is a job that waits, and how often it was given to the queue.
type QueuedPackage struct {
	Job      uuid.UUID
	Dispatch int64
}

// QueuedPackages are the jobs that wait longest.
func (d *Directory) QueuedPackages(ctx context.Context) ([]QueuedPackage, error) {
	return readRows(ctx, d.store.read, func(row scanner) (q QueuedPackage, err error) {
		err = row.Scan(&q.Job, &q.Dispatch)
		return q, err
	}, `SELECT id, dispatch FROM package_jobs WHERE state = 'queued' ORDER BY queued_at, id LIMIT 100`)
}

// RedispatchPackage makes what the queue has of a waiting job void: a worker died
// with it before it took it up. It gives what the queue should have.
func (d *Directory) RedispatchPackage(ctx context.Context, q QueuedPackage) (QueuedPackage, error) {
	err := d.change(ctx, func(t *transaction) error {
		rows, err := t.exec(`UPDATE package_jobs SET dispatch = dispatch + 1 WHERE id = $1 AND dispatch = $2 AND state = 'queued'`, q.Job.String(), q.Dispatch)
		if err == nil && rows == 0 {
			err = ErrPackageLost
		}
		return err
	})
	return QueuedPackage{q.Job, q.Dispatch + 1}, err
}

// TakePackage takes a job up, if it still waits: of several workers one does. It
// is [ErrPackageLost] for the others.
func (d *Directory) TakePackage(ctx context.Context, q QueuedPackage) (*PackageWork, error) {
	w := &PackageWork{Job: q.Job}
	err := d.change(ctx, func(t *transaction) error {
		var request string
		err := t.QueryRowContext(ctx, `UPDATE package_jobs SET state = 'building', fence = fence + 1, attempts = attempts + 1, lease_until = $1, step = '', done = 0, total = 0
			WHERE id = $2 AND dispatch = $3 AND state = 'queued' RETURNING fence, created_by, request`,
			millis(d.now().Add(PackageLease)), q.Job.String(), q.Dispatch).Scan(&w.Fence, &w.Actor, &request)
		if errors.Is(err, sql.ErrNoRows) {
			return ErrPackageLost
		}
		if err != nil {
			return err
		}
		if err := json.Unmarshal([]byte(request), &w.Request); err != nil {
			return err
		}
		t.topics = append(t.topics, TopicPackages)
		if w.Uploads, err = t.uploadsOf(&w.Request); err != nil {
			return err
		}
		return t.revealPackage(w)
	})
	return w, err
}

func (t *transaction) revealPackage(w *PackageWork) error {
	var sealed []byte
	name := packageSecret(w.Job)
	if err := t.QueryRowContext(t.ctx, `SELECT value FROM secrets WHERE name = $1`, name).Scan(&sealed); err != nil {
		return fmt.Errorf("reading the secrets of package job %s: %w", w.Job, err)
	}
	plain, err := t.d.seal.open(name, sealed)
	if err != nil {
		return err
	}
	defer clear(plain)
	var s api.PackageSecrets
	if err := json.Unmarshal(plain, &s); err != nil {
		return errors.New("the secrets of a package job are damaged") // the error may quote them
	}
	w.Request.Reveal(&s)
	return nil
}

// uploadsOf gives the uploads of a request in its order, those that are there.
func (t *transaction) uploadsOf(n *api.NewPackage) (uploads []*api.PackageUpload, err error) {
	for _, p := range n.Payloads {
		u, err := scanUpload(t.QueryRowContext(t.ctx, `SELECT `+uploadColumns+` FROM package_uploads WHERE id = $1 AND sha256 <> ''`, p.Upload.String()))
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return nil, err
		}
		uploads = append(uploads, u)
	}
	return uploads, nil
}

// holdPackage makes sure that a job is still its worker's, until the transaction ends.
func (t *transaction) holdPackage(w *PackageWork, set string, args ...any) error {
	args = append([]any{w.Job.String(), w.Fence}, args...)
	rows, err := t.exec(`UPDATE package_jobs SET `+set+` WHERE id = $1 AND fence = $2 AND state = 'building'`, args...)
	if err == nil && rows == 0 {
		err = ErrPackageLost
	}
	return err
}

// RenewPackage says that the worker is there, and how far it is. It is for one
// goroutine.
func (d *Directory) RenewPackage(ctx context.Context, w *PackageWork, step string, done, total int64) error {
	moved := w.step != step || w.done != done
	err := d.change(ctx, func(t *transaction) error {
		if moved {
			t.topics = append(t.topics, TopicPackages)
		}
		return t.holdPackage(w, `lease_until = $3, step = $4, done = $5, total = $6`, millis(d.now().Add(PackageLease)), step, done, total)
	})
	if err == nil {
		w.step, w.done = step, done
	}
	return err
}

// MintPackageKey makes the connect key of a package. It never opens longer than
// its job is under way, or its kit offered.
func (d *Directory) MintPackageKey(ctx context.Context, w *PackageWork, platform api.Platform, packageID uuid.UUID) (*api.MintedConnectKey, error) {
	r := &w.Request
	n := api.NewConnectKey{
		Label: r.Label, Life: r.Life, Uses: r.Uses, Platforms: []api.Platform{platform}, PackageID: packageID,
		Batch: r.Batch, Tags: r.Tags, Approval: r.Approval,
	}
	return d.mint(ctx, w.Actor, n, func(t *transaction, k *api.ConnectKey) error {
		if err := t.holdPackage(w, `fence = fence`); err != nil {
			return err
		}
		_, err := t.exec(`INSERT INTO package_keys (connect_key, job, fence, platform, package_id) VALUES ($1, $2, $3, $4, $5)`,
			k.ID.String(), w.Job.String(), w.Fence, platform, packageID.String())
		return err
	})
}

// ReservePackage makes room for so many bytes of a job in the store, of which all
// there is may have quota bytes; 0: any number.
func (d *Directory) ReservePackage(ctx context.Context, w *PackageWork, size, quota int64) error {
	return d.change(ctx, func(t *transaction) error {
		if err := t.holdPackage(w, `fence = fence`); err != nil {
			return err
		}
		var old int64
		if err := t.QueryRowContext(ctx, `SELECT stored FROM package_jobs WHERE id = $1`, w.Job.String()).Scan(&old); err != nil {
			return err
		}
		if err := t.take(size-old, quota); err != nil {
			return err
		}
		return t.holdPackage(w, `stored = $3`, size)
	})
}

// take takes room in the store, or gives it back.
func (t *transaction) take(more, quota int64) error {
	room := int64(math.MaxInt64)
	if quota > 0 && more > 0 {
		room = quota - more
	}
	rows, err := t.exec(`UPDATE package_store SET used = used + $1 WHERE id = 1 AND used <= $2`, more, room)
	if err == nil && rows == 0 {
		err = api.Refuse(api.CodePackageStoreFull, "%d bytes more than the %d that it may hold", more, quota)
	}
	return err
}

// ReadyPackage offers the kit. Its files are in the store, and verified.
func (d *Directory) ReadyPackage(ctx context.Context, w *PackageWork, files []api.PackageFile) error {
	return d.change(ctx, func(t *transaction) error {
		kit := kitOf{Files: files}
		var err error
		if kit.Keys, err = readRows(ctx, t, scanPackageKey, `SELECT connect_key, platform, package_id FROM package_keys WHERE job = $1 AND fence = $2 ORDER BY connect_key`, w.Job.String(), w.Fence); err != nil {
			return err
		}
		document, err := json.Marshal(&kit)
		if err != nil {
			return err
		}
		now := millis(d.now())
		err = t.holdPackage(w, `state = 'ready', step = '', done = 0, total = 0, lease_until = 0, ready_at = $3, ended_at = $3, kit = $4`, now, string(document))
		if errors.Is(err, ErrPackageLost) && t.isReady(w) {
			return nil // the attempt before this one was committed, and its answer lost
		}
		if err != nil {
			return err
		}
		t.tellPackage("system", "ready", w.Job, map[string]any{"keys": kit.Keys})
		if err := t.revokePackageKeys(w.Job, w.Fence, "another attempt to build the package was faster"); err != nil {
			return err
		}
		_, err = t.exec(`DELETE FROM secrets WHERE name = $1`, packageSecret(w.Job))
		return err
	})
}

// isReady tells whether the kit of this very worker is offered.
func (t *transaction) isReady(w *PackageWork) bool {
	var ready int
	err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM package_jobs WHERE id = $1 AND fence = $2 AND state = 'ready'`, w.Job.String(), w.Fence).Scan(&ready)
	return err == nil && ready == 1
}

func scanPackageKey(row scanner) (k api.PackageKey, err error) {
	err = row.Scan(&k.KeyID, &k.Platform, &k.PackageID)
	return k, err
}

// FailPackage ends a job that cannot be built. The text is for IT.
func (d *Directory) FailPackage(ctx context.Context, w *PackageWork, code api.Code, why error) error {
	return d.change(ctx, func(t *transaction) error {
		if err := t.holdPackage(w, `state = 'failed', error_code = $3, error_text = $4, ended_at = $5`, code, errorText(why), millis(d.now())); err != nil {
			return err
		}
		t.tellPackage("system", "fail", w.Job, map[string]any{"code": code})
		return t.endPackage(w.Job, "the package could not be built")
	})
}

// ReturnPackage gives a job back that a worker which ends has no time for.
func (d *Directory) ReturnPackage(ctx context.Context, w *PackageWork) error {
	return d.change(ctx, func(t *transaction) error {
		if err := t.holdPackage(w, `state = 'queued', dispatch = dispatch + 1, attempts = attempts - 1, step = '', done = 0, total = 0`); err != nil {
			return err
		}
		t.topics = append(t.topics, TopicPackages)
		return t.revokePackageKeys(w.Job, -1, "the worker ended before the package was built")
	})
}

// RequeuePackages takes jobs from workers that were not heard of for too long, and
// gives those up that took too many with them.
func (d *Directory) RequeuePackages(ctx context.Context) error {
	lost, err := readRows(ctx, d.store.read, scanText, `SELECT id FROM package_jobs WHERE state = 'building' AND lease_until < $1 LIMIT 100`, millis(d.now()))
	if err != nil {
		return err
	}
	for _, id := range lost {
		if err := d.requeuePackage(ctx, parseUUID(id)); err != nil {
			return err
		}
	}
	return nil
}

func (d *Directory) requeuePackage(ctx context.Context, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error {
		const lost = ` WHERE id = $1 AND state = 'building' AND lease_until < $2 AND attempts `
		now := millis(d.now())
		rows, err := t.exec(`UPDATE package_jobs SET state = 'queued', dispatch = dispatch + 1, step = '', done = 0, total = 0`+lost+`< $3`, id.String(), now, maxPackageAttempts)
		if err != nil {
			return err
		}
		if rows == 1 {
			t.tellPackage("system", "lost", id, nil)
			return t.revokePackageKeys(id, -1, "the worker that built the package is lost")
		}
		rows, err = t.exec(`UPDATE package_jobs SET state = 'failed', error_code = $4, ended_at = $2`+lost+`>= $3`, id.String(), now, maxPackageAttempts, api.CodePackageWorkersLost)
		if err != nil || rows == 0 {
			return err
		}
		t.tellPackage("system", "fail", id, map[string]any{"code": api.CodePackageWorkersLost})
		return t.endPackage(id, "every worker that built the package was lost")
	})
}
