// Package station is the machine where IT writes kits onto USB sticks. It decides
// what lies on a stick, one for Windows and Macs alike, and writes images of
// sticks.
//
// A [Stick] is made of a kit that was verified, and is a file system to be written
// to whatever there is. In its root it holds every file of the kit, with the kit's
// own checksums and their signature, which so still say that nothing was changed;
// Windows applies the one package that lies there. Beside them it holds
//
//	README.html                                what to do, for the person with the stick
//	run                                        the script for Macs
//	first-boot/install                         what run leaves on a Mac
//	first-boot/dev.firstday.firstboot.plist
//	logs                                       what run did to which Mac
//	STICK.SHA256SUMS                           the checksums of these
package station

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/templates/usb"
)

// What keeps a kit from a stick. Other errors come from packages kit and fat32.
var (
	// ErrUnverified: the kit is not as it was made.
	ErrUnverified = errors.New("the kit is not good")
	// ErrLayout: what is in the kit does not make a stick that systems understand.
	ErrLayout = errors.New("no stick can be made of it")
)

// DefaultLabel is what a stick's volume is called.
const DefaultLabel = "FIRSTDAY"

// Stick is what lies on a stick.
type Stick struct {
	Manifest *kit.Manifest
	Label    string
	// KitID says which kit it is: the SHA-256 of its checksums.
	KitID [sha256.Size]byte
	// Warnings are those of the verification.
	Warnings []string

	dir   string
	root  *os.Root
	files map[string]*source  // by path
	dirs  map[string][]string // paths of what is in each folder, sorted
}

// source is where a file of the stick comes from.
type source struct {
	name   string // in the kit, if it is one of the kit's
	data   []byte // else the file
	size   int64
	sha256 string
}

// Open verifies a kit and lays out a stick of it. Who signed the kit is judged as
// the options say.
func Open(ctx context.Context, dir, label string, o kit.VerifyOptions) (_ *Stick, err error) {
	if err := fat32.CheckLabel(label); err != nil {
		return nil, err
	}
	v, err := kit.Verify(ctx, dir, o)
	if err != nil {
		return nil, err
	}
	if err := v.Err(); err != nil {
		return nil, fmt.Errorf("%s: %w: %w", dir, ErrUnverified, err)
	}
	if v.Sums == nil {
		return nil, fmt.Errorf("%s is %w", dir, kit.ErrNotAKit)
	}
	s := &Stick{Label: label, KitID: sha256.Sum256(v.Sums), Warnings: v.Warnings, dir: dir, files: make(map[string]*source)}
	if s.root, err = os.OpenRoot(dir); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	if err := s.addKit(v.Sums); err != nil {
		return nil, err
	}
	if err := s.readManifest(); err != nil {
		return nil, err
	}
	if err := s.checkPackages(); err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	if err := s.addOurs(); err != nil {
		return nil, err
	}
	return s, s.arrange()
}

// Close lets go of the kit.
func (s *Stick) Close() error { return s.root.Close() }

// maxSignature bounds the signature of the checksums, in bytes.
const maxSignature = 1 << 20

// addKit takes the files that were verified. What they are is held against their
// checksums again when they are read.
func (s *Stick) addKit(sums []byte) error {
	listed, err := kit.ParseSums(sums)
	if err != nil {
		return err
	}
	for name, sum := range listed {
		info, err := s.root.Lstat(name)
		if err != nil {
			return err
		}
		s.files[name] = &source{name: name, size: info.Size(), sha256: sum}
	}
	s.put(kit.SumsFile, sums)
	info, err := s.root.Lstat(kit.SignatureFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Size() > maxSignature {
		err = fmt.Errorf("%s is larger than %d bytes", kit.SignatureFile, maxSignature)
	}
	if err != nil {
		return err
	}
	signature, err := s.root.ReadFile(kit.SignatureFile)
	s.put(kit.SignatureFile, signature)
	return err
}

func (s *Stick) put(name string, data []byte) {
	sum := sha256.Sum256(data)
	s.files[name] = &source{data: data, size: int64(len(data)), sha256: hex.EncodeToString(sum[:])}
}

// readManifest reads it by its checksum, as any other file.
func (s *Stick) readManifest() error {
	data, err := s.readKit(kit.ManifestFile)
	if err != nil {
		return err
	}
	s.Manifest, err = kit.ReadManifest(bytes.NewReader(data))
	return err
}

// checkPackages wants one package for each system at most. Of several Windows asks
// which one, and nobody is there to choose (formats/ppkg.md §4).
func (s *Stick) checkPackages() error {
	var windows, macs []string
	for name := range s.files {
		switch strings.ToLower(path.Ext(name)) {
		case ".ppkg":
			windows = append(windows, name)
		case ".pkg":
			macs = append(macs, name)
		}
	}
	for _, packages := range [][]string{windows, macs} {
		if slices.Sort(packages); len(packages) > 1 {
			return fmt.Errorf("%w: %s are several packages for one system", ErrLayout, strings.Join(packages, " and "))
		}
	}
	for _, name := range windows {
		if catalog := strings.TrimSuffix(name, path.Ext(name)) + ".cat"; s.files[catalog] == nil {
			return fmt.Errorf("%w: %s lacks its catalog %s", ErrLayout, name, catalog)
		}
	}
	return nil
}

// packageFor is the package for a platform, nil if there is none.
func (s *Stick) packageFor(p kit.Platform) *kit.Package {
	i := slices.IndexFunc(s.Manifest.Packages, func(k kit.Package) bool { return k.Platform == p })
	if i < 0 {
		return nil
	}
	return &s.Manifest.Packages[i]
}

// addOurs adds what lies beside the kit, and the checksums of it.
func (s *Stick) addOurs() error {
	page, err := s.readme()
	if err != nil {
		return err
	}
	ours := map[string][]byte{usb.ReadmeFile: page}
	if s.packageFor(kit.MacOS) != nil {
		ours[usb.RunFile] = []byte(usb.Run)
		ours[usb.FirstBootInstallFile] = []byte(usb.FirstBootInstall)
		ours[usb.FirstBootDaemonFile] = []byte(usb.FirstBootDaemon)
	}
	var sums bytes.Buffer
	for _, name := range slices.Sorted(maps.Keys(ours)) {
		if err := s.addOurFile(name, ours[name]); err != nil {
			return err
		}
		fmt.Fprintf(&sums, "%s  %s\n", s.files[name].sha256, name)
	}
	return s.addOurFile(usb.SumsFile, sums.Bytes())
}

func (s *Stick) addOurFile(name string, data []byte) error {
	if s.files[name] != nil {
		return fmt.Errorf("%w: %s is in the kit", ErrLayout, name)
	}
	s.put(name, data)
	return nil
}
