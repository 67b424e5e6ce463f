package signing

import (
	"bytes"
	"context"
	"crypto"
	"fmt"
	"io"

	"github.com/sassoftware/relic/v7/lib/authenticode"
	"github.com/sassoftware/relic/v7/lib/binpatch"
)

// What relic does for us: it computes the digests that Authenticode signs and
// the patches that put a signature into a file. Its release 7 cannot read
// every layout and trusts what headers say (design/libraries.md §1), so its
// input is checked before, and its digest against our own after.

// relicDigest hashes the program for a signature.
func (pe *peImage) relicDigest(ctx context.Context) (*authenticode.PEDigest, error) {
	refused := func(why error) error { return fmt.Errorf("%w: its layout cannot be signed: %w", ErrFormat, why) }
	if pe.fileAlignment == 0 || pe.firstSection > maxPEHeaders { // relic divides by the one and holds the other in memory
		return nil, refused(fmt.Errorf("a file alignment of %d, headers of %d bytes", pe.fileAlignment, pe.firstSection))
	}
	own, err := pe.digest(ctx, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("hashing the program: %w", err)
	}
	d, err := authenticode.DigestPE(contextReader{ctx, io.NewSectionReader(pe.r, 0, pe.size)}, crypto.SHA256, false)
	switch {
	case ctx.Err() != nil:
		return nil, ctx.Err()
	case err != nil:
		return nil, refused(err)
	case !bytes.Equal(d.Imprint, own):
		return nil, refused(fmt.Errorf("one way to hash it gives %x, another %x", d.Imprint, own))
	}
	return d, nil
}

// relicScriptDigest hashes a script that has no signature any more.
func relicScriptDigest(text []byte) ([]byte, error) {
	if bytes.Contains(text, bytes.TrimSpace([]byte(blockBegin))) { // relic panics if it is the first line
		return nil, fmt.Errorf("%w: the script holds half a signature block", ErrFormat)
	}
	d, err := authenticode.DigestPowershell(bytes.NewReader(text), authenticode.SigStyleHash, crypto.SHA256)
	if err != nil {
		return nil, fmt.Errorf("%w: the script: %w", ErrFormat, err)
	}
	if own := scriptDigest(crypto.SHA256, text); !bytes.Equal(d.Imprint, own) {
		return nil, fmt.Errorf("%w: the script: one way to hash it gives %x, another %x", ErrFormat, d.Imprint, own)
	}
	return d.Imprint, nil
}

// signatureBlock is what relic appends to a script to sign it.
func signatureBlock(der []byte) ([]byte, error) {
	set, err := (&authenticode.PsDigest{SigStyle: authenticode.SigStyleHash}).MakePatch(der)
	if err != nil {
		return nil, err
	}
	return set.Blobs[0], nil
}

// applyPatch writes in as the patches have it.
func applyPatch(ctx context.Context, out io.Writer, in io.ReaderAt, size int64, set *binpatch.PatchSet) error {
	at := int64(0)
	for i, p := range set.Patches {
		if err := copyContext(ctx, out, io.NewSectionReader(in, at, p.Offset-at)); err != nil {
			return err
		}
		if _, err := out.Write(set.Blobs[i]); err != nil {
			return err
		}
		at = p.Offset + int64(p.OldSize)
	}
	return copyContext(ctx, out, io.NewSectionReader(in, at, size-at))
}

// copyBuffer is how much of a file is in memory at a time, in bytes.
const copyBuffer = 256 << 10

// copyContext copies until the end, or until the context ends.
func copyContext(ctx context.Context, w io.Writer, r io.Reader) error {
	_, err := io.CopyBuffer(w, contextReader{ctx, r}, make([]byte, copyBuffer))
	return err
}

// contextReader reads until the context ends.
type contextReader struct {
	ctx context.Context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
