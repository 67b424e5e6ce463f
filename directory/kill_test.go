package directory

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// What tells this test's own program that it is the directory to be killed: its
// folder, and the address to answer at.
const (
	victimVariable  = "FIRSTDAY_TEST_VICTIM"
	victimAddress   = "FIRSTDAY_TEST_ADDRESS"
	kills           = 40
	laptopsPerPause = 3
)

// beVictim is a directory until it is killed.
func beVictim(dir string) {
	ctx := context.Background()
	d, err := Open(ctx, Options{Organisation: "Acme", Database: filepath.Join(dir, "directory.db"), KeyFile: filepath.Join(dir, "directory.key"), Names: []string{"127.0.0.1"}})
	if err != nil {
		log.Fatal(err)
	}
	l, err := net.Listen("tcp", os.Getenv(victimAddress))
	if err != nil {
		log.Fatal(err)
	}
	log.Fatal(d.Serve(ctx, l))
}

// The directory is killed at any moment, forty times in a row, while devices
// enrol: none is in twice, no use of the key is lost or taken twice, and the
// audit log has no gap.
func TestDirectoryIsKilledAgainAndAgain(t *testing.T) {
	dir := t.TempDir()
	before := open(t, dir, "")
	key := mint(t, before, api.NewConnectKey{Uses: MaxKeyUses})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	at := api.Directory{URL: "https://" + l.Addr().String(), Pin: before.Pin()}
	address := l.Addr().String()
	if err := errors.Join(l.Close(), before.store.close()); err != nil {
		t.Fatal(err)
	}
	serve := func() *exec.Cmd {
		c := exec.Command(os.Args[0])
		c.Env = append(os.Environ(), victimVariable+"="+dir, victimAddress+"="+address)
		c.Stderr = os.Stderr
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c
	}

	var (
		mu      sync.Mutex
		devices = make(map[uuid.UUID]string)
		wg      sync.WaitGroup
		count   int
	)
	enrolOne := func(serial string) {
		own := newLaptop(t, serial)
		request := own.request(t, key.Secret)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
			c, err := api.NewClient(at, nil)
			if err != nil {
				t.Error(err)
				return
			}
			e, err := c.Enroll(t.Context(), request)
			c.Close()
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				if other, taken := devices[e.DeviceID]; taken {
					t.Errorf("%s and %s are one device", serial, other)
				}
				devices[e.DeviceID] = serial
				return
			}
			if !errors.Is(err, api.ErrUnreachable) && !errors.Is(err, api.CodeUnavailable) || time.Now().After(deadline) {
				t.Errorf("%s: %v", serial, err)
				return
			}
		}
	}
	for range kills {
		victim := serve()
		for range laptopsPerPause {
			count++
			serial := fmt.Sprint("S", count)
			wg.Go(func() { enrolOne(serial) })
		}
		time.Sleep(20*time.Millisecond + rand.N(150*time.Millisecond))
		if err := victim.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = victim.Wait()
	}
	last := serve()
	wg.Wait()
	if err := last.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = last.Wait()

	d := open(t, dir, "")
	keys, err := d.Keys(t.Context(), uuid.Nil)
	if err != nil || keys[0].Uses != count || len(devices) != count {
		t.Errorf("%d laptops are %d devices by %d uses, %v", count, len(devices), keys[0].Uses, err)
	}
	uses, err := d.KeyUses(t.Context(), key.ID)
	if err != nil || len(uses) != count {
		t.Errorf("the ledger has %d lines, %v", len(uses), err)
	}
	if _, entries := checkAudit(t, d); entries != int64(count)+1 {
		t.Errorf("%d entries in the audit log", entries)
	}
	t.Logf("%d kills, %d laptops, %d devices, %d uses of the key", kills, count, len(devices), keys[0].Uses)
}
