package simulate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/internal/contextio"
	"firstday.dev/internal/propertylist"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/templates/macos"
)

// maxFiles bounds the files of a package that can be simulated: the device's
// state lists them.
const maxFiles = 100_000

// place puts the payload of a component onto the disk. Owners, set-user-ID bits
// and whatever else only root may give is kept in the receipt, and so are
// symbolic links: none is made, so that none leads out of the disk.
func (i *installer) place(ctx context.Context, c *pkgbuild.PackagedComponent) error {
	if !c.HasPayload() {
		i.told.note(StepFiles, c.Info.Identifier+" installs no files", "it leaves no receipt")
		return nil
	}
	if i.shared != nil {
		return i.placeShared(ctx, c)
	}
	base := path.Join("/", c.Info.InstallLocation)
	var here []onVolume
	err := c.Walk(ctx, func(h *cpio.Header, r io.Reader) error {
		v := onVolume{Path: path.Join(base, h.Name), Mode: h.Mode, UID: h.UID, GID: h.GID}
		if h.Mode&cpio.ModeType == cpio.ModeSymlink {
			target, err := io.ReadAll(r)
			if err != nil {
				return err
			}
			v.Target = string(target)
		}
		here = append(here, v)
		return i.placeFile(ctx, v, h.Size, r)
	})
	if err != nil {
		return err
	}
	i.told.good(StepFiles, fmt.Sprintf("%d files and folders of %s", len(here), c.Info.Identifier),
		fmt.Sprintf("below %s; as the Bom says; modes and owners are in the receipt", base))
	return i.change(func(s *state) error {
		if s.Receipts == nil {
			s.Receipts = make(map[string]receipt)
		}
		s.Receipts[c.Info.Identifier] = receipt{Version: c.Info.Version, Files: here}
		return nil
	})
}

// placeShared takes what is on the disk that a fleet shares, but for the agent's
// program, which all run from there.
func (i *installer) placeShared(ctx context.Context, c *pkgbuild.PackagedComponent) error {
	for _, v := range i.shared.state.Receipts[c.Info.Identifier].Files {
		name := strings.TrimPrefix(v.Path, "/")
		if strings.HasPrefix(name, i.programFolder()+"/") || v.Mode&cpio.ModeType != cpio.ModeRegular {
			i.placed[strings.ToLower(name)] = v
			continue
		}
		f, err := i.shared.disk.Open(name)
		if err != nil {
			return err
		}
		if err := errors.Join(i.placeFile(ctx, v, 0, f), f.Close()); err != nil {
			return err
		}
	}
	return nil
}

// placeFile makes a file or folder.
func (i *installer) placeFile(ctx context.Context, v onVolume, size int64, r io.Reader) error {
	name := strings.TrimPrefix(v.Path, "/")
	if name == "" {
		return nil // the volume itself
	}
	if err := i.checkName(name); err != nil {
		return err
	}
	i.placed[strings.ToLower(name)] = v
	if len(i.placed) > maxFiles {
		return fmt.Errorf("%w: more than %d files", pkgbuild.ErrUnsupported, maxFiles)
	}
	switch v.Mode & cpio.ModeType {
	case cpio.ModeSymlink:
		i.told.note(StepFiles, fmt.Sprintf("the link %.200s is not made", v.Path), fmt.Sprintf("to %.200s", v.Target))
		return nil
	case cpio.ModeDir:
		return i.makeFolders(name)
	}
	if i.bytes += size; i.bytes > maxInstalled {
		return fmt.Errorf("%w: more than %d bytes", pkgbuild.ErrUnsupported, int64(maxInstalled))
	}
	if err := i.makeFolders(path.Dir(name)); err != nil {
		return err
	}
	return i.writeFile(ctx, name, fs.FileMode(v.Mode&0o777), r)
}

// checkName refuses what would not be on the volume what it seems: names that
// differ only in case are one file to a Mac, and a link is a way to elsewhere.
func (i *installer) checkName(name string) error {
	local := filepath.FromSlash(name)
	if !filepath.IsLocal(local) || filepath.ToSlash(local) != name || path.Clean(name) != name {
		return fmt.Errorf("%w: the path %.300q", pkgbuild.ErrUnsafe, name)
	}
	if twin, ok := i.placed[strings.ToLower(name)]; ok && twin.Path != "/"+name {
		return fmt.Errorf("%w: /%.300s and %.300s are one file to a Mac", pkgbuild.ErrUnsafe, name, twin.Path)
	}
	for folder := path.Dir(name); folder != "."; folder = path.Dir(folder) {
		if above, ok := i.placed[strings.ToLower(folder)]; ok && above.Mode&cpio.ModeType != cpio.ModeDir {
			return fmt.Errorf("%w: /%.300s is behind %.300s, which is no folder", pkgbuild.ErrUnsafe, name, above.Path)
		}
	}
	return nil
}

// writeFile replaces a file of the disk. Who runs this can always read and
// remove it.
func (i *installer) writeFile(ctx context.Context, name string, mode fs.FileMode, r io.Reader) error {
	if err := i.disk.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := i.disk.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode|0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, contextio.Reader(ctx, r))
	return errors.Join(err, f.Close())
}

const daemonFolder = "/Library/LaunchDaemons/"

// checkDaemons looks at the component's daemons as launchd would, and at what it runs
// beside login windows and for those who are logged in.
func (i *installer) checkDaemons(c *pkgbuild.PackagedComponent) error {
	for _, key := range slices.Sorted(maps.Keys(i.placed)) {
		v := i.placed[key]
		if folder := path.Dir(v.Path); folder+"/" != daemonFolder && folder != macos.LoginJobFolder || path.Ext(v.Path) != ".plist" || v.Mode&cpio.ModeType != cpio.ModeRegular {
			continue
		}
		if err := i.checkDaemon(v); err != nil {
			return fmt.Errorf("%w: launchd ignores %s of %s: %w", ErrRefused, v.Path, c.Info.Identifier, err)
		}
	}
	return nil
}

// checkDaemon: the job must be root's alone, and its program must be there and
// executable.
func (i *installer) checkDaemon(v onVolume) error {
	if v.UID != 0 || v.GID != 0 || v.Mode&0o022 != 0 {
		return fmt.Errorf("it must belong to root:wheel and be writable by root alone; it is %04o %d:%d", v.Mode&0o7777, v.UID, v.GID)
	}
	d, err := i.readDaemon(v.Path[1:])
	if errors.Is(err, propertylist.ErrBinary) {
		i.told.note(StepService, "launchd finds "+v.Path, "a binary property list, which is not looked into")
		return nil
	}
	if err != nil {
		return err
	}
	program := d.Program
	if program == "" && len(d.ProgramArguments) > 0 {
		program = d.ProgramArguments[0]
	}
	if d.Label == "" || !path.IsAbs(program) {
		return errors.New("it lacks a Label, or the absolute path of something to run")
	}
	if d.Label+".plist" != path.Base(v.Path) {
		i.told.note(StepService, fmt.Sprintf("%s has the label %.100s", v.Path, d.Label), "by custom it would be the file's name")
	}
	program = path.Clean(program)
	is, ok := i.placed[strings.ToLower(program[1:])]
	switch {
	case !ok:
		i.told.note(StepService, fmt.Sprintf("%s runs %.200s", v.Path, program), "the package does not bring it")
		return nil
	case is.Mode&cpio.ModeType != cpio.ModeRegular || is.Mode&0o111 == 0:
		return fmt.Errorf("%.200s is not executable", program)
	case is.UID != 0 || is.Mode&0o022 != 0:
		return fmt.Errorf("%.200s, which it runs as root, can be changed by others", program)
	}
	i.told.good(StepService, "launchd finds "+d.Label, "root:wheel "+fmt.Sprintf("%04o", v.Mode&0o7777)+", runs "+program)
	return nil
}
