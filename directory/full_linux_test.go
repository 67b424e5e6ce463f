package directory

import (
	"testing"

	"firstday.dev/api"
	"firstday.dev/internal/testmount"
)

// The disk itself is full, and with it SQLite's log.
func TestDiskIsFull(t *testing.T) {
	testmount.Apart(t, func() { diskIsFull(t) })
}

func diskIsFull(t *testing.T) {
	const laptops = 60
	disk := testmount.Disk(t, 8<<20)
	d := open(t, disk, "")
	key := mint(t, d, api.NewConnectKey{Uses: laptops + 1})
	enroll(t, d, newLaptop(t, "first"), key.Secret)
	c := &crowd{t: t, at: serve(t, d), key: key.Secret}
	empty := testmount.Fill(t, disk)
	c.come(laptops)
	eventually(t, func() bool { return c.told.Load() > laptops })
	if n := c.enrolled.Load(); n == laptops {
		t.Error("there was room for all")
	}
	empty()
	c.judge(d, laptops)
}
