package directory

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

func TestOverview(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		f := newFleet(t, first)
		counted := func(now time.Time) *api.Overview {
			last.Now = func() time.Time { return now }
			o, err := last.Overview(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !o.Since.Equal(o.Time.Add(-24 * time.Hour)) {
				t.Errorf("since %v, as of %v", o.Since, o.Time)
			}
			o.Time, o.Since, o.Ending = time.Time{}, time.Time{}, nil
			return o
		}
		want := &api.Overview{Devices: 5, Enrolled: 5, SignedIn: 1, Pending: 1, Waiting: 3, Trouble: 1, Off: 1, Problems: []api.ProblemCount{{Problem: "the disk is full", Devices: 1}}}
		if diff := cmp.Diff(want, counted(time.Now())); diff != "" {
			t.Error(diff)
		}
		if err := first.RemoveDevice(t.Context(), "token:ann", f.devices["S3"]); err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(&api.Overview{Devices: 4, Pending: 1, Waiting: 2, Off: 1}, counted(time.Now().Add(25*time.Hour))); diff != "" {
			t.Errorf("a day later: %s", diff)
		}
	})
}

// What ends soon, or just has, is told of, the first one first; what nobody can use
// any more is not.
func TestOverviewTellsWhatEnds(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		const day = 24 * time.Hour
		now := time.Now()
		key := func(label string, life time.Duration, uses, used int) *api.MintedConnectKey {
			k := mint(t, d, api.NewConnectKey{Label: label, Life: api.Duration(day), Uses: uses})
			if err := d.change(t.Context(), func(tx *transaction) error {
				_, err := tx.exec(`UPDATE connect_keys SET expires_at = $1, uses = $2 WHERE id = $3`, millis(now.Add(life)), used, k.ID.String())
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return k
		}
		key("ends", 3*day, 5, 1)
		key("lasts", 30*day, 10, 8)
		key("nearly used up", 30*day, 10, 9)
		key("small", 30*day, 9, 8)
		key("used up", 3*day, 5, 5)
		key("ended lately", -23*time.Hour, 5, 0)
		key("ended long ago", -25*time.Hour, 5, 0)
		if err := d.RevokeKey(t.Context(), "token:ann", key("revoked", 3*day, 5, 0).ID); err != nil {
			t.Fatal(err)
		}
		for name, life := range map[string]time.Duration{"ci": 2 * day, "boss": 30 * day} {
			if _, err := d.CreateToken(t.Context(), "token:ann", api.NewToken{Name: name, Role: api.Builder, Life: api.Duration(life)}); err != nil {
				t.Fatal(err)
			}
		}
		for po, life := range map[string]time.Duration{"PO-1": 4 * day, "PO-2": 30 * day} {
			o := order(t, d, api.NewOrder{PO: po, Quantity: 3, Life: api.Duration(life)})
			k := mint(t, d, api.NewConnectKey{OrderID: o.ID})
			enroll(t, d, newLaptop(t, "of "+po), k.Secret)
		}
		o, err := d.Overview(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, e := range o.Ending {
			got = append(got, fmt.Sprintf("%s %s %d", e.Kind, e.Name, e.Left))
		}
		want := []string{"key ended lately 5", "token ci 0", "key ends 4", "order PO-1 2", "uses nearly used up 1"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}
