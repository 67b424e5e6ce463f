// Package macho makes, takes apart and signs the programs of macOS: Mach-O
// files for one architecture, and universal ones that hold several
// (formats/macos-pkg.md §3.4, §4; Apple's <mach-o/fat.h> and <mach-o/loader.h>).
package macho

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
)

var (
	// ErrFormat: this is no Mach-O file, or a damaged one.
	ErrFormat = errors.New("macho: not a valid Mach-O file")
	// ErrArch: an architecture that is missing, there twice, or not 64 bit.
	ErrArch = errors.New("macho: wrong architecture")
)

// CPU is an architecture, as in <mach/machine.h>.
type CPU struct{ Type, Subtype uint32 }

// The architectures of Macs that are still in use.
var (
	AMD64 = CPU{0x0100_0007, 3}
	ARM64 = CPU{0x0100_000c, 0}
)

// String gives the name that lipo uses, or the numbers.
func (c CPU) String() string {
	switch c {
	case AMD64:
		return "x86_64"
	case ARM64:
		return "arm64"
	}
	return fmt.Sprintf("cpu %#x,%#x", c.Type, c.Subtype)
}

// align is how slices of the architecture are aligned in a universal binary,
// as a power of two: to the size of a page in memory.
func (c CPU) align() uint32 {
	if c.Type == ARM64.Type {
		return 14
	}
	return 12
}

// The numbers that files begin with.
const (
	magicFat   = 0xcafebabe // big endian
	magicFat64 = 0xcafebabf
	magicThin  = 0xfeedfacf // little endian, 64 bit
)

const (
	fatHeaderSize = 8
	fatArchSize   = 20
	// maxSlices keeps Java's class files apart, which begin with the same
	// number as universal binaries: there a version above 40 follows.
	maxSlices = 30
	maxAlign  = 15
)

// Slice is the program for one architecture.
type Slice struct {
	CPU    CPU
	Offset int64 // bytes from the start of the file
	Size   int64 // bytes
}

// Slices reads which architectures a file holds: one of its own, or those of a
// universal binary. They are within the file and do not overlap.
func Slices(r io.ReaderAt, size int64) ([]Slice, error) {
	var b [fatHeaderSize]byte
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return nil, short(err)
	}
	switch {
	case binary.LittleEndian.Uint32(b[:]) == magicThin:
		cpu, err := readCPU(r)
		return []Slice{{cpu, 0, size}}, err
	case binary.BigEndian.Uint32(b[:]) == magicFat && binary.BigEndian.Uint32(b[4:]) <= maxSlices:
		return readFat(r, size, int(binary.BigEndian.Uint32(b[4:])))
	case binary.BigEndian.Uint32(b[:]) == magicFat64:
		return nil, fmt.Errorf("%w: a universal binary of more than 4 GiB", ErrArch)
	case isThin32(b[:]):
		return nil, fmt.Errorf("%w: a program of 32 bit", ErrArch)
	}
	return nil, malformed("it begins with %x", b[:4])
}

func isThin32(b []byte) bool {
	return binary.LittleEndian.Uint32(b) == 0xfeedface || binary.BigEndian.Uint32(b) == 0xfeedface || binary.BigEndian.Uint32(b) == magicThin
}

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %w", ErrFormat, fmt.Errorf(format, args...))
}

// short makes the end of the file a fault of the format.
func short(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed("it ends early")
	}
	return err
}

func readCPU(r io.ReaderAt) (CPU, error) {
	var b [machHeaderSize]byte
	if _, err := r.ReadAt(b[:], 0); err != nil {
		return CPU{}, short(err)
	}
	return CPU{binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])}, nil
}

func readFat(r io.ReaderAt, size int64, count int) ([]Slice, error) {
	table := make([]byte, count*fatArchSize)
	if _, err := r.ReadAt(table, fatHeaderSize); err != nil {
		return nil, short(err)
	}
	list, err := parseTable(table, size)
	if err != nil {
		return nil, err
	}
	for _, s := range list {
		cpu, err := readCPU(io.NewSectionReader(r, s.Offset, s.Size))
		if err != nil {
			return nil, fmt.Errorf("%v slice: %w", s.CPU, err)
		}
		if cpu != s.CPU {
			return nil, malformed("the %v slice is for %v", s.CPU, cpu)
		}
	}
	return list, nil
}

func parseTable(table []byte, size int64) ([]Slice, error) {
	list := make([]Slice, len(table)/fatArchSize)
	for i := range list {
		b := table[i*fatArchSize:]
		s := Slice{
			CPU:    CPU{binary.BigEndian.Uint32(b), binary.BigEndian.Uint32(b[4:])},
			Offset: int64(binary.BigEndian.Uint32(b[8:])), Size: int64(binary.BigEndian.Uint32(b[12:])),
		}
		if align := binary.BigEndian.Uint32(b[16:]); align > maxAlign || s.Offset%(1<<align) != 0 {
			return nil, malformed("the %v slice at %d is not aligned to 2^%d", s.CPU, s.Offset, align)
		}
		list[i] = s
	}
	return list, checkFat(list, size)
}

// Peek tells from the first [PeekSize] bytes of a file of the given size which
// slices it holds; none if it is no Mach-O file. It is for who sees the file
// only once: what the slices themselves say is not compared.
func Peek(head []byte, size int64) []Slice {
	if len(head) < machHeaderSize {
		return nil
	}
	if binary.LittleEndian.Uint32(head) == magicThin {
		return []Slice{{CPU{binary.LittleEndian.Uint32(head[4:]), binary.LittleEndian.Uint32(head[8:])}, 0, size}}
	}
	count := binary.BigEndian.Uint32(head[4:])
	if binary.BigEndian.Uint32(head) != magicFat || count > maxSlices || len(head) < fatHeaderSize+int(count)*fatArchSize {
		return nil
	}
	list, err := parseTable(head[fatHeaderSize:fatHeaderSize+int(count)*fatArchSize], size)
	if err != nil {
		return nil
	}
	return list
}

// PeekSize is how much of a file [Peek] needs, in bytes, or all of a shorter one.
const PeekSize = fatHeaderSize + maxSlices*fatArchSize

func checkFat(list []Slice, size int64) error {
	sorted := slices.SortedFunc(slices.Values(list), func(a, b Slice) int { return cmp.Compare(a.Offset, b.Offset) })
	end := int64(fatHeaderSize + len(list)*fatArchSize)
	for i, s := range sorted {
		if s.Offset < end || s.Offset+s.Size > size {
			return malformed("the %v slice lies where it cannot", s.CPU)
		}
		end = s.Offset + s.Size
		for _, other := range sorted[:i] {
			if other.CPU.Type == s.CPU.Type && other.CPU.Subtype == s.CPU.Subtype {
				return fmt.Errorf("%w: %v is there twice", ErrArch, s.CPU)
			}
		}
	}
	if len(list) == 0 {
		return malformed("a universal binary of nothing")
	}
	return nil
}
