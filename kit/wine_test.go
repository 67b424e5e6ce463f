package kit

import (
	"encoding/json"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testagents"
	"firstday.dev/internal/winetest"
)

// TestWindowsRunsThePackage does what Windows does with a package: it puts the
// files of the command into one folder and runs there the command line that
// the package holds (formats/ppkg.md §4).
func TestWindowsRunsThePackage(t *testing.T) {
	t.Parallel()
	o := options(t, "signing: {throwaway: true}\n")
	m := build(t, o)
	p := winetest.New(t)
	untouched := traces(t, p)
	dir, line := testagents.Unpack(t, filepath.Join(o.Output, m.Packages[0].File))

	run := func(command string, code int) string {
		t.Helper()
		r := p.Run(dir, command)
		if r.Code != code {
			t.Fatalf("%s: code %d, want %d\n%s%s", command, r.Code, code, r.Stdout, r.Stderr)
		}
		return r.Stdout
	}
	run(line, 0)
	const notEnrolled = 10
	var status struct {
		Service   struct{ State string }
		PackageID string
	}
	if err := json.Unmarshal([]byte(run("firstday-agent-amd64.exe status --json", notEnrolled)), &status); err != nil {
		t.Fatal(err)
	}
	if status.Service.State != "running" || status.PackageID != m.Packages[0].ID.String() {
		t.Errorf("status is %+v", status)
	}
	if out := p.Run(dir, "sc.exe query firstday-agent").Stdout; !strings.Contains(out, "RUNNING") {
		t.Errorf("the service control manager says:\n%s", out)
	}
	installed := traces(t, p)
	run(line, 0)
	if diff := cmp.Diff(installed, traces(t, p)); diff != "" {
		t.Errorf("running it again changed something:\n%s", diff)
	}
	run("firstday-agent-amd64.exe uninstall", 0)
	for range 100 { // the last file goes once its process has ended
		if cmp.Equal(untouched, traces(t, p)) {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("uninstall left something:\n%s", cmp.Diff(untouched, traces(t, p)))
}

// traces are all files and registry keys whose path names us, less the files
// that the running service keeps writing.
func traces(t *testing.T, p *winetest.Prefix) []string {
	t.Helper()
	var found []string
	root := p.Path("")
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if strings.Contains(strings.ToLower(rel), "firstday") {
			found = append(found, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{`SYSTEM\CurrentControlSet\Services`, `SOFTWARE\Microsoft`} {
		for _, line := range p.Registry(key) {
			if strings.Contains(strings.ToLower(line), "firstday") {
				found = append(found, line)
			}
		}
	}
	slices.Sort(found)
	return found
}
