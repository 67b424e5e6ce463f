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

// ErrInTheWay: what bears the name is not what is to take its place. A folder,
// link or device is never replaced by a file, nor anything but a folder by one.
var ErrInTheWay = errors.New("something else bears this name")

// Create starts writing the file that will be called path, with the given
// permission bits (before umask). The error wraps [ErrInTheWay] if path is
// there and no regular file.
func Create(path string, perm fs.FileMode) (*File, error) {
	if err := check(path, fs.FileMode.IsRegular); err != nil {
		return nil, err
	}
	f, err := createTemp(path, perm)
	if err != nil {
		return nil, err
	}
	return &File{File: f, target: path}, nil
}

// check allows a name that is free or borne by something of the right kind.
func check(path string, right func(fs.FileMode) bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	case right(info.Mode()):
		return nil
	}
	return &fs.PathError{Op: "replace", Path: path, Err: fmt.Errorf("%w: a %s", ErrInTheWay, kindOf(info.Mode()))}
}

func kindOf(m fs.FileMode) string {
	switch m.Type() {
	case 0:
		return "file"
	case fs.ModeDir:
		return "folder"
	case fs.ModeSymlink:
		return "symbolic link"
	default:
		return "device or pipe"
	}
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
