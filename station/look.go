package station

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
	"firstday.dev/templates/usb"
)

// OnStick is what lies on a stick, at a glance: names and what files say of
// themselves. Nothing of it is verified.
type OnStick struct {
	State OnStickState `json:"state"`
	// Of a kit:
	KitID        string     `json:"kitId,omitempty"`
	Organisation string     `json:"organisation,omitempty"`
	Created      *time.Time `json:"created,omitempty"`
	ExpiresAt    *time.Time `json:"expiresAt,omitempty"`
	// Packages are those for Windows in the root, where Windows looks. If there are
	// several, Windows asks which one.
	Packages []string `json:"packages,omitempty"`
	// InFolders are those for Windows elsewhere, where it does not look. They are
	// looked for only if there is none in the root.
	InFolders []string `json:"inFolders,omitempty"`
	// Foreign are files and folders in the root that are not of ours.
	Foreign []string `json:"foreign,omitempty"`
}

// OnStickState says it in a word.
type OnStickState string

// What can lie on a stick.
const (
	OnStickNothing    OnStickState = "empty"
	OnStickKit        OnStickState = "kit"
	OnStickUnfinished OnStickState = "unfinished" // one of ours that was not written to the end
	OnStickPackages   OnStickState = "packages"   // for Windows, and no kit
	OnStickInFolders  OnStickState = "in folders" // packages where Windows does not look
	OnStickForeign    OnStickState = "other files"
)

// The bounds of a look. A hostile stick may be an endless tree.
const (
	mostEntries = 4096 // of one folder
	mostFolders = 32
	mostNamed   = 100 // of names that are kept
)

// Look says what lies on a stick. Of a large or hostile one it reads a part.
func Look(stick fs.FS) (*OnStick, error) {
	root, err := readSome(stick, ".")
	if err != nil {
		return nil, err
	}
	on := new(OnStick)
	unfinished := false
	for _, e := range root {
		switch name := e.Name(); {
		case strings.EqualFold(name, fat32.IncompleteFile):
			unfinished = true
		case isForWindows(e):
			on.Packages = append(on.Packages, name)
		case !ofSystems(name):
			on.Foreign = append(on.Foreign, name)
		}
	}
	if isKit := on.readKit(stick, root); isKit {
		on.State = OnStickKit
	} else if len(on.Packages) > 0 {
		on.State = OnStickPackages
	} else if on.InFolders = lookInFolders(stick, root); len(on.InFolders) > 0 {
		on.State = OnStickInFolders
	} else if len(on.Foreign) > 0 {
		on.State = OnStickForeign
	} else {
		on.State = OnStickNothing
	}
	if unfinished { // whatever else is there is half of something
		on.State = OnStickUnfinished
	}
	for _, names := range []*[]string{&on.Packages, &on.Foreign} {
		slices.Sort(*names)
		*names = (*names)[:min(len(*names), mostNamed)]
	}
	return on, nil
}

// readSome lists a folder.
func readSome(stick fs.FS, name string) ([]fs.DirEntry, error) {
	f, err := stick.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	dir, ok := f.(fs.ReadDirFile)
	if !ok {
		return nil, &fs.PathError{Op: "read", Path: name, Err: errors.New("it is no folder")}
	}
	entries, err := dir.ReadDir(mostEntries)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return entries, err
}

func isForWindows(e fs.DirEntry) bool {
	return e.Type().IsRegular() && strings.EqualFold(path.Ext(e.Name()), ".ppkg") && !ofSystems(e.Name())
}

// ofSystems: systems put these onto every stick they see.
func ofSystems(name string) bool {
	return strings.HasPrefix(name, ".") || slices.ContainsFunc([]string{
		"System Volume Information", "$RECYCLE.BIN", "RECYCLER", "lost+found", "LOST.DIR", "FOUND.000", "desktop.ini", "Thumbs.db", "WPSettings.dat", "IndexerVolumeGuid",
	}, func(known string) bool { return strings.EqualFold(known, name) })
}

// readKit reads what the kit says of itself, if there is one. Its files, and what the
// station puts beside them, are not foreign.
func (on *OnStick) readKit(stick fs.FS, root []fs.DirEntry) bool {
	manifest, err := readBounded(stick, root, kit.ManifestFile, 4<<20)
	if err != nil {
		return false
	}
	sums, err := readBounded(stick, root, kit.SumsFile, 1<<20)
	if err != nil {
		return false
	}
	m, err := kit.ReadManifest(bytes.NewReader(manifest))
	if err != nil {
		return false
	}
	listed, err := kit.ParseSums(sums)
	if err != nil {
		return false
	}
	id := sha256.Sum256(sums)
	on.KitID, on.Organisation, on.Created, on.ExpiresAt = hex.EncodeToString(id[:]), m.Organisation, &m.Created, m.ExpiresAt
	ours := []string{kit.SumsFile, kit.SignatureFile, usb.SumsFile, usb.ReadmeFile, usb.RunFile, path.Dir(usb.FirstBootInstallFile), usb.LogsFolder}
	on.Foreign = slices.DeleteFunc(on.Foreign, func(name string) bool {
		_, ok := listed[name]
		return ok || slices.Contains(ours, name)
	})
	return true
}

// readBounded reads a file of the root. What is no file, such as a pipe, is not
// opened: that could be for ever.
func readBounded(stick fs.FS, root []fs.DirEntry, name string, most int64) ([]byte, error) {
	i := slices.IndexFunc(root, func(e fs.DirEntry) bool { return e.Name() == name && e.Type().IsRegular() })
	if i < 0 {
		return nil, fs.ErrNotExist
	}
	f, err := stick.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, most+1))
	if err == nil && int64(len(b)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return b, err
}

// lookInFolders finds packages below the root, in the folders that are nearest.
func lookInFolders(stick fs.FS, root []fs.DirEntry) (packages []string) {
	var folders []string
	add := func(folder string, entries []fs.DirEntry) {
		for _, e := range entries {
			name := path.Join(folder, e.Name())
			switch {
			case e.IsDir() && !ofSystems(e.Name()) && len(folders) < mostFolders:
				folders = append(folders, name)
			case folder != "" && isForWindows(e) && len(packages) < mostNamed:
				packages = append(packages, name)
			}
		}
	}
	add("", root)
	for i := 0; i < len(folders); i++ {
		entries, err := readSome(stick, folders[i])
		if err == nil { // else the stick is damaged there
			add(folders[i], entries)
		}
	}
	return packages
}

// Expired says whether a kit does not enrol devices any more.
func (on *OnStick) Expired(now time.Time) bool {
	return on.ExpiresAt != nil && !now.Before(*on.ExpiresAt)
}

// errUnreadable: nothing on a stick could be looked at.
var errUnreadable = errors.New("it is not mounted, and no FAT32 that could be read")

// LookAtDisk says what lies on the first volume of a stick that has something: in
// the folder it is mounted in, or by the disk itself if that may be read.
func LookAtDisk(ctx context.Context, d *media.Disk) (found *OnStick, err error) {
	err = errUnreadable
	for i := range d.Volumes {
		on, problem := lookAtVolume(ctx, &d.Volumes[i])
		if problem != nil {
			err = problem
			continue
		}
		if found == nil || found.State == OnStickNothing {
			found = on
		}
	}
	if found != nil {
		return found, nil
	}
	return nil, fmt.Errorf("%s: %w", d.Name, err)
}

func lookAtVolume(ctx context.Context, v *media.Volume) (*OnStick, error) {
	if len(v.Mounts) > 0 {
		folder, unmounted, err := v.Mount(ctx)
		if err != nil {
			return nil, err
		}
		root, err := os.OpenRoot(folder) // a link must not lead elsewhere
		if err != nil {
			return nil, errors.Join(err, unmounted())
		}
		on, err := Look(root.FS())
		return on, errors.Join(err, root.Close(), unmounted())
	}
	if v.FileSystem != "vfat" {
		return nil, errUnreadable
	}
	f, err := os.Open(v.Path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	volume, err := fat32.Open(f, v.Size)
	if err != nil {
		return nil, err
	}
	return Look(volume)
}
