package directory

import (
	"context"
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"firstday.dev/internal/atomicfile"
)

// sealKeySize is that of AES-256, in bytes.
const sealKeySize = 32

// seal protects what the database must not give away with a backup: the key of
// the CA above all. Its own key lies in a file beside the database; replicas
// share it.
type seal struct{ aead cipher.AEAD }

// openSeal reads the key, or makes one.
func openSeal(file string) (*seal, error) {
	if _, err := os.Lstat(file); errors.Is(err, fs.ErrNotExist) {
		key := make([]byte, sealKeySize)
		_, _ = rand.Read(key) // never fails
		if err := atomicfile.WriteFile(file, key, 0o600); err != nil {
			return nil, fmt.Errorf("the directory's key: %w", err)
		}
	}
	return readSeal(file)
}

func readSeal(file string) (*seal, error) {
	key, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("the directory's key: %w", err)
	}
	if len(key) != sealKeySize {
		return nil, fmt.Errorf("the directory's key: %s holds %d bytes, not %d", file, len(key), sealKeySize)
	}
	block, err := aes.NewCipher(key)
	clear(key)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &seal{aead}, nil
}

// close seals a secret under its name.
func (s *seal) close(name string, secret []byte) []byte {
	return s.aead.Seal(nil, nil, secret, []byte(name))
}

var errSealed = errors.New("the directory's key is not the one that sealed this database")

func (s *seal) open(name string, sealed []byte) ([]byte, error) {
	secret, err := s.aead.Open(nil, nil, sealed, []byte(name))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, errSealed)
	}
	return secret, nil
}

// secret reads what is kept under the name, or keeps what first makes: of
// several replicas that start together, the first one's.
func (d *Directory) secret(ctx context.Context, name string, first func() ([]byte, error)) ([]byte, error) {
	var sealed []byte
	read := func(q interface {
		QueryRowContext(context.Context, string, ...any) *sql.Row
	}) error {
		return q.QueryRowContext(ctx, `SELECT value FROM secrets WHERE name = $1`, name).Scan(&sealed)
	}
	err := read(d.store.read)
	if errors.Is(err, sql.ErrNoRows) {
		var fresh []byte
		if fresh, err = first(); err != nil {
			return nil, err
		}
		err = d.store.update(ctx, func(tx *sql.Tx) error {
			if _, err := tx.ExecContext(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, d.seal.close(name, fresh)); err != nil {
				return err
			}
			return read(tx)
		})
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return d.seal.open(name, sealed)
}
