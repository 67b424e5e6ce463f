package agent

import (
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
)

func TestDiskUnlockIsTakenOnceForEachStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "filevault")
	for _, c := range []struct {
		boot string
		want []bool
	}{
		{"first", []bool{true, false}},
		{"first", []bool{false}}, // the agent was restarted
		{"second", []bool{true, false}},
		{"", []bool{false}},
	} {
		d := diskUnlock{path: path, boot: c.boot}
		for i, want := range c.want {
			if got, err := d.take(); got != want || (err != nil) != (c.boot == "") {
				t.Errorf("start %q, number %d: %v, %v", c.boot, i, got, err)
			}
		}
	}
}

func TestDiskUnlockOfManyIsOnes(t *testing.T) {
	d := diskUnlock{path: filepath.Join(t.TempDir(), "filevault"), boot: "first"}
	var group sync.WaitGroup
	var let atomic.Int64
	for range 16 {
		group.Go(func() {
			if first, err := d.take(); err != nil {
				t.Error(err)
			} else if first {
				let.Add(1)
			}
		})
	}
	group.Wait()
	if let.Load() != 1 {
		t.Errorf("%d were let in", let.Load())
	}
}

// Where nothing can be kept, nobody is let in twice: nobody is at all.
func TestDiskUnlockThatIsNotKept(t *testing.T) {
	d := diskUnlock{path: filepath.Join(t.TempDir(), "nowhere", "filevault"), boot: "first"}
	if first, err := d.take(); first || err == nil {
		t.Errorf("%v, %v", first, err)
	}
}
