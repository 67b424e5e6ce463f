package macho

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// Sizes and numbers of <mach-o/loader.h>.
const (
	machHeaderSize     = 32
	segmentCommandSize = 72
	sectionSize        = 80
	linkeditDataSize   = 16 // linkedit_data_command

	commandSegment64     = 0x19
	commandCodeSignature = 0x1d
	commandMinMacOS      = 0x24
	commandBuildVersion  = 0x32

	fileTypeExecute = 2

	// maxCommands bounds the load commands, in bytes. Those of real programs
	// stay below a tenth of it.
	maxCommands = 1 << 20
)

// image is a program for one architecture, as far as signing needs to know it.
type image struct {
	r    io.ReaderAt
	size int64
	cpu  CPU

	fileType uint32
	// head is everything before the first section's contents: the header, the
	// load commands, and the room after them.
	head     []byte
	commands int // bytes of head that are taken

	text, linkedit segment
	othersEnd      int64    // where the last of the other segments ends
	signature      linkedit // of the code; zero if there is none
	sdk            uint32   // version of the SDK, xxxx.yy.zz; 0 if not known
}

type segment struct {
	at             int // of the load command in head; 0 if there is none
	offset, length int64
}

// linkedit is a part of the last segment that a load command of its own names.
type linkedit struct {
	at             int
	offset, length int64
}

// end is where the code ends: what follows is its signature.
func (m *image) end() int64 {
	if m.signature.at != 0 {
		return m.signature.offset
	}
	return m.size
}

func readImage(r io.ReaderAt, size int64) (*image, error) {
	var header [machHeaderSize]byte
	if _, err := r.ReadAt(header[:], 0); err != nil {
		return nil, short(err)
	}
	if binary.LittleEndian.Uint32(header[:]) != magicThin {
		return nil, malformed("it begins with %x", header[:4])
	}
	m := &image{
		r: r, size: size,
		cpu:      CPU{binary.LittleEndian.Uint32(header[4:]), binary.LittleEndian.Uint32(header[8:])},
		fileType: binary.LittleEndian.Uint32(header[12:]),
	}
	length := binary.LittleEndian.Uint32(header[20:])
	if length > maxCommands || int64(length) > size-machHeaderSize {
		return nil, malformed("%d bytes of load commands", length)
	}
	m.commands = machHeaderSize + int(length)
	m.head = make([]byte, m.commands)
	if _, err := r.ReadAt(m.head, 0); err != nil {
		return nil, short(err)
	}
	firstSection := min(size, int64(m.commands)+linkeditDataSize)
	if err := m.readCommands(int(binary.LittleEndian.Uint32(header[16:])), &firstSection); err != nil {
		return nil, err
	}
	if err := m.check(); err != nil {
		return nil, err
	}
	if firstSection < int64(m.commands) {
		return nil, malformed("a section begins within the load commands")
	}
	m.head = make([]byte, firstSection)
	_, err := r.ReadAt(m.head, 0)
	return m, short(err)
}

// readCommands looks through the load commands. It lowers firstSection to
// where the contents of a section begin.
func (m *image) readCommands(count int, firstSection *int64) error {
	at := machHeaderSize
	for range count {
		if m.commands-at < 8 {
			return malformed("the load commands end early")
		}
		command, length := binary.LittleEndian.Uint32(m.head[at:]), int(binary.LittleEndian.Uint32(m.head[at+4:]))
		if length < 8 || length%8 != 0 || length > m.commands-at {
			return malformed("a load command of %d bytes", length)
		}
		body := m.head[at : at+length]
		switch {
		case command == commandSegment64 && length >= segmentCommandSize:
			if err := m.readSegment(at, body, firstSection); err != nil {
				return err
			}
		case command == commandCodeSignature && length == linkeditDataSize:
			if m.signature.at != 0 {
				return malformed("two code signatures")
			}
			m.signature = linkedit{at, int64(binary.LittleEndian.Uint32(body[8:])), int64(binary.LittleEndian.Uint32(body[12:]))}
		case command == commandMinMacOS && length >= 16:
			m.sdk = binary.LittleEndian.Uint32(body[12:])
		case command == commandBuildVersion && length >= 24:
			m.sdk = binary.LittleEndian.Uint32(body[16:])
		case command == commandSegment64, command == commandCodeSignature:
			return malformed("load command %#x of %d bytes", command, length)
		}
		at += length
	}
	if at != m.commands {
		return malformed("%d bytes after the load commands", m.commands-at)
	}
	return nil
}

func (m *image) readSegment(at int, body []byte, firstSection *int64) error {
	name := string(bytes.TrimRight(body[8:24], "\x00"))
	offset, length := binary.LittleEndian.Uint64(body[40:]), binary.LittleEndian.Uint64(body[48:])
	if offset > uint64(m.size) || length > uint64(m.size)-offset {
		return malformed("segment %q lies outside of the file", name)
	}
	s := segment{at, int64(offset), int64(length)}
	known := map[string]*segment{"__TEXT": &m.text, "__LINKEDIT": &m.linkedit}[name]
	if known != nil {
		if known.at != 0 {
			return malformed("two segments %s", name)
		}
		*known = s
	}
	if known != &m.linkedit {
		m.othersEnd = max(m.othersEnd, s.offset+s.length)
	}
	count := int(binary.LittleEndian.Uint32(body[64:]))
	if count > (len(body)-segmentCommandSize)/sectionSize {
		return malformed("segment %q has %d sections", name, count)
	}
	for i := range count {
		section := body[segmentCommandSize+i*sectionSize:]
		start := int64(binary.LittleEndian.Uint32(section[48:]))
		if isZeroFill(binary.LittleEndian.Uint32(section[64:])) || binary.LittleEndian.Uint64(section[40:]) == 0 {
			continue
		}
		if start < int64(machHeaderSize) {
			return malformed("a section begins at %d", start)
		}
		*firstSection = min(*firstSection, start)
	}
	return nil
}

// isZeroFill: the section has no bytes in the file.
func isZeroFill(flags uint32) bool {
	kind := flags & 0xff
	return kind == 0x1 || kind == 0xc || kind == 0x12
}

// check demands that the link-edit segment ends the file, with the signature,
// if there is one, at its end: that is where signatures go.
func (m *image) check() error {
	if m.text.at == 0 || m.linkedit.at == 0 {
		return malformed("it has no segment __TEXT or none __LINKEDIT")
	}
	if m.size > math.MaxUint32 {
		return fmt.Errorf("%w: a program of more than 4 GiB", ErrArch)
	}
	if m.linkedit.offset+m.linkedit.length != m.size {
		return malformed("%d bytes after the link-edit segment", m.size-m.linkedit.offset-m.linkedit.length)
	}
	if m.othersEnd > m.linkedit.offset {
		return malformed("a segment reaches into the link-edit segment")
	}
	s := m.signature
	if s.at != 0 && (s.offset < m.linkedit.offset || s.offset+s.length != m.size) {
		return malformed("the signature does not end the file")
	}
	return nil
}

// withSignature gives the head of the program once a signature of the given
// length, in bytes, lies at offset.
func (m *image) withSignature(offset, length int64) ([]byte, error) {
	if offset+length > math.MaxUint32 {
		return nil, fmt.Errorf("%w: a program of more than 4 GiB", ErrArch)
	}
	head := bytes.Clone(m.head)
	at := m.signature.at
	if at == 0 {
		at = m.commands
		room := head[at:]
		if len(room) < linkeditDataSize || !bytes.Equal(room[:linkeditDataSize], make([]byte, linkeditDataSize)) {
			return nil, malformed("it has no room for one more load command")
		}
		binary.LittleEndian.PutUint32(room, commandCodeSignature)
		binary.LittleEndian.PutUint32(room[4:], linkeditDataSize)
		binary.LittleEndian.PutUint32(head[16:], binary.LittleEndian.Uint32(head[16:])+1)
		binary.LittleEndian.PutUint32(head[20:], binary.LittleEndian.Uint32(head[20:])+linkeditDataSize)
	}
	binary.LittleEndian.PutUint32(head[at+8:], uint32(offset))
	binary.LittleEndian.PutUint32(head[at+12:], uint32(length))
	// The segment grows with its file, in memory by whole pages.
	segment, fileSize := head[m.linkedit.at:], uint64(offset+length-m.linkedit.offset)
	page := uint64(1) << m.cpu.align()
	memory := max(binary.LittleEndian.Uint64(segment[32:]), (fileSize+page-1)/page*page)
	binary.LittleEndian.PutUint64(segment[32:], memory)
	binary.LittleEndian.PutUint64(segment[48:], fileSize)
	return head, nil
}
