package directory

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// PackagePlace says what of a job may lie in the store: what workers up to Fence
// wrote goes, but what the one of Keep did; 0: nothing stays.
type PackagePlace struct {
	Job         uuid.UUID
	Fence, Keep int64
}

// PackageLeftovers are jobs that came to nothing and may have files in the store,
// where nobody works on them any more.
func (d *Directory) PackageLeftovers(ctx context.Context) ([]PackagePlace, error) {
	return readRows(ctx, d.store.read, func(row scanner) (p PackagePlace, err error) {
		err = row.Scan(&p.Job, &p.Fence)
		return p, err
	}, `SELECT id, fence FROM package_jobs WHERE stored > 0 AND state IN ('failed', 'cancelled') AND lease_until < $1 LIMIT 100`, millis(d.now()))
}

// PackagePlaceOf says what may lie in the store of a job, also of none that there
// is.
func (d *Directory) PackagePlaceOf(ctx context.Context, job uuid.UUID) (PackagePlace, error) {
	p := PackagePlace{Job: job}
	var state api.PackageState
	err := d.store.read.QueryRowContext(ctx, `SELECT state, fence FROM package_jobs WHERE id = $1`, job.String()).Scan(&state, &p.Fence)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return p, nil
	case err != nil:
		return p, err
	case state == api.PackageReady || state == api.PackageBuilding:
		p.Keep = p.Fence
	}
	return p, nil
}

// PackageCleaned notes that a job that came to nothing has no files in the store.
func (d *Directory) PackageCleaned(ctx context.Context, p PackagePlace) error {
	return d.change(ctx, func(t *transaction) error {
		var size int64
		err := t.QueryRowContext(ctx, `UPDATE package_jobs SET lease_until = 0 WHERE id = $1 AND fence = $2 AND stored > 0 AND state IN ('queued', 'failed', 'cancelled') RETURNING stored`, p.Job.String(), p.Fence).Scan(&size)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		if err != nil {
			return err
		}
		if _, err := t.exec(`UPDATE package_jobs SET stored = 0 WHERE id = $1`, p.Job.String()); err != nil {
			return err
		}
		return t.take(-size, 0)
	})
}

// How long uploads stay: one that does not arrive, and one that no job asks for.
const (
	arrivingLife = 24 * time.Hour
	uploadLife   = 30 * 24 * time.Hour
)

const uploadColumns = `id, name, kind, size, sha256, created_at, created_by`

func scanUpload(row scanner) (*api.PackageUpload, error) {
	var u api.PackageUpload
	var created int64
	err := row.Scan(&u.ID, &u.Name, &u.Kind, &u.Size, &u.SHA256, &created, &u.CreatedBy)
	u.CreatedAt = fromMillis(created)
	return &u, err
}

// PackageUploads lists what was uploaded, the newest first.
func (d *Directory) PackageUploads(ctx context.Context) ([]*api.PackageUpload, error) {
	return readRows(ctx, d.store.read, scanUpload, `SELECT `+uploadColumns+` FROM package_uploads WHERE sha256 <> '' ORDER BY id DESC LIMIT 1000`)
}

// BeginPackageUpload makes room for an upload that is about to arrive.
func (d *Directory) BeginPackageUpload(ctx context.Context, actor, name, kind string, size, quota int64) (*api.PackageUpload, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	u := &api.PackageUpload{ID: id, Name: name, Kind: kind, Size: size, CreatedAt: d.now(), CreatedBy: actor}
	return u, d.change(ctx, func(t *transaction) error {
		rows, err := t.exec(`INSERT INTO package_uploads (id, name, kind, size, sha256, created_at, created_by, used_at) VALUES ($1, $2, $3, $4, '', $5, $6, $5) ON CONFLICT (id) DO NOTHING`,
			id.String(), name, kind, size, millis(u.CreatedAt), actor)
		if rows == 0 {
			return err // or the attempt before this one was committed, and its answer lost
		}
		return t.take(size, quota)
	})
}

// FinishPackageUpload notes that an upload has arrived.
func (d *Directory) FinishPackageUpload(ctx context.Context, u *api.PackageUpload) error {
	return d.change(ctx, func(t *transaction) error {
		rows, err := t.exec(`UPDATE package_uploads SET sha256 = $1 WHERE id = $2`, u.SHA256, u.ID.String())
		if err != nil {
			return err
		}
		if rows == 0 {
			return api.Refuse(api.CodeNotFound, "the upload %s was removed before it had arrived", u.ID)
		}
		t.audit(u.CreatedBy, "package.upload", "upload:"+u.ID.String(), map[string]any{"name": u.Name, "size": u.Size, "sha256": u.SHA256})
		return nil
	})
}

// RemovePackageUpload forgets an upload that no job waits for. Its file is for the
// caller to remove, then.
func (d *Directory) RemovePackageUpload(ctx context.Context, actor string, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error {
		// Whoever asks for it right now goes first, or finds it gone.
		if _, err := t.exec(`UPDATE package_uploads SET used_at = used_at WHERE id = $1`, id.String()); err != nil {
			return err
		}
		var open int
		if err := t.QueryRowContext(ctx, `SELECT COUNT(*) FROM package_jobs WHERE state IN ('queued', 'building') AND request LIKE $1`, "%"+id.String()+"%").Scan(&open); err != nil {
			return err
		}
		if open > 0 {
			return api.Refuse(api.CodeConflict, "%d jobs that are not built yet carry the upload %s", open, id)
		}
		var size int64
		err := t.QueryRowContext(ctx, `DELETE FROM package_uploads WHERE id = $1 RETURNING size`, id.String()).Scan(&size)
		if errors.Is(err, sql.ErrNoRows) {
			return api.Refuse(api.CodeNotFound, "there is no upload %s", id)
		}
		if err != nil {
			return err
		}
		t.audit(actor, "package.remove-upload", "upload:"+id.String(), nil)
		return t.take(-size, 0)
	})
}

// OldPackageUploads are those that did not arrive in time, or that nobody asked
// for in a long while.
func (d *Directory) OldPackageUploads(ctx context.Context) ([]uuid.UUID, error) {
	now := d.now()
	return readRows(ctx, d.store.read, func(row scanner) (id uuid.UUID, err error) {
		err = row.Scan(&id)
		return id, err
	}, `SELECT id FROM package_uploads WHERE sha256 = '' AND created_at < $1 OR used_at < $2 LIMIT 100`,
		millis(now.Add(-arrivingLife)), millis(now.Add(-uploadLife)))
}

// KnowsPackageUpload tells whether an upload is there, or arriving.
func (d *Directory) KnowsPackageUpload(ctx context.Context, id uuid.UUID) (bool, error) {
	var n int
	err := d.store.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM package_uploads WHERE id = $1`, id.String()).Scan(&n)
	return n > 0, err
}
