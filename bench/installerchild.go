//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"firstday.dev/internal/parallelgzip"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/xar"
	"firstday.dev/signing"
)

// product writes a product archive of a tree: THREADS DIR FILE [CHAIN KEY].
func product(args []string) error {
	return writeProduct(args[0], os.DirFS(args[1]), args[2], args[3:])
}

func writeProduct(threads string, payload fs.FS, file string, identity []string) error {
	n, err := strconv.Atoi(threads)
	if err != nil {
		return err
	}
	o := pkgbuild.Options{Time: time.Now(), Threads: n}
	if len(identity) > 0 {
		id, err := signing.LoadPEM(identity[0], identity[1], "")
		if err != nil {
			return err
		}
		if o.Signer, err = signing.PackageSigner(id, signing.Options{}); err != nil {
			return err
		}
	}
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	defer f.Close()
	debug.SetMemoryLimit(40 << 20)
	p := &pkgbuild.Product{
		Identifier: "dev.firstday.bench", Version: "1.0", Title: "Bench", HostArchitectures: []string{"x86_64", "arm64"},
		Components: []pkgbuild.ProductComponent{{Name: "bench.pkg", Component: &pkgbuild.Component{
			Identifier: "dev.firstday.bench", Version: "1.0", InstallLocation: "/opt/bench", Payload: payload,
		}}},
	}
	if err := pkgbuild.WriteProduct(context.Background(), f, p, o); err != nil {
		return err
	}
	return printPeak()
}

// classic makes a package as people do on Linux: DIR FILE. The payload is
// written twice, as cpio and gzip in a row and into the archive.
func classic(args []string) error {
	dir, file := args[0], args[1]
	payload := file + ".payload"
	defer os.Remove(payload) //nolint:errcheck // the bench's folder goes as a whole
	pipe := exec.Command("sh", "-c", `find . | cpio -o -H odc --quiet | gzip -c >"$0"`, payload)
	pipe.Dir = dir
	if out, err := pipe.CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	entries, err := bomEntries(dir)
	if err != nil {
		return err
	}
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	defer out.Close()
	w, err := xar.NewWriter(out, []xar.Header{{Name: "Bom", Compress: true}, {Name: "Payload"}}, xar.Options{})
	if err != nil {
		return err
	}
	if err := put(w, "Bom", func(to io.Writer) error { return bom.Write(to, entries) }); err != nil {
		return err
	}
	if err := put(w, "Payload", func(to io.Writer) error {
		in, err := os.Open(payload)
		if err != nil {
			return err
		}
		defer in.Close()
		_, err = io.Copy(to, in)
		return err
	}); err != nil {
		return err
	}
	return w.Close(context.Background())
}

func put(w *xar.Writer, name string, write func(io.Writer) error) error {
	f, err := w.Create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

func bomEntries(dir string) ([]bom.Entry, error) {
	var entries []bom.Entry
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, path)
		if err != nil {
			return err
		}
		e := bom.Entry{Path: "./" + rel, Mode: bom.ModeDir | 0o755}
		if rel == "." {
			e.Path = "."
		}
		if !d.IsDir() {
			e.Mode = bom.ModeRegular | 0o644
			if e.Size, e.Checksum, err = checksum(path); err != nil {
				return err
			}
		}
		entries = append(entries, e)
		return nil
	})
	return entries, err
}

func checksum(path string) (int64, uint32, error) {
	f, err := os.Open(path)
	if err != nil {
		return 0, 0, err
	}
	defer f.Close()
	sum := bom.NewChecksum()
	n, err := io.Copy(sum, f)
	return n, sum.Sum32(), err
}

// bareGzip compresses one file and does nothing else: THREADS FILE OUTPUT.
func bareGzip(args []string) error {
	threads, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	in, err := os.Open(args[1])
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.Create(args[2])
	if err != nil {
		return err
	}
	defer out.Close()
	debug.SetMemoryLimit(40 << 20)
	z := parallelgzip.NewWriter(out, threads)
	if _, err := io.Copy(z, in); err != nil {
		return err
	}
	return z.Close()
}

// tinyProduct packs a tree that is nowhere: THREADS COUNT FILE.
func tinyProduct(args []string) error {
	count, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	return writeProduct(args[0], tinyFS(count), args[2], nil)
}

// tinyFS has as many files, each with its name for contents, a thousand to a
// folder.
type tinyFS int

const perFolder = 1000

func (t tinyFS) Open(name string) (fs.File, error) {
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		return &tinyFile{tinyInfo{name[i+1:], false}, strings.NewReader(name[i+1:])}, nil
	}
	return &tinyFile{tinyInfo{name, true}, strings.NewReader("")}, nil
}

func (t tinyFS) ReadDir(name string) ([]fs.DirEntry, error) {
	n, folders := perFolder, name == "."
	if strings.Contains(name, "/") {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	if folders {
		n = int(t) / perFolder
	}
	entries := make([]fs.DirEntry, n)
	for i := range entries {
		entries[i] = fs.FileInfoToDirEntry(tinyInfo{fmt.Sprintf("%06d", i), folders})
	}
	return entries, nil
}

type tinyInfo struct {
	name   string
	folder bool
}

func (i tinyInfo) Name() string       { return i.name }
func (i tinyInfo) ModTime() time.Time { return time.Unix(1_700_000_000, 0) }
func (i tinyInfo) IsDir() bool        { return i.folder }
func (i tinyInfo) Sys() any           { return nil }

func (i tinyInfo) Size() int64 {
	if i.folder {
		return 0
	}
	return int64(len(i.name))
}

func (i tinyInfo) Mode() fs.FileMode {
	if i.folder {
		return fs.ModeDir | 0o755
	}
	return 0o644
}

type tinyFile struct {
	tinyInfo
	*strings.Reader
}

func (f *tinyFile) Stat() (fs.FileInfo, error) { return f.tinyInfo, nil }
func (f *tinyFile) Size() int64                { return f.tinyInfo.Size() }
func (f *tinyFile) Close() error               { return nil }
