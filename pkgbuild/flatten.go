package pkgbuild

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"slices"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/xar"
)

// Flatten makes a package of a folder as [Expand] leaves it, in the order that
// Apple's tools have.
//
// Files are taken as they are. A folder Scripts becomes an archive of what is
// in it, all of it executable. A folder Payload becomes one with the owners and
// modes that the Bom beside it lists, and [DefaultAttributes] for the rest; then
// Bom and the numbers in PackageInfo are made anew, and hard links are files of
// their own. No signature survives: the package is signed anew if the options
// say by whom.
func Flatten(ctx context.Context, out xar.Output, dir fs.FS, o Options) error {
	f := &flattener{ctx: ctx, dir: dir, entries: map[string][]bom.Entry{}}
	if err := f.findComponents(); err != nil {
		return err
	}
	if err := fs.WalkDir(dir, ".", f.add); err != nil {
		return err
	}
	slices.SortStableFunc(f.parts, func(a, b flatPart) int { return slices.Compare(f.place(a), f.place(b)) })
	var headers []xar.Header
	for _, p := range f.parts {
		headers = append(headers, xar.Header{Name: p.name, Compress: !p.isArchive()})
	}
	w, err := newWriter(out, headers, &o)
	if err != nil {
		return err
	}
	f.w = w
	// What the folders hold must be known for what tells of them.
	for _, first := range []bool{true, false} {
		for _, p := range f.parts {
			if p.folder == first {
				if err := f.write(p); err != nil {
					return fmt.Errorf("packing %.300s: %w", p.name, err)
				}
			}
		}
	}
	return w.Close(ctx)
}

// flattener makes a package of a folder.
type flattener struct {
	ctx        context.Context
	dir        fs.FS
	components []string // folders; "." for a component package
	parts      []flatPart
	w          *writer
	entries    map[string][]bom.Entry // of the components with a folder Payload
}

// flatPart is what becomes a file of the archive.
type flatPart struct {
	name   string
	folder bool // Payload or Scripts, to be packed
	made   bool // a Bom that is not there, but will be
}

func (p *flatPart) isArchive() bool {
	return path.Base(p.name) == payloadFile || path.Base(p.name) == scriptsFile
}

// findComponents finds the folders that are components, those that the
// Distribution names in its order.
func (f *flattener) findComponents() error {
	if _, err := fs.Stat(f.dir, infoFile); err == nil {
		f.components = []string{"."}
		return nil
	}
	data, err := readIn(f.dir, distributionFile, maxDescription)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: neither Distribution nor PackageInfo is there", ErrFormat)
	} else if err != nil {
		return err
	}
	d, err := parseDistribution(data)
	if err != nil {
		return fmt.Errorf("%s: %w", distributionFile, err)
	}
	there, err := fs.Glob(f.dir, "*/"+infoFile)
	if err != nil {
		return err
	}
	for _, r := range d.Packages {
		if i := slices.Index(there, path.Join(r.Folder(), infoFile)); i >= 0 {
			f.components = append(f.components, path.Dir(there[i]))
			there = slices.Delete(there, i, i+1)
		}
	}
	for _, name := range there {
		f.components = append(f.components, path.Dir(name))
	}
	return nil
}

// readIn reads a file that is not larger than the limit.
func readIn(dir fs.FS, name string, limit int64) ([]byte, error) {
	in, err := dir.Open(name)
	if err != nil {
		return nil, err
	}
	defer in.Close()
	b, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(b)) > limit {
		err = fmt.Errorf("%w: %.300s has more than %d bytes", ErrFormat, name, limit)
	}
	return b, err
}

func (f *flattener) add(name string, d fs.DirEntry, err error) error {
	if err != nil {
		return err
	}
	if err := f.ctx.Err(); err != nil {
		return err
	}
	p := flatPart{name: name, folder: d.IsDir()}
	inComponent := slices.Contains(f.components, path.Dir(name)) && name != "."
	switch {
	case d.IsDir() && inComponent && p.isArchive():
		f.parts = append(f.parts, p)
		bomName := path.Join(path.Dir(name), bomFile)
		if _, err := fs.Stat(f.dir, bomName); path.Base(name) == payloadFile && errors.Is(err, fs.ErrNotExist) {
			f.parts = append(f.parts, flatPart{name: bomName, made: true})
		}
		return fs.SkipDir
	case d.IsDir(): // the archive has folders where it has files
	case d.Type().IsRegular():
		f.parts = append(f.parts, p)
	default:
		return fmt.Errorf("%w: %.300s is neither a file nor a folder", ErrTree, name)
	}
	return nil
}

// place is where a part belongs: components first, Distribution last
// (formats/macos-pkg.md §3.2).
func (f *flattener) place(p flatPart) []int {
	if p.name == distributionFile {
		return []int{len(f.components) + 1}
	}
	component := slices.Index(f.components, path.Dir(p.name))
	if component < 0 {
		return []int{len(f.components)}
	}
	order := []string{bomFile, payloadFile, scriptsFile, infoFile}
	if i := slices.Index(order, path.Base(p.name)); i >= 0 {
		return []int{component, i}
	}
	return []int{component, len(order)}
}

func (f *flattener) write(p flatPart) error {
	folder, name := path.Split(p.name)
	folder = path.Clean(folder)
	entries, fresh := f.entries[folder]
	switch {
	case p.folder && name == scriptsFile:
		below, err := fs.Sub(f.dir, p.name)
		if err != nil {
			return err
		}
		_, err = f.w.tree(f.ctx, p.name, below, scriptAttributes)
		return err
	case p.folder:
		return f.writePayload(folder, p.name)
	case fresh && name == bomFile:
		return f.w.file(p.name, func(w io.Writer) error { return bom.Write(w, entries) })
	case fresh && name == infoFile:
		s := new(size)
		s.add(entries)
		return f.w.file(p.name, func(w io.Writer) error { return f.writeInfo(w, p.name, s) })
	}
	return f.w.file(p.name, func(w io.Writer) error {
		in, err := f.dir.Open(p.name)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(w, contextio.Reader(f.ctx, in))
		return err
	})
}

// writePayload packs a folder with the owners and modes that the Bom beside it
// tells.
func (f *flattener) writePayload(folder, name string) error {
	info, err := f.readInfo(path.Join(folder, infoFile))
	if err != nil {
		return err
	}
	old, err := f.readBom(path.Join(folder, bomFile))
	if err != nil {
		return err
	}
	below, err := fs.Sub(f.dir, name)
	if err != nil {
		return err
	}
	f.entries[folder], err = f.w.tree(f.ctx, name, linkTimes{below, old}, func(name string, now fs.FileInfo) Attributes {
		if was, ok := old[name]; ok && fileMode(was.Mode).Type() == now.Mode().Type() && !isBare(&was) {
			return Attributes{Mode: was.Mode & 0o7777, UID: was.UID, GID: was.GID}
		}
		return DefaultAttributes(info.volumePath(name), now)
	})
	return err
}

func (f *flattener) readInfo(name string) (*PackageInfo, error) {
	data, err := readIn(f.dir, name, maxDescription)
	if err != nil {
		return nil, err
	}
	return parsePackageInfo(data)
}

// readBom reads the entries by their paths; none if there is no Bom.
func (f *flattener) readBom(name string) (map[string]bom.Entry, error) {
	data, err := readIn(f.dir, name, maxBom)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, err
	}
	list, err := bom.Read(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, fmt.Errorf("%.300s: %w", name, err)
	}
	entries := map[string]bom.Entry{}
	for _, e := range list {
		entries[strings.TrimPrefix(e.Path, "./")] = e
	}
	return entries, nil
}
