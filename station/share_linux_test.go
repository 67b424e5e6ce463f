package station

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"firstday.dev/internal/testfault"
	"firstday.dev/internal/testloop"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

// For eight sticks every file of the kit is opened once and read once.
func TestKitIsReadOnce(t *testing.T) {
	var mu sync.Mutex
	opened, read := map[string]int{}, map[string]int64{}
	var counting atomic.Bool
	dir := testfault.Folder(t, buildKit(t, kit.Windows, kit.MacOS), &testfault.Faults{
		Before: func(op testfault.Op) syscall.Errno {
			mu.Lock()
			defer mu.Unlock()
			if counting.Load() && op.What == testfault.Open {
				opened[op.Path]++
			}
			return 0
		},
		After: func(op testfault.Op, data []byte) {
			mu.Lock()
			defer mu.Unlock()
			if counting.Load() {
				read[op.Path] += int64(len(data))
			}
		},
	})
	s := open(t, dir)
	counting.Store(true)
	var dirs []string
	for range 7 {
		dirs = append(dirs, t.TempDir())
	}
	device, image := testfault.Disk(t, diskSize, &testfault.Faults{})
	targets := append(folders(dirs...), Target{Name: "sdb", Format: true, Disk: &media.Disk{Name: filepath.Base(device), Path: device}})
	run, err := s.Write(t.Context(), targets, WriteOptions{now: onKitDay})
	if err != nil || run.Good() != 8 {
		t.Fatal(err)
	}
	counting.Store(false)
	for _, dir := range dirs {
		if err := holds(s, os.DirFS(dir)); err != nil {
			t.Error(err)
		}
	}
	if state := judgeDisk(t, s, image); state != "whole" {
		t.Errorf("the disk is %s", state)
	}
	ofKit := 0
	for name, from := range s.files {
		if from.name == "" { // in memory
			continue
		}
		if ofKit++; opened[name] != 1 || read[name] != from.size {
			t.Errorf("%s was opened %d times, and %d bytes of %d were read", name, opened[name], read[name], from.size)
		}
	}
	if ofKit < 8 || len(opened) != ofKit {
		t.Errorf("%d files of the kit, %v", ofKit, opened)
	}
}

// A folder stops taking anything after each operation, as when the power fails.
// Whatever it held, it is as it was, or says that it is incomplete, or is whole.
func TestFolderCutOffAnywhere(t *testing.T) {
	older, s := open(t, buildKit(t, kit.MacOS)), open(t, buildKit(t, kit.Windows))
	for _, before := range []string{"nothing", "another kit"} {
		for after, whole := int64(0), false; !whole; after++ {
			behind := t.TempDir()
			if before == "another kit" {
				put(t, older, behind, WriteOptions{})
			}
			var left atomic.Int64
			left.Store(after)
			dir := testfault.Folder(t, behind, &testfault.Faults{Before: func(op testfault.Op) syscall.Errno {
				if op.Changes() && left.Add(-1) < 0 {
					return syscall.EIO
				}
				return 0
			}})
			r := put(t, s, dir, WriteOptions{})
			whole = left.Load() >= 0
			now := judgeFolder(s, behind)
			if c, err := OpenFolder(behind); err == nil {
				if f, err := c.Verify(t.Context(), older, kit.VerifyOptions{}); err == nil && f.OK {
					now = "as it was"
				}
				c.Close()
			}
			if whole != (now == "whole") && now != "whole" || now != "whole" && now != "INCOMPLETE" && now != "as it was" || r.Outcome.Good() != whole {
				t.Errorf("%s, after %d operations: %s: %s, and it is %s", before, after, r.Outcome, r.Reason, now)
			}
			// The next attempt makes good.
			if after%7 == 0 {
				if r := put(t, s, behind, WriteOptions{}); !r.Outcome.Good() || judgeFolder(s, behind) != "whole" {
					t.Errorf("%s, after %d operations, the second time: %+v", before, after, r)
				}
			}
			if after > 500 {
				t.Fatal("it never ends")
			}
		}
	}
}

// All sticks fail: nobody waits, and nothing is read to the end for nobody.
func TestAllSticksFail(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	var targets []Target
	for range 3 {
		dir := testfault.Folder(t, t.TempDir(), &testfault.Faults{Before: func(op testfault.Op) syscall.Errno {
			if op.What == testfault.Write && op.Path != fat32.IncompleteFile {
				return syscall.EIO
			}
			return 0
		}})
		targets = append(targets, folders(dir)...)
	}
	run, _ := s.Write(t.Context(), targets, WriteOptions{now: onKitDay})
	for _, r := range run.Sticks {
		if r.Outcome != Incomplete {
			t.Errorf("%+v", r)
		}
	}
}

// Several runs of one Stick at once do not disturb each other.
func TestRunsBesideEachOther(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	var all sync.WaitGroup
	for range 4 {
		dir := t.TempDir()
		all.Go(func() {
			run, err := s.Write(context.Background(), folders(dir), WriteOptions{now: onKitDay})
			if err != nil || holds(s, os.DirFS(dir)) != nil {
				t.Error(fmt.Sprint(run.Sticks[0], err))
			}
		})
	}
	all.Wait()
}

// Where there is no room for the old file beside the new one, the old one goes
// first.
func TestRepairWithoutRoomForBoth(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	behind := t.TempDir()
	put(t, s, behind, WriteOptions{})
	if err := flip(filepath.Join(behind, "Muller-Sohne.ppkg")); err != nil {
		t.Fatal(err)
	}
	dir := testfault.Folder(t, behind, &testfault.Faults{Free: 64 << 10})
	if r := put(t, s, dir, WriteOptions{}); r.Outcome != Repaired || r.Files != 1 || judgeFolder(s, dir) != "whole" {
		t.Errorf("%+v", r)
	}
	if err := os.Remove(filepath.Join(dir, "Muller-Sohne.ppkg")); err != nil {
		t.Fatal(err)
	}
	if r := put(t, s, dir, WriteOptions{}); !hasProblem(r, "room") || r.Outcome != Failed {
		t.Errorf("%+v", r)
	}
}

// A disk is read itself, where it is not mounted.
func TestVerifyDisk(t *testing.T) {
	kitDir := buildKit(t, kit.Windows, kit.MacOS)
	s := open(t, kitDir)
	image := filepath.Join(t.TempDir(), "stick.img")
	if _, err := s.WriteImage(t.Context(), image, ImageOptions{}); err != nil {
		t.Fatal(err)
	}
	path := testloop.Attach(t, image)
	target := Target{Name: "sdb", Disk: &media.Disk{Name: filepath.Base(path), Path: path}}
	for _, with := range []*Stick{s, nil} {
		c, err := OpenTarget(t.Context(), &target)
		if err != nil {
			t.Fatal(err)
		}
		if f := verify(t, c, with, trusting(t, kitDir)); !f.OK || f.Stick != "sdb" || f.Label != DefaultLabel || f.ReadBack != ReadPast {
			t.Errorf("%v, %+v", f.Err(), f)
		}
	}
}
