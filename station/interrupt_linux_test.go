package station

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"testing"

	"firstday.dev/internal/testfault"
	"firstday.dev/kit"
	"firstday.dev/station/media"
)

// Ctrl-C comes at any moment: every stick is then whole, or says that it is
// incomplete, or is as it was, and the run says which.
func TestInterruptedAnywhere(t *testing.T) {
	s := open(t, buildKit(t, kit.Windows))
	var left atomic.Int64 // operations until it comes
	var interrupt context.CancelFunc
	faults := testfault.Faults{Before: func(testfault.Op) syscall.Errno {
		if left.Add(-1) == 0 {
			interrupt()
		}
		return 0
	}}
	device, image := testfault.Disk(t, diskSize, &faults)
	random := rand.New(rand.NewPCG(3, 4))
	for way, tries := range map[string]int{"formatted": 25, "mounted": 25} {
		seen := map[Outcome]int{}
		steps := int64(1 << 40) // of a writing that nothing interrupts, which is the first
		before := "nothing"     // is on the disk
		for i := range tries {
			target, judge := Target{Name: "sdb", Format: true, Disk: &media.Disk{Name: filepath.Base(device), Path: device}}, func() string { return judgeDisk(t, s, image) }
			if way == "mounted" {
				folder := testfault.Folder(t, t.TempDir(), &faults)
				target, judge, before = Target{Name: "sdb", Folder: folder}, func() string { return judgeFolder(s, folder) }, "as it was"
			}
			var ctx context.Context
			ctx, interrupt = context.WithCancel(t.Context())
			after := steps
			if i > 0 {
				after = 1 + random.Int64N(steps)
			}
			left.Store(after)
			run, err := s.Write(ctx, []Target{target}, WriteOptions{now: onKitDay})
			interrupt()
			if run == nil {
				t.Fatal(err)
			}
			if i == 0 {
				steps -= left.Load()
			}
			r, now := run.Sticks[0], judge()
			seen[r.Outcome]++
			want := map[Outcome]string{Written: "whole", Incomplete: "INCOMPLETE", Failed: before}[r.Outcome]
			if now != want || r.Outcome != Written && r.Reason != "interrupted" {
				t.Errorf("%s, after %d of %d: %s (%s), and it is %s", way, after, steps, r.Outcome, r.Reason, now)
			}
			before = now
		}
		if seen[Written] == 0 || seen[Incomplete] < 5 {
			t.Error(fmt.Sprint(way, ": ", seen))
		}
	}
}
