package simulate

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/api"
	"firstday.dev/internal/contextio"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
)

// ErrNoPackage: a platform finds no package of its own on a stick.
var ErrNoPackage = errors.New("no package on the stick")

// Stick is the image of a USB stick, as whoever plugs it in sees it.
type Stick struct {
	volume *fat32.Volume
	file   *os.File
	root   []fs.DirEntry
}

// IsStick tells the image of a disk from packages: by its name, else by how its
// first sector ends.
func IsStick(name string) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".img":
		return true
	case ".ppkg", ".pkg":
		return false
	}
	f, _, err := openRegular(name)
	if err != nil {
		return false
	}
	defer f.Close()
	sector := make([]byte, fat32.SectorSize)
	_, err = io.ReadFull(f, sector)
	return err == nil && sector[510] == 0x55 && sector[511] == 0xaa && string(sector[:4]) != "xar!"
}

// OpenStick opens the image of a stick.
func OpenStick(name string) (*Stick, error) {
	f, info, err := openRegular(name)
	if err != nil {
		return nil, err
	}
	s := &Stick{file: f}
	s.volume, err = fat32.Open(f, info.Size())
	if err == nil {
		s.root, err = fs.ReadDir(s.volume, ".")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", name, err), f.Close())
	}
	return s, nil
}

// Close lets go of the image.
func (s *Stick) Close() error { return s.file.Close() }

// Platforms are those that there is a package for in the root of the stick:
// nobody looks into folders.
func (s *Stick) Platforms() (list []api.Platform) {
	for _, p := range []api.Platform{api.Windows, api.MacOS} {
		if len(s.packages(p)) > 0 {
			list = append(list, p)
		}
	}
	return list
}

// packages are the names of those that a platform looks at: Windows at all, the
// script run of the stick at what a shell finds by *.pkg, which leaves out what
// Macs keep beside files on FAT32.
func (s *Stick) packages(p api.Platform) (names []string) {
	for _, e := range s.root {
		ext := path.Ext(e.Name())
		windows := p == api.Windows && strings.EqualFold(ext, ".ppkg")
		mac := p == api.MacOS && ext == ".pkg" && !strings.HasPrefix(e.Name(), ".")
		if !e.IsDir() && (windows || mac) {
			names = append(names, e.Name())
		}
	}
	return names
}

// Take copies into a folder what a platform takes from the stick, and gives the
// package: the only one in the root, for Windows with the catalog beside it; for a
// Mac, which the script run looks after, one that its checksum fits.
func (s *Stick) Take(ctx context.Context, p api.Platform, dir string) (string, error) {
	names := s.packages(p)
	if len(names) == 0 {
		return "", fmt.Errorf("%w for %s", ErrNoPackage, p)
	}
	if err := checkStick(names); err != nil {
		return "", err
	}
	name := names[0]
	sum, err := s.copy(ctx, name, dir)
	if err != nil {
		return "", err
	}
	if p == api.MacOS {
		return filepath.Join(dir, name), s.checkSum(name, sum)
	}
	catalog := strings.TrimSuffix(name, path.Ext(name)) + ".cat"
	if slices.ContainsFunc(s.root, func(e fs.DirEntry) bool { return !e.IsDir() && strings.EqualFold(e.Name(), catalog) }) {
		if _, err := s.copy(ctx, catalog, dir); err != nil {
			return "", err
		}
	}
	return filepath.Join(dir, name), nil
}

// copy copies a file of the root and gives its SHA-256. A name that is harmless on
// the stick may mean something else where this runs.
func (s *Stick) copy(ctx context.Context, name, dir string) (string, error) {
	if !filepath.IsLocal(name) || filepath.Base(name) != name {
		return "", fmt.Errorf("%w: the name %.300q", fat32.ErrName, name)
	}
	in, err := s.volume.Open(name)
	if err != nil {
		return "", err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.Copy(io.MultiWriter(out, h), contextio.Reader(ctx, in)); err != nil {
		return "", errors.Join(fmt.Errorf("reading %s from the stick: %w", name, err), out.Close())
	}
	return hex.EncodeToString(h.Sum(nil)), out.Close()
}

// checkSum does what the script run does before it lets a Mac have the package.
func (s *Stick) checkSum(name, sum string) error {
	const most = 1 << 20
	f, err := s.volume.Open(kit.SumsFile)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%w: %s is missing on the stick, and run refuses", kit.ErrIntegrity, kit.SumsFile)
	}
	if err != nil {
		return err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most))
	if err != nil {
		return fmt.Errorf("reading %s from the stick: %w", kit.SumsFile, err)
	}
	listed, err := kit.ParseSums(data)
	if err != nil {
		return fmt.Errorf("%w: %w", kit.ErrIntegrity, err)
	}
	if listed[name] != sum {
		return fmt.Errorf("%s: %w: its SHA-256 is %s, and run refuses it", name, kit.ErrIntegrity, sum)
	}
	return nil
}
