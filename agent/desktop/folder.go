package desktop

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// folders are where browsers write, one for each.
type folders struct {
	root string // nobody but the system may do anything in it
	// make makes a folder for whom the token is of, and nobody else.
	make func(dir string) error
	// remove removes all that is there, and of a link the link. It does not wait.
	remove func(path string) error
}

// fresh wipes what earlier browsers have left, since the service may have been
// killed, and makes another folder.
func (f *folders) fresh() (string, error) {
	if err := f.wipe(); err != nil {
		return "", err
	}
	if err := os.Mkdir(f.root, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	dir := filepath.Join(f.root, strings.ToLower(rand.Text()))
	if err := f.make(dir); err != nil {
		return "", fmt.Errorf("a folder for the browser: %w", err)
	}
	return dir, nil
}

// wipe removes all folders. Whoever wrote there has ended.
func (f *folders) wipe() error {
	entries, err := os.ReadDir(f.root)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	var errs []error
	for _, e := range entries {
		errs = append(errs, f.remove(filepath.Join(f.root, e.Name())))
	}
	return errors.Join(errs...)
}
