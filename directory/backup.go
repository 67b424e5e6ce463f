package directory

import (
	"archive/tar"
	"bufio"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"filippo.io/age"
	"github.com/klauspost/compress/gzip"

	"firstday.dev/internal/atomicfile"
)

// Backup is what a backup says of itself. It is a gzipped tar with this as
// backup.json first, then the key, then the database; encrypted with age if
// there are recipients.
type Backup struct {
	Format int `json:"format"` // 1
	// Time is that of the state in it.
	Time time.Time `json:"time"`
	State
	Encrypted bool `json:"-"`
}

const (
	backupFormat = 1
	backupInfo   = "backup.json"
	// maxBackupInfo bounds it, in bytes.
	maxBackupInfo = 64 << 10
	// ageMagic begins whatever age encrypts.
	ageMagic = "age-encryption.org/"
)

// Errors of backups.
var (
	// ErrBackup: it is no backup, or not what was written.
	ErrBackup = errors.New("this is no backup of a directory, or a damaged one")
	// ErrBackupEncrypted: its identity is missing.
	ErrBackupEncrypted = errors.New("the backup is encrypted")
	// ErrNoDatabase: the folder is not that of a directory in SQLite.
	ErrNoDatabase = errors.New("no directory lives in SQLite here")
)

// WriteBackup writes the state of the directory in the folder, which may be
// running, into one file: the database as of one moment, proved to be whole, and
// the key that opens the secrets in it. Without recipients whoever has the file
// can be the directory.
func WriteBackup(ctx context.Context, folder, output string, recipients []age.Recipient) (*Backup, error) {
	database, keyFile := filepath.Join(folder, DatabaseName), filepath.Join(folder, KeyName)
	if _, err := os.Stat(database); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoDatabase, err)
	}
	// The copy lies where the backup will, and goes also if this is killed.
	copies, err := atomicfile.CreateDir(output+".copy", 0o700)
	if err != nil {
		return nil, err
	}
	defer copies.Close()
	snapshot := filepath.Join(copies.Path(), DatabaseName)
	b := &Backup{Format: backupFormat, Time: time.Now().UTC().Truncate(time.Millisecond), Encrypted: len(recipients) > 0}
	if err := copySQLite(ctx, database, snapshot); err != nil {
		return nil, fmt.Errorf("copying %s: %w", database, err)
	}
	state, err := examine(ctx, snapshot, keyFile)
	if err != nil {
		return nil, fmt.Errorf("examining the copy of %s: %w", database, err)
	}
	b.State = *state
	f, err := atomicfile.Create(output, 0o600)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := b.write(f, keyFile, snapshot, recipients); err != nil {
		return nil, fmt.Errorf("writing %s: %w", output, err)
	}
	return b, f.Commit()
}

// copySQLite copies a database as of one moment, while others go on writing.
func copySQLite(ctx context.Context, from, to string) (err error) {
	absolute, err := filepath.Abs(from)
	if err != nil {
		return err
	}
	file := url.URL{Scheme: "file", Path: filepath.ToSlash(absolute)}
	db, err := sql.Open("sqlite", file.String()+"?mode=ro&_pragma=busy_timeout(10000)")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	_, err = db.ExecContext(ctx, `VACUUM INTO $1`, to)
	return err
}

func (b *Backup) write(w io.Writer, keyFile, database string, recipients []age.Recipient) error {
	if len(recipients) == 0 {
		return b.writeTar(w, keyFile, database)
	}
	encrypted, err := age.Encrypt(w, recipients...)
	if err != nil {
		return err
	}
	if err := b.writeTar(encrypted, keyFile, database); err != nil {
		return err
	}
	return encrypted.Close()
}

func (b *Backup) writeTar(w io.Writer, keyFile, database string) error {
	compressed := gzip.NewWriter(w)
	archive := tar.NewWriter(compressed)
	info, err := json.Marshal(b)
	if err != nil {
		return err
	}
	if err := b.writeHeader(archive, backupInfo, int64(len(info))); err != nil {
		return err
	}
	if _, err := archive.Write(info); err != nil {
		return err
	}
	if err := b.writeFile(archive, KeyName, keyFile); err != nil {
		return err
	}
	if err := b.writeFile(archive, DatabaseName, database); err != nil {
		return err
	}
	return errors.Join(archive.Close(), compressed.Close())
}

func (b *Backup) writeHeader(archive *tar.Writer, name string, size int64) error {
	return archive.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Size: size, Mode: 0o600, ModTime: b.Time})
}

func (b *Backup) writeFile(archive *tar.Writer, name, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if err := b.writeHeader(archive, name, info.Size()); err != nil {
		return err
	}
	_, err = io.Copy(archive, f)
	return err
}

// readBackup unpacks a backup into a folder. All of it has been read, and its
// checksums hold.
func readBackup(r io.Reader, folder string, identities []age.Identity) (*Backup, error) {
	buffered := bufio.NewReader(r)
	r = buffered
	b := new(Backup)
	if magic, err := buffered.Peek(len(ageMagic)); err == nil && string(magic) == ageMagic {
		if len(identities) == 0 {
			return nil, ErrBackupEncrypted
		}
		b.Encrypted = true
		if r, err = age.Decrypt(buffered, identities...); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBackupEncrypted, err)
		}
	}
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrBackup, err)
	}
	archive := tar.NewReader(compressed)
	missing := map[string]bool{KeyName: true, DatabaseName: true}
	if err := b.readInfo(archive); err != nil {
		return nil, err
	}
	for len(missing) > 0 {
		h, err := archive.Next()
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBackup, err)
		}
		if !missing[h.Name] || h.Typeflag != tar.TypeReg {
			return nil, fmt.Errorf("%w: it holds %.60q", ErrBackup, h.Name)
		}
		delete(missing, h.Name)
		if err := unpack(archive, filepath.Join(folder, h.Name)); err != nil {
			return nil, err
		}
	}
	if _, err := archive.Next(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%w: something follows its files", ErrBackup)
	}
	// The checksums come last.
	if n, err := io.Copy(io.Discard, io.LimitReader(compressed, maxBackupInfo)); err != nil || n == maxBackupInfo {
		return nil, fmt.Errorf("%w: its end: %w", ErrBackup, err)
	}
	return b, nil
}

func (b *Backup) readInfo(archive *tar.Reader) error {
	h, err := archive.Next()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	if h.Name != backupInfo || h.Size > maxBackupInfo {
		return fmt.Errorf("%w: it begins with %.60q", ErrBackup, h.Name)
	}
	if err := json.NewDecoder(archive).Decode(b); err != nil {
		return fmt.Errorf("%w: %w", ErrBackup, err)
	}
	if b.Format != backupFormat {
		return fmt.Errorf("%w: its format is %d, this program knows %d", ErrBackup, b.Format, backupFormat)
	}
	return nil
}

// unpack writes a file that only its owner may read.
func unpack(r io.Reader, name string) error {
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err := io.Copy(f, r); err != nil {
		var disk *fs.PathError
		if !errors.As(err, &disk) {
			err = fmt.Errorf("%w: %w", ErrBackup, err)
		}
		return errors.Join(err, f.Close())
	}
	return errors.Join(f.Sync(), f.Close())
}

// ParseRecipients reads whom a backup is for: age1… as age-keygen prints it.
func ParseRecipients(list []string) ([]age.Recipient, error) {
	if len(list) == 0 {
		return nil, nil
	}
	return age.ParseRecipients(strings.NewReader(strings.Join(list, "\n")))
}
