package station

import (
	"context"
	"errors"
	"syscall"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// reason says to people why a stick is not good.
func reason(err error) string {
	if errors.Is(err, context.Canceled) {
		return "interrupted"
	}
	return err.Error()
}

// Hint is what to do about a stick that is not good, or a kit that is not written.
func Hint(err error) string {
	var p *preflightError
	if errors.As(err, &p) {
		return p.fix
	}
	for _, known := range []struct {
		err  error
		hint string
	}{
		{context.Canceled, "write it again"},
		{kit.ErrIntegrity, "verify the kit, copy it again from where it was made, and write all sticks again"},
		{ErrReadBack, "throw the stick away: it does not keep what it is told, or is smaller than it says"},
		{ErrStalled, "pull it out, put it into another socket and write it again; if that does not help, use another stick"},
		{media.ErrBusy, "close what uses it, unmount its volumes, or let the other technician finish"},
		{media.ErrNotMounted, "mount it and name the folder, or format it: --format"},
		{media.ErrReadOnly, "move its switch, or use another stick; worn-out sticks protect themselves, too"},
		{syscall.EROFS, "move its switch, or use another stick; worn-out sticks protect themselves, too"},
		{media.ErrAnother, "find out which one it is: firstday usb list; then name it anew"},
		{media.ErrRefused, "firstday usb list --all says what is done with it; use a USB stick or an SD card"},
		{media.ErrGone, "put it in again and write it again"},
		{syscall.ENODEV, "put it in again and write it again"},
		{syscall.ENXIO, "put it in again and write it again"},
		{syscall.ENOSPC, "remove what is not needed, or use a larger stick"},
		{fat32.ErrFull, "use a larger stick"},
		{syscall.EIO, "put it into another socket and write it again; if that does not help, throw it away"},
		{syscall.EACCES, "you need more rights: sudo, or a terminal as an administrator"},
		{syscall.EPERM, "you need more rights: sudo, or a terminal as an administrator"},
	} {
		if errors.Is(err, known.err) {
			return known.hint
		}
	}
	return "write it again; if that does not help, use another stick"
}
