//go:build amd64 || arm64

package loginplugin_test

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// image is the slice of the plug-in for this processor, as it is shipped, in this
// process's memory: mapped, rebased and bound as dyld does it.
type image struct {
	memory   []byte
	segments []*macho.Segment
	symbols  map[string]uintptr
}

// at gives the address of an offset.
func (m *image) at(offset uint64) uintptr { return uintptr(unsafe.Pointer(&m.memory[offset])) }

func (m *image) get(at uint64) uint64        { return binary.LittleEndian.Uint64(m.memory[at:]) }
func (m *image) put(at uint64, value uint64) { binary.LittleEndian.PutUint64(m.memory[at:], value) }

// loadImage maps a universal program. resolve gives the address of each import.
func loadImage(path string, resolve func(name string) uintptr) (*image, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	fat, err := macho.NewFatFile(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	cpu := map[string]macho.Cpu{"amd64": macho.CpuAmd64, "arm64": macho.CpuArm64}[runtime.GOARCH]
	for _, slice := range fat.Arches {
		if slice.Cpu == cpu {
			return mapSlice(slice.File, data[slice.Offset:][:slice.Size], resolve)
		}
	}
	return nil, fmt.Errorf("there is no slice for %v", cpu)
}

func mapSlice(f *macho.File, code []byte, resolve func(string) uintptr) (*image, error) {
	const dyldInfo, dyldInfoOnly, page = 0x22, 0x80000022, 0x4000
	m := &image{symbols: make(map[string]uintptr)}
	var info []byte
	size := uint64(0)
	for _, l := range f.Loads {
		if s, ok := l.(*macho.Segment); ok {
			m.segments = append(m.segments, s)
			size = max(size, s.Addr+s.Memsz)
		}
		if kind := binary.LittleEndian.Uint32(l.Raw()); kind == dyldInfo || kind == dyldInfoOnly {
			info = l.Raw()
		}
	}
	var err error
	if m.memory, err = unix.Mmap(-1, 0, int(size+page-1)&^(page-1), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON); err != nil {
		return nil, err
	}
	for _, s := range m.segments {
		copy(m.memory[s.Addr:], code[s.Offset:s.Offset+s.Filesz])
	}
	part := func(at int) []byte {
		return code[binary.LittleEndian.Uint32(info[at:]):][:binary.LittleEndian.Uint32(info[at+4:])]
	}
	if err := m.rebase(part(8)); err != nil {
		return nil, err
	}
	for _, at := range []int{16, 32} { // at once, and lazily
		if err := m.bind(part(at), resolve); err != nil {
			return nil, err
		}
	}
	for _, s := range f.Symtab.Syms {
		if s.Sect != 0 {
			m.symbols[s.Name] = m.at(s.Value)
		}
	}
	for _, s := range m.segments {
		if s.Memsz == 0 {
			continue
		}
		if err := unix.Mprotect(m.memory[s.Addr:s.Addr+s.Memsz], int(s.Prot)); err != nil { // the bits are the same
			return nil, fmt.Errorf("%s: %w", s.Name, err)
		}
	}
	return m, nil
}

// opcodes reads what dyld does, see mach-o/loader.h.
type opcodes struct {
	rest []byte
	at   uint64 // an offset in the image
}

func (o *opcodes) next() (op, immediate byte) {
	op, immediate = o.rest[0]&0xf0, o.rest[0]&0x0f
	o.rest = o.rest[1:]
	return op, immediate
}

func (o *opcodes) number() uint64 {
	n, size := binary.Uvarint(o.rest)
	o.rest = o.rest[size:]
	return n
}

func (o *opcodes) text() string {
	text, rest, _ := bytes.Cut(o.rest, []byte{0})
	o.rest = rest
	return string(text)
}

// times does it for so many pointers, each so far from the one before.
func (o *opcodes) times(count, skip uint64, do func()) {
	for range count {
		do()
		o.at += 8 + skip
	}
}

func (m *image) rebase(rest []byte) error {
	o := &opcodes{rest: rest}
	base := uint64(m.at(0))
	slide := func() { m.put(o.at, base+m.get(o.at)) }
	for len(o.rest) > 0 {
		switch op, n := o.next(); op {
		case 0x00: // done; what follows is padding
		case 0x10:
			if n != 1 {
				return fmt.Errorf("rebasing of kind %d", n)
			}
		case 0x20:
			o.at = m.segments[n].Addr + o.number()
		case 0x30:
			o.at += o.number()
		case 0x40:
			o.at += uint64(n) * 8
		case 0x50:
			o.times(uint64(n), 0, slide)
		case 0x60:
			o.times(o.number(), 0, slide)
		case 0x70:
			o.times(1, o.number(), slide)
		case 0x80:
			count := o.number()
			o.times(count, o.number(), slide)
		default:
			return fmt.Errorf("rebasing opcode %#x", op)
		}
	}
	return nil
}

func (m *image) bind(rest []byte, resolve func(string) uintptr) error {
	o := &opcodes{rest: rest}
	name, addend := "", uint64(0)
	bind := func() { m.put(o.at, uint64(resolve(name))+addend) }
	for len(o.rest) > 0 {
		switch op, n := o.next(); op {
		case 0x00, 0x10: // done; the library's number
		case 0x20:
			o.number()
		case 0x40:
			name = o.text()
		case 0x50:
			if n != 1 {
				return fmt.Errorf("binding of kind %d", n)
			}
		case 0x60:
			addend = o.number()
		case 0x70:
			o.at = m.segments[n].Addr + o.number()
		case 0x80:
			o.at += o.number()
		case 0x90:
			o.times(1, 0, bind)
		case 0xa0:
			o.times(1, o.number(), bind)
		case 0xb0:
			o.times(1, uint64(n)*8, bind)
		case 0xc0:
			count := o.number()
			o.times(count, o.number(), bind)
		default:
			return fmt.Errorf("binding opcode %#x", op)
		}
	}
	return nil
}
