//go:build !windows

package credprov_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/internal/testcredprov"
)

var archs = []string{"amd64", "arm64"}

func TestBuildIsReproducible(t *testing.T) {
	first, second := testcredprov.Build(t, "1.2.3"), testcredprov.Build(t, "1.2.3")
	for _, arch := range archs {
		name := "firstday-credprov-" + arch + ".dll"
		a, errA := os.ReadFile(filepath.Join(first, name))
		b, errB := os.ReadFile(filepath.Join(second, name))
		if errA != nil || errB != nil || !bytes.Equal(a, b) {
			t.Errorf("%s differs from itself: %d and %d bytes, %v, %v", name, len(a), len(b), errA, errB)
		}
		if home, err := os.Getwd(); err != nil || bytes.Contains(a, []byte(filepath.Dir(filepath.Dir(home)))) {
			t.Errorf("%s tells where it was built (%v)", name, err)
		}
	}
}

func TestDLLsAreHardened(t *testing.T) {
	dir := testcredprov.Build(t, "1.2.3")
	for _, arch := range archs {
		testcredprov.CheckShipped(t, filepath.Join(dir, "firstday-credprov-"+arch+".dll"), arch, "1.2.3")
	}
}
