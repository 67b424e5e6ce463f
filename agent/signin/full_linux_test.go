package signin

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
	"firstday.dev/internal/testmount"
)

// The disk becomes full at each point of making an account, and so before each
// write of what the agent remembers. As soon as there is room all comes to its
// end: nobody gets half an account or two, and who is bound gets in without a
// restart.
func TestDiskIsFullAtEachPoint(t *testing.T) {
	testmount.Apart(t, func() { diskIsFullAtEachPoint(t) })
}

func diskIsFullAtEachPoint(t *testing.T) {
	disk := testmount.Disk(t, 1<<20)
	failed := 0
	for at := 1; ; at++ {
		folder := filepath.Join(disk, fmt.Sprint(at))
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		store, d := accounts.Memory(api.Windows), newFakeDirectory()
		a := newAccounts(t, store, folder)
		passed := 0
		empty := func() {}
		fill := func(string) {
			if passed++; passed == at {
				empty = testmount.Fill(t, disk)
			}
		}
		d.point = fill
		store.Fault = func(s accounts.Step) error { fill(s.Call); return nil }
		_, err := a.Make(t.Context(), d, d.order())
		if passed < at {
			if err != nil {
				t.Errorf("on a disk with room: %v", err)
			}
			break
		}
		when := fmt.Sprintf("full at %d, %v", at, err)
		if err != nil {
			failed++
			if !errors.Is(err, api.CodeAccountFull) {
				t.Errorf("%s: not told by its code", when)
			}
		}
		a.Settle(t.Context(), d) // still full
		empty()
		a.Settle(t.Context(), d)
		if a.Interrupted() {
			t.Fatalf("%s: it does not go on when there is room", when)
		}
		consistent(t, when, store, d)
		if len(d.bound) == 0 {
			if _, err := a.Make(t.Context(), d, d.order()); err != nil {
				t.Fatalf("%s, then again: %v", when, err)
			}
		}
		consistent(t, when+", then again", store, d)
		if !store.CheckPassword("ann", annsPassword) {
			t.Errorf("%s: she does not get in", when)
		}
	}
	if failed < 5 {
		t.Errorf("the disk was full %d times only", failed)
	}
	t.Logf("%d accounts met a full disk", failed)
}
