package macho

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math"
	"slices"
)

// Program is a program somewhere.
type Program struct {
	io.ReaderAt
	Size int64 // bytes
}

// MakeFat writes a universal binary of programs for different architectures,
// in the order and to the byte that lipo has.
func MakeFat(w io.Writer, programs ...Program) error {
	parts := make([]fatPart, len(programs))
	for i, p := range programs {
		inside, err := Slices(p, p.Size)
		if err != nil {
			return err
		}
		if len(inside) != 1 || inside[0].Offset != 0 {
			return fmt.Errorf("%w: a universal binary within one", ErrArch)
		}
		parts[i] = fatPart{inside[0].CPU, p.Size, func(w io.Writer) error {
			_, err := io.Copy(w, io.NewSectionReader(p, 0, p.Size))
			return err
		}}
	}
	return writeFat(w, parts)
}

// fatPart is what becomes a slice.
type fatPart struct {
	cpu   CPU
	size  int64 // bytes that write writes
	write func(io.Writer) error
}

func writeFat(w io.Writer, parts []fatPart) error {
	// lipo puts what is aligned more behind, arm64 last of all.
	slices.SortStableFunc(parts, func(a, b fatPart) int {
		if a.cpu.Type == b.cpu.Type {
			return cmp.Compare(a.cpu.Subtype, b.cpu.Subtype)
		}
		return cmp.Compare(a.cpu.align(), b.cpu.align())
	})
	header, list, err := fatHeader(parts)
	if err != nil {
		return err
	}
	out := &counter{w: w}
	if _, err := out.Write(header); err != nil {
		return err
	}
	for i, p := range parts {
		if _, err := out.Write(make([]byte, list[i].Offset-out.n)); err != nil {
			return err
		}
		if err := p.write(out); err != nil {
			return fmt.Errorf("%v slice: %w", p.cpu, err)
		}
		if out.n != list[i].Offset+p.size {
			return fmt.Errorf("%v slice: %w", p.cpu, io.ErrUnexpectedEOF)
		}
	}
	return nil
}

func fatHeader(parts []fatPart) (header []byte, list []Slice, err error) {
	at := int64(fatHeaderSize + len(parts)*fatArchSize)
	header = binary.BigEndian.AppendUint32(nil, magicFat)
	header = binary.BigEndian.AppendUint32(header, uint32(len(parts)))
	for _, p := range parts {
		boundary := int64(1) << p.cpu.align()
		start := (at + boundary - 1) &^ (boundary - 1)
		if at = start + p.size; at > math.MaxUint32 {
			return nil, nil, fmt.Errorf("%w: a universal binary of more than 4 GiB", ErrArch)
		}
		list = append(list, Slice{p.cpu, start, p.size})
		for _, v := range [...]uint32{p.cpu.Type, p.cpu.Subtype, uint32(start), uint32(p.size), p.cpu.align()} {
			header = binary.BigEndian.AppendUint32(header, v)
		}
	}
	return header, list, checkFat(list, at)
}

// counter counts what is written.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
