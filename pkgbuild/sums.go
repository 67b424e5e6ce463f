package pkgbuild

import (
	"hash"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/macho"
)

// sums takes the checksum of a file while it passes by, and of each of its
// slices where it is a program.
type sums struct {
	whole  hash.Hash32
	at     int64
	slices []macho.Slice
	parts  []hash.Hash32
}

// newSums begins with the file's first bytes.
func newSums(head []byte, size int64) *sums {
	s := &sums{whole: bom.NewChecksum(), slices: macho.Peek(head, size)}
	for range s.slices {
		s.parts = append(s.parts, bom.NewChecksum())
	}
	return s
}

func (s *sums) write(p []byte) {
	s.whole.Write(p)
	for i, part := range s.slices {
		from, to := max(part.Offset-s.at, 0), min(part.Offset+part.Size-s.at, int64(len(p)))
		if from < to {
			s.parts[i].Write(p[from:to])
		}
	}
	s.at += int64(len(p))
}

func (s *sums) into(e *bom.Entry) {
	e.Checksum = s.whole.Sum32()
	for i, part := range s.slices {
		e.Slices = append(e.Slices, bom.Slice{
			CPUType: part.CPU.Type, CPUSubtype: part.CPU.Subtype,
			Size: uint32(part.Size), Checksum: s.parts[i].Sum32(),
		})
	}
}
