package macho

import (
	"bytes"
	"context"
	"crypto"
	"crypto/x509"
	"errors"
	"fmt"
	"io"

	"firstday.dev/internal/contextio"
)

// SignOptions say how to sign code.
type SignOptions struct {
	Identifier string // such as com.example.agent
	// Runtime turns on the hardened runtime, which notarisation demands.
	Runtime      bool
	Entitlements []byte // a property list in XML; nil: none
	// InfoPlist and CodeResources are the contents of a bundle's files of these
	// names, sealed by its program's signature; nil: none.
	InfoPlist, CodeResources []byte
	// Signer is who signs; nil for an ad-hoc signature, which vouches for
	// nothing but is what Apple silicon needs to run a program at all.
	Signer *Signer
}

// Signer signs code for somebody.
type Signer struct {
	Chain []*x509.Certificate // leaf first
	// CMS gives the detached CMS signature, DER, of a CodeDirectory, which it
	// must also name by its hash in attributes of Apple's.
	CMS func(ctx context.Context, codeDirectory []byte) ([]byte, error)
	// Room is how many bytes to keep for the CMS signature; 0: as Apple does.
	Room int
}

// ErrRoom: the CMS signature is longer than the room kept for it.
var ErrRoom = errors.New("macho: the signature is longer than expected")

// appleRoom is what codesign keeps for a CMS signature, in bytes.
const appleRoom = 18000

// signatureAlign is how a signature is aligned in its program, in bytes.
const signatureAlign = 16

// Sign writes a signed copy of a program, thin or universal, whose signature it
// replaces if there is one. The program is read twice and never held.
func Sign(ctx context.Context, w io.Writer, program Program, o SignOptions) error {
	inside, err := Slices(program, program.Size)
	if err != nil {
		return err
	}
	if o.Identifier == "" {
		return badSignature("no identifier to sign with")
	}
	if len(inside) == 1 && inside[0].Offset == 0 {
		s, err := prepare(program, program.Size, &o)
		if err != nil {
			return err
		}
		return s.write(ctx, w)
	}
	parts := make([]fatPart, len(inside))
	for i, slice := range inside {
		s, err := prepare(io.NewSectionReader(program, slice.Offset, slice.Size), slice.Size, &o)
		if err != nil {
			return fmt.Errorf("%v slice: %w", slice.CPU, err)
		}
		parts[i] = fatPart{cpu: slice.CPU, size: s.size(), write: func(w io.Writer) error { return s.write(ctx, w) }}
	}
	return writeFat(w, parts)
}

// signing is a program for one architecture on its way to a signature.
type signing struct {
	*image
	o      *SignOptions
	head   []byte // of the signed program
	limit  int64  // where the code ends and the signature begins
	length int64  // of the signature, with its padding
	sealed []slot // what the signature holds besides CodeDirectory and CMS
	d      codeDirectory
}

func (s *signing) size() int64 { return s.limit + s.length }

// prepare decides everything about the signature but the hashes of the code.
func prepare(r io.ReaderAt, size int64, o *SignOptions) (*signing, error) {
	m, err := readImage(r, size)
	if err != nil {
		return nil, err
	}
	s := &signing{image: m, o: o, limit: (m.end() + signatureAlign - 1) &^ (signatureAlign - 1)}
	s.d = codeDirectory{
		version: versionExecSegment, identifier: o.Identifier, limit: s.limit,
		hash: crypto.SHA256, hashSize: crypto.SHA256.Size(), pageShift: pageShift,
		execOffset: m.text.offset, execLimit: m.text.length,
		special: make(map[uint32][]byte),
	}
	if m.fileType == fileTypeExecute {
		s.d.execFlags = execMainBinary
	}
	if o.Runtime {
		s.d.version, s.d.runtime, s.d.flags = versionRuntime, m.sdk, FlagRuntime
	}
	var requirement Requirement
	if o.Signer == nil {
		s.d.flags |= FlagAdhoc
	} else {
		requirement = Designated(o.Identifier, o.Signer.Chain)
		s.d.teamID = TeamID(o.Signer.Chain[0])
	}
	if err := s.seal(requirement); err != nil {
		return nil, err
	}
	pages := (s.limit + 1<<pageShift - 1) >> pageShift
	fixed := s.superBlob(s.d.encode(make([][]byte, pages)), nil) // without the hashes
	s.length = (int64(len(fixed)+s.room()) + pages*int64(s.d.hashSize) + signatureAlign - 1) &^ (signatureAlign - 1)
	s.head, err = m.withSignature(s.limit, s.length)
	return s, err
}

// seal puts together what the CodeDirectory vouches for besides the code.
func (s *signing) seal(requirement Requirement) error {
	s.sealed = []slot{{slotRequirements, requirementSet(requirement)}}
	if s.o.Entitlements != nil {
		der, err := entitlementsDER(s.o.Entitlements)
		if err != nil {
			return err
		}
		s.sealed = append(s.sealed,
			slot{slotEntitlements, blob(magicEntitlements, s.o.Entitlements)},
			slot{slotEntitlementsDER, blob(magicEntitlementsDER, der)})
	}
	for _, part := range s.sealed {
		s.d.special[part.kind] = sum(s.d.hash, part.blob)
	}
	if s.o.InfoPlist != nil {
		s.d.special[slotInfoPlist] = sum(s.d.hash, s.o.InfoPlist)
	}
	if s.o.CodeResources != nil {
		s.d.special[slotResources] = sum(s.d.hash, s.o.CodeResources)
	}
	return nil
}

func (s *signing) room() int {
	switch {
	case s.o.Signer == nil:
		return 0
	case s.o.Signer.Room > 0:
		return s.o.Signer.Room
	default:
		return appleRoom
	}
}

func (s *signing) superBlob(codeDirectory, cms []byte) []byte {
	slots := append([]slot{{slotCodeDirectory, codeDirectory}}, s.sealed...)
	return superBlob(magicEmbedded, append(slots, slot{slotSignature, blob(magicWrapper, cms)}))
}

// write writes the program and hashes it on the way, then its signature.
func (s *signing) write(ctx context.Context, w io.Writer) error {
	pages := newPageHasher(s.d.hash, pageShift)
	code := io.MultiReader(
		bytes.NewReader(s.head),
		io.NewSectionReader(s.r, int64(len(s.head)), s.end()-int64(len(s.head))),
		bytes.NewReader(make([]byte, s.limit-s.end())),
	)
	n, err := io.Copy(io.MultiWriter(w, pages), contextio.Reader(ctx, code))
	if err != nil {
		return err
	}
	if n != s.limit {
		return fmt.Errorf("reading the program: %w", io.ErrUnexpectedEOF)
	}
	codeDirectory := s.d.encode(pages.sums())
	var cms []byte
	if s.o.Signer != nil {
		if cms, err = s.o.Signer.CMS(ctx, codeDirectory); err != nil {
			return err
		}
		if len(cms) > s.room() {
			return fmt.Errorf("%w: %d bytes, there is room for %d", ErrRoom, len(cms), s.room())
		}
	}
	signature := make([]byte, s.length)
	copy(signature, s.superBlob(codeDirectory, cms))
	_, err = w.Write(signature)
	return err
}
