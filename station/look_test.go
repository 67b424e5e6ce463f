package station

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"firstday.dev/kit"
	"firstday.dev/station/fat32"
	"firstday.dev/station/media"
)

const aManifest = `{"version":1,"builder":"firstday","organisation":"Acme","directory":"https://d","created":"2026-11-01T08:00:00Z","expiresAt":"2026-12-01T08:00:00Z","packages":[]}`

func saying(s string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(s)} }

func kitTree(more fstest.MapFS) fstest.MapFS {
	all := fstest.MapFS{
		"manifest.json": saying(aManifest), "SHA256SUMS": saying(fmt.Sprintf("%064d  Acme.ppkg\n%064d  manifest.json\n", 1, 2)),
		"Acme.ppkg": saying(""), "README.html": saying(""), "logs/a": saying(""), "run": saying(""), "first-boot/install": saying(""), "STICK.SHA256SUMS": saying(""),
		"System Volume Information/x": saying(""), ".fseventsd/x": saying(""), "._Acme.ppkg": saying(""),
	}
	for name, f := range more {
		if all[name] = f; f == nil {
			delete(all, name)
		}
	}
	return all
}

func TestLook(t *testing.T) {
	created, expires := time.Date(2026, 11, 1, 8, 0, 0, 0, time.UTC), time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)
	acme := func(change func(*OnStick)) OnStick {
		on := OnStick{
			State: OnStickKit, Organisation: "Acme", Created: &created, ExpiresAt: &expires, Packages: []string{"Acme.ppkg"},
			KitID: fmt.Sprintf("%x", sha256.Sum256(kitTree(nil)["SHA256SUMS"].Data)),
		}
		change(&on)
		return on
	}
	for _, c := range []struct {
		name  string
		stick fs.FS
		want  OnStick
	}{
		{"nothing", fstest.MapFS{}, OnStick{State: OnStickNothing}},
		{"what systems leave", fstest.MapFS{"System Volume Information/x": saying(""), "$recycle.bin/x.ppkg": saying(""), "._a.ppkg": saying("")}, OnStick{State: OnStickNothing}},
		{"a kit", kitTree(nil), acme(func(*OnStick) {})},
		{"a kit and another package", kitTree(fstest.MapFS{"Old.PPKG": saying("")}), acme(func(on *OnStick) { on.Packages = append(on.Packages, "Old.PPKG") })},
		{"a kit and holidays", kitTree(fstest.MapFS{"b.jpg": saying(""), "a/b.ppkg": saying("")}), acme(func(on *OnStick) { on.Foreign = []string{"a", "b.jpg"} })},
		{"half a kit", kitTree(fstest.MapFS{"incomplete.TXT": saying("")}), acme(func(on *OnStick) { on.State = OnStickUnfinished })},
		{"no more than the mark", fstest.MapFS{fat32.IncompleteFile: saying("")}, OnStick{State: OnStickUnfinished}},
		{"packages of others", fstest.MapFS{"b.ppkg": saying(""), "a.ppkg": saying("")}, OnStick{State: OnStickPackages, Packages: []string{"a.ppkg", "b.ppkg"}}},
		{"packages in folders", fstest.MapFS{"kit/sub/a.ppkg": saying(""), "b/c.ppkg": saying(""), "b/c.pkg": saying("")},
			OnStick{State: OnStickInFolders, InFolders: []string{"b/c.ppkg", "kit/sub/a.ppkg"}, Foreign: []string{"b", "kit"}}},
		{"a folder with the name of a package", fstest.MapFS{"a.ppkg/x": saying("")}, OnStick{State: OnStickForeign, Foreign: []string{"a.ppkg"}}},
		{"holidays", fstest.MapFS{"a.jpg": saying("")}, OnStick{State: OnStickForeign, Foreign: []string{"a.jpg"}}},
		{"a manifest that is none", fstest.MapFS{"manifest.json": saying("{}"), "SHA256SUMS": saying("")}, OnStick{State: OnStickForeign, Foreign: []string{"SHA256SUMS", "manifest.json"}}},
		{"a manifest that is a link", fstest.MapFS{"manifest.json": {Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}, "SHA256SUMS": saying("")},
			OnStick{State: OnStickForeign, Foreign: []string{"SHA256SUMS", "manifest.json"}}},
		{"a manifest without end", kitTree(fstest.MapFS{"manifest.json": {Data: make([]byte, 4<<20+1)}, "Acme.ppkg": nil, "SHA256SUMS": saying("")}),
			OnStick{State: OnStickForeign, Foreign: []string{"README.html", "SHA256SUMS", "STICK.SHA256SUMS", "first-boot", "logs", "manifest.json", "run"}}},
	} {
		got, err := Look(c.stick)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if diff := cmp.Diff(c.want, *got, cmpopts.EquateEmpty()); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
	if on := acme(func(*OnStick) {}); on.Expired(expires.Add(-1)) || !on.Expired(expires) || (&OnStick{}).Expired(expires) {
		t.Error("a kit ends at the wrong time")
	}
}

// The stick of a kit is told as what the kit is.
func TestLookAtAStickOfOurs(t *testing.T) {
	stick := open(t, buildKit(t, kit.Windows, kit.MacOS))
	image := filepath.Join(t.TempDir(), "stick.img")
	if _, err := stick.WriteImage(t.Context(), image, ImageOptions{}); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(image)
	if err != nil {
		t.Fatal(err)
	}
	on, err := LookAtDisk(t.Context(), &media.Disk{Volumes: []media.Volume{{Path: image, FileSystem: "vfat", Size: info.Size()}}})
	if err != nil {
		t.Fatal(err)
	}
	if on.State != OnStickKit || on.KitID != fmt.Sprintf("%x", stick.KitID) || on.Organisation != stick.Manifest.Organisation || len(on.Packages) != 1 || len(on.Foreign) > 0 {
		t.Errorf("%+v", on)
	}
}

func TestLookAtDiskSaysWhyNot(t *testing.T) {
	for _, c := range []struct {
		volumes []media.Volume
		want    error
	}{
		{nil, errUnreadable},
		{[]media.Volume{{Path: "/nowhere", FileSystem: "ntfs"}}, errUnreadable},
		{[]media.Volume{{Path: "/nowhere", FileSystem: "vfat"}}, fs.ErrNotExist},
		{[]media.Volume{{Path: os.DevNull, FileSystem: "vfat"}}, fat32.ErrFormat},
	} {
		if on, err := LookAtDisk(t.Context(), &media.Disk{Name: "sdb", Volumes: c.volumes}); !errors.Is(err, c.want) {
			t.Errorf("%+v: %+v, %v", c.volumes, on, err)
		}
	}
}

// A folder may be endless, and lead to itself.
func TestLookIsBounded(t *testing.T) {
	endless := fstest.MapFS{}
	for i := range 3 * mostEntries {
		endless[fmt.Sprintf("%05d.ppkg", i)] = saying("")
	}
	on, err := Look(endless)
	if err != nil || len(on.Packages) != mostNamed {
		t.Errorf("%d packages, %v", len(on.Packages), err)
	}
	deep := &circling{}
	if on, err = Look(deep); err != nil || on.State != OnStickInFolders || deep.opened > mostFolders+1 {
		t.Errorf("%+v after %d folders, %v", on, deep.opened, err)
	}
}

// circling is a folder that is in itself, with a package.
type circling struct{ opened int }

func (c *circling) Open(name string) (fs.File, error) {
	c.opened++
	in := fstest.MapFS{"again/x": saying("")}
	if name != "." {
		in["a.ppkg"] = saying("")
	}
	return in.Open(".")
}

func TestLookAtNoFolder(t *testing.T) {
	if _, err := Look(noFolder{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

type noFolder struct{}

func (noFolder) Open(string) (fs.File, error) { return nil, context.DeadlineExceeded }
