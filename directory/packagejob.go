package directory

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// maxOpenPackages is how many jobs may wait or be built at once.
const maxOpenPackages = 2000

// PackagePage is how many jobs a page of the list holds.
const PackagePage = 100

// packageSecret is the name under which the secrets of a job are sealed.
func packageSecret(job uuid.UUID) string { return "package " + job.String() }

// kitOf is what a job came to.
type kitOf struct {
	Keys  []api.PackageKey  `json:"keys"`
	Files []api.PackageFile `json:"files"`
}

// QueuePackage notes that somebody wants a kit. Who builds it takes it up with
// [Directory.TakePackage].
func (d *Directory) QueuePackage(ctx context.Context, actor string, n api.NewPackage) (*api.PackageJob, error) {
	if err := checkPackage(&n); err != nil {
		return nil, err
	}
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	secrets := n.Secrets()
	job := &api.PackageJob{ID: id, State: api.PackageQueued, Request: n, CreatedBy: actor, CreatedAt: d.now()}
	request, err := json.Marshal(&job.Request)
	if err != nil {
		return nil, err
	}
	names, err := json.Marshal(secrets.Names())
	if err != nil {
		return nil, err
	}
	return job, d.change(ctx, func(t *transaction) error {
		if err := t.notTooManyPackages(); err != nil {
			return err
		}
		if err := t.useUploads(&job.Request); err != nil {
			return err
		}
		rows, err := t.exec(`INSERT INTO package_jobs (id, state, request, secrets, created_at, created_by, queued_at) VALUES ($1, $2, $3, $4, $5, $6, $5) ON CONFLICT (id) DO NOTHING`,
			id.String(), api.PackageQueued, string(request), string(names), millis(job.CreatedAt), actor)
		if rows == 0 {
			return err // or the attempt before this one was committed, and its answer lost
		}
		t.tellPackage(actor, "queue", id, map[string]any{"label": n.Label, "platforms": n.Platforms, "batch": n.Batch})
		return t.keepPackageSecrets(id, secrets)
	})
}

// checkPackage checks what is for the keys, and fills in what they get if nobody
// says otherwise.
func checkPackage(n *api.NewPackage) error {
	if err := n.Check(); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	if n.Life == 0 {
		n.Life = api.DefaultKeyLife
	}
	if n.Uses == 0 {
		n.Uses = api.DefaultKeyUses
	}
	return checkNewKey(&api.NewConnectKey{Label: n.Label, Life: n.Life, Uses: n.Uses, Batch: n.Batch, Tags: n.Tags})
}

func (t *transaction) notTooManyPackages() error {
	var open int
	if err := t.QueryRowContext(t.ctx, `SELECT COUNT(*) FROM package_jobs WHERE state IN ('queued', 'building')`).Scan(&open); err != nil {
		return err
	}
	if open >= maxOpenPackages {
		return api.Refuse(api.CodeTooMany, "%d packages wait to be built", open)
	}
	return nil
}

func (t *transaction) keepPackageSecrets(job uuid.UUID, s *api.PackageSecrets) error {
	plain, err := json.Marshal(s)
	if err != nil {
		return err
	}
	defer clear(plain)
	name := packageSecret(job)
	_, err = t.exec(`INSERT INTO secrets (name, value) VALUES ($1, $2)`, name, t.d.seal.close(name, plain))
	return err
}

// tellPackage notes what became of a job.
func (t *transaction) tellPackage(actor, action string, job uuid.UUID, detail map[string]any) {
	t.audit(actor, "package."+action, "package:"+job.String(), detail)
}

// useUploads makes sure that what a job carries is there, and stays.
func (t *transaction) useUploads(n *api.NewPackage) error {
	for _, p := range n.Payloads {
		rows, err := t.exec(`UPDATE package_uploads SET used_at = $1 WHERE id = $2 AND sha256 <> ''`, millis(t.d.now()), p.Upload.String())
		if err != nil {
			return err
		}
		if rows == 0 {
			return api.Refuse(api.CodeNotFound, "there is no upload %s", p.Upload)
		}
	}
	return nil
}

const packageColumns = `id, state, request, step, done, total, error_code, error_text, attempts, created_by, created_at, ready_at, ended_at, kit`

func scanPackage(row scanner) (*api.PackageJob, error) {
	var j api.PackageJob
	var request, kit, code, text string
	var created, ready, ended int64
	err := row.Scan(&j.ID, &j.State, &request, &j.Step, &j.Done, &j.Total, &code, &text, &j.Attempts, &j.CreatedBy, &created, &ready, &ended, &kit)
	if err != nil {
		return nil, err
	}
	j.CreatedAt, j.ReadyAt, j.EndedAt = fromMillis(created), fromMillis(ready), fromMillis(ended)
	if code != "" {
		j.Error = &api.PackageError{Code: api.Code(code), Text: text}
	}
	if err := json.Unmarshal([]byte(request), &j.Request); err != nil {
		return nil, fmt.Errorf("reading package job %s: %w", j.ID, err)
	}
	if j.State != api.PackageReady {
		return &j, nil
	}
	var k kitOf
	if err := json.Unmarshal([]byte(kit), &k); err != nil {
		return nil, fmt.Errorf("reading package job %s: %w", j.ID, err)
	}
	j.Keys, j.Files = k.Keys, k.Files
	return &j, nil
}

// PackageJobs lists jobs, the newest first, those older than the one named, at
// most [PackagePage].
func (d *Directory) PackageJobs(ctx context.Context, before uuid.UUID) ([]*api.PackageJob, error) {
	return readRows(ctx, d.store.read, scanPackage, `SELECT `+packageColumns+` FROM package_jobs WHERE $1 = '' OR id < $1 ORDER BY id DESC LIMIT $2`, uuidText(before), PackagePage)
}

// PackageJob gives one job.
func (d *Directory) PackageJob(ctx context.Context, id uuid.UUID) (*api.PackageJob, error) {
	return packageJob(ctx, d.store.read, id)
}

func packageJob(ctx context.Context, q querier, id uuid.UUID) (*api.PackageJob, error) {
	j, err := scanPackage(q.QueryRowContext(ctx, `SELECT `+packageColumns+` FROM package_jobs WHERE id = $1`, id.String()))
	if errors.Is(err, sql.ErrNoRows) {
		return nil, api.Refuse(api.CodeNotFound, "there is no package job %s", id)
	}
	return j, err
}

// CancelPackage ends a job, also one that is being built, or withdraws the kit
// that it came to. From then on none of its keys opens, and its files go.
func (d *Directory) CancelPackage(ctx context.Context, actor string, id uuid.UUID) error {
	return d.change(ctx, func(t *transaction) error {
		rows, err := t.exec(`UPDATE package_jobs SET state = $1, ended_at = $2 WHERE id = $3 AND state IN ('queued', 'building', 'ready')`,
			api.PackageCancelled, millis(d.now()), id.String())
		if err != nil {
			return err
		}
		if rows == 0 {
			_, err := packageJob(ctx, t, id)
			return err // or it has come to nothing already
		}
		t.tellPackage(actor, "cancel", id, nil)
		return t.endPackage(id, "the package was cancelled")
	})
}

// endPackage forgets the secrets of a job that nobody will build, and revokes its
// keys.
func (t *transaction) endPackage(id uuid.UUID, why string) error {
	if err := t.revokePackageKeys(id, -1, why); err != nil {
		return err
	}
	_, err := t.exec(`DELETE FROM secrets WHERE name = $1`, packageSecret(id))
	return err
}

// revokePackageKeys revokes the keys of a job, but those of the fence named.
func (t *transaction) revokePackageKeys(job uuid.UUID, but int64, why string) error {
	keys, err := readRows(t.ctx, t, scanText, `SELECT c.id FROM package_keys k JOIN connect_keys c ON c.id = k.connect_key WHERE k.job = $1 AND k.fence <> $2 AND c.revoked_at = 0`, job.String(), but)
	if err != nil {
		return err
	}
	for _, key := range keys {
		if _, err := t.exec(`UPDATE connect_keys SET revoked_at = $1 WHERE id = $2`, millis(t.d.now()), key); err != nil {
			return err
		}
		t.audit("system", "key.revoke", "key:"+key, map[string]any{"package": job, "reason": why})
	}
	return nil
}

// RetryPackage queues a job again that came to nothing, with its secrets, which
// were forgotten when it ended.
func (d *Directory) RetryPackage(ctx context.Context, actor string, id uuid.UUID, s *api.PackageSecrets) (job *api.PackageJob, err error) {
	err = d.change(ctx, func(t *transaction) error {
		if err := t.notTooManyPackages(); err != nil {
			return err
		}
		rows, err := t.exec(`UPDATE package_jobs SET state = 'queued', queued_at = $1, dispatch = dispatch + 1, attempts = 0, step = '', done = 0, total = 0,
			error_code = '', error_text = '', ready_at = 0, ended_at = 0, kit = '{}' WHERE id = $2 AND state IN ('failed', 'cancelled')`, millis(d.now()), id.String())
		if err != nil {
			return err
		}
		if job, err = packageJob(ctx, t, id); err != nil {
			return err
		}
		if rows == 0 {
			return api.Refuse(api.CodeConflict, "the job is %s; only one that failed or was cancelled can be tried again", job.State)
		}
		if err := t.lacksNoSecret(id, s); err != nil {
			return err
		}
		request := job.Request
		request.Reveal(s)
		if err := request.Check(); err != nil {
			return api.Refuse(api.CodeBadRequest, "%v", err)
		}
		if err := t.useUploads(&request); err != nil {
			return err
		}
		t.tellPackage(actor, "retry", id, nil)
		return t.keepPackageSecrets(id, request.Secrets())
	})
	return job, err
}

// lacksNoSecret refuses a retry that would build something else than was asked for.
func (t *transaction) lacksNoSecret(id uuid.UUID, s *api.PackageSecrets) error {
	var names string
	if err := t.QueryRowContext(t.ctx, `SELECT secrets FROM package_jobs WHERE id = $1`, id.String()).Scan(&names); err != nil {
		return err
	}
	var had api.PackageSecrets
	if err := json.Unmarshal([]byte(names), &had); err != nil {
		return err
	}
	if err := s.Lacks(&had); err != nil {
		return api.Refuse(api.CodeBadRequest, "%v", err)
	}
	return nil
}

// NotePackageDownload notes who fetched what of a kit: it holds keys.
func (d *Directory) NotePackageDownload(ctx context.Context, actor string, id uuid.UUID, file string) error {
	return d.change(ctx, func(t *transaction) error {
		t.audit(actor, "package.download", "package:"+id.String(), map[string]any{"file": file})
		return nil
	})
}

// endPackagesAfterRestore ends what was under way when the backup was made: its
// files are not there, and who built it does not know of the restored directory.
func (t *transaction) endPackagesAfterRestore() error {
	ids, err := readRows(t.ctx, t, scanText, `SELECT id FROM package_jobs WHERE state IN ('queued', 'building')`)
	if err != nil {
		return err
	}
	for _, text := range ids {
		id := parseUUID(text)
		if _, err := t.exec(`UPDATE package_jobs SET state = 'failed', error_code = $1, ended_at = $2, lease_until = 0 WHERE id = $3`, api.CodePackageRestored, millis(t.d.now()), text); err != nil {
			return err
		}
		t.tellPackage("system", "fail", id, map[string]any{"code": api.CodePackageRestored})
		if err := t.endPackage(id, "the directory was restored"); err != nil {
			return err
		}
	}
	_, err = t.exec(`DELETE FROM package_uploads WHERE sha256 = ''`)
	return err
}

// errorText is what a job shows of an error, bounded.
func errorText(err error) string {
	const most = 4000
	text := strings.ToValidUTF8(strings.ReplaceAll(err.Error(), "\x00", ""), "?")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}
