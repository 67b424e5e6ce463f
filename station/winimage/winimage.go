// Package winimage puts a kit's provisioning package into Windows before that
// starts for the first time: into an image that is mounted or was applied to a
// disk, or onto the medium that Windows is installed from. No stick is in the
// laptop then.
//
// There are two ways. Windows looks for packages in C:\Recovery\Customizations,
// and again when the laptop is reset ([Recovery]). Or the answer file of Windows
// Setup has it installed before the first screen ([Unattend]); who has an answer
// file that hides the first screens needs this one. What of it was tried, and
// what only documented, says docs/windows-images.md.
package winimage

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
)

// Errors a caller decides on. Others are the system's.
var (
	// ErrNotWindows: neither Windows nor its setup is in the folder.
	ErrNotWindows = errors.New("this is neither a Windows image nor a medium that installs Windows")
	// ErrOther: there is another package of this name.
	ErrOther = errors.New("another package of this name is there")
	// ErrAnswerFile: the answer file is not one that can be added to.
	ErrAnswerFile = errors.New("cannot add to the answer file")
)

// Kind is what the folder holds.
type Kind string

// The kinds of folder.
const (
	Image Kind = "image" // the system drive of a Windows that was not started yet
	Media Kind = "media" // what Windows is installed from
)

// Way is how Windows comes to apply the package.
type Way string

// The ways there are.
const (
	Recovery Way = "recovery"
	Unattend Way = "unattend"
)

// ParseWay reads the name of a way.
func ParseWay(s string) (Way, error) {
	if w := Way(s); w == Recovery || w == Unattend {
		return w, nil
	}
	return "", fmt.Errorf("%q is neither %s nor %s", s, Recovery, Unattend)
}

// Folder is a folder with Windows in it. Nothing outside of it is touched, however
// its links point.
type Folder struct {
	Kind Kind

	dir  string
	root *os.Root
}

// Open looks at what is in a folder.
func Open(dir string) (_ *Folder, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	f := &Folder{dir: dir, root: root}
	defer func() {
		if err != nil {
			err = errors.Join(err, root.Close())
		}
	}()
	for _, sign := range []struct {
		file string
		kind Kind
	}{
		{"Windows/System32/config/SOFTWARE", Image},
		{"sources/install.wim", Media},
		{"sources/install.esd", Media},
		{"sources/install.swm", Media},
	} {
		name, err := f.resolve(sign.file)
		if err != nil {
			return nil, err
		}
		if info, err := root.Stat(name); err == nil && info.Mode().IsRegular() {
			f.Kind = sign.kind
			return f, nil
		}
	}
	return nil, fmt.Errorf("%s: %w: it has neither Windows/System32/config/SOFTWARE nor sources/install.wim", dir, ErrNotWindows)
}

// Close lets go of the folder.
func (f *Folder) Close() error { return f.root.Close() }

// systemDrive is where the files of the drive C: are in the folder. Windows Setup
// copies what is under $OEM$\$1 of its medium to the drive.
func (f *Folder) systemDrive() string {
	if f.Kind == Media {
		return "sources/$OEM$/$1"
	}
	return "."
}

// resolve gives a path the case that its parts have in the folder, as far as they
// are there: to Windows they are the same, to other systems not.
func (f *Folder) resolve(name string) (string, error) {
	found := "."
	for part := range strings.SplitSeq(path.Clean(name), "/") {
		entries, err := fs.ReadDir(f.root.FS(), found)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return "", err
		}
		i := slices.IndexFunc(entries, func(e fs.DirEntry) bool { return e.Name() == part })
		if i < 0 {
			i = slices.IndexFunc(entries, func(e fs.DirEntry) bool { return strings.EqualFold(e.Name(), part) })
		}
		if i >= 0 {
			part = entries[i].Name()
		}
		found = path.Join(found, part)
	}
	return found, nil
}
