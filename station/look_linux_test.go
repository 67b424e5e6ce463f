package station

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"firstday.dev/internal/testloop"
	"firstday.dev/internal/testmount"
	"firstday.dev/internal/testtool"
	"firstday.dev/station/media"
)

// A stick that is mounted is looked at in its folder, whose links and pipes are
// hostile, and only there.
func TestLookAtAMountedDisk(t *testing.T) {
	mkfs := testtool.Need(t, "mkfs.ext4", "/usr/sbin/mkfs.ext4")
	testmount.Apart(t, func() {
		image := filepath.Join(t.TempDir(), "stick.img")
		if err := errors.Join(os.WriteFile(image, nil, 0o600), os.Truncate(image, 8<<20)); err != nil {
			t.Fatal(err)
		}
		d := &media.Disk{Name: "sdb", Path: testloop.Attach(t, image)}
		if out, err := exec.Command(mkfs, "-q", d.Path).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if err := unix.Mount(d.Path, "/mnt", "ext4", 0, ""); err != nil {
			t.Fatal(err)
		}
		defer unix.Unmount("/mnt", unix.MNT_DETACH)
		elsewhere := t.TempDir()
		for _, err := range []error{
			os.WriteFile("/mnt/a.ppkg", nil, 0o600),
			os.WriteFile(elsewhere+"/manifest.json", []byte(aManifest), 0o600),
			os.Symlink(elsewhere+"/manifest.json", "/mnt/manifest.json"),
			unix.Mkfifo("/mnt/SHA256SUMS", 0o600),
			os.Symlink(elsewhere, "/mnt/more"),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		d.Volumes = []media.Volume{{Path: d.Path, FileSystem: "ext4", Mounts: []string{"/mnt"}}}
		on, err := LookAtDisk(t.Context(), d)
		if err != nil {
			t.Fatal(err)
		}
		want := &OnStick{State: OnStickPackages, Packages: []string{"a.ppkg"}, Foreign: []string{"SHA256SUMS", "manifest.json", "more"}}
		if diff := cmp.Diff(want, on); diff != "" {
			t.Error(diff)
		}
		d.Volumes[0].Mounts[0] = elsewhere
		if on, err := LookAtDisk(t.Context(), d); !errors.Is(err, media.ErrNotMounted) {
			t.Errorf("the folder is another disk's: %+v, %v", on, err)
		}
	})
}
