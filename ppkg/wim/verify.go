package wim

import (
	"context"
	"fmt"
)

// Verify reads everything in the WIM and holds it against its hashes: the
// integrity table if there is one, every image's tree, and every content,
// whether a file has it or not. It uses as many threads as given, or with 0 as
// many as Go may use. progress, if not nil, is told how many plain bytes were
// verified.
func (r *Reader) Verify(ctx context.Context, threads int, progress func(done, total int64)) error {
	if err := r.verifyIntegrity(ctx); err != nil {
		return err
	}
	for i, image := range r.Images {
		if err := ctx.Err(); err != nil {
			return err
		}
		if _, err := image.root(); err != nil {
			return fmt.Errorf("image %d: %w", i+1, err)
		}
	}
	s := &sweep{
		r: r, blobs: r.order, progress: progress,
		small: func() func(int, []byte) error {
			return func(int, []byte) error { return nil }
		},
		large: func(int, []byte, int64) error { return nil },
	}
	return s.run(ctx, threads)
}

// nameOf names a blob after the first file that has its contents.
func (r *Reader) nameOf(b *blob) string {
	for i, image := range r.Images {
		root, err := image.root()
		if err != nil {
			continue
		}
		name := ""
		root.all(func(n *node) bool {
			if n.hash == b.hash && !n.isDir() {
				name = n.path()
			}
			return name == ""
		})
		switch {
		case name != "" && len(r.Images) > 1:
			return fmt.Sprintf("image %d, %s", i+1, name)
		case name != "":
			return name
		}
	}
	return fmt.Sprintf("blob %x", b.hash)
}

// verifyBlob verifies one content, unless that was done before.
func (r *Reader) verifyBlob(b *blob) error {
	r.mu.Lock()
	verified := r.verified[b]
	r.mu.Unlock()
	if verified {
		return nil
	}
	s := &sweep{
		r: r, blobs: []*blob{b},
		small: func() func(int, []byte) error {
			return func(int, []byte) error { return nil }
		},
		large: func(int, []byte, int64) error { return nil },
	}
	if err := s.run(context.Background(), 0); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.verified[b] = true
	return nil
}
