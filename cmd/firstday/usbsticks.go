package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/station"
	"firstday.dev/station/media"
)

// found are the sticks that people named.
type found struct {
	targets []station.Target
	release []func() error // of what was mounted for them
}

// close unmounts what was mounted.
func (f *found) close() (err error) {
	for _, release := range f.release {
		err = errors.Join(err, release())
	}
	return err
}

// findSticks finds sticks by the names of their disks, the ports they are in, or the
// folders where they are mounted; or all there are. What is to be formatted need not
// be mounted, everything else is.
func findSticks(ctx context.Context, names []string, all, format bool) (f *found, err error) {
	switch {
	case all && len(names) > 0:
		return nil, usageError{errors.New("--all is for all sticks: name none")}
	case !all && len(names) == 0:
		return nil, usageError{errors.New("name the sticks, or say --all")}
	}
	disks, listing := media.List(ctx)
	f = new(found)
	defer func() {
		if err != nil {
			err = errors.Join(err, f.close())
		}
	}()
	if all {
		if listing != nil {
			return f, listing
		}
		disks = slices.DeleteFunc(disks, func(d media.Disk) bool { return d.Refusal != "" })
		if len(disks) == 0 {
			return f, withHint(fmt.Errorf("there is no stick: %w", media.ErrGone), "plug one in")
		}
		for i := range disks {
			names = append(names, disks[i].Name)
		}
	}
	seen := make(map[string]string)
	for _, name := range names {
		t, key, err := findStick(disks, name, format)
		if err != nil {
			return f, errors.Join(err, listing)
		}
		if twin, ok := seen[key]; ok {
			return f, usageError{fmt.Errorf("%s and %s are one stick", twin, name)}
		}
		seen[key] = name
		if !format && t.Folder == "" {
			if err := f.mount(ctx, t); err != nil {
				return f, err
			}
		}
		f.targets = append(f.targets, *t)
	}
	return f, nil
}

// findStick finds one, and what tells it from others.
func findStick(disks []media.Disk, name string, format bool) (*station.Target, string, error) {
	for i := range disks {
		if d := &disks[i]; name == d.Name || name == d.Path || name == d.Port {
			t := &station.Target{Name: d.Name, Disk: d}
			if mounts := d.Mounts(); !format && len(mounts) > 0 {
				t.Folder = mounts[0]
			}
			return t, d.Path, nil
		}
	}
	folder, err := filepath.Abs(name)
	if err != nil {
		return nil, "", err
	}
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return nil, "", withHint(fmt.Errorf("there is no stick, port or folder %q: %w", name, media.ErrGone), "firstday usb list shows what there is")
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return nil, "", err
	}
	t := &station.Target{Name: name, Folder: folder}
	for i := range disks {
		if slices.Contains(disks[i].Mounts(), folder) {
			t.Disk = &disks[i]
		}
	}
	switch {
	case !format:
		return t, folder, nil
	case t.Disk == nil:
		return nil, "", usageError{fmt.Errorf("%s is no stick that could be formatted: name its disk", name)}
	}
	t.Name, t.Folder = t.Disk.Name, ""
	return t, t.Disk.Path, nil
}

// mount mounts a stick that is not.
func (f *found) mount(ctx context.Context, t *station.Target) error {
	if t.Disk.Refusal != "" {
		return nil // which is said where it is judged
	}
	for i := range t.Disk.Volumes {
		v := &t.Disk.Volumes[i]
		if v.FileSystem == "" {
			continue
		}
		folder, release, err := v.Mount(ctx)
		if err != nil {
			return withHint(fmt.Errorf("mounting %s: %w", t.Name, err), "mount it and name the folder, or format it: --format")
		}
		t.Folder = folder
		f.release = append(f.release, release)
		return nil
	}
	return withHint(fmt.Errorf("%s: %w: it has no file system", t.Name, media.ErrNotMounted), "format it: --format")
}

// confirmFormat wants the names of all disks that are formatted: typed by a person,
// or given by a script.
func confirmFormat(ctx context.Context, targets []station.Target, all bool, given []string) error {
	var names []string
	for _, t := range targets {
		if t.Disk.Refusal == "" { // the others are not
			names = append(names, t.Name)
		}
	}
	slices.Sort(names)
	if len(given) > 0 {
		given = slices.Compact(slices.Sorted(slices.Values(given)))
		if !slices.Equal(given, names) {
			return usageError{fmt.Errorf("--confirm names %s, and %s would be formatted", strings.Join(given, ","), strings.Join(names, ","))}
		}
		return nil
	}
	if all {
		want := fmt.Sprintf("format %d sticks", len(names))
		return confirm(ctx, describeDisks(targets)+"Everything on them is lost. Type "+want+" to go on: ", want)
	}
	for i, t := range targets {
		if t.Disk.Refusal != "" {
			continue
		}
		if err := confirm(ctx, describeDisks(targets[i:i+1])+"Everything on it is lost. Type "+t.Name+" to go on: ", t.Name); err != nil {
			return err
		}
	}
	return nil
}

func describeDisks(targets []station.Target) string {
	var b strings.Builder
	for _, t := range targets {
		d := t.Disk
		fmt.Fprintf(&b, "%s  %s %s, %s, port %s", t.Name, d.Vendor, d.Model, size(d.Size), d.Port)
		for _, v := range d.Volumes {
			fmt.Fprintf(&b, "; %s %s", v.Label, v.FileSystem)
		}
		b.WriteString("\n")
	}
	return b.String()
}
