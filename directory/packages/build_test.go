package packages

import (
	"testing"

	"firstday.dev/api"
)

const victimVariable = "FIRSTDAY_PACKAGES_VICTIM"

func beVictim(string) {}

func TestSmoke(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, r *room) {
		p := start(t, r, nil)
		job := p.await(t, p.mustQueue(t, forMacs("spring")), api.PackageReady)
		t.Logf("%+v", job)
		p.mustBeTidy(t, job)
	})
}
