package packages

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/riverdriver/riversqlite"
	"github.com/riverqueue/river/rivermigrate"
	"github.com/riverqueue/river/rivertype"

	"firstday.dev/directory"
)

// queue brings jobs to workers: River's. What it has is no more than a note that a
// job waits; the directory's own tables say what became of it. So nothing is lost
// with the queue, and nothing happens twice if it says something twice.
type queue interface {
	// offer notes that jobs wait, but those of which it has a note. It gives the
	// jobs whose note lies with a worker that should have taken them up long ago.
	offer(ctx context.Context, jobs []directory.QueuedPackage) (stuck []directory.QueuedPackage, err error)
	close(ctx context.Context) error
}

// buildArgs are those of River's jobs. Nothing in them is secret.
type buildArgs struct {
	Job      uuid.UUID `json:"job" river:"unique"`
	Dispatch int64     `json:"dispatch" river:"unique"`
}

// Kind names the jobs to River.
func (buildArgs) Kind() string { return "firstday_package" }

// queueName is that of River's queue: there may be others in the database one day.
const queueName = "firstday_packages"

// InsertOpts has one note of a job at a time. What goes wrong with a job is not
// River's to try again.
func (buildArgs) InsertOpts() river.InsertOpts {
	return river.InsertOpts{Queue: queueName, MaxAttempts: 1, UniqueOpts: river.UniqueOpts{ByArgs: true, ByState: []rivertype.JobState{
		rivertype.JobStateAvailable, rivertype.JobStatePending, rivertype.JobStateRetryable, rivertype.JobStateRunning, rivertype.JobStateScheduled,
	}}}
}

// buildLimit is how long a kit may take to build.
const buildLimit = 2 * time.Hour

// takeTime is enough for a worker to take up a job that River gave it.
const takeTime = 15 * time.Second

// worker is what River runs.
type worker struct {
	river.WorkerDefaults[buildArgs]
	work func(context.Context, directory.QueuedPackage)
}

func (w *worker) Timeout(*river.Job[buildArgs]) time.Duration { return buildLimit }

// Work builds a kit. What became of it stands in the directory.
func (w *worker) Work(ctx context.Context, job *river.Job[buildArgs]) error {
	w.work(ctx, directory.QueuedPackage{Job: job.Args.Job, Dispatch: job.Args.Dispatch})
	return nil
}

// openQueue opens River's queue in the database of the directory. work builds a
// kit; nil: this process builds none.
func openQueue(ctx context.Context, d *directory.Directory, work func(context.Context, directory.QueuedPackage)) (queue, error) {
	if d.OnPostgres() {
		return openPostgresQueue(ctx, d, work)
	}
	return openMemoryQueue(ctx, d, work)
}

// queueConnections is how many connections to PostgreSQL a process has for River.
const queueConnections = 4

// queueLock is that which only one process at a time has, to make River's tables.
const queueLock = 0x66697273746461 // "firstda"

func openPostgresQueue(ctx context.Context, d *directory.Directory, work func(context.Context, directory.QueuedPackage)) (queue, error) {
	config, err := pgxpool.ParseConfig(d.Database)
	if err != nil {
		return nil, errors.New("the URL of the database is malformed") // it may hold a password
	}
	config.MaxConns = queueConnections
	pool, err := pgxpool.NewWithConfig(ctx, config)
	if err != nil {
		return nil, err
	}
	if err := migratePostgres(ctx, pool); err != nil {
		pool.Close()
		return nil, err
	}
	q, err := startRiver(ctx, riverpgxv5.New(pool), d.Log, work)
	if err != nil {
		pool.Close()
		return nil, err
	}
	q.release = func() error { pool.Close(); return nil }
	return q, nil
}

func migratePostgres(ctx context.Context, pool *pgxpool.Pool) (err error) {
	conn, err := pool.Acquire(ctx)
	if err != nil {
		return fmt.Errorf("opening the queue of packages: %w", err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, int64(queueLock)); err != nil {
		return err
	}
	defer func() {
		_, unlocked := conn.Exec(context.WithoutCancel(ctx), `SELECT pg_advisory_unlock($1)`, int64(queueLock))
		err = errors.Join(err, unlocked)
	}()
	return migrate(ctx, riverpgxv5.New(pool))
}

func migrate[TTx any](ctx context.Context, driver riverdriver.Driver[TTx]) error {
	m, err := rivermigrate.New(driver, &rivermigrate.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return err
	}
	if _, err := m.Migrate(ctx, rivermigrate.DirectionUp, nil); err != nil {
		return fmt.Errorf("preparing the queue of packages: %w", err)
	}
	return nil
}

// openMemoryQueue has the notes in memory: on SQLite nobody else needs them, and at
// each start they are made anew.
func openMemoryQueue(ctx context.Context, d *directory.Directory, work func(context.Context, directory.QueuedPackage)) (queue, error) {
	db, err := sql.Open("sqlite", ":memory:")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1) // each connection would have a memory of its own
	driver := riversqlite.New(db)
	if err := migrate(ctx, driver); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	q, err := startRiver(ctx, driver, d.Log, work)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	q.release = db.Close
	return q, nil
}

// riverQueue is a client of River.
type riverQueue[TTx any] struct {
	client  *river.Client[TTx]
	works   bool
	release func() error
}

func startRiver[TTx any](ctx context.Context, driver riverdriver.Driver[TTx], log *slog.Logger, work func(context.Context, directory.QueuedPackage)) (*riverQueue[TTx], error) {
	config := &river.Config{Logger: quiet(log), JobTimeout: buildLimit, CompletedJobRetentionPeriod: time.Hour, DiscardedJobRetentionPeriod: 24 * time.Hour}
	if work != nil {
		config.Workers = river.NewWorkers()
		river.AddWorker(config.Workers, &worker{work: work})
		// A build uses all cores by itself.
		config.Queues = map[string]river.QueueConfig{queueName: {MaxWorkers: 1}}
	}
	client, err := river.NewClient(driver, config)
	if err != nil {
		return nil, err
	}
	q := &riverQueue[TTx]{client: client, works: work != nil}
	if q.works {
		// What ends it is close: who asked for it to begin may be gone by then.
		if err := client.Start(context.WithoutCancel(ctx)); err != nil {
			return nil, fmt.Errorf("starting the queue of packages: %w", err)
		}
	}
	return q, nil
}

func (q *riverQueue[TTx]) offer(ctx context.Context, jobs []directory.QueuedPackage) (stuck []directory.QueuedPackage, err error) {
	if len(jobs) == 0 {
		return nil, nil
	}
	params := make([]river.InsertManyParams, len(jobs))
	for i, j := range jobs {
		params[i].Args = buildArgs{j.Job, j.Dispatch}
	}
	results, err := q.client.InsertMany(ctx, params)
	if err != nil {
		return nil, err
	}
	for i, r := range results {
		if r.UniqueSkippedAsDuplicate && r.Job != nil && r.Job.State == rivertype.JobStateRunning && r.Job.AttemptedAt != nil && time.Since(*r.Job.AttemptedAt) > takeTime {
			stuck = append(stuck, jobs[i])
		}
	}
	return stuck, nil
}

func (q *riverQueue[TTx]) close(ctx context.Context) error {
	var err error
	if q.works {
		err = q.client.StopAndCancel(ctx)
	}
	return errors.Join(err, q.release())
}

// quiet keeps what River tells of its ways out of the log.
func quiet(log *slog.Logger) *slog.Logger { return slog.New(warnings{log.Handler()}) }

type warnings struct{ slog.Handler }

// Enabled lets warnings and errors pass.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}

func (w warnings) WithAttrs(attrs []slog.Attr) slog.Handler {
	return warnings{w.Handler.WithAttrs(attrs)}
}
func (w warnings) WithGroup(name string) slog.Handler { return warnings{w.Handler.WithGroup(name)} }
