package wim

import (
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/binary"
	"fmt"
	"io"
)

// integrityChunk is how much of the file each hash of the integrity table
// covers: WIMGAPI's choice. The table covers everything from behind the header
// to the end of the blob table.
const integrityChunk = 10 << 20

const integrityFixed = 12 // size of the table, number of hashes, integrityChunk

func integrityTable(ctx context.Context, r io.ReaderAt, end int64) ([]byte, error) {
	table := make([]byte, integrityFixed)
	for pos := int64(headerSize); pos < end; pos += integrityChunk {
		hash, err := hashRange(ctx, r, pos, min(integrityChunk, end-pos))
		if err != nil {
			return nil, err
		}
		table = append(table, hash[:]...)
	}
	binary.LittleEndian.PutUint32(table, uint32(len(table)))
	binary.LittleEndian.PutUint32(table[4:], uint32((len(table)-integrityFixed)/sha1.Size))
	binary.LittleEndian.PutUint32(table[8:], integrityChunk)
	return table, nil
}

func hashRange(ctx context.Context, r io.ReaderAt, pos, size int64) (hash [20]byte, err error) {
	if err := ctx.Err(); err != nil {
		return hash, err
	}
	sum := sha1.New()
	n, err := io.Copy(sum, io.NewSectionReader(r, pos, size))
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return [20]byte(sum.Sum(nil)), err
}

// verifyIntegrity checks the file against its integrity table, if it has one.
func (r *Reader) verifyIntegrity(ctx context.Context) error {
	table := r.header.integrity
	if table.size == 0 {
		return nil
	}
	covered := r.header.blobs.end() - headerSize
	if table.compressed() || table.size < integrityFixed || covered < 0 {
		return fmt.Errorf("%w: integrity table of %d bytes", ErrFormat, table.size)
	}
	fixed := make([]byte, integrityFixed)
	if err := readAt(r.r, fixed, table.offset); err != nil {
		return fmt.Errorf("reading integrity table: %w", err)
	}
	count := int64(binary.LittleEndian.Uint32(fixed[4:]))
	chunk := int64(binary.LittleEndian.Uint32(fixed[8:]))
	if chunk == 0 || count != (covered+chunk-1)/chunk || table.size != integrityFixed+count*sha1.Size {
		return fmt.Errorf("%w: integrity table has %d hashes of %d bytes for %d", ErrFormat, count, chunk, covered)
	}
	for i := range count {
		want := make([]byte, sha1.Size)
		if err := readAt(r.r, want, table.offset+integrityFixed+i*sha1.Size); err != nil {
			return fmt.Errorf("reading integrity table: %w", err)
		}
		hash, err := hashRange(ctx, r.r, headerSize+i*chunk, min(chunk, covered-i*chunk))
		if err != nil {
			return fmt.Errorf("checking integrity table: %w", err)
		}
		if !bytes.Equal(hash[:], want) {
			return fmt.Errorf("%w: integrity table: bytes from %d", ErrChecksum, headerSize+i*chunk)
		}
	}
	return nil
}
