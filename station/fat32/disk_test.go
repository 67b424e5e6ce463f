package fat32

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testtool"
)

// recorder is a disk in memory that keeps every sector that was written, and
// where the disk was told to keep them.
type recorder struct {
	image  []byte
	writes []block // of one sector each
	syncs  []int   // how many writes were before each
}

func (r *recorder) ReadAt(p []byte, at int64) (int, error) { return copy(p, r.image[at:]), nil }

func (r *recorder) WriteAt(p []byte, at int64) (int, error) {
	copy(r.image[at:], p)
	for i := 0; i < len(p); i += SectorSize {
		r.writes = append(r.writes, block{at + int64(i), bytes.Clone(p[i : i+SectorSize])})
	}
	return len(p), nil
}

func (r *recorder) Sync() error {
	r.syncs = append(r.syncs, len(r.writes))
	return nil
}

// before and after are two kits, which share a name.
var (
	before = fstest.MapFS{"Acme.ppkg": {Data: bytes.Repeat([]byte("old"), 9000)}, "old.txt": {Data: []byte("o")}, "logs": {Mode: fs.ModeDir}}
	after  = fstest.MapFS{"Acme.ppkg": {Data: bytes.Repeat([]byte("new"), 8000)}, "first-boot/install": {Data: []byte("i")}, "logs": {Mode: fs.ModeDir}, "empty": {}}
)

// imageOf is what a stick holds before it is written.
func imageOf(t *testing.T, tree fs.FS) []byte {
	t.Helper()
	b, err := os.ReadFile(write(t, tree, options))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// attempt writes a tree as a station does.
func attempt(t *testing.T, d Disk, tree fs.FS) error {
	t.Helper()
	l, err := NewLayout(tree, options)
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Begin(d, options.Size); err != nil {
		return err
	}
	for _, e := range l.Extents() {
		data, err := fs.ReadFile(tree, e.Path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.WriteAt(append(data, make([]byte, e.Room-e.Size)...), e.Offset); err != nil {
			return err
		}
	}
	if err := d.Sync(); err != nil {
		return err
	}
	return l.Commit(d)
}

func format(t *testing.T, d Disk, tree fs.FS) {
	t.Helper()
	if err := attempt(t, d, tree); err != nil {
		t.Fatal(err)
	}
}

// judge says what a stick looks like.
func judge(image []byte, trees map[string]fstest.MapFS) string {
	v, err := Open(bytes.NewReader(image), int64(len(image)))
	if err != nil {
		return "nothing"
	}
	if _, err := fs.Stat(v, IncompleteFile); err == nil || v.Label == IncompleteLabel {
		return "incomplete"
	}
	for name, tree := range trees {
		if whole(v, tree) {
			return name
		}
	}
	return "wrong"
}

func whole(v *Volume, tree fstest.MapFS) bool {
	for path, f := range tree {
		if f.Mode.IsDir() {
			continue
		}
		if data, err := fs.ReadFile(v, path); err != nil || !bytes.Equal(data, f.Data) {
			return false
		}
	}
	return v.Label == options.Label
}

func TestFormattedDiskIsTheImage(t *testing.T) {
	fsck := testtool.Need(t, "fsck.fat")
	r := &recorder{image: bytes.Repeat([]byte("was here"), int(options.Size/8))}
	format(t, r, tree())
	image := filepath.Join(t.TempDir(), "volume.img")
	if err := os.WriteFile(image, r.image[firstSector*SectorSize:], 0o600); err != nil {
		t.Fatal(err)
	}
	if out := run(t, fsck, "-n", "-v", image); strings.Contains(out, "differ") || strings.Contains(out, "Reclaim") || strings.Contains(out, "wrong") {
		t.Errorf("fsck.fat says\n%s", out)
	}
	v, err := Open(bytes.NewReader(r.image), options.Size)
	if err != nil {
		t.Fatal(err)
	}
	compare(t, "our reader", v)
	// Clusters that are free may hold what they held; everything else is the same.
	want := imageOf(t, tree())
	end := v.cluster(v.clusters + rootCluster)
	l, err := NewLayout(tree(), options)
	if err != nil {
		t.Fatal(err)
	}
	if free := l.cluster(l.free); !bytes.Equal(want[:free], r.image[:free]) || !bytes.Equal(want[end:], r.image[end:]) {
		t.Error("the disk is not the image")
	}
}

// The power fails after every sector. Whatever was on the stick, it is as it was,
// or nothing, or says it is incomplete, or it is whole.
func TestPowerFailsAnywhere(t *testing.T) {
	trees := map[string]fstest.MapFS{"before": before, "after": after}
	for name, image := range map[string][]byte{
		"a stick of ours": imageOf(t, before), "the same again": imageOf(t, after), "zeros": make([]byte, options.Size),
		"anything": bytes.Repeat([]byte{0x55, 0xaa, 0xff}, int(options.Size/3+1))[:options.Size],
	} {
		r := &recorder{image: bytes.Clone(image)}
		format(t, r, after)
		var states []string
		for i := range len(r.writes) + 1 {
			if i > 0 {
				copy(image[r.writes[i-1].at:], r.writes[i-1].data)
			}
			if now := judge(image, trees); len(states) == 0 || states[len(states)-1] != now {
				states = append(states, now)
			}
		}
		was := map[string]string{"a stick of ours": "before ", "the same again": "after "}[name]
		if got := strings.Join(states, " "); got != was+"nothing incomplete after" {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// Between two syncs a stick keeps what it likes, in any order.
func TestPowerFailsWithACache(t *testing.T) {
	trees := map[string]fstest.MapFS{"before": before, "after": after}
	base := imageOf(t, before)
	r := &recorder{image: bytes.Clone(base)}
	format(t, r, after)
	random := rand.New(rand.NewPCG(1, 2))
	done := 0
	for _, until := range append(r.syncs, len(r.writes)) {
		for range 40 {
			image := bytes.Clone(base)
			for _, w := range r.writes[done:until] {
				if random.IntN(2) == 0 {
					copy(image[w.at:], w.data)
				}
			}
			if judge(image, trees) == "wrong" {
				t.Fatalf("between writes %d and %d a stick looks whole that is not", done, until)
			}
		}
		for _, w := range r.writes[done:until] {
			copy(base[w.at:], w.data)
		}
		done = until
	}
	if judge(base, trees) != "after" {
		t.Error("the stick is not whole in the end")
	}
}

// liar is a disk that says it is larger than it is.
type liar struct {
	recorder
	real  int64
	wraps bool // what is written beyond its end overwrites its begin
}

func (l *liar) at(at int64) (int64, bool) {
	if at < l.real {
		return at, true
	}
	return at % l.real, l.wraps
}

func (l *liar) WriteAt(p []byte, at int64) (int, error) {
	for i := 0; i < len(p); i += SectorSize {
		if to, ok := l.at(at + int64(i)); ok {
			copy(l.image[to:], p[i:i+SectorSize])
		}
	}
	return len(p), nil
}

func (l *liar) ReadAt(p []byte, at int64) (int, error) {
	for i := 0; i < len(p); i += SectorSize {
		clear(p[i : i+SectorSize])
		if from, ok := l.at(at + int64(i)); ok {
			copy(p[i:i+SectorSize], l.image[from:])
		}
	}
	return len(p), nil
}

func TestDisksThatLieAboutTheirSize(t *testing.T) {
	for _, real := range []int64{3 << 20, 5 << 20, 32 << 20} {
		for _, wraps := range []bool{false, true} {
			d := &liar{recorder{image: make([]byte, real)}, real, wraps}
			err := attempt(t, d, after)
			image := make([]byte, options.Size)
			if _, e := d.ReadAt(image, 0); e != nil {
				t.Fatal(e)
			}
			now := judge(image, map[string]fstest.MapFS{"after": after})
			if !errors.Is(err, ErrReadBack) && now != "after" || now == "wrong" {
				t.Errorf("%d bytes, wraps %t: %v, and it looks %s", real, wraps, err, now)
			}
			if !wraps && !errors.Is(err, ErrReadBack) {
				t.Errorf("%d bytes: %v", real, err)
			}
		}
	}
}

// failing is a disk with one write or read that fails.
type failing struct {
	recorder
	left int
}

var errBroken = errors.New("broken")

func (f *failing) step() error {
	if f.left--; f.left == 0 {
		return errBroken
	}
	return nil
}

func (f *failing) WriteAt(p []byte, at int64) (int, error) {
	if err := f.step(); err != nil {
		return 0, err
	}
	return f.recorder.WriteAt(p, at)
}

func (f *failing) ReadAt(p []byte, at int64) (int, error) {
	if err := f.step(); err != nil {
		return 0, err
	}
	return f.recorder.ReadAt(p, at)
}

func (f *failing) Sync() error { return f.step() }

// Each step may fail, and what is left never looks whole unless it is.
func TestEveryStepMayFail(t *testing.T) {
	for n := 1; ; n++ {
		d := &failing{recorder: recorder{image: make([]byte, options.Size)}, left: n}
		err := attempt(t, d, after)
		now := judge(d.image, map[string]fstest.MapFS{"after": after})
		if err == nil {
			if now != "after" || n < 20 {
				t.Errorf("after %d steps it looks %s", n, now)
			}
			return
		}
		if !errors.Is(err, errBroken) || now == "wrong" || now == "after" {
			t.Errorf("step %d: %v, and it looks %s", n, err, now)
		}
	}
}

func TestNoRoomForTheMarker(t *testing.T) {
	g, err := newGeometry(MinSize)
	if err != nil {
		t.Fatal(err)
	}
	for spare, want := range map[int64]error{0: ErrFull, 1: nil} {
		size := (int64(g.clusters) - 1 - spare) * g.clusterSize() // the root folder has one
		l, err := NewLayout(odd{size: size}, options)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Fits(); !errors.Is(err, want) {
			t.Error(fmt.Sprint(spare, " clusters free: ", err))
		}
	}
}
