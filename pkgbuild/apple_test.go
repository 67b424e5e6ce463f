package pkgbuild

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

// applesPackage is one that Apple's productbuild made in 2021: a test file of
// relic, which comes with its module.
func applesPackage(t *testing.T) *Package {
	t.Helper()
	out, err := exec.Command(testtool.Need(t, "go"), "list", "-m", "-f", "{{.Dir}}", "github.com/sassoftware/relic/v7").Output()
	dir := strings.TrimSpace(string(out))
	if err != nil || dir == "" {
		t.Skip("the module is not there", err)
	}
	f, err := os.Open(filepath.Join(dir, "functest", "packages", "dummy.pkg"))
	if err != nil {
		t.Skip(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	p, err := Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestApplesPackageIsAllRight(t *testing.T) {
	p := applesPackage(t)
	if err := p.CheckContents(t.Context()); err != nil {
		t.Error(err)
	}
	want := []string{"warning relocatable com.sas.dummy.pkg/PackageInfo"}
	if diff := cmp.Diff(want, rules(Lint(t.Context(), p))); diff != "" {
		t.Error(diff)
	}
	wantInfo := PackageInfo{
		Identifier: "com.sas.dummy", Version: "1.0.0", InstallLocation: "/Applications", Auth: "root", PostinstallAction: "none",
		OverwritePermissions: true, HasPayload: true, NumberOfFiles: 9, InstallKBytes: 172,
		Bundles: []Bundle{{"dummy.app", "com.sas.dummy", "1.0", "1"}}, RelocatableBundles: []string{"com.sas.dummy"},
	}
	if diff := cmp.Diff(wantInfo, p.Components[0].Info, cmp.AllowUnexported(PackageInfo{})); diff != "" {
		t.Error(diff)
	}
}

func TestApplesPackageSurvives(t *testing.T) {
	p := applesPackage(t)
	before := contentsOf(t, p)
	exported := cmp.AllowUnexported(Distribution{}, PackageInfo{}, PackagedComponent{})
	if diff := cmp.Diff(before, contentsOf(t, flatten(t, expand(t, p, ExpandOptions{}).FS())), exported); diff != "" {
		t.Error(diff)
	}
	full := flatten(t, expand(t, p, ExpandOptions{Full: true}).FS())
	if err := full.CheckContents(t.Context()); err != nil {
		t.Error(err)
	}
	after := contentsOf(t, full)
	// The new Bom tells of the root what Apple's leaves open, and counts it.
	root := after.Boms[0][0]
	if root.Mode != 0o040775 || root.GID != admin || after.Components[0].Info.NumberOfFiles != 10 {
		t.Errorf("%+v", root)
	}
	before.Boms[0], after.Boms[0] = before.Boms[0][1:], after.Boms[0][1:]
	after.Components[0].Info.NumberOfFiles, after.Components[0].Info.InstallKBytes = 9, 172
	if diff := cmp.Diff(before, after, exported); diff != "" {
		t.Error(diff)
	}
}
