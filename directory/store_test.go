package directory

import (
	"testing"

	"firstday.dev/api"
)

// A mistake in the middle of a change holds up none of those after it.
func TestPanicInAChange(t *testing.T) {
	onEachStore(t, func(t *testing.T, replicas []*Directory) {
		d := replicas[0]
		func() {
			defer func() {
				if recover() == nil {
					t.Error("it did not get through")
				}
			}()
			_ = d.change(t.Context(), func(tx *transaction) error {
				if _, err := tx.exec(`UPDATE revision SET number = number + 1000000`); err != nil {
					return err
				}
				panic("a mistake")
			})
		}()
		settings := api.DefaultSettings()
		set, err := d.SetSettings(t.Context(), "token:ann", &api.VersionedSettings{Settings: settings})
		if err != nil || set.Revision >= 1000000 {
			t.Errorf("%+v, %v", set, err)
		}
	})
}
