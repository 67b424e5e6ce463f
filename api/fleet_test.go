package api

import (
	"net/url"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"
)

func TestDeviceQueryInAnAddress(t *testing.T) {
	q := &DeviceQuery{
		Text: "ann & bob", Platforms: []Platform{Windows, MacOS}, States: []Standing{StandingTrouble, StandingOff}, Order: uuid.New(), Package: uuid.New(), Key: uuid.New(),
		Batch: "PO=9", Tag: "berlin", Problem: "no disk", Happened: EventBound, Since: time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC),
		Sort: SortSeen, Descending: true, After: "abc", Limit: 7,
	}
	for f, v := range reflect.ValueOf(*q).Fields() {
		if v.IsZero() {
			t.Errorf("%s is not tested", f.Name)
		}
	}
	v, err := url.ParseQuery(q.Values().Encode())
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseDeviceQuery(v)
	if diff := cmp.Diff(q, got); err != nil || diff != "" {
		t.Errorf("%v\n%s", err, diff)
	}
}

func FuzzParseDeviceQuery(f *testing.F) {
	for _, seed := range []string{
		"", "text=ann+bob&platform=windows&platform=macos&state=pending&sort=seen&descending=true&limit=500",
		"order=019f0000-0000-7000-8000-000000000001&key=x", "happened=bound&since=2026-01-31T12:00:00.5%2B02:00", "since=2026-01-31T12:00:00Z",
		"happened=bound&since=0001-01-01T00:00:00Z", "happened=bound&since=9999-12-31T23:59:59-12:00", "limit=-1", "descending=maybe", "text=%00", "text=%ff", "cursor=e30&batch=%C2%85", "key=urn:uuid:019f0000-0000-7000-8000-000000000001",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, address string) {
		v, err := url.ParseQuery(address)
		if err != nil {
			return
		}
		q, err := ParseDeviceQuery(v)
		if err != nil {
			return
		}
		if err := q.Check(); err != nil {
			t.Errorf("%q: it is refused once more: %v", address, err)
		}
		again, err := ParseDeviceQuery(q.Values())
		if err != nil {
			t.Fatalf("%q as %q: %v", address, q.Values().Encode(), err)
		}
		q.Since = q.Since.UTC().Truncate(time.Second) // as finely as an address has it
		if diff := cmp.Diff(q, again); diff != "" {
			t.Errorf("%q: %s", address, diff)
		}
	})
}
