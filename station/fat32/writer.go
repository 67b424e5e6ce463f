package fat32

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"firstday.dev/internal/contextio"
)

// Options say what an image is.
type Options struct {
	Size      int64     // of the image, in bytes; see [MinSize] and [SizeFor]
	Label     string    // of the volume, see [CheckLabel]
	Serial    uint32    // of the volume
	Signature uint32    // of the disk, in its partition table
	Time      time.Time // of all files
	// Progress, if set, is told how many bytes of files are written.
	Progress func(done, total int64)
}

// Write writes an image of a tree. What it does not write must be zeros, as in a
// file that is new and is given its size afterwards: so the image is sparse.
// Each file is opened once and read to its end, in the order of names.
func Write(ctx context.Context, w io.WriterAt, tree fs.FS, o Options) error {
	l, err := NewLayout(tree, o)
	if err != nil {
		return err
	}
	v := &writer{Layout: l, w: w, tree: tree}
	_ = l.root.each(func(n *node) error { v.total += n.size; return nil })
	for _, b := range append(l.bootCopies(l.final()), l.bootSectors(l.final())...) {
		if _, err := w.WriteAt(b.data, b.at); err != nil {
			return err
		}
	}
	if err := l.eachFAT(l.final(), l.usedFAT(), func(b block) error { _, err := w.WriteAt(b.data, b.at); return err }); err != nil {
		return err
	}
	return v.writeNodes(ctx)
}

type writer struct {
	*Layout
	w           io.WriterAt
	tree        fs.FS
	done, total int64
}

func (v *writer) writeNodes(ctx context.Context) error {
	buffer := make([]byte, 1<<20)
	return v.root.each(func(n *node) error {
		if n.dir {
			_, err := v.w.WriteAt(v.folder(n, v.Label), v.cluster(n.first))
			return err
		}
		if err := v.writeFile(ctx, n, buffer); err != nil {
			return fmt.Errorf("writing %s: %w", n.path, err)
		}
		return nil
	})
}

// writeFile copies a file, which must be as long as its folder said.
func (v *writer) writeFile(ctx context.Context, n *node, buffer []byte) error {
	f, err := v.tree.Open(n.path)
	if err != nil {
		return err
	}
	defer f.Close()
	r := contextio.Reader(ctx, f)
	written, err := io.CopyBuffer(v.counting(io.NewOffsetWriter(v.w, v.cluster(max(n.first, rootCluster)))), io.LimitReader(r, n.size), buffer)
	if err != nil {
		return err
	}
	// Who checks what is read does so at its end.
	more, err := io.ReadFull(r, buffer[:1])
	if more > 0 || written < n.size {
		return fmt.Errorf("%w: it does not have the %d bytes it had", ErrFile, n.size)
	}
	if !errors.Is(err, io.EOF) {
		return err
	}
	return nil
}

// counting tells progress of what passes through.
func (v *writer) counting(w io.Writer) io.Writer {
	return writerFunc(func(p []byte) (int, error) {
		k, err := w.Write(p)
		if v.done += int64(k); v.Progress != nil {
			v.Progress(v.done, v.total)
		}
		return k, err
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }
