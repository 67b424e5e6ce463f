package pkgbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"firstday.dev/internal/contextio"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/xar"
)

// Links say what becomes of symbolic links that lead out of the folder which
// they are unpacked in, as all absolute ones do.
type Links int

const (
	RefuseLinks Links = iota // they are an error
	KeepLinks                // they are made as they are
)

// ExpandOptions say how to take a package apart.
type ExpandOptions struct {
	Full  bool // take payloads apart, too
	Links Links
}

// Expand takes a package apart into an empty folder, as pkgutil --expand does:
// its files as they are, but Scripts as folders; in full also Payload.
// [Flatten] puts it together again.
//
// Owners stay behind in the Bom, with all permissions that a tree which is to
// be changed and removed must not have: set-user-ID bits, or folders that their
// owner cannot write to. After an error what is there already remains.
func Expand(ctx context.Context, p *Package, dir *os.Root, o ExpandOptions) error {
	if there, err := fs.ReadDir(dir.FS(), "."); err != nil {
		return err
	} else if len(there) > 0 {
		return fmt.Errorf("%s: %w", dir.Name(), fs.ErrExist)
	}
	folders := map[string]*PackagedComponent{} // that take the place of files
	for _, c := range p.Components {
		folders[path.Join(c.Folder, scriptsFile)] = c
		if o.Full {
			folders[path.Join(c.Folder, payloadFile)] = c
		}
	}
	for _, f := range p.Archive.Files {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := checkLocal(f.Name); err != nil {
			return err
		}
		var err error
		c := folders[f.Name]
		switch {
		case f.IsDir:
			err = dir.Mkdir(f.Name, 0o755)
		case c != nil:
			err = c.expand(ctx, dir, f.Name, o)
		default:
			err = expandFile(ctx, dir, f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// checkLocal refuses what means another file to the system that this runs on.
func checkLocal(name string) error {
	if !fs.ValidPath(name) || !filepath.IsLocal(filepath.FromSlash(name)) || filepath.ToSlash(name) != name {
		return fmt.Errorf("%w: the path %.300q", ErrUnsafe, name)
	}
	return nil
}

func expandFile(ctx context.Context, dir *os.Root, f *xar.File) error {
	r, err := f.Open()
	if err != nil {
		return err
	}
	if err := createFile(dir, f.Name, 0o644, contextio.Reader(ctx, r)); err != nil {
		return err
	}
	if f.ModTime.IsZero() {
		return nil
	}
	return dir.Chtimes(f.Name, f.ModTime, f.ModTime)
}

// createFile makes a file that is not there yet.
func createFile(dir *os.Root, name string, mode fs.FileMode, content io.Reader) error {
	f, err := dir.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, content)
	return errors.Join(err, f.Close())
}

// expand makes a folder of the payload or the scripts.
func (c *PackagedComponent) expand(ctx context.Context, dir *os.Root, folder string, o ExpandOptions) error {
	if err := dir.Mkdir(folder, 0o755); err != nil {
		return err
	}
	below, err := dir.OpenRoot(folder)
	if err != nil {
		return err
	}
	defer below.Close()
	e := &expander{dir: below, keep: o.Links == KeepLinks, folders: map[string]bool{".": true}}
	if err := c.walk(ctx, path.Base(folder), e.add); err != nil {
		return err
	}
	if err := e.finish(); err != nil {
		return fmt.Errorf("%.300s: %w", folder, err)
	}
	return nil
}

// expander makes the files of a payload in a folder.
type expander struct {
	dir     *os.Root
	keep    bool            // links that lead outside
	folders map[string]bool // that were made
	times   []*member       // folders, whose times are set when they are full
	links   []*member       // symbolic ones
}

func (e *expander) add(m *member, r io.Reader) error {
	if err := checkLocal(m.path); err != nil {
		return err
	}
	switch m.Mode & bom.ModeType {
	case bom.ModeSymlink:
		// Last of all: before there are links nothing can be written through
		// one, whatever a file system thinks of upper and lower case.
		e.links = append(e.links, m)
		return nil
	case bom.ModeDir:
		e.times = append(e.times, m)
		return e.mkdir(m.path, fileMode(m.Mode).Perm()|0o700)
	}
	if err := e.mkdir(path.Dir(m.path), 0o755); err != nil {
		return err
	}
	if m.link != "" {
		return e.dir.Link(m.link, m.path)
	}
	if err := createFile(e.dir, m.path, fileMode(m.Mode).Perm()|0o600, r); err != nil {
		return err
	}
	return e.setTime(m)
}

// mkdir makes a folder and those above it; some tools list them later.
func (e *expander) mkdir(name string, mode fs.FileMode) error {
	if e.folders[name] {
		return nil
	}
	if err := e.mkdir(path.Dir(name), 0o755); err != nil {
		return err
	}
	e.folders[name] = true
	return e.dir.Mkdir(name, mode)
}

func (e *expander) setTime(m *member) error {
	t := time.Unix(m.ModTime, 0)
	return e.dir.Chtimes(m.path, t, t)
}

// finish makes the symbolic links, if there is nothing wrong with any.
func (e *expander) finish() error {
	var bad []error
	for _, m := range e.links {
		if !e.keep && !staysInside(m.path, m.target) && len(bad) < maxDifferences {
			bad = append(bad, fmt.Errorf("%w: the link %.1100q leads to %.1100q", ErrUnsafe, m.path, m.target))
		}
	}
	if len(bad) > 0 {
		return errors.Join(bad...)
	}
	for _, m := range e.links {
		if err := e.mkdir(path.Dir(m.path), 0o755); err != nil {
			return err
		}
		if err := e.dir.Symlink(filepath.FromSlash(m.target), m.path); err != nil {
			return err
		}
	}
	for _, m := range slices.Backward(e.times) {
		if err := e.setTime(m); err != nil {
			return err
		}
	}
	return nil
}

// staysInside tells whether a link leads to something below the root. It may
// begin by going up, through folders that are none but those that hold it. Once
// it goes down it may pass other links, and where these lead ".." would be
// another folder than it seems: that is refused, too.
func staysInside(link, target string) bool {
	if path.IsAbs(target) || filepath.ToSlash(target) != target || filepath.VolumeName(target) != "" {
		return false
	}
	depth, down := strings.Count(link, "/"), false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if depth--; depth < 0 || down {
				return false
			}
		default:
			down = true
		}
	}
	return true
}
