package pkgbuild

import (
	"encoding/binary"
	"errors"
	"io"
	"os"
	"slices"
	"strings"

	"firstday.dev/pkgbuild/macho"
)

// The kinds of Mach-O files that are loaded to run (<mach-o/loader.h>). Others,
// such as object files, need no signature.
var runs = []uint32{2, 6, 8, 11} // execute, dylib, bundle, kext

// lintProgram looks at a file if it is a program.
func (l *linter) lintProgram(m *member, where string, r io.Reader) error {
	if m.link != "" {
		return nil // its file was looked at
	}
	head := make([]byte, min(m.Size, macho.PeekSize))
	if _, err := io.ReadFull(r, head); err != nil {
		return err
	}
	inside := macho.Peek(head, m.Size)
	if len(inside) == 0 {
		return nil
	}
	if err := l.spool.fill(head, r); err != nil {
		return err
	}
	var kind [4]byte
	if _, err := l.spool.ReadAt(kind[:], inside[0].Offset+12); err != nil || !slices.Contains(runs, binary.LittleEndian.Uint32(kind[:])) {
		return nil //nolint:nilerr // too short to be a program
	}
	has := map[string]bool{}
	for _, s := range inside {
		name := macho.CPU{Type: s.CPU.Type, Subtype: s.CPU.Subtype}.String()
		if s.CPU.Type == macho.ARM64.Type { // arm64e and others, too
			name = macho.ARM64.String()
		}
		if s.CPU.Type == macho.AMD64.Type {
			name = macho.AMD64.String()
		}
		has[name], l.architectures[name] = true, true
	}
	l.lintSignature(where, m.Size)
	if d := l.p.Product; d != nil {
		var missing []string
		for _, a := range d.HostArchitectures {
			if !has[a] {
				missing = append(missing, a)
			}
		}
		if len(missing) > 0 {
			l.add(SeverityWarning, "architecture", where, "it is not for %s, which hostArchitectures names", strings.Join(missing, " and "))
		}
	}
	return nil
}

func (l *linter) lintSignature(where string, size int64) {
	_, err := macho.Verify(l.ctx, macho.Program{ReaderAt: &l.spool, Size: size})
	switch {
	case err == nil || l.ctx.Err() != nil:
	case errors.Is(err, macho.ErrUnsigned):
		if l.signed {
			l.add(SeverityError, "unsigned-program", where, "the package is signed, this program in it is not: it cannot be notarised")
		}
	case errors.Is(err, macho.ErrSignature):
		l.add(SeverityError, "program-signature", where, "%v; macOS ends it at once", err)
	default:
		l.add(SeverityWarning, "program-damaged", where, "%v", err)
	}
}

// spool holds one program at a time where it can be read at any place.
type spool struct{ f *os.File }

func (s *spool) fill(head []byte, rest io.Reader) (err error) {
	if s.f == nil {
		if s.f, err = os.CreateTemp("", "firstday-lint-*"); err != nil {
			return err
		}
	}
	if err := s.f.Truncate(0); err != nil {
		return err
	}
	if _, err := s.f.WriteAt(head, 0); err != nil {
		return err
	}
	_, err = io.Copy(io.NewOffsetWriter(s.f, int64(len(head))), rest)
	return err
}

func (s *spool) ReadAt(p []byte, off int64) (int, error) { return s.f.ReadAt(p, off) }

func (s *spool) remove() {
	if s.f != nil {
		s.f.Close()
		_ = os.Remove(s.f.Name()) // the system's folder for what may be lost
	}
}
