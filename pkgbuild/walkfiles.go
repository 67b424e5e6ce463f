package pkgbuild

import (
	"context"
	"errors"
	"fmt"
	"io"

	"firstday.dev/pkgbuild/cpio"
)

// maxRereads bounds how often a payload is read again for hard links.
const maxRereads = 1000

// errFound ends a walk at what it was for.
var errFound = errors.New("pkgbuild: found")

// Walk calls fn for each file, folder and symbolic link that the component
// installs, with its contents; those of a link are its target. Names are
// cleaned: "." for the root, no ./ before the others. No name comes twice or
// leads out of the root: such a payload is an error that wraps [ErrUnsafe].
//
// A hard link comes with the size and contents of its file. Where the payload
// has them elsewhere it is read again, once fn begins to read.
func (c *PackagedComponent) Walk(ctx context.Context, fn func(h *cpio.Header, r io.Reader) error) error {
	return c.walkFiles(ctx, payloadFile, fn)
}

// WalkScripts is [PackagedComponent.Walk] for the scripts and what they need.
func (c *PackagedComponent) WalkScripts(ctx context.Context, fn func(h *cpio.Header, r io.Reader) error) error {
	return c.walkFiles(ctx, scriptsFile, fn)
}

func (c *PackagedComponent) walkFiles(ctx context.Context, name string, fn func(*cpio.Header, io.Reader) error) error {
	sizes := map[string]int64{} // of what others may link to
	rereads := 0
	return c.walk(ctx, name, func(m *member, r io.Reader) error {
		h := *m.Header
		h.Name = m.path
		if m.link == "" {
			if m.Links > 1 {
				sizes[m.path] = m.Size
			}
			return fn(&h, r)
		}
		if h.Size = sizes[m.link]; h.Size == 0 {
			return fn(&h, r)
		}
		again := &reread{open: func(w io.Writer) error {
			if rereads++; rereads > maxRereads {
				return fmt.Errorf("%w: more than %d hard links to read", ErrUnsupported, maxRereads)
			}
			return c.copyMember(ctx, name, m.link, w)
		}}
		defer again.stop()
		return fn(&h, again)
	})
}

// copyMember writes the contents of one member, which is no link.
func (c *PackagedComponent) copyMember(ctx context.Context, name, path string, w io.Writer) error {
	err := c.walk(ctx, name, func(m *member, r io.Reader) error {
		if m.path != path {
			return nil
		}
		if _, err := io.Copy(w, r); err != nil {
			return err
		}
		return errFound
	})
	if errors.Is(err, errFound) {
		return nil
	}
	return err
}

// reread reads what open writes, which is asked only if somebody reads.
type reread struct {
	open func(io.Writer) error
	in   *io.PipeReader
	done chan struct{}
}

func (r *reread) Read(p []byte) (int, error) {
	if r.in == nil {
		in, out := io.Pipe()
		r.in, r.done = in, make(chan struct{})
		go func() {
			defer close(r.done)
			out.CloseWithError(r.open(out))
		}()
	}
	return r.in.Read(p)
}

// stop waits for the writer, which no longer finds a reader.
func (r *reread) stop() {
	if r.in != nil {
		r.in.CloseWithError(io.ErrClosedPipe)
		<-r.done
	}
}
