package packages

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"firstday.dev/internal/contextio"
)

// folder is a store in a folder of this machine, or one that several mount.
type folder struct{ root *os.Root }

func openFolder(dir, directory string) (*folder, error) {
	dir = filepath.Join(dir, directory)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	return &folder{root}, nil
}

func (f *folder) String() string { return f.root.Name() }
func (f *folder) close() error   { return f.root.Close() }

// partly ends the names of files that are not there as a whole.
const partly = ".part"

func (f *folder) put(ctx context.Context, name string, r io.Reader, size int64) error {
	if err := f.root.MkdirAll(path.Dir(name), 0o700); err != nil {
		return folderError(err)
	}
	file, err := f.root.OpenFile(name+partly, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return folderError(err)
	}
	_, err = io.Copy(file, contextio.Reader(ctx, &counted{r, size}))
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err == nil {
		err = f.root.Rename(name+partly, name)
	}
	if err == nil {
		err = f.syncAbove(name)
	}
	if err != nil {
		_ = f.root.Remove(name + partly) // or the tidying does
		return folderError(err)
	}
	return nil
}

// syncAbove makes sure that a name, and those of the folders above it, outlive a
// power cut.
func (f *folder) syncAbove(name string) error {
	for dir := path.Dir(name); ; dir = path.Dir(dir) {
		d, err := f.root.Open(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(d.Sync(), d.Close()); err != nil {
			return err
		}
		if dir == "." {
			return nil
		}
	}
}

func folderError(err error) error {
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		return fmt.Errorf("%w: %w", errStoreFull, err)
	}
	return err
}

func (f *folder) open(_ context.Context, name string) (io.ReadSeekCloser, error) {
	return f.root.Open(name)
}

func (f *folder) remove(_ context.Context, prefix string) error {
	if err := f.root.RemoveAll(prefix); err != nil {
		return err
	}
	if err := f.root.Remove(prefix + partly); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	// The folder of a job goes with its last kit.
	if above := path.Dir(prefix); strings.Contains(above, "/") {
		_ = f.root.Remove(above) // unless there is something in it
	}
	return nil
}

func (f *folder) list(ctx context.Context, prefix string) (names []string, err error) {
	err = fs.WalkDir(f.root.FS(), prefix, func(name string, d fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil // it was removed a moment ago
		case err != nil:
			return err
		case !d.IsDir():
			names = append(names, name)
		}
		return ctx.Err()
	})
	return names, err
}
