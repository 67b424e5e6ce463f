package authdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firstday.dev/internal/atomicfile"
)

// maxBackups bounds how many are kept: the first ever, which is what the Mac had
// before us, and the newest.
const maxBackups = 20

const (
	backupName  = right + "-"
	backupStamp = "20060102T150405.000000000Z"
	backupEnd   = ".plist"
)

// backUp keeps a definition that is about to be changed, and gives the path of
// the file. "security authorizationdb write" takes it as it is.
func (d *Database) backUp(def *Definition) (string, error) {
	if err := d.makeFolder(); err != nil {
		return "", fmt.Errorf("backing up the login mechanisms: %w", err)
	}
	path := ""
	for at := d.now().UTC(); ; at = at.Add(time.Nanosecond) {
		path = filepath.Join(d.folder, backupName+at.Format(backupStamp)+backupEnd)
		if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
			break
		} else if err != nil {
			return "", fmt.Errorf("backing up the login mechanisms: %w", err)
		}
	}
	if err := atomicfile.WriteFile(path, def.text, 0o600); err != nil {
		return "", fmt.Errorf("backing up the login mechanisms: %w", err)
	}
	return path, d.prune()
}

// makeFolder makes the folder, for its owner alone. The one around it is the
// agent's, and root's alone, too.
func (d *Database) makeFolder() error {
	if err := os.Mkdir(d.folder, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(d.folder)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", d.folder)
	}
	return nil
}

// Backups are the paths of the definitions that were changed, the oldest first.
func (d *Database) Backups() ([]string, error) {
	entries, err := os.ReadDir(d.folder) // sorted
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		stamp, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), backupEnd), backupName)
		if _, err := time.Parse(backupStamp, stamp); ok && err == nil && e.Type().IsRegular() && strings.HasSuffix(e.Name(), backupEnd) {
			paths = append(paths, filepath.Join(d.folder, e.Name()))
		}
	}
	return paths, nil
}

func (d *Database) prune() error {
	paths, err := d.Backups()
	if err != nil {
		return err
	}
	if len(paths) <= maxBackups {
		return nil
	}
	for _, path := range slices.Clone(paths)[1 : len(paths)-maxBackups+1] {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}
