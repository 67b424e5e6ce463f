package media

import (
	"context"
	"errors"
	"fmt"
)

// Claim keeps other processes of this machine that ask for it from a disk, whoever
// runs them, until release is called or the process ends. It is for sticks written
// through a folder, which the system gives to all; [Disk.Open] takes the disk itself.
// If another has it the error is [ErrBusy], at once.
func Claim(ctx context.Context, d *Disk) (release func() error, err error) {
	if err := errors.Join(ctx.Err(), d.take()); err != nil {
		return nil, err
	}
	if release, err = claim("firstday-" + fileName(d.Name)); err != nil {
		return nil, fmt.Errorf("claiming %s: %w", d.Name, err)
	}
	return release, nil
}

// fileName gives a name that is one of a file anywhere.
func fileName(name string) string {
	b := []byte(name)
	for i, c := range b {
		if (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			b[i] = '-'
		}
	}
	return string(b)
}
