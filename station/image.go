package station

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"firstday.dev/internal/atomicfile"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
)

// roomForLogs is what an image has free unless its size is given, in bytes.
const roomForLogs = 16 << 20

// ImageOptions say what an image is.
type ImageOptions struct {
	Size int64     // in bytes; 0: as much as the kit needs
	Time time.Time // of all files; zero: when the kit was made
	// Progress, if set, is told how far a step is, in bytes.
	Progress func(step string, done, total int64)
}

// Image is an image of a stick that was written.
type Image struct {
	File   string `json:"file"`
	Size   int64  `json:"size"` // bytes
	Label  string `json:"label"`
	Serial string `json:"serial"` // of the volume, as Windows shows it
	KitID  string `json:"kitId"`
	Files  []File `json:"files"`
}

// File is a file on a stick.
type File struct {
	Path   string `json:"path"`
	Size   int64  `json:"size"` // bytes
	SHA256 string `json:"sha256"`
}

// WriteImage writes the image of a stick. It appears once it is whole, and takes
// the place of an earlier image, and of nothing else. The same kit, label, size and
// time give the same bytes.
func (s *Stick) WriteImage(ctx context.Context, name string, o ImageOptions) (*Image, error) {
	if err := s.checkOutput(name); err != nil {
		return nil, err
	}
	if o.Time.IsZero() {
		o.Time = s.Manifest.Created
	}
	if o.Size == 0 {
		var err error
		if o.Size, err = fat32.SizeFor(s, roomForLogs); err != nil {
			return nil, err
		}
	}
	serial := binary.BigEndian.Uint32(s.KitID[:])
	options := fat32.Options{
		Size: o.Size, Label: s.Label, Serial: serial, Time: o.Time,
		Signature: binary.BigEndian.Uint32(s.KitID[4:]) | 1, // 0 means none
	}
	if o.Progress != nil {
		options.Progress = func(done, total int64) { o.Progress("writing", done, total) }
	}
	out, err := atomicfile.Create(name, 0o600) // it carries what the kit carries
	if err != nil {
		return nil, err
	}
	defer out.Close()
	if err := fat32.Write(ctx, out, s, options); err != nil {
		return nil, fmt.Errorf("writing %s: %w", name, err)
	}
	if err := out.Truncate(o.Size); err != nil {
		return nil, err
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := out.Commit(); err != nil {
		return nil, err
	}
	return &Image{
		File: name, Size: o.Size, Label: s.Label, Serial: fmt.Sprintf("%04X-%04X", serial>>16, serial&0xffff),
		KitID: hex.EncodeToString(s.KitID[:]), Files: s.list(),
	}, nil
}

// list gives all files of the stick in the order of their paths.
func (s *Stick) list() (files []File) {
	_ = fs.WalkDir(s, ".", func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			files = append(files, File{path, s.files[path].size, s.files[path].sha256})
		}
		return err
	})
	return files
}

// checkOutput allows a name that is free or that of an image. In the kit an image
// would be one file too many.
func (s *Stick) checkOutput(name string) error {
	refuse := func(why string) error {
		return &fs.PathError{Op: "write", Path: name, Err: fmt.Errorf("%w: %s", kit.ErrOverwrite, why)}
	}
	parent, err := os.Stat(filepath.Dir(name))
	if err != nil {
		return err
	}
	if in, err := s.root.Stat("."); err == nil && os.SameFile(parent, in) {
		return refuse("it would be in the kit, where it does not belong")
	}
	info, err := os.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil // the latter atomicfile refuses
	}
	if err != nil {
		return err
	}
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	// Images of other things begin with a volume like this, too: those of small
	// computers, for one.
	v, err := fat32.Open(f, info.Size())
	if err != nil {
		return refuse("it is no image of a stick")
	}
	if on, err := Look(v); err != nil || on.State != OnStickKit {
		return refuse("it is no image of a stick with a kit on it")
	}
	return nil
}
