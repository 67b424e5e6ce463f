// Package ppkg makes and reads Windows provisioning packages: the files with
// which Windows sets up a device at its first screen, or later, without
// anybody answering its questions.
//
// A [Package] is an identity and a list of settings, in the vocabulary of
// Windows Configuration Designer. [Write] compiles it to the same tree of
// files as Microsoft's icd.exe does and stores that as a WIM;
// [ReadCustomizations] reads a Designer project instead, and [Open] a package
// that exists.
//
// What is written follows formats/ppkg.md §1–§4, which was drawn from packages
// that icd.exe made. Not covered: settings that depend on a condition of the
// device ("multivariant").
package ppkg

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/ppkg/wim"
	"firstday.dev/ppkg/xpress"
)

// What can be wrong with a package. Errors wrap one of these, an error of
// package wim or of the file system.
var (
	ErrFormat      = errors.New("ppkg: not a valid provisioning package")
	ErrSyntax      = errors.New("ppkg: not a valid project")
	ErrUnsupported = errors.New("ppkg: unsupported")
	ErrChanged     = errors.New("ppkg: file changed while being read")
)

// Package is what a provisioning package says and carries.
type Package struct {
	// ID and Version are what Windows remembers of an applied package: it
	// refuses the same pair a second time, and takes a higher version of an
	// ID it knows (formats/ppkg.md §3).
	ID      uuid.UUID
	Version string // such as "1.0" or "1.2.3.4"

	Name  string // shown to the person who applies it
	Owner Owner
	Rank  int // 0 to 99, within the owner's packages

	Notes, Description, Author string // may be empty

	// Settings are compiled in this order, except that settings with the
	// same beginning of their path come together, as they must in a
	// Designer project.
	Settings []Setting
}

// Options say how [Write] stores a package. The zero value is good, except
// that it dates the package to now.
type Options struct {
	// Time is that of the package and all files in it; zero for now. The
	// same package and options with a Time give the same bytes.
	Time time.Time

	Level   xpress.Level // of compression
	Threads int          // at most; 0 for as many as Go may use

	// Prefix, if set, is told what the package begins with: the header, and the
	// files that went through [File.Prepare]. Its Size is 0 if there are none.
	Prefix *wim.Prefix

	// Progress, if set, is told now and then how many bytes of files have
	// been stored. It is never called twice at a time.
	Progress func(done, total int64)
}

// Write compiles p and writes it to out, which must be empty. Files are read
// twice, once for their hash and once to store them, and never held in memory;
// one that changes in between is refused with [ErrChanged]. Those that went
// through [File.Prepare] are not read at all.
//
// An output left behind by an error is not a package.
func Write(ctx context.Context, out wim.Output, p *Package, opts Options) error {
	if opts.Time.IsZero() {
		opts.Time = time.Now()
	}
	tree, err := Compile(ctx, p, opts.Time)
	if err != nil {
		return err
	}
	image := &wim.Image{
		FS:         tree,
		Properties: p.properties(),
		Created:    opts.Time,
		Modified:   opts.Time,
	}
	return wim.Write(ctx, out, image, wim.Options{
		Level:    opts.Level,
		Threads:  opts.Threads,
		GUID:     tree.guid(p),
		Prepared: tree.prepared(),
		Prefix:   opts.Prefix,
		Progress: opts.Progress,
	})
}

// check refuses an identity that Windows would refuse (formats/ppkg.md §1.2).
func (p *Package) check() error {
	switch {
	case p.ID == uuid.Nil:
		return errors.New("package has no id")
	case strings.TrimSpace(p.Name) == "":
		return errors.New("package has no name")
	case p.Rank < 0 || p.Rank > maxRank:
		return fmt.Errorf("rank %d is not between 0 and %d", p.Rank, maxRank)
	case !p.Owner.valid():
		return fmt.Errorf("unknown owner %d", p.Owner)
	case !isVersion(p.Version):
		return fmt.Errorf("version %.40q is not two to four numbers with dots between", p.Version)
	}
	for _, text := range []string{p.Name, p.Notes, p.Description, p.Author} {
		if err := checkText(text); err != nil {
			return fmt.Errorf("package's name, notes, description or author: %w", err)
		}
	}
	return nil
}
