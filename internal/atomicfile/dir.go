package atomicfile

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Dir is a folder that does not bear its name yet: fill [Dir.Path], then
// [Dir.Commit] puts it in the place of whatever folder bears the name.
// [Dir.Close] without Commit throws it away.
type Dir struct {
	temp   string
	target string
	done   bool
}

// CreateDir starts making the folder that will be called path, with the given
// permission bits. It also removes what earlier processes on this machine began
// for the same parent folder and were killed before they could clean up. The
// error wraps [ErrInTheWay] if path is there and no folder, or the folder that
// somebody is working in.
func CreateDir(path string, perm fs.FileMode) (*Dir, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	if wd, err := os.Getwd(); err == nil && strings.HasPrefix(wd+string(filepath.Separator), path+string(filepath.Separator)) {
		return nil, &fs.PathError{Op: "replace", Path: path, Err: fmt.Errorf("%w: the working directory", ErrInTheWay)}
	}
	if err := check(path, fs.FileMode.IsDir); err != nil {
		return nil, err
	}
	parent := filepath.Dir(path)
	if err := os.MkdirAll(parent, 0o777); err != nil {
		return nil, err
	}
	if err := removeStale(parent); err != nil {
		return nil, err
	}
	temp, err := os.MkdirTemp(parent, dirPrefix(os.Getpid())+"*.tmp")
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(temp, perm); err != nil {
		return nil, errors.Join(err, os.Remove(temp))
	}
	return &Dir{temp: temp, target: path}, nil
}

// Path is where the folder stands until it is committed.
func (d *Dir) Path() string { return d.temp }

// Commit gives the folder its name. A folder of that name is exchanged for it
// and then removed: the caller must have made sure that it may be.
func (d *Dir) Commit() error {
	if d.done {
		return fmt.Errorf("committing %s: %w", d.target, fs.ErrClosed)
	}
	if err := errors.Join(check(d.target, fs.FileMode.IsDir), syncDir(d.temp)); err != nil {
		return fmt.Errorf("committing %s: %w", d.target, err)
	}
	old, err := exchange(d.temp, d.target)
	if err != nil {
		return fmt.Errorf("committing %s: %w", d.target, err)
	}
	d.done = true
	if err := syncDir(filepath.Dir(d.target)); err != nil {
		return fmt.Errorf("committing %s: %w", d.target, err)
	}
	if old == "" {
		return nil
	}
	return os.RemoveAll(old)
}

// Close discards the folder unless it was committed. It may be deferred.
func (d *Dir) Close() error {
	if d.done {
		return nil
	}
	d.done = true
	return os.RemoveAll(d.temp)
}

// swapByRename moves target out of the way, then temp into its place, and
// returns where target went: "" if there was none. If the second step fails,
// the first is undone.
func swapByRename(temp, target string) (old string, err error) {
	old = temp + ".old"
	switch err := os.Rename(target, old); {
	case errors.Is(err, fs.ErrNotExist):
		return "", os.Rename(temp, target)
	case err != nil:
		return "", err
	}
	if err := os.Rename(temp, target); err != nil {
		return "", errors.Join(err, os.Rename(old, target))
	}
	return old, nil
}

// dirPrefix names the machine and the process, so that a later process can
// tell what is abandoned from what is being made.
func dirPrefix(pid int) string {
	host, _ := os.Hostname() // an unknown host is a host of its own
	return fmt.Sprintf(".firstday-%08x-%d-", crc32.ChecksumIEEE([]byte(host)), pid)
}

func removeStale(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	own := strings.TrimSuffix(dirPrefix(0), "0-")
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), own)
		if !ok || !e.IsDir() || !strings.Contains(rest, ".tmp") {
			continue
		}
		pid, err := strconv.Atoi(rest[:max(0, strings.IndexByte(rest, '-'))])
		if err != nil || pid == os.Getpid() || alive(pid) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(parent, e.Name())); err != nil {
			return err
		}
	}
	return nil
}
