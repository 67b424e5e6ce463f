package station

import (
	"bytes"
	"cmp"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"firstday.dev/internal/testfault"
	"firstday.dev/internal/testloop"
	"firstday.dev/internal/testtool"
	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

var update = flag.Bool("update", false, "write docs/faults.md anew")

// diskSize is that of the disks of the tests.
const diskSize = 70 << 20

// trial is the writing of one stick with a fault.
type trial struct {
	t    *testing.T
	s    *Stick
	half int64 // of the kit: bytes, or where it is on a disk

	faults  testfault.Faults
	written atomic.Int64
	tripped atomic.Bool // at the half
	calm    atomic.Bool // no more faults
	hang    chan struct{}
	ctx     context.Context
	cancel  context.CancelFunc
}

// when fails what is done as soon as half of the kit is written, or from there on.
func (r *trial) when(fails func(op testfault.Op) bool, errno syscall.Errno) {
	r.faults.Before = func(op testfault.Op) syscall.Errno {
		if r.atHalf(op) && fails(op) && !r.calm.Load() {
			return errno
		}
		return 0
	}
}

func (r *trial) atHalf(op testfault.Op) bool {
	if op.What == testfault.Write && (op.Path == "disk" && r.inData(op) || op.Path != "disk" && r.written.Add(int64(op.Length)) > r.half) {
		r.tripped.Store(true)
	}
	return r.tripped.Load()
}

// inData says whether it is about the files: the marker of a disk is at its end.
func (r *trial) inData(op testfault.Op) bool {
	if op.Path == "disk" {
		return op.Offset >= r.half && op.Offset < r.half+16<<20
	}
	return op.Path != fat32.IncompleteFile
}

func writes(op testfault.Op) bool { return op.What == testfault.Write }
func all(testfault.Op) bool       { return true }

// fault is a row of the table.
type fault struct {
	name   string
	ways   string // formatted, mounted, or both
	set    func(r *trial)
	want   Outcome
	looks  string // the stick, formatted or mounted
	mostly time.Duration
}

var faults = []fault{
	{name: "none", set: func(*trial) {}, want: Written, looks: "whole"},
	{name: "it is slow", set: func(r *trial) {
		r.faults.Before = func(op testfault.Op) syscall.Errno {
			if writes(op) && !r.calm.Load() {
				time.Sleep(2 * time.Millisecond)
			}
			return 0
		}
	}, want: Written, looks: "whole"},
	{name: "writing fails from the middle on", set: func(r *trial) { r.when(writes, syscall.EIO) }, want: Incomplete, looks: "INCOMPLETE"},
	{name: "it is pulled out in the middle", set: func(r *trial) { r.when(all, syscall.EIO) }, want: Failed, looks: "INCOMPLETE"},
	{name: "nothing moves any more, from the middle on", set: func(r *trial) {
		r.faults.Before = func(op testfault.Op) syscall.Errno {
			if r.atHalf(op) && writes(op) && !r.calm.Load() {
				<-r.hang
			}
			return 0
		}
	}, want: Failed, looks: "INCOMPLETE", mostly: 2 * time.Second},
	{name: "it reads other bytes than were written", set: func(r *trial) {
		r.faults.After = func(op testfault.Op, data []byte) {
			if r.tripped.Load() && len(data) > 0 && r.inData(op) && !r.calm.Load() {
				data[len(data)/2] ^= 4
			}
		}
		r.when(func(testfault.Op) bool { return false }, 0)
	}, want: Incomplete, looks: "INCOMPLETE"},
	{name: "it cannot be read back", set: func(r *trial) {
		r.when(func(op testfault.Op) bool { return op.What == testfault.Read && r.inData(op) }, syscall.EIO)
	}, want: Incomplete, looks: "INCOMPLETE"},
	{name: "it is smaller than it says; what is beyond is lost", ways: "formatted", set: func(r *trial) { r.faults.Real = 8 << 20 }, want: Failed, looks: "nothing"},
	{name: "it is smaller than it says; what is beyond overwrites its begin", ways: "formatted", set: func(r *trial) {
		r.faults.Real, r.faults.Wraps = 5<<20, true
	}, want: Failed, looks: "nothing"},
	{name: "it is full in the middle, though it said it had room", ways: "mounted", set: func(r *trial) { r.when(writes, syscall.ENOSPC) }, want: Incomplete, looks: "INCOMPLETE"},
	{name: "it has too little room", ways: "mounted", set: func(r *trial) { r.faults.Free = 1 << 20 }, want: Failed, looks: "as it was"},
	{name: "it becomes write-protected at the first byte", ways: "mounted", set: func(r *trial) {
		r.faults.Before = func(op testfault.Op) syscall.Errno {
			if op.Changes() && !r.calm.Load() {
				return syscall.EROFS
			}
			return 0
		}
	}, want: Failed, looks: "as it was"},
	{name: "the sector that decides cannot be written", ways: "formatted", set: func(r *trial) {
		r.faults.Before = func(op testfault.Op) syscall.Errno {
			if writes(op) && op.Offset == 1<<20 && op.Length <= 4096 && r.written.Add(1) == 2 {
				return syscall.EIO
			}
			return 0
		}
	}, want: Failed, looks: "nothing"},
	{name: "the marker cannot be removed", ways: "mounted", set: func(r *trial) {
		r.faults.Before = func(op testfault.Op) syscall.Errno {
			if op.What == testfault.Remove && op.Path == fat32.IncompleteFile {
				return syscall.EIO
			}
			return 0
		}
	}, want: Incomplete, looks: "INCOMPLETE"},
	{name: "Ctrl-C in the middle", set: func(r *trial) {
		r.faults.Before = func(op testfault.Op) syscall.Errno {
			if r.atHalf(op) {
				r.cancel()
			}
			return 0
		}
	}, want: Incomplete, looks: "INCOMPLETE"},
	{name: "a file of the kit is changed after it was verified", set: func(r *trial) {
		if err := flip(filepath.Join(r.s.dir, "Muller-Sohne.ppkg")); err != nil {
			r.t.Fatal(err)
		}
	}, want: Incomplete, looks: "INCOMPLETE"},
}

// What happens to sticks, what is said of it, and how they are left. The table is
// in the documents.
func TestFaultTable(t *testing.T) {
	const page = "../docs/faults.md"
	good := buildKit(t, kit.Windows, kit.MacOS)
	rows, all := map[string][]string{}, 4
	for _, way := range []string{"formatted", "mounted"} {
		for _, f := range faults {
			if f.ways != "" && f.ways != way {
				continue
			}
			all++
			t.Run(way+"/"+f.name, func(t *testing.T) { rows[way] = append(rows[way], f.try(t, good, way == "formatted")) })
		}
	}
	rows["formatted"] = append(rows["formatted"], protected(t, open(t, good)), small(t, open(t, good)))
	rows["mounted"] = append(rows["mounted"], occupied(t, open(t, good)), second(t, open(t, good)))
	if len(rows["formatted"])+len(rows["mounted"]) < all {
		return // -run left some out
	}
	var b strings.Builder
	b.WriteString("# When sticks fail\n\nMade by the test that makes these faults happen (`go test ./station -run FaultTable -update`), on block devices\n" +
		"and folders of its own; what is said is what `firstday usb write` says. The state of a stick is judged by our reader\nand, of those that were formatted, by fsck.fat.\n")
	for _, way := range []string{"formatted", "mounted"} {
		fmt.Fprintf(&b, "\n## A stick that is %s\n\n| what happens | result | what is said | what to do | the stick |\n|---|---|---|---|---|\n%s",
			map[string]string{"formatted": "formatted (`--format`)", "mounted": "mounted"}[way], strings.Join(rows[way], ""))
	}
	b.WriteString("\n## Before anything is written\n\n" + MarkdownOfChecks())
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(page); err != nil || string(got) != b.String() {
		t.Errorf("%s is out of date (%v): go test ./station -run FaultTable -update", page, err)
	}
}

// try makes the fault happen to one stick, while another one is written beside it.
func (f fault) try(t *testing.T, good string, formatted bool) string {
	dir := filepath.Join(t.TempDir(), "kit")
	if err := os.CopyFS(dir, os.DirFS(good)); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir)
	r := &trial{t: t, s: s, hang: make(chan struct{})}
	r.ctx, r.cancel = context.WithCancel(t.Context())
	defer r.cancel()
	var target Target
	var folder, image string
	r.half = middle(t, s)
	if !formatted {
		r.half = 0
		for _, file := range s.list() {
			r.half += file.Size / 2
		}
	}
	f.set(r) // before anything asks
	if formatted {
		var device string
		device, image = testfault.Disk(t, diskSize, &r.faults)
		target = Target{Name: "sdb", Format: true, Disk: &media.Disk{Name: filepath.Base(device), Path: device}}
	} else {
		folder = testfault.Folder(t, t.TempDir(), &r.faults)
		target = Target{Name: "sdb", Folder: folder}
	}
	t.Cleanup(func() { close(r.hang) }) // before anything is taken away
	beside := t.TempDir()
	run, err := s.Write(r.ctx, append([]Target{target}, folders(beside)...), WriteOptions{now: onKitDay, patience: cmp.Or(f.mostly, patience)})
	if run == nil {
		t.Fatal(err)
	}
	got, other := run.Sticks[0], run.Sticks[1]
	if got.Outcome != f.want {
		t.Errorf("%s, want %s: %s", got.Outcome, f.want, got.Reason)
	}
	if shared := strings.HasPrefix(f.name, "Ctrl-C") || strings.HasPrefix(f.name, "a file of the kit"); !shared {
		if err := holds(s, os.DirFS(beside)); other.Outcome != Written || err != nil {
			t.Errorf("the stick beside it: %+v, %v", other, err)
		}
	} else if state := judgeFolder(s, beside); other.Outcome != Incomplete || state != "INCOMPLETE" {
		t.Errorf("the stick beside it: %+v, and it is %s", other, state)
	}
	if strings.HasPrefix(f.name, "a file of the kit") && !strings.Contains(got.Reason, "Muller-Sohne.ppkg") {
		t.Errorf("the file is not named: %s", got.Reason)
	}
	r.calm.Store(true)
	var state string
	switch {
	case !formatted:
		state = judgeFolder(s, folder)
	case f.mostly != 0: // the device is still taken
		state = judgeDisk(t, s, image)
	default:
		state = judgeDisk(t, s, target.Disk.Path)
	}
	if state != f.looks {
		t.Errorf("the stick is %s, want %s (%s)", state, f.looks, got.Reason)
	}
	return row(f.name, got, state, target)
}

func middle(t *testing.T, s *Stick) int64 {
	t.Helper()
	l, err := fat32.NewLayout(s, fat32.Options{Size: diskSize, Label: s.Label})
	if err != nil {
		t.Fatal(err)
	}
	var first, last int64
	for _, e := range l.Extents() {
		if e.Size > 0 && (first == 0 || e.Offset < first) {
			first = e.Offset
		}
		last = max(last, e.Offset+e.Size)
	}
	return (first + last) / 2 >> 20 << 20
}

var (
	inBytes = regexp.MustCompile(`\d+(\.\d+)? MB`)
	loops   = regexp.MustCompile(`/dev/loop\d+`)
)

// row makes what is said independent of the machine.
func row(name string, r *Result, state string, target Target) string {
	said := strings.ReplaceAll(r.Reason, "|", `\|`)
	if target.Folder != "" {
		said = strings.ReplaceAll(said, target.Folder, "/media/anna/FIRSTDAY")
	}
	said = loops.ReplaceAllString(inBytes.ReplaceAllString(said, "… MB"), "/dev/sdb")
	said = strings.ReplaceAll(said, "after 2s", "after "+patience.String())
	return fmt.Sprintf("| %s | %s | %s | %s | %s |\n", name, r.Outcome, said, r.Hint, state)
}

// judgeDisk reads a stick as others will.
func judgeDisk(t *testing.T, s *Stick, path string) string {
	t.Helper()
	image, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	v, err := fat32.Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		return "nothing"
	}
	volume := filepath.Join(t.TempDir(), "volume.img")
	if err := os.WriteFile(volume, image[1<<20:], 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(testtool.Need(t, "fsck.fat"), "-n", volume).CombinedOutput(); err != nil {
		t.Errorf("fsck.fat: %v\n%s", err, out)
	}
	c := &Contents{FS: v, Name: "disk", Label: v.Label}
	return judgeContents(s, c)
}

func judgeFolder(s *Stick, dir string) string {
	if entries, err := os.ReadDir(dir); err == nil && len(entries) == 0 {
		return "as it was"
	}
	c, err := OpenFolder(dir)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	return judgeContents(s, c)
}

func judgeContents(s *Stick, c *Contents) string {
	f, err := c.Verify(context.Background(), s, kit.VerifyOptions{})
	switch {
	case err != nil:
		return err.Error()
	case f.Incomplete:
		return "INCOMPLETE"
	case f.OK:
		return "whole"
	}
	return "wrong: " + f.Err().Error()
}

func protected(t *testing.T, s *Stick) string {
	image := filepath.Join(t.TempDir(), "disk")
	if _, err := s.WriteImage(t.Context(), image, ImageOptions{Size: diskSize}); err != nil {
		t.Fatal(err)
	}
	path := testloop.AttachReadOnly(t, image)
	r := putDisk(t, s, path)
	if state := judgeDisk(t, s, path); state != "whole" || r.Outcome != Failed {
		t.Errorf("%+v, and it is %s", r, state)
	}
	return row("it is write-protected", r, "as it was", Target{})
}

func small(t *testing.T, s *Stick) string {
	path, image := testfault.Disk(t, 32<<20, &testfault.Faults{})
	r := putDisk(t, s, path)
	if data, err := os.ReadFile(image); r.Outcome != Failed || !hasProblem(r, "room") || err != nil || !bytes.Equal(data, make([]byte, 32<<20)) {
		t.Errorf("%+v, %v", r, err)
	}
	return row("it is too small", r, "as it was", Target{})
}

func occupied(t *testing.T, s *Stick) string {
	dir := t.TempDir()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	c, err := claim(root)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	return row("another technician writes it", put(t, s, dir, WriteOptions{}), "as the other leaves it", Target{})
}

func second(t *testing.T, s *Stick) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Other.ppkg"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	return row("there is another package on it", put(t, s, dir, WriteOptions{}), "as it was", Target{})
}

// putDisk formats one disk.
func putDisk(t *testing.T, s *Stick, path string) *Result {
	t.Helper()
	run, err := s.Write(t.Context(), []Target{{Name: "sdb", Format: true, Disk: &media.Disk{Name: filepath.Base(path), Path: path}}}, WriteOptions{now: onKitDay})
	if run == nil {
		t.Fatal(err)
	}
	return run.Sticks[0]
}
