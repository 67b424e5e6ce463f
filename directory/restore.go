package directory

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"filippo.io/age"

	"firstday.dev/internal/atomicfile"
)

// RestoreOptions say what to make of a backup.
type RestoreOptions struct {
	// Identities open it if it is encrypted.
	Identities []age.Identity
	// KeepKeys leaves connect keys as they were. Uses that were taken after the
	// backup are free again then, also to a thief who took them.
	KeepKeys bool
	Log      *slog.Logger
}

// Restored is what was made of a backup.
type Restored struct {
	Backup
	// RevokedKeys is how many connect keys were revoked.
	RevokedKeys int64 `json:"revokedKeys"`
}

// revisionGap is more than any directory has grown since its backup: what a
// device has heard after it must not pass for news to come.
const revisionGap = 1_000_000_000

// Restore makes the folder of a directory of a backup, if there is none. It
// proves first that the backup is whole and that its key opens its secrets, and
// notes in the audit log that it was restored.
func Restore(ctx context.Context, backup, folder string, o RestoreOptions) (*Restored, error) {
	if err := mustBeFree(folder); err != nil {
		return nil, err
	}
	f, err := os.Open(backup)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, err := atomicfile.CreateDir(folder, 0o700)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	b, err := readBackup(f, dir.Path(), o.Identities)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", backup, err)
	}
	database, keyFile := filepath.Join(dir.Path(), DatabaseName), filepath.Join(dir.Path(), KeyName)
	state, err := examine(ctx, database, keyFile)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", backup, err)
	}
	if *state != b.State {
		return nil, fmt.Errorf("%s: %w: its database is not the one it speaks of", backup, ErrBackup)
	}
	d, err := Open(ctx, Options{Organisation: state.Organisation, Database: database, KeyFile: keyFile, Log: o.Log})
	if err != nil {
		return nil, err
	}
	r := &Restored{Backup: *b}
	r.RevokedKeys, err = d.afterRestore(ctx, b, !o.KeepKeys)
	if err := errors.Join(err, d.Close()); err != nil {
		return nil, err
	}
	if err := mustBeFree(folder); err != nil {
		return nil, err
	}
	return r, dir.Commit()
}

// mustBeFree allows a folder that is not there, or empty: some systems make it
// for a service.
func mustBeFree(folder string) error {
	entries, err := os.ReadDir(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case len(entries) > 0:
		return &fs.PathError{Op: "restore", Path: folder, Err: fmt.Errorf("%w: a folder that is not empty", atomicfile.ErrInTheWay)}
	}
	return nil
}

// afterRestore sets right what the world has seen of the directory after the
// backup, and notes all of it.
func (d *Directory) afterRestore(ctx context.Context, b *Backup, revoke bool) (revoked int64, err error) {
	err = d.change(ctx, func(t *transaction) error {
		revoked = 0
		if _, err := t.exec(`UPDATE revision SET number = number + $1 WHERE id = 1`, revisionGap); err != nil {
			return err
		}
		if revoke {
			ids, err := t.usableKeys()
			if err != nil {
				return err
			}
			for _, id := range ids {
				if _, err := t.exec(`UPDATE connect_keys SET revoked_at = $1 WHERE id = $2`, millis(d.now()), id); err != nil {
					return err
				}
				t.audit("system", "key.revoke", "key:"+id, map[string]any{"reason": "the directory was restored: uses taken after its backup are not known"})
			}
			revoked = int64(len(ids))
		}
		if err := t.signOutAll(); err != nil {
			return err
		}
		if err := t.endPackagesAfterRestore(); err != nil {
			return err
		}
		t.audit("system", "directory.restore", "directory", map[string]any{"backup": b.Time, "entries": b.Audit.Entries, "hash": b.Audit.Hash, "revoked": revoked})
		return nil
	})
	return revoked, err
}

// signOutAll ends sessions and links of the console: those that were ended after
// the backup must not hold again.
func (t *transaction) signOutAll() error {
	for _, table := range []string{"console_sessions", "ceremonies", "invitations"} {
		if _, err := t.exec(`DELETE FROM ` + table); err != nil {
			return err
		}
	}
	return nil
}

// usableKeys are those by which devices might enrol now.
func (t *transaction) usableKeys() ([]string, error) {
	return readRows(t.ctx, t, scanText, `SELECT id FROM connect_keys WHERE revoked_at = 0 AND uses < max_uses AND expires_at > $1`, millis(t.d.now()))
}
