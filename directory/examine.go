package directory

import (
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"firstday.dev/api"
)

// What lies in the folder of a directory that lives in SQLite.
const (
	DatabaseName = "directory.db"
	KeyName      = "directory.key"
)

// State is what a database was found to hold.
type State struct {
	Organisation string `json:"organisation"`
	// Pin is that of its CA.
	Pin   string         `json:"pin"`
	Audit api.AuditProof `json:"audit"`
}

// Errors of databases and backups of them.
var (
	// ErrDamaged: the database is not what was written.
	ErrDamaged = errors.New("the database is damaged")
	// ErrNewer: an older program would not understand it.
	ErrNewer = errors.New("a newer version of firstday made this database")
)

// examine proves that an SQLite database that nobody writes to is whole, that
// its audit log is, and that the key in the file opens each of its secrets. It
// changes nothing.
func examine(ctx context.Context, database, keyFile string) (state *State, err error) {
	if _, err := os.Stat(database); err != nil {
		return nil, err
	}
	s := new(store)
	if err := s.openSQLite(database); err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	d := &Directory{store: s}
	if d.seal, err = readSeal(keyFile); err != nil {
		return nil, err
	}
	if err := s.check(ctx); err != nil {
		return nil, err
	}
	if err := d.openAll(ctx); err != nil {
		return nil, err
	}
	state = &State{Pin: d.Pin(), Organisation: strings.Join(d.ca.cert.Subject.Organization, " ")}
	state.Audit, err = d.proveAudit(ctx)
	return state, err
}

// check lets SQLite look through all of its file.
func (s *store) check(ctx context.Context) error {
	var verdict string
	if err := s.read.QueryRowContext(ctx, `PRAGMA integrity_check(1)`).Scan(&verdict); err != nil {
		return fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if verdict != "ok" {
		return fmt.Errorf("%w: %s", ErrDamaged, verdict)
	}
	var orphans int
	if err := s.read.QueryRowContext(ctx, `SELECT COUNT(*) FROM pragma_foreign_key_check`).Scan(&orphans); err != nil {
		return err
	}
	if orphans > 0 {
		return fmt.Errorf("%w: %d rows refer to others that are not there", ErrDamaged, orphans)
	}
	var version int64
	if err := s.read.QueryRowContext(ctx, `SELECT MAX(version_id) FROM goose_db_version`).Scan(&version); err != nil {
		return fmt.Errorf("%w: it is no directory's: %w", ErrDamaged, err)
	}
	newest, err := newestMigration()
	if err == nil && version > newest {
		err = fmt.Errorf("%w: it has version %d, this program knows %d", ErrNewer, version, newest)
	}
	return err
}

// newestMigration is the version of the schema that this program makes.
func newestMigration() (int64, error) {
	names, err := fs.Glob(migrations, "migrations/*.sql")
	if err != nil {
		return 0, err
	}
	number, _, _ := strings.Cut(path.Base(slices.Max(names)), "_")
	return strconv.ParseInt(number, 10, 64)
}

// openAll opens each secret, the CA among them.
func (d *Directory) openAll(ctx context.Context) (err error) {
	rows, err := d.store.read.QueryContext(ctx, `SELECT name, value FROM secrets`)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for rows.Next() {
		var name string
		var sealed []byte
		if err := rows.Scan(&name, &sealed); err != nil {
			return err
		}
		secret, err := d.seal.open(name, sealed)
		if err != nil {
			return err
		}
		if name != caSecret {
			continue
		}
		if d.ca, err = parseAuthority(secret, time.Now); err != nil {
			return fmt.Errorf("%w: %w", ErrDamaged, err)
		}
	}
	if d.ca == nil && rows.Err() == nil {
		return fmt.Errorf("%w: it holds no certificate authority", ErrDamaged)
	}
	return rows.Err()
}

// proveAudit verifies the audit log, and that nothing is missing at its end.
func (d *Directory) proveAudit(ctx context.Context) (api.AuditProof, error) {
	r, w := io.Pipe()
	go func() {
		enc := json.NewEncoder(w)
		for e, err := range d.Audit(ctx, 0) {
			if err == nil {
				err = enc.Encode(e)
			}
			if err != nil {
				w.CloseWithError(err)
				return
			}
		}
		_ = w.Close()
	}()
	proof, err := api.VerifyAudit(r)
	_ = r.Close()
	if err != nil {
		return proof, err
	}
	var entries int64
	var hash []byte
	if err := d.store.read.QueryRowContext(ctx, `SELECT seq, hash FROM audit_head WHERE id = 1`).Scan(&entries, &hash); err != nil {
		return proof, err
	}
	if entries != proof.Entries || hex.EncodeToString(hash) != proof.Hash {
		return proof, fmt.Errorf("%w: it ends after entry %d, and should with entry %d", api.ErrAudit, proof.Entries, entries)
	}
	return proof, nil
}
