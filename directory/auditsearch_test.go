package directory

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

// A search finds what going through the whole log finds, the newest first.
func TestSearchAudit(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		key := mint(t, d, api.NewConnectKey{})
		enroll(t, d, newLaptop(t, "S1"), key.Secret)
		if err := d.RevokeKey(t.Context(), "token:bob", key.ID); err != nil {
			t.Fatal(err)
		}
		for range AuditPage {
			mint(t, d, api.NewConnectKey{})
		}
		var whole []api.AuditEntry
		for e, err := range d.Audit(t.Context(), 0) {
			if err != nil {
				t.Fatal(err)
			}
			whole = append(whole, e)
		}
		slices.Reverse(whole)
		hour := time.Hour
		for name, q := range map[string]api.AuditQuery{
			"all":           {},
			"older ones":    {Before: 50},
			"actor":         {Actor: "token:bob"},
			"action":        {Action: "key.create"},
			"subject":       {Subject: "key:" + key.ID.String()},
			"all three":     {Actor: "token:ann", Action: "key.create", Subject: "key:" + key.ID.String(), Before: 90},
			"since":         {From: time.Now().Add(-hour)},
			"until":         {Until: whole[3].Time},
			"from, until":   {From: whole[90].Time, Until: whole[3].Time},
			"in time":       {From: time.Now().Add(hour)},
			"nobody":        {Actor: "token:' OR 1=1 --"},
			"half an actor": {Actor: "token"},
		} {
			var want []api.AuditEntry
			for _, e := range whole {
				if q.Finds(&e) && len(want) < AuditPage {
					want = append(want, e)
				}
			}
			got, err := d.SearchAudit(t.Context(), q)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if _, err := d.SearchAudit(t.Context(), api.AuditQuery{Actor: "a\x00"}); !errors.Is(err, api.CodeBadRequest) {
			t.Errorf("what no database has: %v", err)
		}
	})
}
