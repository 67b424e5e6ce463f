package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"firstday.dev/internal/visible"
	"firstday.dev/station"
	"firstday.dev/station/media"
)

// findSticks finds sticks by the names of their disks, the ports they are in, or the
// folders where they are mounted; or all there are, if none is named.
func findSticks(ctx context.Context, names []string, format bool) (targets []station.Target, err error) {
	disks, listing := media.List(ctx)
	if len(names) == 0 {
		if listing != nil {
			return nil, listing
		}
		disks, err = choose(disks, nil)
		if err == nil && len(disks) == 0 {
			err = withHint(fmt.Errorf("%w: none is plugged in", errNoSuchStick), "firstday usb list --all shows the other disks, and why they are none")
		}
		for i := range disks {
			targets = append(targets, station.Target{Name: disks[i].Name, Disk: &disks[i], Format: format, Folder: folderOf(&disks[i])})
		}
		return targets, err
	}
	seen := make(map[string]string)
	for _, name := range names {
		t, err := findStick(disks, name, format)
		if err != nil {
			return nil, errors.Join(err, listing)
		}
		key := t.Folder
		if t.Disk != nil {
			key = t.Disk.Path
		}
		if twin, ok := seen[key]; ok {
			return nil, usageError{fmt.Errorf("%s and %s are one stick", twin, name)}
		}
		seen[key] = name
		targets = append(targets, *t)
	}
	return targets, nil
}

func findStick(disks []media.Disk, name string, format bool) (*station.Target, error) {
	var found []*media.Disk
	for i := range disks {
		if isCalled(&disks[i], name) || disks[i].Port != "" && disks[i].Port == name {
			found = append(found, &disks[i])
		}
	}
	if len(found) > 1 {
		return nil, usageError{fmt.Errorf("%s may be %s or %s", name, found[0].Name, found[1].Name)}
	}
	if len(found) == 1 {
		t := &station.Target{Name: found[0].Name, Disk: found[0], Format: format, Folder: folderOf(found[0])}
		// Whoever names one of several folders means that one.
		if folder, err := filepath.Abs(name); err == nil && slices.Contains(found[0].Mounts(), folder) {
			t.Folder = folder
		}
		return t, nil
	}
	folder, err := filepath.Abs(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(folder)
	if err != nil || !info.IsDir() {
		return nil, withHint(fmt.Errorf("%w: no stick, port or folder is called %s", errNoSuchStick, name), "firstday usb list shows what there is")
	}
	if folder, err = filepath.EvalSymlinks(folder); err != nil {
		return nil, err
	}
	// By whatever path: one where a disk is mounted is that disk, which may be refused.
	if i := slices.IndexFunc(disks, func(d media.Disk) bool { return slices.Contains(d.Mounts(), folder) }); i >= 0 {
		return &station.Target{Name: disks[i].Name, Disk: &disks[i], Format: format, Folder: folder}, nil
	}
	if format {
		return nil, usageError{fmt.Errorf("%s is no stick that could be formatted: name its disk", name)}
	}
	return &station.Target{Name: name, Folder: folder}, nil
}

// folderOf is where a disk is mounted, if it is.
func folderOf(d *media.Disk) string {
	if mounts := d.Mounts(); len(mounts) > 0 {
		return mounts[0]
	}
	return ""
}

// confirmFormat wants the names of all disks that are formatted: typed by a person,
// or given by a script.
func confirmFormat(ctx context.Context, targets []station.Target, all bool, given []string) error {
	sticks := slices.DeleteFunc(slices.Clone(targets), func(t station.Target) bool { return t.Disk.Refusal != "" }) // which are never
	var names []string
	for _, t := range sticks {
		names = append(names, t.Name)
	}
	if len(given) > 0 {
		slices.Sort(names)
		if given = slices.Sorted(slices.Values(given)); !slices.Equal(given, names) {
			return usageError{fmt.Errorf("--confirm names %s, and what would be formatted is %s", strings.Join(given, ","), cmp.Or(strings.Join(names, ","), "nothing"))}
		}
		return nil
	}
	script := "name the disks: --confirm " + strings.Join(names, ",")
	if all {
		return confirm(ctx, describeSticks(sticks), fmt.Sprintf("format %d sticks", len(sticks)), script)
	}
	for i := range sticks {
		if err := confirm(ctx, describeSticks(sticks[i:i+1]), sticks[i].Name, script); err != nil {
			return err
		}
	}
	return nil
}

func describeSticks(sticks []station.Target) string {
	var b strings.Builder
	for _, t := range sticks {
		d := t.Disk
		fmt.Fprintf(&b, "%s  %s  %s, port %s", t.Name, visible.Line(d.Vendor+" "+d.Model), size(d.Size), cmp.Or(d.Port, "unknown"))
		for _, v := range d.Volumes {
			fmt.Fprintf(&b, "; %s", visible.Line(strings.TrimSpace(v.FileSystem+" "+v.Label)))
		}
		b.WriteString("\n")
	}
	return b.String()
}

// onlySticks errs if a folder of which nothing is known would be cleaned: it may be
// somebody's home.
func onlySticks(targets []station.Target) error {
	for _, t := range targets {
		if t.Disk == nil {
			err := usageError{fmt.Errorf("--clean removes whatever is not ours, and nothing says that %s is a stick", t.Name)}
			return withHint(err, "name the stick as firstday usb list shows it, or remove by hand what is not wanted")
		}
	}
	return nil
}
