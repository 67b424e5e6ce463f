package pkgbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/pkgbuild/cpio"
)

// maxMembers bounds the files of a payload: all of macOS has fewer.
const maxMembers = 2_000_000

// member is a file in a payload.
type member struct {
	*cpio.Header
	path   string // "." for the root, else slashes between names and nothing else
	target string // of a symbolic link
	// link is the path of another member that came before and is the same file;
	// this one then comes without contents.
	link string
}

// walker reads a payload. Everything it gives is safe to join to a folder, as
// far as names go; where symbolic links lead is for who makes them to judge.
type walker struct {
	ctx  context.Context
	fn   func(*member, io.Reader) error
	in   *cpio.Reader
	seen map[string]bool
	// Hard links share an inode. Some tools store the contents with the first
	// of them, some with the last, some with each.
	stored  map[inode]string    // path of the member that has the contents
	waiting map[inode][]*member // those whose contents have not come yet
	order   []inode             // of those that wait
}

type inode struct{ device, number uint32 }

// walk reads the payload or the scripts through to the end.
func (c *PackagedComponent) walk(ctx context.Context, name string, fn func(*member, io.Reader) error) error {
	plain, err := c.stream(name)
	if err != nil {
		return err
	}
	defer plain.Close()
	w := &walker{
		ctx: ctx, fn: fn, in: cpio.NewReader(contextio.Reader(ctx, plain)),
		seen: map[string]bool{}, stored: map[inode]string{}, waiting: map[inode][]*member{},
	}
	err = w.run()
	if err == nil {
		// Only at its end is it known to be what the archive's checksums say.
		_, err = io.Copy(io.Discard, contextio.Reader(ctx, plain))
	}
	if err != nil {
		return fmt.Errorf("%s of %.300s: %w", name, c.name(), err)
	}
	return nil
}

func (w *walker) run() error {
	for {
		h, err := w.in.Next()
		switch {
		case errors.Is(err, io.EOF):
			return w.finish()
		case err != nil:
			return err
		case len(w.seen) == maxMembers:
			return fmt.Errorf("%w: more than %d files", ErrUnsupported, maxMembers)
		}
		m := &member{Header: h}
		if m.path, err = cleanPath(h.Name); err != nil {
			return err
		}
		if w.seen[m.path] {
			return fmt.Errorf("%w: %.300q is there twice", ErrUnsafe, m.path)
		}
		w.seen[m.path] = true
		if err := w.add(m); err != nil {
			return err
		}
	}
}

// cleanPath makes a path relative, and refuses one that is not below the root.
// Not all tools put ./ before it.
func cleanPath(name string) (string, error) {
	clean := strings.TrimSuffix(strings.TrimPrefix(name, "./"), "/")
	if name == "." || name == "./" {
		return ".", nil
	}
	if len(name) > maxPath {
		return "", fmt.Errorf("%w: a path of %d bytes, %.300q", ErrUnsafe, len(name), name)
	}
	for part := range strings.SplitSeq(clean, "/") {
		if part == "" || part == "." || part == ".." || len(part) > maxName {
			return "", fmt.Errorf("%w: the path %.300q", ErrUnsafe, name)
		}
	}
	return clean, nil
}

// maxName is macOS's limit for one part of a path: 255 characters, each of at
// most three bytes in UTF-8.
const maxName = 255 * 3

func (w *walker) add(m *member) error {
	switch m.Mode & cpio.ModeType {
	case cpio.ModeDir:
		return w.fn(m, strings.NewReader(""))
	case cpio.ModeRegular:
		return w.addFile(m)
	case cpio.ModeSymlink:
		if m.Size == 0 || m.Size > maxPath {
			return fmt.Errorf("%w: %.300q links to a path of %d bytes", ErrUnsafe, m.path, m.Size)
		}
		target, err := io.ReadAll(w.in)
		if err != nil {
			return err
		}
		m.target = string(target)
		if strings.ContainsRune(m.target, 0) {
			return fmt.Errorf("%w: %.300q links to %.300q", ErrUnsafe, m.path, target)
		}
		return w.fn(m, strings.NewReader(m.target))
	default:
		return fmt.Errorf("%w: %.300q is neither a file, folder nor symbolic link (mode %o)", ErrUnsafe, m.path, m.Mode)
	}
}

// addFile finds out whether a file's contents are here, were or will be.
func (w *walker) addFile(m *member) error {
	id := inode{m.Dev, m.Inode}
	first, stored := w.stored[id]
	switch {
	case m.Links < 2:
		return w.fn(m, w.in)
	case m.Size == 0 && stored:
		m.link = first
		return w.fn(m, strings.NewReader(""))
	case m.Size == 0:
		if w.waiting[id] == nil {
			w.order = append(w.order, id)
		}
		w.waiting[id] = append(w.waiting[id], m)
		return nil
	case stored: // contents of its own, that may be the same or not
		return w.fn(m, w.in)
	}
	w.stored[id] = m.path
	if err := w.fn(m, w.in); err != nil {
		return err
	}
	waiting := w.waiting[id]
	delete(w.waiting, id)
	return w.link(m.path, waiting)
}

func (w *walker) link(first string, links []*member) error {
	for _, m := range links {
		m.link = first
		if err := w.fn(m, strings.NewReader("")); err != nil {
			return err
		}
	}
	return nil
}

// finish gives what no contents came for: files that are empty.
func (w *walker) finish() error {
	for _, id := range w.order {
		links := w.waiting[id]
		if len(links) == 0 {
			continue
		}
		if err := w.fn(links[0], strings.NewReader("")); err != nil {
			return err
		}
		if err := w.link(links[0].path, links[1:]); err != nil {
			return err
		}
	}
	return nil
}
