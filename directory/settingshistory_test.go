package directory

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
)

func TestSettingsHistoryAndTheWayBack(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		first, last := replicas[0], replicas[len(replicas)-1]
		png := logo(t)
		change(t, first, func(s *api.Settings) { s.Windows.Text = "Ask Kim." })
		change(t, first, func(s *api.Settings) { s.Windows.SSAP, s.Logo = false, png })
		change(t, first, func(s *api.Settings) { s.Windows.Text, s.Logo = "", nil })
		history := func(before int64) []*api.SettingsChange {
			list, err := last.SettingsHistory(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			return list
		}
		told := history(0)
		sum := fmt.Sprintf("%d bytes, SHA-256 %x", len(png), sha256.Sum256(png))
		want := [][]api.SettingChange{
			{{Key: "logo", From: sum}, {Key: "windows.text", From: `"Ask Kim."`}},
			{{Key: "logo", To: sum}, {Key: "windows.ssap", From: "true", To: "false"}},
			{{Key: "windows.text", To: `"Ask Kim."`}},
		}
		var got [][]api.SettingChange
		for _, c := range told {
			if c.ChangedBy != "token:ann" || c.ChangedAt.IsZero() {
				t.Errorf("%+v", c)
			}
			got = append(got, c.Changes)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
		if page := history(told[0].Revision); len(page) != 2 || page[0].Revision != told[1].Revision {
			t.Errorf("before the last: %+v", page)
		}
		if page := history(told[2].Revision); len(page) != 0 {
			t.Errorf("before the first: %+v", page)
		}

		// Who saw other settings than those in force changes nothing.
		if _, err := first.RevertSettings(t.Context(), "token:bob", &api.RevertRequest{To: told[1].Revision, Revision: told[1].Revision}); !errors.Is(err, api.CodeConflict) {
			t.Errorf("behind somebody's back: %v", err)
		}
		if _, err := first.RevertSettings(t.Context(), "token:bob", &api.RevertRequest{To: told[0].Revision + 100, Revision: told[0].Revision}); !errors.Is(err, api.CodeNotFound) {
			t.Errorf("to what never was: %v", err)
		}
		for _, to := range []int64{told[1].Revision, 0, told[2].Revision} {
			then, err := last.SettingsAt(t.Context(), to)
			if err != nil {
				t.Fatal(err)
			}
			seen := history(0)[0].Revision
			now, err := first.RevertSettings(t.Context(), "token:bob", &api.RevertRequest{To: to, Revision: seen})
			if err != nil {
				t.Fatal(err)
			}
			if now.Revision <= seen || cmp.Diff(then.Settings, now.Settings) != "" {
				t.Errorf("back to %d: revision %d after %d\n%s", to, now.Revision, seen, cmp.Diff(then.Settings, now.Settings))
			}
			if c := history(0)[0]; c.Revision != now.Revision || c.ChangedBy != "token:bob" || len(c.Changes) == 0 {
				t.Errorf("the history tells %+v", c)
			}
		}
	})
}

// A history of any length is told in pages, none of it twice.
func TestSettingsHistoryInPages(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		for i := range SettingsPage + 2 {
			change(t, d, func(s *api.Settings) { s.Windows.Text = fmt.Sprint(i) })
		}
		var pages []int
		next := SettingsPage + 1
		for before := int64(0); ; {
			page, err := d.SettingsHistory(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			if len(page) == 0 {
				break
			}
			for _, c := range page {
				if len(c.Changes) != 1 || c.Changes[0].To != fmt.Sprintf("%q", fmt.Sprint(next)) {
					t.Errorf("%+v, want a change to %d", c, next)
				}
				next--
			}
			pages, before = append(pages, len(page)), page[len(page)-1].Revision
		}
		if diff := cmp.Diff([]int{SettingsPage, 2}, pages); diff != "" {
			t.Error(diff)
		}
	})
}
