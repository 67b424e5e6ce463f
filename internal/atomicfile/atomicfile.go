// Package atomicfile writes files that appear whole or not at all: the data
// goes to a temporary file in the target's folder, is synced, and takes the
// target's name in one rename. Whatever stood there before stays untouched
// until that moment.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// File is a file that does not bear its name yet. [File.Commit] gives it the
// name; [File.Close] without Commit throws it away.
type File struct {
	*os.File
	target string
	done   bool
}

// Create starts writing the file that will be called path, with the given
// permission bits (before umask).
func Create(path string, perm fs.FileMode) (*File, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		return nil, &fs.PathError{Op: "create", Path: path, Err: errors.New("is a directory")}
	}
	f, err := createTemp(path, perm)
	if err != nil {
		return nil, err
	}
	return &File{File: f, target: path}, nil
}

// WriteFile writes data as the file called path.
func WriteFile(path string, data []byte, perm fs.FileMode) error {
	f, err := Create(path, perm)
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// Commit syncs the data, closes the file and gives it its name.
func (f *File) Commit() error {
	if f.done {
		return fmt.Errorf("committing %s: %w", f.target, fs.ErrClosed)
	}
	if err := f.Sync(); err != nil {
		return errors.Join(fmt.Errorf("committing %s: %w", f.target, err), f.Close())
	}
	f.done = true
	if err := publish(f.File, f.target); err != nil {
		return fmt.Errorf("committing %s: %w", f.target, err)
	}
	return syncDir(filepath.Dir(f.target))
}

// Close discards the file unless it was committed. It may be deferred.
func (f *File) Close() error {
	if f.done {
		return nil
	}
	f.done = true
	return discard(f.File, f.target)
}
