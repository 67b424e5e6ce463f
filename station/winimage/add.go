package winimage

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/kit"
)

// Where packages go on the system drive.
const (
	recoveryFolder = "Recovery/Customizations"
	// setupFolder holds one kit's package and nothing else: the command in the
	// answer file takes what is there, and removes it once Windows has it.
	setupFolder = "Windows/Setup/Firstday"
)

// Added says what Add did.
type Added struct {
	Folder    string `json:"folder"`
	Kind      Kind   `json:"kind"`
	Way       Way    `json:"way"`
	Files     []File `json:"files"`
	Unchanged bool   `json:"unchanged"` // everything was there already
}

// File is a file that is in the folder now.
type File struct {
	Path      string `json:"path"` // from the folder on
	SHA256    string `json:"sha256"`
	Unchanged bool   `json:"unchanged,omitempty"`
}

// source is a file on its way into the folder.
type source struct {
	path string
	sum  []byte
	open func() (io.ReadCloser, error)
}

// Add puts the Windows package of a kit and its catalog into the folder, and for
// [Unattend] a command into its answer file. The kit's files come from an fs that
// reads them only as they were verified. Another package in the place of this one
// is replaced only if replace says so. Each file appears once it is whole, the
// package after its catalog, the answer file last.
func (f *Folder) Add(ctx context.Context, files fs.FS, p *kit.Package, way Way, replace bool) (*Added, error) {
	folder := recoveryFolder
	if way == Unattend {
		folder = setupFolder
	}
	folder, err := f.resolve(path.Join(f.systemDrive(), folder))
	if err != nil {
		return nil, err
	}
	var sources []source
	for _, name := range []string{p.Catalog, p.File} {
		s := source{path: path.Join(folder, name), open: func() (io.ReadCloser, error) { return files.Open(name) }}
		if s.sum, err = sum(ctx, s.open); err != nil {
			return nil, fmt.Errorf("reading %s: %w", name, err)
		}
		sources = append(sources, s)
	}
	stale, err := f.stale(ctx, folder, sources, way)
	if err != nil {
		return nil, err
	}
	if len(stale) > 0 && !replace {
		return nil, fmt.Errorf("%s: %w: %s", f.dir, ErrOther, strings.Join(stale, ", "))
	}
	if way == Unattend {
		// Before anything is written: one that cannot be added to ends it.
		answers, err := f.answers(ctx)
		if err != nil {
			return nil, err
		}
		sources = append(sources, *answers)
	}
	a := &Added{Folder: f.dir, Kind: f.Kind, Way: way, Unchanged: true}
	for _, s := range sources {
		changed, err := f.put(ctx, s)
		if err != nil {
			return nil, fmt.Errorf("putting %s into %s: %w", s.path, f.dir, err)
		}
		a.Files = append(a.Files, File{Path: s.path, SHA256: fmt.Sprintf("%x", s.sum), Unchanged: !changed})
		a.Unchanged = a.Unchanged && !changed
	}
	return a, f.remove(stale, sources)
}

// remove takes away what is stale, once what takes its place is there. To some
// systems names of another case are the same file.
func (f *Folder) remove(stale []string, sources []source) error {
	for _, name := range stale {
		old, err := f.root.Lstat(name)
		if err != nil {
			return err
		}
		replaced := slices.ContainsFunc(sources, func(s source) bool {
			fresh, err := f.root.Lstat(s.path)
			return err == nil && os.SameFile(old, fresh)
		})
		if replaced {
			continue
		}
		if err := f.root.Remove(name); err != nil {
			return err
		}
	}
	return nil
}

// stale lists what is in the place of the new files, or, in the folder that is
// ours, beside it: the command takes all packages that it finds there. Beside ours
// in the folder for recovery lies what the maker of the laptop restores.
func (f *Folder) stale(ctx context.Context, folder string, sources []source, way Way) (stale []string, err error) {
	entries, err := fs.ReadDir(f.root.FS(), folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		name := path.Join(folder, e.Name())
		i := slices.IndexFunc(sources, func(s source) bool { return strings.EqualFold(s.path, name) })
		if i < 0 && way == Recovery {
			continue
		}
		if !e.Type().IsRegular() {
			return nil, fmt.Errorf("%s: %w: %s is not a file", f.dir, ErrOther, name)
		}
		if i >= 0 {
			have, err := sum(ctx, func() (io.ReadCloser, error) { return f.root.Open(name) })
			if err != nil {
				return nil, err
			}
			if name == sources[i].path && bytes.Equal(have, sources[i].sum) {
				continue
			}
		}
		stale = append(stale, name)
	}
	return stale, err
}

func sum(ctx context.Context, open func() (io.ReadCloser, error)) ([]byte, error) {
	r, err := open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	h := sha256.New()
	_, err = io.Copy(h, contextio.Reader(ctx, r))
	return h.Sum(nil), err
}

// put writes a file beside its place, and moves it there once it is whole and on
// the disk. A file that is the same stays.
func (f *Folder) put(ctx context.Context, s source) (changed bool, err error) {
	have, err := sum(ctx, func() (io.ReadCloser, error) { return f.root.Open(s.path) })
	if err == nil && bytes.Equal(have, s.sum) {
		return false, nil
	}
	if err := f.root.MkdirAll(path.Dir(s.path), 0o755); err != nil {
		return false, err
	}
	temp := path.Join(path.Dir(s.path), ".firstday-"+rand.Text()+".tmp")
	err = f.write(ctx, temp, s)
	if err == nil {
		err = f.root.Rename(temp, s.path)
	}
	if err != nil {
		if gone := f.root.Remove(temp); !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
		return false, err
	}
	return true, nil
}

func (f *Folder) write(ctx context.Context, name string, s source) error {
	r, err := s.open()
	if err != nil {
		return err
	}
	defer r.Close()
	w, err := f.root.Create(name)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, contextio.Reader(ctx, r))
	if err == nil {
		err = w.Sync()
	}
	return errors.Join(err, w.Close())
}
