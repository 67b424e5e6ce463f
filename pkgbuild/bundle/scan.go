package bundle

import (
	"context"
	"io/fs"
	"path"
	"strings"
)

// entry is something in a bundle that a seal may cover.
type entry struct {
	name string // from the base
	link bool
	// code is a program or bundle that has a signature of its own.
	code bool
	// covered is the rule by which the seal covers it; nil: it does not.
	covered *rule
}

// scan goes through the bundle in the order of names, as codesign does: a
// folder that is code by the rules and has a dot in its name is a bundle, which
// nobody looks into. Links are never code.
func (b *Bundle) scan(ctx context.Context, rs rules, visit func(entry) error) error {
	return fs.WalkDir(b.files, b.base, func(at string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		if at == b.base {
			return nil
		}
		name := strings.TrimPrefix(at, b.base+"/")
		if b.excluded(name) {
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		e := entry{name: name, link: d.Type()&fs.ModeSymlink != 0, covered: rs.find(name)}
		e.code = e.covered != nil && e.covered.nested && !e.link
		switch {
		case d.IsDir() && e.code && strings.Contains(path.Base(name), "."):
			if err := visit(e); err != nil {
				return err
			}
			return fs.SkipDir
		case d.IsDir():
			return nil
		case !e.link && !d.Type().IsRegular():
			return badFormat("%s is neither a file, folder nor symbolic link", at)
		}
		return visit(e)
	})
}

// path is where an entry is in the bundle.
func (b *Bundle) path(e entry) string { return path.Join(b.base, e.name) }
