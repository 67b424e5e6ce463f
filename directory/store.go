package directory

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5/pgconn"
	_ "github.com/jackc/pgx/v5/stdlib" // driver "pgx"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

//go:embed migrations
var migrations embed.FS

// store is the database: SQLite in a file, or PostgreSQL.
type store struct {
	write    *sql.DB // of SQLite it has one connection: nobody waits for a lock
	read     *sql.DB
	postgres bool
	retries  atomic.Int64 // attempts after the first
	// patience is how long a change may wait for others to let it begin. Whoever
	// asked is told then, and comes again.
	patience time.Duration
}

const storePatience = 15 * time.Second

// isPostgres tells a URL of PostgreSQL from a path.
func isPostgres(database string) bool {
	return strings.HasPrefix(database, "postgres://") || strings.HasPrefix(database, "postgresql://")
}

// postgresConnections are what one replica takes; a server has a hundred.
const postgresConnections = 16

func openStore(ctx context.Context, database string) (*store, error) {
	s := &store{postgres: isPostgres(database), patience: storePatience}
	var err error
	if s.postgres {
		if s.write, err = sql.Open("pgx", database); err != nil {
			return nil, errors.New("the URL of the database is malformed") // it may hold a password
		}
		s.write.SetMaxOpenConns(postgresConnections)
		s.write.SetMaxIdleConns(postgresConnections)
		s.read = s.write
	} else if err = s.openSQLite(database); err != nil {
		return nil, err
	}
	if err := s.migrate(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// What each connection to SQLite is told. FULL means that what is committed
// survives a power cut.
const (
	writePragmas = "?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_pragma=busy_timeout(10000)&_txlock=immediate"
	readPragmas  = "?_pragma=query_only(1)&_pragma=busy_timeout(10000)"

	sqliteReaders = 4
)

func (s *store) openSQLite(path string) error {
	// SQLite would make a file that others can read.
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return fmt.Errorf("opening the database: %w", err)
	}
	if err := f.Close(); err != nil {
		return err
	}
	absolute, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	file := (&url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}).String()
	if s.write, err = sql.Open("sqlite", file+writePragmas); err != nil {
		return err
	}
	s.write.SetMaxOpenConns(1)
	if s.read, err = sql.Open("sqlite", file+readPragmas); err != nil {
		return errors.Join(err, s.write.Close())
	}
	s.read.SetMaxOpenConns(sqliteReaders)
	s.read.SetMaxIdleConns(sqliteReaders)
	return nil
}

// migrate brings the schema up to date; of several replicas one does.
func (s *store) migrate(ctx context.Context) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	dialect := goose.DialectSQLite3
	var options []goose.ProviderOption
	if s.postgres {
		dialect = goose.DialectPostgres
		locker, err := lock.NewPostgresSessionLocker()
		if err != nil {
			return err
		}
		options = append(options, goose.WithSessionLocker(locker))
	}
	p, err := goose.NewProvider(dialect, s.write, files, options...)
	if err != nil {
		return err
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("preparing the database: %w", err)
	}
	return nil
}

func (s *store) close() error {
	if s.read == s.write {
		return s.write.Close()
	}
	return errors.Join(s.read.Close(), s.write.Close())
}

// update runs f in a transaction, again and again as long as the database says
// that another attempt may succeed. f may run several times.
func (s *store) update(ctx context.Context, f func(tx *sql.Tx) error) error {
	const attempts = 8
	wait := 5 * time.Millisecond
	begin := time.Now()
	for attempt := 1; ; attempt++ {
		err := s.updateOnce(ctx, f)
		if err == nil || !passing(err) || attempt == attempts || time.Since(begin) > s.patience {
			return err
		}
		s.retries.Add(1)
		select {
		case <-time.After(wait/2 + rand.N(wait)):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), err)
		}
		wait *= 2
	}
}

func (s *store) updateOnce(ctx context.Context, f func(tx *sql.Tx) error) error {
	waiting, cancel := context.WithTimeout(ctx, s.patience)
	conn, err := s.write.Conn(waiting)
	cancel()
	if err != nil {
		return err
	}
	defer conn.Close() //nolint:errcheck // it goes back to the others
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback() //nolint:errcheck // if f panics: the connection would wait for the transaction for ever
	if err := f(tx); err != nil {
		return errors.Join(err, ignoreDone(tx.Rollback()))
	}
	return tx.Commit()
}

// ignoreDone is for rolling back what the database has rolled back already.
func ignoreDone(err error) error {
	if errors.Is(err, sql.ErrTxDone) || errors.Is(err, driver.ErrBadConn) {
		return nil
	}
	return err
}

// errAgain: another transaction was faster; the next attempt will see what it
// did.
var errAgain = errors.New("something else was faster")

// passing tells errors that go by: another transaction was faster, or the
// database starts again.
func passing(err error) bool {
	var pg *pgconn.PgError
	var lite *sqlite.Error
	var network *net.OpError
	switch {
	case errors.As(err, &pg):
		// Serialisation failure and deadlock; connection exceptions; the server
		// is shutting down, crashed, or is not up yet; it has no connection left.
		return pg.Code == "40001" || pg.Code == "53300" || pg.Code == "40P01" || strings.HasPrefix(pg.Code, "08") || strings.HasPrefix(pg.Code, "57P")
	case errors.As(err, &lite):
		return lite.Code()&0xff == sqlite3.SQLITE_BUSY || lite.Code()&0xff == sqlite3.SQLITE_LOCKED
	case errors.As(err, &network), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.ErrUnexpectedEOF), pgconn.SafeToRetry(err), errors.Is(err, errAgain):
		return true
	}
	var connect *pgconn.ConnectError
	return errors.As(err, &connect)
}

// unavailable tells errors of the database from mistakes of ours.
func unavailable(err error) bool {
	var lite *sqlite.Error
	if errors.As(err, &lite) {
		switch lite.Code() & 0xff {
		case sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN:
			return true
		}
	}
	var pg *pgconn.PgError
	return passing(err) || errors.As(err, &pg) && strings.HasPrefix(pg.Code, "53") // out of disk, memory or connections
}

// storable tells texts that PostgreSQL can have, and so be asked for, from those
// that it calls an error.
func storable(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }

// nextRevision makes a change visible: who waits for news gets it.
func nextRevision(ctx context.Context, tx *sql.Tx) (int64, error) {
	var n int64
	err := tx.QueryRowContext(ctx, `UPDATE revision SET number = number + 1 WHERE id = 1 RETURNING number`).Scan(&n)
	return n, err
}

// readRows reads what a query gives.
func readRows[T any](ctx context.Context, q rowsQuerier, scan func(scanner) (T, error), query string, args ...any) (list []T, err error) {
	rows, err := q.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		list = append(list, one)
	}
	return list, rows.Err()
}

// scanText reads a row of one column.
func scanText(row scanner) (text string, err error) {
	err = row.Scan(&text)
	return text, err
}

// changed gives how many rows a statement changed.
func changed(r sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return r.RowsAffected()
}

// millis is how the database holds a time; the zero time is 0.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// OnPostgres tells whether other processes may share the database.
func (d *Directory) OnPostgres() bool { return d.store.postgres }
