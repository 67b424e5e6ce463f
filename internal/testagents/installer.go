package testagents

import (
	"os"
	"path/filepath"
	"testing"

	"firstday.dev/pkgbuild"
)

// UnpackInstaller puts what an installer package of ours installs into a folder,
// which stands for the volume. Owners are not kept.
func UnpackInstaller(tb testing.TB, path string) string {
	tb.Helper()
	f, size := open(tb, path)
	p, err := pkgbuild.Open(f, size)
	if err != nil {
		tb.Fatal(err)
	}
	if len(p.Components) != 1 {
		tb.Fatalf("%d components", len(p.Components))
	}
	dir, err := os.OpenRoot(tb.TempDir())
	if err != nil {
		tb.Fatal(err)
	}
	defer dir.Close()
	if err := pkgbuild.Expand(tb.Context(), p, dir, pkgbuild.ExpandOptions{Full: true}); err != nil {
		tb.Fatal(err)
	}
	return filepath.Join(dir.Name(), p.Components[0].Folder, "Payload")
}
