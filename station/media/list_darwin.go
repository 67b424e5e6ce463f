package media

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
)

// The tools of macOS, by their paths: who runs this may be root.
const (
	diskutilPath = "/usr/sbin/diskutil"
	ioregPath    = "/usr/sbin/ioreg"
)

// tell runs a tool and gives what it says.
func tell(ctx context.Context, name string, args ...string) ([]byte, error) {
	c := exec.CommandContext(ctx, name, args...)
	c.Env = append(os.Environ(), "LC_ALL=C")
	var out, problem bytes.Buffer
	c.Stdout, c.Stderr = &out, &problem
	if err := c.Run(); err != nil {
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		const most = 400
		text := bytes.TrimSpace(append(out.Bytes(), problem.Bytes()...))
		err = fmt.Errorf("%s: %w: %s", name, err, text[:min(len(text), most)])
		if bytes.Contains(text, []byte("dissented")) || bytes.Contains(text, []byte("in use")) {
			err = fmt.Errorf("%w: %w", ErrBusy, err)
		}
		return nil, err
	}
	return out.Bytes(), nil
}

func list(ctx context.Context) ([]Disk, error) {
	said, err := tell(ctx, diskutilPath, "list", "-plist", "physical")
	if err != nil {
		return nil, err
	}
	names, parts, err := parseDiskutilList(said)
	if err != nil {
		return nil, err
	}
	if said, err = tell(ctx, ioregPath, "-a", "-l", "-r", "-c", "IOUSBHostDevice"); err != nil {
		return nil, err
	}
	usb, err := parseIoreg(said)
	if err != nil {
		return nil, err
	}
	var disks []Disk
	for _, name := range names {
		whole, partitions, err := infos(ctx, name, parts[name])
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			continue // it was pulled out
		}
		disks = append(disks, diskOfMac(whole, partitions, usb[name]))
	}
	return disks, nil
}

func infos(ctx context.Context, disk string, parts []string) (whole *diskInfo, partitions []*diskInfo, err error) {
	if whole, err = info(ctx, disk); err != nil {
		return nil, nil, err
	}
	for _, name := range parts {
		p, err := info(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		partitions = append(partitions, p)
	}
	return whole, partitions, nil
}

func info(ctx context.Context, name string) (*diskInfo, error) {
	said, err := tell(ctx, diskutilPath, "info", "-plist", name)
	if err != nil {
		return nil, err
	}
	return parseDiskutilInfo(said)
}

// refresh looks again at a disk. It errs if it is another one, or the system has
// begun to use it.
func (d *Disk) refresh(ctx context.Context) error {
	disks, err := list(ctx)
	if err != nil {
		return err
	}
	for _, now := range disks {
		if now.Name != d.Name {
			continue
		}
		return errors.Join(d.compare(&now), now.take())
	}
	return ErrGone
}
