package macho

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"slices"

	"golang.org/x/crypto/cryptobyte/asn1"

	"firstday.dev/internal/contextio"
)

// Signature is the code signature of a program for one architecture, found to
// be right for its code. Who signed is for others to judge: CMS is a detached
// signature of CodeDirectory.
type Signature struct {
	CPU        CPU
	Identifier string
	TeamID     string // empty: none
	Flags      uint32 // FlagRuntime and others
	SDK        string // version the program was built with, such as 14.2; empty: not said
	CDHash     []byte // of the best CodeDirectory, 20 bytes
	// CodeDirectory is what CMS signs; CDHashes are those of all CodeDirectories
	// in full, by the order in the signature.
	CodeDirectory []byte
	CDHashes      [][]byte
	CMS           []byte // DER; nil for an ad-hoc signature
	// Designated is the designated requirement; nil: none is spelled out.
	Designated   Requirement
	Entitlements []byte // in XML; nil: none
	// InfoPlist and CodeResources are hashes of a bundle's files of these names;
	// nil: not sealed.
	InfoPlist, CodeResources *Digest
}

// Verify checks every slice of a program against its code signature, and gives
// the signatures. Errors wrap ErrUnsigned, ErrSignature, ErrFormat or ErrArch.
func Verify(ctx context.Context, program Program) ([]*Signature, error) {
	inside, err := Slices(program, program.Size)
	if err != nil {
		return nil, err
	}
	var signatures []*Signature
	for _, slice := range inside {
		s, err := verifySlice(ctx, io.NewSectionReader(program, slice.Offset, slice.Size), slice)
		if err != nil {
			return nil, fmt.Errorf("%v slice: %w", slice.CPU, err)
		}
		signatures = append(signatures, s)
	}
	return signatures, nil
}

func verifySlice(ctx context.Context, r io.ReaderAt, slice Slice) (*Signature, error) {
	m, err := readImage(r, slice.Size)
	if err != nil {
		return nil, err
	}
	if m.signature.at == 0 {
		return nil, ErrUnsigned
	}
	slots, err := m.slots()
	if err != nil {
		return nil, err
	}
	directories, err := codeDirectories(slots)
	if err != nil {
		return nil, err
	}
	if err := m.checkPages(ctx, directories); err != nil {
		return nil, err
	}
	for _, d := range directories {
		if err := d.checkSlots(slots); err != nil {
			return nil, err
		}
	}
	return describe(slice.CPU, slots, directories)
}

// maxSignature bounds a signature, in bytes: the hashes of 4 GiB of code take
// 32 MiB.
const maxSignature = 100 << 20

// slots reads the signature. What follows it must be zero.
func (m *image) slots() ([]slot, error) {
	if m.signature.length > maxSignature || m.signature.length < blobHeaderSize {
		return nil, badSignature("it is %d bytes long", m.signature.length)
	}
	b := make([]byte, m.signature.length)
	if _, err := m.r.ReadAt(b, m.signature.offset); err != nil {
		return nil, short(err)
	}
	length := int64(binary.BigEndian.Uint32(b[4:]))
	if length > int64(len(b)) {
		return nil, badSignature("it is longer than its room")
	}
	if rest := b[length:]; !bytes.Equal(rest, make([]byte, len(rest))) {
		return nil, badSignature("something follows it")
	}
	return openSuperBlob(b[:length], magicEmbedded)
}

// codeDirectories gives the first, which the CMS signature signs, and those
// with other hashes.
func codeDirectories(slots []slot) ([]*codeDirectory, error) {
	var list []*codeDirectory
	for _, s := range slots {
		if s.kind != slotCodeDirectory && (s.kind < slotAlternate || s.kind >= slotAlternate+maxAlternates) {
			continue
		}
		d, err := parseCodeDirectory(s.blob)
		if err != nil {
			return nil, err
		}
		if len(list) == 0 && s.kind != slotCodeDirectory {
			return nil, badSignature("its first CodeDirectory is an alternate")
		}
		if len(list) > 0 && (d.identifier != list[0].identifier || d.teamID != list[0].teamID || d.flags != list[0].flags || d.limit != list[0].limit) {
			return nil, badSignature("its CodeDirectories contradict each other")
		}
		list = append(list, d)
	}
	if len(list) == 0 {
		return nil, badSignature("it has no CodeDirectory")
	}
	return list, nil
}

// checkPages reads the code once and compares the hashes of its pages.
func (m *image) checkPages(ctx context.Context, directories []*codeDirectory) error {
	var hashers []*pageHasher
	var writers []io.Writer
	for _, d := range directories {
		if d.limit != m.signature.offset {
			return badSignature("it covers %d bytes of code, the program has %d", d.limit, m.signature.offset)
		}
		h := newPageHasher(d.hash, d.pageShift)
		hashers, writers = append(hashers, h), append(writers, h)
	}
	if _, err := io.Copy(io.MultiWriter(writers...), contextio.Reader(ctx, io.NewSectionReader(m.r, 0, m.signature.offset))); err != nil {
		return short(err)
	}
	for i, d := range directories {
		for n, got := range hashers[i].sums() {
			if n >= len(d.pages) || !bytes.Equal(got[:d.hashSize], d.pages[n]) {
				return badSignature("the code was changed in page %d", n)
			}
		}
	}
	return nil
}

// checkSlots compares what the signature holds with the hashes of it: nothing
// may be there that the CodeDirectory does not know, nor the other way round.
func (d *codeDirectory) checkSlots(slots []slot) error {
	for _, s := range slots {
		if s.kind == slotCodeDirectory || s.kind >= slotAlternate {
			continue
		}
		want := d.special[s.kind]
		if s.kind == slotInfoPlist || s.kind == slotResources || want == nil || !bytes.Equal(sum(d.hash, s.blob)[:d.hashSize], want) {
			return badSignature("part %#x was changed", s.kind)
		}
	}
	for kind := range d.special {
		if kind != slotInfoPlist && kind != slotResources && find(slots, kind) == nil {
			return badSignature("part %#x is missing", kind)
		}
	}
	return nil
}

func describe(cpu CPU, slots []slot, directories []*codeDirectory) (*Signature, error) {
	first := directories[0]
	best := slices.MaxFunc(directories, func(a, b *codeDirectory) int { return a.hashSize - b.hashSize })
	s := &Signature{
		CPU: cpu, Identifier: first.identifier, TeamID: first.teamID, Flags: first.flags, SDK: sdkVersion(best.runtime),
		CDHash: best.cdHash(), CodeDirectory: first.raw,
		InfoPlist: best.digest(slotInfoPlist), CodeResources: best.digest(slotResources),
	}
	for _, d := range directories {
		s.CDHashes = append(s.CDHashes, sum(d.hash, d.raw))
	}
	if wrapper := find(slots, slotSignature); wrapper != nil {
		cms, err := openBlob(wrapper, magicWrapper)
		if err != nil {
			return nil, err
		}
		if len(cms) > 0 {
			s.CMS = cms
		}
	}
	if (s.CMS == nil) != (s.Flags&FlagAdhoc != 0) {
		return nil, badSignature("it says that it is ad hoc, or not, and is the opposite")
	}
	if xml := find(slots, slotEntitlements); xml != nil {
		contents, err := openBlob(xml, magicEntitlements)
		if err != nil {
			return nil, err
		}
		s.Entitlements = contents
		if err := checkEntitlements(contents, find(slots, slotEntitlementsDER)); err != nil {
			return nil, err
		}
	}
	return s, s.readRequirements(find(slots, slotRequirements))
}

// checkEntitlements compares the two forms: whoever reads only one must not be
// told otherwise. Old signatures have no DER.
func checkEntitlements(xml, der []byte) error {
	if der == nil {
		return nil
	}
	encode := entitlementsDER
	if contents, err := openBlob(der, magicEntitlementsDER); err == nil && len(contents) > 0 && contents[0] == byte(asn1.SET) {
		encode = oldEntitlementsDER
	}
	want, err := encode(xml)
	if err != nil {
		return badSignature("%w", err)
	}
	if !bytes.Equal(blob(magicEntitlementsDER, want), der) {
		return badSignature("the entitlements in DER are others than those in XML")
	}
	return nil
}

func (s *Signature) readRequirements(set []byte) error {
	if set == nil {
		return nil
	}
	requirements, err := openSuperBlob(set, magicRequirements)
	if err != nil {
		return err
	}
	s.Designated = find(requirements, designated)
	return nil
}
