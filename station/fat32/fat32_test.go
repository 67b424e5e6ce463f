package fat32

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
)

var options = Options{
	Size: MinSize, Label: "FIRST DAY", Serial: 0x1234abcd, Signature: 0x5678ef01,
	Time: time.Date(2026, 11, 23, 12, 30, 58, 0, time.UTC),
}

// tree has what is hard to write: names of every length, many files in one
// folder, clusters that are just full, nothing at all.
func tree() fstest.MapFS {
	t := fstest.MapFS{
		"README.TXT":                       {Data: []byte("short")},
		"Acme.ppkg":                        {Data: bytes.Repeat([]byte("windows "), 100_000)},
		"Müller & Söhne, 20 €.pkg":         {Data: bytes.Repeat([]byte("mac"), 1000)},
		"empty":                            {},
		"one cluster":                      {Data: bytes.Repeat([]byte("c"), SectorSize)},
		"and a byte.more":                  {Data: bytes.Repeat([]byte("c"), SectorSize+1)},
		"logs":                             {Mode: fs.ModeDir},
		"first-boot/install.sh":            {Data: []byte("#!/bin/sh\n")},
		"a/b/c/d":                          {Data: []byte("deep")},
		strings.Repeat("n", 251) + ".txt":  {Data: []byte("long")},
		"ACME~1.PPK":                       {Data: []byte("what a long name would be called")},
		".hidden":                          {Data: []byte("h")},
		"exactly13char":                    {Data: []byte("13")},
		strings.Repeat("exactly26char", 2): {Data: []byte("26")},
	}
	for i := range 300 {
		t[fmt.Sprintf("many/a file with number %d.log", i)] = &fstest.MapFile{Data: []byte(fmt.Sprint(i))}
	}
	return t
}

// write makes an image file, as sparse as they are.
func write(t *testing.T, tree fs.FS, o Options) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stick.img"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(t.Context(), f, tree, o), f.Truncate(o.Size), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func openImage(t *testing.T, path string) *Volume {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	v, err := Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func run(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		t.Errorf("%s %q: %v\n%s", name, args, err, out)
	}
	return string(out)
}

// volume makes a file of the volume alone, as fsck.fat and 7-Zip want it.
func volume(t *testing.T, tree fs.FS, o Options) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "volume.img"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(Write(t.Context(), volumeOnly{f}, tree, o), f.Truncate(o.Size-firstSector*SectorSize), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

type volumeOnly struct{ *os.File }

func (v volumeOnly) WriteAt(p []byte, at int64) (int, error) {
	if at < firstSector*SectorSize {
		return len(p), nil
	}
	return v.File.WriteAt(p, at-firstSector*SectorSize)
}

// Every size has another number of sectors in a cluster, or is where that
// changes.
var sizes = []int64{
	MinSize, 260<<20 + 1<<20, 262 << 20, 300 << 20, 2_000_000_000 / SectorSize * SectorSize, 8 << 30, 8<<30 + 1<<20 + SectorSize, 8<<30 + 2<<20,
	16<<30 + 2<<20, 32<<30 + 2<<20, 64_000_000_000 / SectorSize * SectorSize, MaxSize / SectorSize * SectorSize,
}

func TestJudgesFindNothing(t *testing.T) {
	fsck, sfdisk := testtool.Need(t, "fsck.fat"), testtool.Need(t, "sfdisk")
	for _, size := range sizes {
		o := options
		o.Size = size
		image := write(t, tree(), o)
		out := run(t, fsck, "-n", "-v", volume(t, tree(), o))
		for _, complaint := range []string{"differ", "wrong", "uninitialized", "Dirty", "not", "Reclaim", "Bad", "Fixing"} {
			if strings.Contains(strings.ReplaceAll(out, "Boot code not", ""), complaint) {
				t.Errorf("%d bytes: fsck.fat says %q:\n%s", size, complaint, out)
			}
		}
		if out := run(t, sfdisk, "-V", image); !strings.Contains(out, "No errors detected") {
			t.Errorf("%d bytes: %s", size, out)
		}
		if out := run(t, sfdisk, "-d", image); !strings.Contains(out, "label-id: 0x5678ef01") || !strings.Contains(out, "start=        2048, size=") || !strings.Contains(out, "type=c") {
			t.Errorf("%d bytes: %s", size, out)
		}
		if out := run(t, testtool.Need(t, "file"), image); !strings.Contains(out, "DOS/MBR boot sector") {
			t.Errorf("%d bytes: %s", size, out)
		}
		// sgdisk makes a GPT of it in memory, and finds room for all of that.
		if out := run(t, testtool.Need(t, "sgdisk"), "-v", "-p", image); !strings.Contains(out, "No problems found") || !strings.Contains(out, "0700  Microsoft basic data") {
			t.Errorf("%d bytes: %s", size, out)
		}
	}
}

// Other programs read all the bytes that went in.
func TestOthersReadEveryByte(t *testing.T) {
	mcopy, sevenzip := testtool.Need(t, "mcopy"), testtool.Need(t, "7zz", "7z")
	t.Setenv("MTOOLS_SKIP_CHECK", "0")
	t.Setenv("LC_ALL", "C.UTF-8")
	for _, size := range []int64{MinSize, 300 << 20} {
		o := options
		o.Size = size
		image := write(t, tree(), o)
		offset := fmt.Sprintf("%s@@%d", image, firstSector*SectorSize)
		list := run(t, testtool.Need(t, "mdir"), "-i", offset, "::")
		if !strings.Contains(list, "Volume in drive : is FIRST DAY") || !strings.Contains(list, "1234-ABCD") || !strings.Contains(list, "2026-11-23  12:30") {
			t.Errorf("mdir says:\n%s", list)
		}
		byMtools, by7zip := t.TempDir(), t.TempDir()
		run(t, mcopy, "-s", "-n", "-i", offset, "::*", byMtools)
		run(t, sevenzip, "x", "-y", "-o"+by7zip, volume(t, tree(), o))
		for name, dir := range map[string]string{"mtools": byMtools, "7-Zip": by7zip} {
			compare(t, name, os.DirFS(dir))
		}
		v := openImage(t, image)
		compare(t, "our reader", v)
		if err := fstest.TestFS(v, "Acme.ppkg", "a/b/c/d", "logs"); err != nil {
			t.Error(err)
		}
		if v.Label != "FIRST DAY" || v.Serial != options.Serial {
			t.Errorf("label %q, serial %x", v.Label, v.Serial)
		}
	}
}

// compare holds what somebody read against the tree.
func compare(t *testing.T, who string, got fs.FS) {
	t.Helper()
	want := tree()
	found := 0
	err := fs.WalkDir(got, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(got, path)
		if err != nil {
			return err
		}
		found++
		if f := want[path]; f == nil || !bytes.Equal(f.Data, data) {
			t.Errorf("%s: %s has other bytes", who, path)
		}
		return nil
	})
	if err != nil {
		t.Errorf("%s: %v", who, err)
	}
	if found != len(want)-1 { // logs is a folder
		t.Errorf("%s finds %d files, want %d", who, found, len(want)-1)
	}
	if entries, err := fs.ReadDir(got, "logs"); err != nil || len(entries) > 0 {
		t.Errorf("%s: logs holds %v, %v", who, entries, err)
	}
}

func TestSameTreeSameBytes(t *testing.T) {
	a, b := write(t, tree(), options), write(t, tree(), options)
	one, err := os.ReadFile(a)
	if err != nil {
		t.Fatal(err)
	}
	two, err := os.ReadFile(b)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(one, two) {
		t.Error("two images of one tree differ")
	}
}

// extent is a file of the test's that keeps how far it was written.
type extent struct{ written, end int64 }

func (e *extent) WriteAt(p []byte, at int64) (int, error) {
	e.written, e.end = e.written+int64(len(p)), max(e.end, at+int64(len(p)))
	return len(p), nil
}

// Of large images only what holds something is written, whatever their size.
func TestEverySizeIsSparse(t *testing.T) {
	for _, size := range sizes {
		o := options
		o.Size = size
		var e extent
		if err := Write(t.Context(), &e, fstest.MapFS{"a": {Data: []byte("b")}}, o); err != nil {
			t.Errorf("%d bytes: %v", size, err)
		}
		g, err := newGeometry(size)
		if err != nil || e.end > size || e.written > 1<<16 || g.clusters < minClusters || int64(g.fat)*SectorSize < int64(g.clusters+rootCluster)*4 {
			t.Errorf("%d bytes: %+v, %+v, %v", size, e, g, err)
		}
		if end := g.cluster(g.clusters + rootCluster); end > size || (g.cluster(rootCluster)/SectorSize)%firstSector != 0 {
			t.Errorf("%d bytes: clusters begin at %d and end at %d", size, g.cluster(rootCluster), end)
		}
	}
}

func TestSizeFor(t *testing.T) {
	big := fstest.MapFS{"big": {Data: make([]byte, 100<<20)}}
	for _, free := range []int64{0, 1, 64 << 20, 1 << 30} {
		size, err := SizeFor(big, free)
		if err != nil {
			t.Fatal(err)
		}
		o := options
		o.Size = size
		if err := Write(t.Context(), new(extent), big, o); err != nil {
			t.Errorf("%d bytes free: %v", free, err)
		}
		if o.Size = size - 1<<20; free == 0 {
			if err := Write(t.Context(), new(extent), big, o); !errors.Is(err, ErrFull) {
				t.Errorf("a smaller image does as well: %v", err)
			}
		}
	}
}

// odd is a file of any size and kind, of which nothing is there.
type odd struct {
	fs.FS
	size int64
	mode fs.FileMode
}

func (o odd) ReadDir(name string) ([]fs.DirEntry, error) {
	return []fs.DirEntry{fs.FileInfoToDirEntry(&oddInfo{o})}, nil
}

type oddInfo struct{ odd }

func (o *oddInfo) Name() string       { return "file" }
func (o *oddInfo) Size() int64        { return o.size }
func (o *oddInfo) Mode() fs.FileMode  { return o.mode }
func (o *oddInfo) ModTime() time.Time { return time.Time{} }
func (o *oddInfo) IsDir() bool        { return false }
func (o *oddInfo) Sys() any           { return nil }

func TestWhatFAT32CannotHold(t *testing.T) {
	named := func(names ...string) fs.FS {
		m := fstest.MapFS{}
		for _, n := range names {
			m[n] = &fstest.MapFile{}
		}
		return m
	}
	for name, c := range map[string]struct {
		tree fs.FS
		want error
	}{
		"cases":       {named("Acme.ppkg", "ACME.PPKG"), ErrName},
		"umlauts":     {named("ä", "Ä"), ErrName},
		"folder":      {named("logs/a", "Logs"), ErrName},
		"device":      {named("con.txt"), ErrName},
		"port":        {named("Com1"), ErrName},
		"colon":       {named("a:b"), ErrName},
		"dot":         {named("a."), ErrName},
		"space":       {named("a "), ErrName},
		"control":     {named("a\nb"), ErrName},
		"long":        {named(strings.Repeat("x", 256)), ErrName},
		"surrogates":  {named(strings.Repeat("😀", 128)), ErrName},
		"4 GiB":       {odd{size: 1 << 32}, ErrFile},
		"link":        {odd{mode: fs.ModeSymlink}, ErrFile},
		"pipe":        {odd{mode: fs.ModeNamedPipe}, ErrFile},
		"full":        {odd{size: MinSize}, ErrFull},
		"no such":     {os.DirFS("missing"), fs.ErrNotExist},
		"gone by now": {odd{FS: fstest.MapFS{}, size: 5}, fs.ErrNotExist},
	} {
		if err := Write(t.Context(), new(extent), c.tree, options); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, size := range []int64{-1, 0, MinSize - SectorSize, MinSize + 1, MaxSize + SectorSize} {
		o := options
		o.Size = size
		if err := Write(t.Context(), new(extent), tree(), o); !errors.Is(err, ErrSize) {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
	for _, label := range []string{"", "TWELVE CHARS", "small", " A", "A.B", "Ä"} {
		o := options
		o.Label = label
		if err := Write(t.Context(), new(extent), tree(), o); !errors.Is(err, ErrLabel) {
			t.Errorf("label %q: %v", label, err)
		}
	}
}

// A file that has become longer or shorter is no file of a stick.
func TestFilesThatChange(t *testing.T) {
	for size, text := range map[int64]string{3: "ab", 1: "ab"} {
		changed := odd{FS: fstest.MapFS{"file": {Data: []byte(text)}}, size: size}
		if err := Write(t.Context(), new(extent), changed, options); !errors.Is(err, ErrFile) {
			t.Errorf("%q of %d bytes: %v", text, size, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Write(ctx, new(extent), tree(), options); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestShortNames(t *testing.T) {
	root := &node{dir: true}
	for _, name := range []string{"ACME~1.PPK", "Acme.ppkg", "acme.ppk2", "README.TXT", "run", ".profile", "a+b.c d", "Söhne.txt", "no ext", "A.B.C"} {
		root.children = append(root.children, &node{name: name, parent: root})
	}
	for i := range 12 {
		root.children = append(root.children, &node{name: fmt.Sprintf("a long name %d.log", i), parent: root})
	}
	root.giveShortNames()
	var got []string
	for _, c := range root.children {
		got = append(got, c.short.String())
	}
	want := []string{"ACME~1.PPK", "ACME~2.PPK", "ACME~3.PPK", "README.TXT", "RUN~1", "PROFIL~1", "A_B~1.CD", "S_HNE~1.TXT", "NOEXT~1", "AB~1.C",
		"ALONGN~1.LOG", "ALONGN~2.LOG", "ALONGN~3.LOG", "ALONGN~4.LOG", "ALONGN~5.LOG", "ALONGN~6.LOG", "ALONGN~7.LOG", "ALONGN~8.LOG", "ALONGN~9.LOG", "ALONG~10.LOG", "ALONG~11.LOG", "ALONG~12.LOG"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTimes(t *testing.T) {
	for in, want := range map[string]string{
		"1970-01-01T00:00:00Z": "1980-01-01T00:00:00Z", "2026-11-23T12:30:59Z": "2026-11-23T12:30:58Z",
		"2026-11-23T12:30:58+02:00": "2026-11-23T10:30:58Z", "2200-01-01T00:00:00Z": "2107-12-31T23:59:58Z",
	} {
		at, err := time.Parse(time.RFC3339, in)
		if err != nil {
			t.Fatal(err)
		}
		if got := goTime(dosTime(at)).Format(time.RFC3339); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}
