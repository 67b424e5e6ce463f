package station

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"

	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// raw is a stick that is formatted. It is written and read past all caches.
type raw struct {
	*job
	release func() error
	device  *media.Device
	layout  *fat32.Layout
	extents []fat32.Extent // of the files
	buffer  []byte
}

func (j *job) openRaw(ctx context.Context) (medium, error) {
	if j.target.Disk == nil {
		return nil, fmt.Errorf("%s is no disk", j.target.Name)
	}
	if d := j.target.Disk; d.Refusal != "" {
		j.problem("refused", d.Refusal)
		return nil, j.preflight()
	}
	release, err := media.Claim(ctx, j.target.Disk)
	if err != nil {
		return nil, err
	}
	fail := func(err error) (medium, error) { return nil, errors.Join(err, release()) }
	if len(j.target.Disk.Mounts()) > 0 {
		if err := j.target.Disk.Unmount(ctx); err != nil {
			return fail(err)
		}
	}
	device, err := j.target.Disk.Open(ctx)
	if err != nil {
		return fail(err)
	}
	return &raw{job: j, release: release, device: device, buffer: media.Buffer(chunkSize)}, nil
}

// look lays the stick out. Whatever is on it goes.
func (r *raw) look(context.Context) ([]bool, error) {
	size := r.device.Size()
	r.count(func(result *Result) { result.Size, result.ReadBack = size, ReadPast })
	if r.device.SectorSize() != fat32.SectorSize {
		r.problem("sectors", fmt.Sprintf("it has sectors of %d bytes", r.device.SectorSize()))
		return nil, nil
	}
	r.large(size)
	// Sticks get serial numbers of their own, unlike images: systems confuse disks
	// and volumes that share one.
	var random [8]byte
	_, _ = rand.Read(random[:]) // it never fails
	o := fat32.Options{
		Size: min(size, fat32.MaxSize) &^ (fat32.SectorSize - 1), Label: r.Label, Time: r.Manifest.Created,
		Serial: binary.BigEndian.Uint32(random[:]), Signature: binary.BigEndian.Uint32(random[4:]) | 1,
	}
	layout, err := fat32.NewLayout(r.Stick, o)
	if err == nil {
		err = layout.Fits()
	}
	if errors.Is(err, fat32.ErrFull) || errors.Is(err, fat32.ErrSize) {
		need, err := fat32.SizeFor(r.Stick, 0)
		if err != nil {
			return nil, err
		}
		r.problem("room", fmt.Sprintf("it has %s, and %s are needed", megabytes(size), megabytes(need)))
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r.layout = layout
	places := make(map[string]fat32.Extent)
	for _, e := range layout.Extents() {
		places[e.Path] = e
	}
	wants := make([]bool, len(r.files))
	for i, f := range r.files {
		wants[i] = true
		r.extents = append(r.extents, places[f.Path])
	}
	return wants, nil
}

func (r *raw) complete() bool { return false }

func (r *raw) begin() error { return r.layout.Begin(watched{r}, r.device.Size()) }

func (r *raw) write(c *chunk) error {
	place := r.extents[c.file]
	// What follows the end of a file in its last cluster are zeros in the chunk, too.
	n := min(int64(len(c.buffer)), place.Room-c.at)
	if n == 0 {
		return nil
	}
	_, err := r.device.WriteAt(c.buffer[:n], place.Offset+c.at)
	return err
}

func (r *raw) flush() error { return watched{r}.Sync() }

func (r *raw) check(ctx context.Context, file int) error {
	place, hash := r.extents[file], sha256.New()
	for at := int64(0); at < place.Room; at += int64(len(r.buffer)) {
		if err := ctx.Err(); err != nil {
			return err
		}
		b := r.buffer[:min(int64(len(r.buffer)), place.Room-at)]
		if _, err := (watched{r}).ReadAt(b, place.Offset+at); err != nil {
			return fmt.Errorf("reading back: %w", unexpected(err))
		}
		n := min(int64(len(b)), place.Size-at)
		hash.Write(b[:n])
		r.advance(int(n))
	}
	if hex.EncodeToString(hash.Sum(nil)) != r.files[file].SHA256 {
		return ErrReadBack
	}
	return nil
}

// unexpected: what ends too early was not read.
func unexpected(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

func (r *raw) commit() error { return r.layout.Commit(watched{r}) }

func (r *raw) marked() bool { return r.layout.IsIncomplete(watched{r}) }

func (r *raw) close() error { return errors.Join(r.device.Close(), r.release()) }

// watched is the disk of a stick that is given up if nothing moves.
type watched struct{ *raw }

func (w watched) ReadAt(p []byte, at int64) (int, error) {
	if err := w.beat(); err != nil {
		return 0, err
	}
	return w.device.ReadAt(p, at)
}

func (w watched) WriteAt(p []byte, at int64) (int, error) {
	if err := w.beat(); err != nil {
		return 0, err
	}
	return w.device.WriteAt(p, at)
}

func (w watched) Sync() error {
	if err := w.beat(); err != nil {
		return err
	}
	return w.device.Sync()
}
