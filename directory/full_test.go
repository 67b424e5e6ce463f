package directory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// lockerVariable tells this test's own program which database to lock until its
// input ends.
const lockerVariable = "FIRSTDAY_TEST_LOCK"

func beLocker(path string) error {
	db, err := sql.Open("sqlite", path)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(context.Background(), "BEGIN EXCLUSIVE"); err != nil {
		return err
	}
	fmt.Println("locked")
	_, err = io.Copy(io.Discard, os.Stdin)
	return errors.Join(err, db.Close())
}

// crowd is many laptops that enrol over the network, and ask again as long as
// the directory says that it cannot just now.
type crowd struct {
	t        *testing.T
	at       api.Directory
	key      api.Secret
	told     atomic.Int64 // how often they were told to come again
	enrolled atomic.Int64
	wg       sync.WaitGroup
}

func (c *crowd) come(laptops int) {
	c.t.Helper()
	for i := range laptops {
		request := newLaptop(c.t, fmt.Sprint("S", i)).request(c.t, c.key)
		client := client(c.t, c.at, nil)
		c.wg.Go(func() {
			for {
				_, err := client.Enroll(c.t.Context(), request)
				if err == nil {
					c.enrolled.Add(1)
					return
				}
				var refused *api.Error
				if !errors.As(err, &refused) || refused.Code != api.CodeUnavailable || refused.RetryAfter == 0 || api.Explain(refused.Code).Status != http.StatusServiceUnavailable {
					c.t.Errorf("laptop %d: %v", i, err)
					return
				}
				c.told.Add(1)
				time.Sleep(20 * time.Millisecond)
			}
		})
	}
}

// judge waits until all are in, and makes sure that each is in once, after the
// first one, and nothing is lost.
func (c *crowd) judge(d *Directory, laptops int) {
	c.t.Helper()
	c.wg.Wait()
	keys, err := d.Keys(c.t.Context(), uuid.Nil)
	if err != nil || len(keys) != 1 || keys[0].Uses != laptops+1 || c.enrolled.Load() != int64(laptops) {
		c.t.Errorf("%d laptops are in by %+v, %v", c.enrolled.Load(), keys, err)
	}
	if _, entries := checkAudit(c.t, d); entries != int64(laptops)+2 {
		c.t.Errorf("%d entries in the audit log", entries)
	}
	c.t.Logf("%d laptops are in; they were told %d times to come again", laptops, c.told.Load())
}

// SQLite may have no more pages for a while: who comes is told, who only asks is
// answered, and all goes on when there is room again.
func TestDatabaseIsFull(t *testing.T) {
	const laptops = 60
	d := open(t, t.TempDir(), "")
	at := serve(t, d)
	key := mint(t, d, api.NewConnectKey{Uses: laptops + 1})
	in := enroll(t, d, newLaptop(t, "first"), key.Secret)
	pages := func(n int) {
		t.Helper()
		if _, err := d.store.write.ExecContext(t.Context(), fmt.Sprint("PRAGMA max_page_count = ", n)); err != nil {
			t.Fatal(err)
		}
	}
	var used int
	if err := d.store.read.QueryRowContext(t.Context(), "PRAGMA page_count").Scan(&used); err != nil {
		t.Fatal(err)
	}
	pages(used + 2)
	c := &crowd{t: t, at: at, key: key.Secret}
	c.come(laptops)
	eventually(t, func() bool { return c.told.Load() > 2*laptops })
	if _, err := d.CheckIn(t.Context(), in.DeviceID, new(api.CheckInRequest)); err != nil {
		t.Errorf("a device that brings nothing new: %v", err)
	}
	if n := c.enrolled.Load(); n == laptops {
		t.Error("there was room for all")
	}
	pages(1 << 30)
	c.judge(d, laptops)
}

// The database is locked by another process, longer than anybody waits.
func TestDatabaseIsLocked(t *testing.T) {
	const laptops = 20
	dir := t.TempDir()
	d := open(t, dir, "")
	at := serve(t, d)
	key := mint(t, d, api.NewConnectKey{Uses: laptops + 1})
	in := enroll(t, d, newLaptop(t, "first"), key.Secret)
	c := &crowd{t: t, at: at, key: key.Secret}
	locker := exec.Command(os.Args[0])
	locker.Env = append(os.Environ(), lockerVariable+"="+filepath.Join(dir, "directory.db"))
	locker.Stderr = os.Stderr
	release, err := locker.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := locker.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := locker.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	d.store.patience = time.Second
	c.come(laptops)
	eventually(t, func() bool { return c.told.Load() >= 1 })
	if _, err := d.CheckIn(t.Context(), in.DeviceID, new(api.CheckInRequest)); err != nil {
		t.Errorf("a device that brings nothing new: %v", err)
	}
	if n := c.enrolled.Load(); n != 0 {
		t.Errorf("%d are in a database that is locked", n)
	}
	if err := errors.Join(release.Close(), locker.Wait()); err != nil {
		t.Fatal(err)
	}
	c.judge(d, laptops)
}
