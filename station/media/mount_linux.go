package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"

	"golang.org/x/sys/unix"
)

// Unmount lets go of all folders in which files of the disk are. It never forces:
// where a program has a file open, the error is [ErrBusy].
func (d *Disk) Unmount(ctx context.Context) error {
	if err := d.take(); err != nil {
		return err
	}
	parts, err := running.refresh(d)
	if err != nil {
		return err
	}
	for _, part := range parts {
		folders := part.all()
		for i := len(folders) - 1; i >= 0; i-- { // what was mounted last may be in the first
			if err := unmount(ctx, part.path, folders[i]); err != nil {
				return fmt.Errorf("unmounting %s: %w", folders[i], err)
			}
		}
	}
	return nil
}

// mounted is a block device and where it is mounted.
type mounted struct {
	path string
	uses
}

// refresh looks where a disk and its partitions are mounted now. It errs if the
// disk is another one, or the system has begun to use it.
func (s *system) refresh(d *Disk) (parts []mounted, err error) {
	blocks, err := s.blocks()
	if err == nil {
		err = s.findUses(blocks)
	}
	if err != nil {
		return nil, err
	}
	b := s.named(d.Path, blocks)
	if b == nil {
		return nil, fmt.Errorf("%s: %w", d.Path, ErrGone)
	}
	now, err := s.disk(b, blocks)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", d.Path, ErrGone, err)
	}
	if err := d.compare(now); err != nil {
		return nil, fmt.Errorf("%s: %w", d.Path, err)
	}
	if why := inUse(b, blocks); why != "" {
		return nil, fmt.Errorf("%s: %w: %s", d.Name, ErrRefused, why)
	}
	for _, part := range append([]*block{b}, partitions(b, blocks)...) {
		parts = append(parts, mounted{s.node(part), part.uses})
	}
	return parts, nil
}

// unmount lets go of a folder, as root by itself, else by udisks.
func unmount(ctx context.Context, device, folder string) error {
	if os.Geteuid() != 0 {
		return udisks(ctx, "unmount", device)
	}
	if err := under(folder, device); err != nil {
		return err
	}
	err := unix.Unmount(folder, unix.UMOUNT_NOFOLLOW)
	if errors.Is(err, unix.EBUSY) {
		err = fmt.Errorf("%w: close what is open on it", ErrBusy)
	}
	return err
}

// under errs if the files in a folder are not those of a device: another file
// system may be mounted over it.
func under(folder, device string) error {
	var node, dir unix.Stat_t
	if err := errors.Join(unix.Stat(device, &node), unix.Stat(folder, &dir)); err != nil {
		return err
	}
	if dir.Dev != node.Rdev {
		return fmt.Errorf("%w: in %s are the files of another disk", ErrNotMounted, folder)
	}
	return nil
}

// udisks asks the service that mounts sticks for people who are not root.
func udisks(ctx context.Context, what, device string) error {
	c := exec.CommandContext(ctx, "udisksctl", what, "--no-user-interaction", "--block-device", device)
	c.Env = append(os.Environ(), "LC_ALL=C")
	out, err := c.CombinedOutput()
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(err, exec.ErrNotFound):
		return fmt.Errorf("%s: only root may %s it where udisks is not installed", device, what)
	case bytes.Contains(out, []byte("DeviceBusy")):
		return fmt.Errorf("%s: %w", device, ErrBusy)
	}
	const most = 400
	out = bytes.TrimSpace(out)
	return fmt.Errorf("udisksctl %s %s: %w: %s", what, device, err, out[:min(len(out), most)])
}

// mountable are the file systems that sticks have, and what the kernel calls
// them.
var mountable = map[string]string{"vfat": "vfat", "exfat": "exfat", "ntfs": "ntfs3"}

// Mount gives a folder with the files of a volume. One that is mounted stays where
// it is; others are mounted, where nobody else looks if this is root, until unmount
// is called.
func (v *Volume) Mount(ctx context.Context) (folder string, unmounted func() error, err error) {
	if len(v.Mounts) > 0 {
		return v.Mounts[0], func() error { return nil }, under(v.Mounts[0], v.Path)
	}
	kind := mountable[v.FileSystem]
	if kind == "" {
		return "", nil, fmt.Errorf("%s: %w: its file system is %q", v.Path, ErrNotMounted, v.FileSystem)
	}
	if os.Geteuid() != 0 {
		return v.mountByUdisks(ctx)
	}
	folder, err = os.MkdirTemp("", "firstday-stick-")
	if err != nil {
		return "", nil, err
	}
	options := "umask=077" // a connect key is in what lies there
	if kind == "vfat" {
		options += ",utf8=1,shortname=mixed"
	}
	err = unix.Mount(v.Path, folder, kind, unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options)
	if err != nil {
		err = fmt.Errorf("mounting %s: %w", v.Path, err)
		return "", nil, errors.Join(err, os.Remove(folder))
	}
	return folder, func() error {
		// Whatever ends the caller's work, the stick is let go.
		if err := unmount(context.WithoutCancel(ctx), v.Path, folder); err != nil {
			return fmt.Errorf("unmounting %s: %w", folder, err)
		}
		return os.Remove(folder)
	}, nil
}

func (v *Volume) mountByUdisks(ctx context.Context) (folder string, unmounted func() error, err error) {
	if err := udisks(ctx, "mount", v.Path); err != nil {
		return "", nil, err
	}
	unmounted = func() error { return udisks(context.WithoutCancel(ctx), "unmount", v.Path) }
	blocks, err := running.blocks()
	if err == nil {
		err = running.findUses(blocks)
	}
	if err != nil {
		return "", nil, errors.Join(err, unmounted())
	}
	if b := running.named(v.Path, blocks); b != nil && len(b.mounts) > 0 {
		return b.mounts[0], unmounted, nil
	}
	return "", nil, errors.Join(fmt.Errorf("%s: %w, though udisks says so", v.Path, ErrNotMounted), unmounted())
}

// alone says whether a disk is a USB device of its own: udisks switches off the whole
// device, with all slots of a reader of cards.
func (s *system) alone(d *Disk) (bool, error) {
	blocks, err := s.blocks()
	if err != nil {
		return false, err
	}
	b := s.named(d.Path, blocks)
	if b == nil {
		return false, fmt.Errorf("%s: %w", d.Path, ErrGone)
	}
	parent := s.usbParent(b.dir)
	for _, other := range blocks {
		if other != b && other.disk == "" && s.usbParent(other.dir) == parent {
			return false, nil
		}
	}
	return parent != "", nil
}

// startStopUnit is CDROMEJECT of linux/cdrom.h: disks get the SCSI command.
const startStopUnit = 0x5309

// Eject has the disk keep all that was written, and takes it from the system: it
// may be pulled out.
func (d *Disk) Eject(ctx context.Context) error {
	if err := d.Unmount(ctx); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		alone, err := running.alone(d)
		if err != nil || !alone { // what was unmounted is kept by now
			return err
		}
		return udisks(ctx, "power-off", d.Path)
	}
	// O_NONBLOCK: a reader whose card is gone can be opened, too.
	f, err := os.OpenFile(d.Path, os.O_RDONLY|os.O_EXCL|unix.O_NONBLOCK, 0)
	if err != nil {
		return (&Device{path: d.Path}).explain(err)
	}
	err = f.Sync()
	// Taking away the USB device instead would take the other slots of a reader of
	// cards, too. What knows no such command, as cards do, has kept everything by now.
	_, _ = unix.IoctlRetInt(int(f.Fd()), startStopUnit)
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("ejecting %s: %w", d.Path, err)
	}
	return nil
}
