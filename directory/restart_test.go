package directory

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testpostgres"
)

// The database goes away like in a power cut and comes back, again and again,
// while devices enrol on three replicas: who asks again is let in once, and
// nothing is lost.
func TestPostgreSQLRestartsUnderLoad(t *testing.T) {
	const laptops, restarts = 90, 3
	server := testpostgres.Start(t)
	t.Cleanup(server.Stop) // after the replicas
	dir, database := t.TempDir(), server.Database(t)
	replicas := []*Directory{open(t, dir, database), open(t, dir, database), open(t, dir, database)}
	key := mint(t, replicas[0], api.NewConnectKey{Uses: laptops})

	var refused atomic.Int64
	var wg sync.WaitGroup
	ids := make([]uuid.UUID, laptops)
	for i := range laptops {
		l := newLaptop(t, fmt.Sprint("S", i))
		wg.Go(func() {
			time.Sleep(time.Duration(i) * 30 * time.Millisecond)
			for attempt := 0; ; attempt++ {
				e, err := replicas[(i+attempt)%len(replicas)].Enroll(t.Context(), l.request(t, key.Secret), "192.0.2.7")
				if err == nil {
					ids[i] = e.DeviceID
					return
				}
				refused.Add(1)
				if !unavailable(err) || attempt > 100 {
					t.Errorf("laptop %d: %v", i, err)
					return
				}
				time.Sleep(100 * time.Millisecond)
			}
		})
	}
	for range restarts {
		time.Sleep(400 * time.Millisecond)
		if err := server.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := server.Resume(); err != nil {
			t.Fatal(err)
		}
	}
	wg.Wait()

	keys, err := replicas[0].Keys(t.Context())
	if err != nil || keys[0].Uses != laptops {
		t.Errorf("%d uses are taken, %v", keys[0].Uses, err)
	}
	seen := make(map[uuid.UUID]bool)
	for _, id := range ids {
		if seen[id] {
			t.Errorf("device %v is two laptops", id)
		}
		seen[id] = true
	}
	if _, entries := checkAudit(t, replicas[0]); entries != laptops+1 {
		t.Errorf("%d entries in the audit log", entries)
	}
	t.Logf("%d attempts found no database", refused.Load())

	// The replicas hear of each other again.
	old, err := replicas[1].Settings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	now, err := replicas[1].SetSettings(t.Context(), "token:ann", old)
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool {
		answer, err := replicas[2].CheckIn(t.Context(), ids[0], new(api.CheckInRequest))
		return err == nil && answer.Version == now.Revision
	})
}
