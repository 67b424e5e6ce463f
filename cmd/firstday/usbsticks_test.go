package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/vbauerster/mpb/v8"

	"firstday.dev/station"
	"firstday.dev/station/media"
)

var someDisks = []media.Disk{
	{Name: "sdb", Path: "/dev/sdb", Port: "1-4.1", Vendor: "Acme\x1b[2J", Model: "Stick", Volumes: []media.Volume{{FileSystem: "vfat", Label: "FIRSTDAY", Mounts: []string{"/media/ann/FIRSTDAY"}}}},
	{Name: "sdc", Path: "/dev/sdc", Port: "1-4.2"},
	{Name: "sdd", Path: "/dev/sdd", Port: "1-4.2"}, // two slots of one reader
	{Name: "sda", Path: "/dev/sda", Refusal: "the system is on it"},
}

func TestFindStick(t *testing.T) {
	dir := t.TempDir()
	for name, want := range map[string]station.Target{
		"sdb":                 {Name: "sdb", Folder: "/media/ann/FIRSTDAY"},
		"/dev/sdb":            {Name: "sdb", Folder: "/media/ann/FIRSTDAY"},
		"1-4.1":               {Name: "sdb", Folder: "/media/ann/FIRSTDAY"},
		"/media/ann/FIRSTDAY": {Name: "sdb", Folder: "/media/ann/FIRSTDAY"},
		"sdc":                 {Name: "sdc"},
		"sda":                 {Name: "sda"},
		dir:                   {Name: dir, Folder: dir},
	} {
		got, err := findStick(someDisks, name, false)
		if err != nil || got.Name != want.Name || got.Folder != want.Folder || got.Format || (got.Disk == nil) != (name == dir) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	var usage usageError
	if _, err := findStick(someDisks, "1-4.2", false); !errors.As(err, &usage) || !strings.Contains(err.Error(), "sdc or sdd") {
		t.Errorf("two in one port: %v", err)
	}
	if _, err := findStick(someDisks, dir, true); !errors.As(err, &usage) {
		t.Errorf("a folder is formatted: %v", err)
	}
	if got, err := findStick(someDisks, "/media/ann/FIRSTDAY", true); err != nil || !got.Format || got.Disk.Name != "sdb" {
		t.Errorf("%+v, %v", got, err)
	}
	if _, err := findStick(someDisks, dir+"/missing", false); !errors.Is(err, errNoSuchStick) {
		t.Errorf("%v", err)
	}
}

// A folder is the disk that is mounted there, whatever path leads to it: a refused one
// is refused.
func TestFindStickByAnotherPath(t *testing.T) {
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	efi := filepath.Join(dir, "efi")
	link := filepath.Join(dir, "link")
	if err := errors.Join(os.Mkdir(efi, 0o755), os.Symlink(efi, link)); err != nil {
		t.Fatal(err)
	}
	disks := []media.Disk{{Name: "sda", Path: "/dev/sda", Refusal: "the system runs from it", Volumes: []media.Volume{{FileSystem: "vfat", Mounts: []string{efi}}}}}
	t.Chdir(dir)
	for _, name := range []string{efi, "efi", "./efi/", link, "link", efi + "/../efi"} {
		if got, err := findStick(disks, name, false); err != nil || got.Disk == nil || got.Name != "sda" || got.Folder != efi {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// What is not known to be a stick is not cleaned.
func TestOnlySticksAreCleaned(t *testing.T) {
	stick, home := station.Target{Name: "sdb", Disk: &someDisks[0]}, station.Target{Name: "/home/ann", Folder: "/home/ann"}
	if err := onlySticks([]station.Target{stick}); err != nil {
		t.Error(err)
	}
	var usage usageError
	if err := onlySticks([]station.Target{stick, home}); !errors.As(err, &usage) || !strings.Contains(err.Error(), "/home/ann") {
		t.Error(err)
	}
}

// Exactly the disks that are formatted must be named.
func TestFormatIsConfirmed(t *testing.T) {
	var targets []station.Target
	for i := range someDisks {
		targets = append(targets, station.Target{Name: someDisks[i].Name, Disk: &someDisks[i], Format: true})
	}
	for given, good := range map[string]bool{
		"sdb,sdc,sdd": true, "sdd,sdb,sdc": true, "sdb,sdc": false, "sdb,sdc,sdd,sda": false, "sdb,sdb,sdc,sdd": false, "SDB,sdc,sdd": false, "sde": false,
	} {
		err := confirmFormat(t.Context(), targets, true, strings.Split(given, ","))
		var usage usageError
		if (err == nil) != good || err != nil && !errors.As(err, &usage) {
			t.Errorf("%s: %v", given, err)
		}
	}
	if text := describeSticks(targets[:1]); strings.Contains(text, "\x1b") || !strings.Contains(text, "port 1-4.1; vfat FIRSTDAY") {
		t.Errorf("%q", text)
	}
	for _, typed := range []string{"sdb\n", " sdb \r\nrest", "sdb"} {
		if got, err := readLine(strings.NewReader(typed)); err != nil || string(got) != "sdb" {
			t.Errorf("%q: %q, %v", typed, got, err)
		}
	}
	if _, err := readLine(strings.NewReader("")); err == nil {
		t.Error("nothing was typed")
	}
}

// Bars end with their sticks, and those that never end do not keep the program.
func TestStickBarsEnd(t *testing.T) {
	s := &stickBars{progress: &progress{counter: countBytes, pool: mpb.New(mpb.WithOutput(io.Discard), mpb.WithAutoRefresh())}, bars: make(map[string]*stickBar)}
	s.event(station.Event{Target: "sdb", Phase: station.Looking})
	s.event(station.Event{Target: "sdb", Phase: station.Writing, Done: 5, Total: 10})
	s.event(station.Event{Target: "sdc", Phase: station.Reading, Done: 20, Total: 10})
	s.event(station.Event{Target: "sdb", Phase: station.Done, Result: &station.Result{Outcome: station.Written}})
	ended := make(chan struct{})
	go func() { s.close(); close(ended) }()
	select {
	case <-ended:
	case <-time.After(time.Minute):
		t.Fatal("the bars never end")
	}
}

// Scripts can tell sticks that failed from Ctrl-C.
func TestExitCodeOfSticks(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	failed := fmt.Errorf("%w: %w", station.ErrSticks, media.ErrGone)
	if code := exitCode(ctx, failed); code != exitSticks {
		t.Errorf("failed: %d", code)
	}
	cancel()
	if code := exitCode(ctx, failed); code != exitSticks {
		t.Errorf("failed, then Ctrl-C: %d", code)
	}
	if code := exitCode(ctx, fmt.Errorf("%w: %w", station.ErrSticks, ctx.Err())); code != exitInterrupted {
		t.Errorf("Ctrl-C: %d", code)
	}
}
