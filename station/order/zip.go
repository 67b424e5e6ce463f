package order

import (
	"archive/zip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/contextio"
)

// writeZip writes the folder of a bundle as one called name. The same bundle gives
// the same bytes: nothing is compressed, since what is large is so already.
func writeZip(ctx context.Context, w io.Writer, root *os.Root, name string, at time.Time) error {
	z := zip.NewWriter(w)
	err := fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		h := &zip.FileHeader{Name: path.Join(name, p), Method: zip.Store, Modified: at.UTC()}
		h.SetMode(0o600)
		if p == ShellFile {
			h.SetMode(0o700)
		}
		out, err := z.CreateHeader(h)
		if err != nil {
			return err
		}
		in, err := openRegular(root, p)
		if err != nil {
			return err
		}
		_, err = io.Copy(out, contextio.Reader(ctx, in))
		return errors.Join(err, in.Close())
	})
	return errors.Join(err, z.Close())
}

const (
	maxUnpacked = 64 << 30 // bytes, of a bundle that comes as .zip
	maxRatio    = 200      // of what is unpacked to the file, as far as it is large
	mayUnpack   = 64 << 20 // bytes, whatever the ratio
)

// Unpack writes what a .zip holds into a folder that must be empty, and gives the
// one folder in it, which may be a bundle. It is bounded in size and number of
// files, and nothing is written outside of the folder. Errors wrap [ErrBundle] if
// it is no .zip, or holds what is not safe.
func Unpack(ctx context.Context, file, dir string) (_ string, err error) {
	f, err := os.Open(file)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", &fs.PathError{Op: "read", Path: file, Err: fmt.Errorf("%w: not a regular file", ErrBundle)}
	}
	z, err := zip.NewReader(f, info.Size())
	if err != nil {
		return "", fmt.Errorf("%s: %w: %w", file, ErrBundle, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	u := &unpacking{root: root, left: min(maxUnpacked, max(mayUnpack, info.Size()*maxRatio)), seen: make(map[string]bool)}
	if len(z.File) > 2*maxFiles {
		return "", fmt.Errorf("%s: %w: it holds %d files", file, ErrBundle, len(z.File))
	}
	for _, entry := range z.File {
		if err := u.add(ctx, entry); err != nil {
			return "", fmt.Errorf("%s: %w", file, err)
		}
	}
	if u.folder == "" {
		return "", fmt.Errorf("%s: %w: there is no folder in it", file, ErrBundle)
	}
	return filepath.Join(dir, u.folder), nil
}

// unpacking is a .zip that is being unpacked.
type unpacking struct {
	root   *os.Root
	folder string // the one that all is in
	left   int64  // bytes that may come still
	seen   map[string]bool
}

func (u *unpacking) add(ctx context.Context, entry *zip.File) error {
	refuse := func(why string) error { return fmt.Errorf("%w: %.200q in it %s", ErrBundle, entry.Name, why) }
	name := strings.TrimSuffix(entry.Name, "/")
	isDir := name != entry.Name
	if !fs.ValidPath(name) || name == "." {
		return refuse("leads out of its folder, or nowhere")
	}
	for part := range strings.SplitSeq(name, "/") {
		if err := api.CheckFileName(part); err != nil {
			return refuse("has a name that not every system can write")
		}
	}
	folder, rest, _ := strings.Cut(name, "/")
	if u.folder == "" {
		u.folder = folder
	}
	mode := entry.Mode()
	folded := strings.ToLower(name)
	switch {
	case folder != u.folder || rest == "" && !isDir:
		return refuse("is beside the folder of the bundle")
	case strings.Count(name, "/") > 2:
		return refuse("is deeper than anything in a bundle")
	case isDir != mode.IsDir() || !isDir && !mode.IsRegular():
		return refuse("is a link, or another thing that is no file")
	case u.seen[folded]:
		return refuse("is there twice")
	case entry.Flags&1 != 0 || entry.Method != zip.Store && entry.Method != zip.Deflate:
		return refuse("is encrypted, or compressed in an unusual way")
	}
	u.seen[folded] = true
	local := filepath.FromSlash(name)
	if isDir {
		return u.root.MkdirAll(local, 0o700)
	}
	if err := u.root.MkdirAll(filepath.Dir(local), 0o700); err != nil {
		return err
	}
	return u.write(ctx, entry, local)
}

func (u *unpacking) write(ctx context.Context, entry *zip.File, local string) error {
	in, err := entry.Open()
	if err != nil {
		return fmt.Errorf("%w: %q: %w", ErrBundle, entry.Name, err)
	}
	defer in.Close()
	out, err := u.root.OpenFile(local, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer out.Close()
	n, err := io.Copy(out, io.LimitReader(contextio.Reader(ctx, in), u.left+1))
	u.left -= n
	var disk *fs.PathError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case u.left < 0:
		return fmt.Errorf("%w: it holds more than a bundle does", ErrBundle)
	case errors.As(err, &disk):
		return err
	case err != nil:
		return fmt.Errorf("%w: %q in it is damaged: %w", ErrBundle, entry.Name, err)
	}
	return out.Close()
}
