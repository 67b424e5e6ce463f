package pkgbuild

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/macho"
)

// maxDifferences bounds how many differences are told.
const maxDifferences = 100

// CheckContents reads all payloads and scripts and compares them with what the
// package says elsewhere: the Bom's paths, types, modes, owners, sizes,
// checksums and architectures of programs, and PackageInfo's numbers. Each
// difference is an error of its own that wraps [ErrContents]; at most 100 are
// given, joined. Other errors say that something cannot be read at all.
func (p *Package) CheckContents(ctx context.Context) error {
	d := new(differences)
	for _, c := range p.Components {
		if err := c.check(ctx, d); err != nil {
			return errors.Join(append(d.list, err)...)
		}
	}
	return errors.Join(d.list...)
}

// differences are those found so far.
type differences struct{ list []error }

func (d *differences) add(format string, args ...any) {
	switch n := len(d.list); {
	case n < maxDifferences-1:
		d.list = append(d.list, fmt.Errorf("%w: %w", ErrContents, fmt.Errorf(format, args...)))
	case n == maxDifferences-1:
		d.list = append(d.list, fmt.Errorf("%w: and more", ErrContents))
	}
}

func (c *PackagedComponent) check(ctx context.Context, d *differences) error {
	entries, err := c.Bom()
	if err != nil {
		return err
	}
	if c.HasScripts() {
		if err := c.walk(ctx, scriptsFile, func(*member, io.Reader) error { return nil }); err != nil {
			return err
		}
	}
	hasBom := c.file(bomFile) != nil
	if hasBom != c.HasPayload() {
		d.add("%.300s has one of Bom and Payload, not the other", c.name())
	}
	if !c.HasPayload() {
		return nil
	}
	k := &checker{
		differences: d, component: c, hasBom: hasBom, buf: make([]byte, 256<<10),
		listed: map[string]*bom.Entry{}, linked: map[string]bom.Entry{},
	}
	for i := range entries {
		k.listed[strings.TrimPrefix(entries[i].Path, "./")] = &entries[i]
	}
	if err := c.walk(ctx, payloadFile, k.add); err != nil {
		return err
	}
	if hasBom {
		k.finish(entries)
	}
	k.compareInfo()
	return nil
}

// diskBlock is the size of blocks of APFS, in bytes.
const diskBlock = 4096

// checker compares a payload with its Bom.
type checker struct {
	*differences
	component *PackagedComponent
	hasBom    bool
	listed    map[string]*bom.Entry // without those seen
	linked    map[string]bom.Entry  // what files with hard links are, by path
	bareRoot  bool
	files     int   // in the payload
	bytes     int64 // of files
	blocks    int64 // of diskBlock that everything takes
	buf       []byte
}

func (k *checker) differ(m *member, format string, args ...any) {
	k.differences.add("%.300s: %.1100q %w", k.component.name(), m.path, fmt.Errorf(format, args...))
}

func (k *checker) add(m *member, r io.Reader) error {
	got, err := k.describe(m, r)
	if err != nil {
		return err
	}
	k.files++
	k.blocks += max(1, (got.Size+diskBlock-1)/diskBlock)
	if got.Mode&bom.ModeType == bom.ModeRegular {
		k.bytes += got.Size
	}
	e := k.listed[m.path]
	switch {
	case e == nil && k.hasBom:
		k.differ(m, "is not in the Bom")
		return nil
	case e == nil:
		return nil
	case isBare(e):
		k.bareRoot = true
		return nil
	}
	delete(k.listed, m.path)
	if e.Mode != got.Mode {
		k.differ(m, "has mode %o, in the Bom %o", got.Mode, e.Mode)
	}
	if e.UID != got.UID || e.GID != got.GID {
		k.differ(m, "is of %d:%d, in the Bom of %d:%d", got.UID, got.GID, e.UID, e.GID)
	}
	if got.Mode&bom.ModeType != bom.ModeDir && e.Mode&bom.ModeType == got.Mode&bom.ModeType && !isSidecar(m.path, e) {
		k.compare(m, e, got)
	}
	return nil
}

// isBare: pkgbuild lists the root of a component without saying anything of it.
func isBare(e *bom.Entry) bool { return e.Path == "." && e.Mode == 0 }

// isSidecar: Apple's tools list the files that hold extended attributes, but
// only their names mean something.
func isSidecar(path string, e *bom.Entry) bool {
	return strings.HasPrefix(path[strings.LastIndexByte(path, '/')+1:], "._") && e.Size == 0 && e.Checksum == 0
}

// compare compares contents.
func (k *checker) compare(m *member, e, got *bom.Entry) {
	switch {
	case e.Target != got.Target:
		k.differ(m, "links to %.1100q, in the Bom to %.1100q", got.Target, e.Target)
	case e.Size != got.Size:
		k.differ(m, "has %d bytes, in the Bom %d", got.Size, e.Size)
	case e.Checksum != got.Checksum:
		k.differ(m, "has checksum %d, in the Bom %d", got.Checksum, e.Checksum)
	case len(e.Slices) == 0: // not all tools look into programs
	case len(e.Slices) == 1 && len(got.Slices) == 0 && e.Slices[0].Checksum == got.Checksum:
		// A program of 32 bit, of which no more is known here.
	case !slices.Equal(e.Slices, got.Slices):
		k.differ(m, "has other architectures than in the Bom")
	}
}

// describe gives what a Bom would say.
func (k *checker) describe(m *member, r io.Reader) (*bom.Entry, error) {
	e := &bom.Entry{Mode: m.Mode, UID: m.UID, GID: m.GID, Size: m.Size, Target: m.target}
	switch {
	case m.Mode&bom.ModeType == bom.ModeDir:
		return e, nil
	case m.link != "":
		same := k.linked[m.link]
		e.Size, e.Checksum, e.Slices = same.Size, same.Checksum, same.Slices
		return e, nil
	}
	head := k.buf[:min(m.Size, int64(macho.PeekSize))]
	if _, err := io.ReadFull(r, head); err != nil {
		return nil, err
	}
	s := newSums(head, m.Size)
	s.write(head)
	if _, err := io.CopyBuffer(writerFunc(s.write), r, k.buf); err != nil {
		return nil, err
	}
	s.into(e)
	if m.Links > 1 {
		k.linked[m.path] = *e
	}
	return e, nil
}

type writerFunc func([]byte)

func (f writerFunc) Write(p []byte) (int, error) {
	f(p)
	return len(p), nil
}

// finish tells what the Bom lists and the payload does not hold.
func (k *checker) finish(entries []bom.Entry) {
	for i := range entries {
		path := strings.TrimPrefix(entries[i].Path, "./")
		if k.listed[path] != nil && !isBare(&entries[i]) {
			k.differences.add("%.300s: %.1100q is in the Bom alone", k.component.name(), path)
		}
	}
}

// compareInfo compares the numbers of PackageInfo, where there are any. Tools
// count in different ways: pkgbuild --component, which says nothing of the
// root, does not count it; and a size is anything between the bytes of files
// alone and what they take on a disk with blocks of 4096 bytes.
func (k *checker) compareInfo() {
	said, files := &k.component.Info, k.files
	if said.NumberOfFiles != 0 && said.NumberOfFiles != files && (said.NumberOfFiles != files-1 || !k.bareRoot) {
		k.differences.add("%.300s has %d files, PackageInfo says %d", k.component.name(), files, said.NumberOfFiles)
	}
	low, high := k.bytes/1024, k.blocks*(diskBlock/1024)
	if n := said.InstallKBytes; n != 0 && (n < low || n > high) {
		k.differences.add("%.300s needs between %d and %d KiB, PackageInfo says %d", k.component.name(), low, high, n)
	}
}
