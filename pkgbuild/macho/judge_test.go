package macho

import (
	"bytes"
	"crypto/sha256"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"io"
)

// judge recomputes the hashes of a signed program's pages on its own: it finds
// the signature with debug/macho and shares no code with this package.
func judge(thin []byte) (identifier string, err error) {
	file, err := macho.NewFile(bytes.NewReader(thin))
	if err != nil {
		return "", err
	}
	var at, length uint32
	for _, l := range file.Loads {
		if raw := l.Raw(); file.ByteOrder.Uint32(raw) == 0x1d {
			at, length = file.ByteOrder.Uint32(raw[8:]), file.ByteOrder.Uint32(raw[12:])
		}
	}
	last := file.Segment("__LINKEDIT")
	if int(at+length) != len(thin) || last.Offset+last.Filesz != uint64(len(thin)) || last.Memsz < last.Filesz || at%16 != 0 {
		return "", fmt.Errorf("signature of %d bytes at %d of %d", length, at, len(thin))
	}
	var index struct{ Magic, Length, Count uint32 }
	r := bytes.NewReader(thin[at:])
	if err := binary.Read(r, binary.BigEndian, &index); err != nil || index.Magic != 0xfade0cc0 {
		return "", fmt.Errorf("index %+v, %w", index, err)
	}
	entries := make([]struct{ Kind, Offset uint32 }, index.Count)
	if err := binary.Read(r, binary.BigEndian, entries); err != nil {
		return "", err
	}
	var cd struct {
		Magic, Length, Version, Flags, HashOffset, IdentOffset, Special, Code, CodeLimit uint32
		HashSize, HashType, Platform, PageSize                                           uint8
	}
	signature := thin[at:]
	directory := signature[entries[0].Offset:]
	if err := binary.Read(bytes.NewReader(directory), binary.BigEndian, &cd); err != nil {
		return "", err
	}
	if entries[0].Kind != 0 || cd.Magic != 0xfade0c02 || cd.HashSize != 32 || cd.HashType != 2 || cd.CodeLimit != at {
		return "", fmt.Errorf("CodeDirectory %+v", cd)
	}
	code := bytes.NewReader(thin[:cd.CodeLimit])
	for i := range cd.Code {
		page, err := io.ReadAll(io.LimitReader(code, 1<<cd.PageSize))
		if err != nil {
			return "", err
		}
		if sum := sha256.Sum256(page); !bytes.Equal(sum[:], directory[cd.HashOffset+i*32:][:32]) {
			return "", fmt.Errorf("page %d", i)
		}
	}
	if code.Len() > 0 {
		return "", fmt.Errorf("%d bytes of code are not covered", code.Len())
	}
	for _, e := range entries[1:] {
		if e.Kind >= 0x1000 {
			continue
		}
		blob := signature[e.Offset:]
		sum := sha256.Sum256(blob[:binary.BigEndian.Uint32(blob[4:])])
		if e.Kind > cd.Special || !bytes.Equal(sum[:], directory[cd.HashOffset-e.Kind*32:][:32]) {
			return "", fmt.Errorf("slot %d", e.Kind)
		}
	}
	name, _, _ := bytes.Cut(directory[cd.IdentOffset:], []byte{0})
	return string(name), nil
}
