package directory

import (
	"encoding/binary"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/uuid"

	"firstday.dev/api"
)

// manyPending gives so many devices that wait for approval: copies of one.
func manyPending(t *testing.T, d *Directory, n int) (ids []uuid.UUID) {
	t.Helper()
	model := enroll(t, d, newLaptop(t, "S1"), mint(t, d, api.NewConnectKey{Approval: true}).Secret).DeviceID
	if err := d.change(t.Context(), func(tx *transaction) error {
		ids = []uuid.UUID{model}
		for len(ids) < n {
			id := uuid.New()
			hash := binary.BigEndian.AppendUint64(nil, uint64(len(ids)))
			if _, err := tx.exec(`INSERT INTO devices (id, key_hash, state, revision, platform, serial, name, facts, connect_key, package_id, enrolled_at, seen_at, replaces)
				SELECT $1, $2, state, revision, platform, serial, name, facts, connect_key, package_id, enrolled_at, seen_at, replaces FROM devices WHERE id = $3`, id.String(), hash, model.String()); err != nil {
				return err
			}
			ids = append(ids, id)
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := d.fillFleet(t.Context()); err != nil {
		t.Fatal(err)
	}
	return ids
}

func countRows(t *testing.T, d *Directory, query string, values ...any) (n int) {
	t.Helper()
	if err := d.store.read.QueryRowContext(t.Context(), query, values...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

// Two administrators approve the same ten thousand devices at once, one by a list,
// the other by what they searched for: each device is let in once, and both hear
// that all of them are.
func TestBulkApprovesTenThousandOnce(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		ids := manyPending(t, first, api.MaxBulk)
		if _, err := first.BulkDevices(t.Context(), "token:ann", &api.BulkRequest{Action: api.BulkApprove, Query: new(api.DeviceQuery), Count: api.MaxBulk - 1}); !errors.Is(err, api.CodeConflict) {
			t.Errorf("more than were seen: %v", err)
		}
		var group sync.WaitGroup
		for _, call := range []struct {
			d *Directory
			r *api.BulkRequest
		}{
			{first, &api.BulkRequest{Action: api.BulkApprove, IDs: ids}},
			{last, &api.BulkRequest{Action: api.BulkApprove, Query: &api.DeviceQuery{Text: "acme"}, Count: api.MaxBulk}},
		} {
			group.Go(func() {
				results, err := call.d.BulkDevices(t.Context(), "token:ann", call.r)
				if err != nil || len(results) != api.MaxBulk {
					t.Errorf("%d results, %v", len(results), err)
				}
				for _, r := range results {
					if r.Code != "" {
						t.Errorf("%+v", r)
						break
					}
				}
			})
		}
		group.Wait()
		if n := countRows(t, first, `SELECT COUNT(*) FROM fleet WHERE state = 'active'`); n != api.MaxBulk {
			t.Errorf("%d devices are active", n)
		}
		for query, value := range map[string]string{
			`SELECT COUNT(*) FROM device_events WHERE kind = $1`: string(api.EventApproved),
			`SELECT COUNT(*) FROM audit WHERE action = $1`:       "device.approve",
		} {
			if n := countRows(t, first, query, value); n != api.MaxBulk {
				t.Errorf("%s: %d", query, n)
			}
		}
	})
}

// What one device is refused for stops none of the others, and changes nothing of
// it.
func TestBulkTellsOfEach(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		f := newFleet(t, d)
		nobody := uuid.New()
		if err := d.RemoveDevice(t.Context(), "token:ann", f.devices["S3"]); err != nil {
			t.Fatal(err)
		}
		ids := []uuid.UUID{f.devices["S4"], f.devices["S3"], nobody, f.devices["M1"], f.devices["S4"], f.devices["S1"]}
		for _, c := range []struct {
			action  api.BulkAction
			refused map[uuid.UUID]api.Code
			query   api.DeviceQuery
			then    string
		}{
			{api.BulkApprove, map[uuid.UUID]api.Code{nobody: api.CodeNotFound, f.devices["S3"]: api.CodeConflict}, api.DeviceQuery{States: []api.Standing{api.StandingPending}}, ""},
			{api.BulkSSAPOff, map[uuid.UUID]api.Code{nobody: api.CodeNotFound, f.devices["S3"]: api.CodeConflict}, api.DeviceQuery{States: []api.Standing{api.StandingOff}}, "S1 S4 M1"},
			{api.BulkSSAPOn, map[uuid.UUID]api.Code{nobody: api.CodeNotFound}, api.DeviceQuery{States: []api.Standing{api.StandingOff}}, ""},
			{api.BulkRemove, map[uuid.UUID]api.Code{nobody: api.CodeNotFound}, api.DeviceQuery{}, "S2"},
		} {
			results, err := d.BulkDevices(t.Context(), "token:ann", &api.BulkRequest{Action: c.action, IDs: ids})
			if err != nil || len(results) != 5 {
				t.Fatalf("%s: %+v, %v", c.action, results, err)
			}
			if !slices.IsSortedFunc(results, func(a, b *api.BulkResult) int { return strings.Compare(a.ID.String(), b.ID.String()) }) {
				t.Errorf("%s: another order of locks", c.action)
			}
			for _, r := range results {
				if r.Code != c.refused[r.ID] {
					t.Errorf("%s: %+v, want %q", c.action, r, c.refused[r.ID])
				}
			}
			if got := serials(t, d, c.query); got != c.then {
				t.Errorf("after %s there are %q, want %q", c.action, got, c.then)
			}
		}
		for name, r := range map[string]*api.BulkRequest{
			"nothing":  {Action: api.BulkApprove},
			"too many": {Action: api.BulkApprove, IDs: make([]uuid.UUID, api.MaxBulk+1)},
			"both":     {Action: api.BulkApprove, IDs: ids, Query: new(api.DeviceQuery), Count: 1},
			"no count": {Action: api.BulkApprove, Query: new(api.DeviceQuery)},
			"no query": {Action: api.BulkApprove, Query: &api.DeviceQuery{Sort: "luck"}, Count: 1},
			"no deed":  {Action: "paint", IDs: ids},
		} {
			if _, err := d.BulkDevices(t.Context(), "token:ann", r); !errors.Is(err, api.CodeBadRequest) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}
