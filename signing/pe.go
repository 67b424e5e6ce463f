package signing

import (
	"bytes"
	"context"
	"crypto"
	"encoding/binary"
	"fmt"
	"io"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"
)

// Program is where SignPE puts a signed program. An *os.File is one.
type Program interface {
	io.ReaderAt
	io.WriterAt
	Truncate(size int64) error
}

// WIN_CERTIFICATE, which surrounds the signature in a PE file.
const (
	winCertificateHeader   = 8
	winCertificateRevision = 0x0200
	winCertificatePKCS7    = 0x0002
)

// SignPE writes a signed copy of a Windows program (PE32 or PE32+), whose
// signature it replaces if there is one, and sets its checksum. in and out
// must be different files; what out held before is lost. Memory does not
// depend on the size. Errors wrap ErrFormat if in is no program.
func SignPE(ctx context.Context, in io.ReaderAt, size int64, out Program, id *Identity, opts Options) error {
	pe, err := readPE(in, size)
	if err != nil {
		return err
	}
	digest, err := pe.digest(ctx, crypto.SHA256)
	if err != nil {
		return fmt.Errorf("hashing the program: %w", err)
	}
	content := indirectData(peImageData, digest)
	s := signature{
		contentType:   oidIndirectData,
		content:       sequence(func(b *cryptobyte.Builder) { b.AddBytes(content) }),
		digest:        digestOf(crypto.SHA256, content),
		attributes:    authenticodeAttributes(opts),
		timestampType: oidMicrosoftRFC3161,
	}
	der, err := s.sign(ctx, id, opts)
	if err != nil {
		return err
	}
	if err := pe.writeSigned(ctx, out, der); err != nil {
		return fmt.Errorf("writing the signed program: %w", err)
	}
	return nil
}

// peImageData is the SpcPeImageData that signtool writes: no flags, and the
// file "", where "<<<Obsolete>>>" once stood.
var peImageData = sequence(func(b *cryptobyte.Builder) {
	b.AddASN1ObjectIdentifier(oidPEImage)
	b.AddASN1(asn1.SEQUENCE, func(b *cryptobyte.Builder) {
		b.AddASN1BitString(nil)
		b.AddASN1(explicit0, func(b *cryptobyte.Builder) {
			b.AddASN1(asn1.Tag(2).ContextSpecific().Constructed(), func(b *cryptobyte.Builder) {
				b.AddASN1(implicit0, func(*cryptobyte.Builder) {})
			})
		})
	})
})

// writeSigned copies the program without its signature and appends another.
func (pe *peImage) writeSigned(ctx context.Context, out Program, der []byte) error {
	start := pe.contentEnd() + pe.padding()
	length := winCertificateHeader + int64(len(der)+7)&^7
	if start+length > maxPE {
		return fmt.Errorf("%w: larger than 4 GiB once signed", ErrFormat)
	}
	if err := out.Truncate(0); err != nil {
		return err
	}
	if err := copyContext(ctx, io.NewOffsetWriter(out, 0), io.NewSectionReader(pe.r, 0, pe.contentEnd())); err != nil {
		return err
	}
	table := make([]byte, pe.padding()+length)
	header := table[pe.padding():]
	binary.LittleEndian.PutUint32(header, uint32(length))
	binary.LittleEndian.PutUint16(header[4:], winCertificateRevision)
	binary.LittleEndian.PutUint16(header[6:], winCertificatePKCS7)
	copy(header[winCertificateHeader:], der)
	if _, err := out.WriteAt(table, pe.contentEnd()); err != nil {
		return err
	}
	entry := binary.LittleEndian.AppendUint32(nil, uint32(start))
	entry = binary.LittleEndian.AppendUint32(entry, uint32(length))
	if _, err := out.WriteAt(entry, pe.directory); err != nil {
		return err
	}
	signed, err := readPE(out, start+length)
	if err != nil {
		return err
	}
	checksum, err := signed.sum(ctx)
	if err != nil {
		return err
	}
	_, err = out.WriteAt(binary.LittleEndian.AppendUint32(nil, checksum), pe.checksum)
	return err
}

// VerifyPE verifies the signature of a Windows program and that nothing else
// hides in the file: not beside the signature, not in the checksum. Errors are
// those of VerifyCatalog with ErrFormat in place of catalog.ErrFormat.
func VerifyPE(ctx context.Context, program io.ReaderAt, size int64, opts VerifyOptions) (*Report, error) {
	pe, err := readPE(program, size)
	if err != nil {
		return nil, err
	}
	if pe.certificates == 0 {
		return nil, ErrNoSignature
	}
	r := new(Report)
	s, err := pe.signature(r, opts)
	if err != nil {
		return nil, err
	}
	if s, err = s.preferSecond(r, opts); err != nil {
		return nil, err
	}
	hash, want, err := s.subject(oidPEImage)
	if err != nil {
		return nil, err
	}
	digest, err := pe.digest(ctx, hash)
	if err != nil {
		return nil, fmt.Errorf("hashing the program: %w", err)
	}
	if !bytes.Equal(digest, want) {
		return nil, fmt.Errorf("%w: the program was changed after it was signed", ErrBadSignature)
	}
	if err := pe.checkChecksum(ctx, r, opts); err != nil {
		return nil, err
	}
	return s.report(r, func(hash crypto.Hash) ([]byte, error) { return digestOf(hash, s.content), nil }, forCode, opts)
}

// signature reads the certificate table: one WIN_CERTIFICATE that fills it.
func (pe *peImage) signature(r *Report, opts VerifyOptions) (*signedData, error) {
	if pe.certificatesSize > maxSignature {
		return nil, fmt.Errorf("%w: %d bytes long, at most %d are expected", ErrBadSignature, pe.certificatesSize, maxSignature)
	}
	table := make([]byte, pe.certificatesSize)
	if _, err := pe.r.ReadAt(table, pe.certificates); err != nil {
		return nil, fmt.Errorf("reading the signature: %w", err)
	}
	if binary.LittleEndian.Uint16(table[4:]) != winCertificateRevision || binary.LittleEndian.Uint16(table[6:]) != winCertificatePKCS7 {
		return nil, malformed("certificate table")
	}
	rest := cryptobyte.String(table[winCertificateHeader:])
	var der cryptobyte.String
	if !rest.ReadASN1Element(&der, asn1.SEQUENCE) {
		return nil, malformed("certificate table")
	}
	if int64(binary.LittleEndian.Uint32(table)) != pe.certificatesSize || len(table)%8 != 0 || len(rest) > 7 || !bytes.Equal(rest, make([]byte, len(rest))) {
		fault := fmt.Errorf("%w: something follows it in the certificate table that nobody signed", ErrBadSignature)
		if err := opts.tolerate(r, fault); err != nil {
			return nil, err
		}
	}
	return parseSignedData(der)
}

// checkChecksum compares the checksum, which the signature does not cover.
// Windows itself looks at that of drivers only.
func (pe *peImage) checkChecksum(ctx context.Context, r *Report, opts VerifyOptions) error {
	var field [4]byte
	if _, err := pe.r.ReadAt(field[:], pe.checksum); err != nil {
		return fmt.Errorf("reading the checksum: %w", err)
	}
	want, err := pe.sum(ctx)
	if err != nil {
		return fmt.Errorf("reading the program: %w", err)
	}
	if got := binary.LittleEndian.Uint32(field[:]); got != want {
		return opts.tolerate(r, fmt.Errorf("%w: the program's checksum is %#x, its header says %#x", ErrBadSignature, want, got))
	}
	return nil
}
