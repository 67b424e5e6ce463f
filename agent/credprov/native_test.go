//go:build !windows

package credprov_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

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

// What takes anybody for the agent never has the name of what is shipped.
func TestBuildOfTestsIsNamedSo(t *testing.T) {
	dir := testcredprov.Build(t, "1.2.3", testcredprov.AnybodyIsTheAgent)
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if diff := cmp.Diff([]string{"test-credprov-amd64.dll", "test-credprov-arm64.dll"}, files); diff != "" || err != nil {
		t.Errorf("(-want +got), %v:\n%s", err, diff)
	}
}

func TestDLLsAreHardened(t *testing.T) {
	dir := testcredprov.Build(t, "1.2.3")
	for _, arch := range archs {
		testcredprov.CheckShipped(t, filepath.Join(dir, "firstday-credprov-"+arch+".dll"), arch, "1.2.3")
	}
}
