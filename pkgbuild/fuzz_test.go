package pkgbuild

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/pkgbuild/xar"
)

// FuzzOpen looks for packages that stop the reader, or make it give errors that
// do not say what is wrong.
func FuzzOpen(f *testing.F) {
	seed := func(write func(*os.File) error) {
		b, err := os.ReadFile(writeFile(f, write))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	files := []cpioFile{
		{cpio.Header{Name: "./a", Mode: file, Inode: 7, Links: 2}, ""}, {cpio.Header{Name: "./b", Mode: file, Inode: 7, Links: 2}, "data"},
		{cpio.Header{Name: "./c", Mode: link}, "a"}, {cpio.Header{Name: "./Library/LaunchDaemons/a.plist", Mode: file}, daemon},
	}
	seed(func(out *os.File) error {
		return writeParts(out, []part{{"Bom", bomOf(f)}, {"Payload", cpioOf(f, files...)}, info(`<payload numberOfFiles="5"/>`)})
	})
	seed(func(out *os.File) error { return WriteProduct(f.Context(), out, clean(f), Options{Time: at}) })
	known := []error{
		ErrFormat, ErrUnsupported, ErrUnsafe, ErrContents, xar.ErrFormat, xar.ErrUnsupported, xar.ErrChecksum, xar.ErrName,
		bom.ErrFormat, cpio.ErrFormat,
	}
	check := func(t *testing.T, err error) {
		for _, k := range known {
			if errors.Is(err, k) {
				return
			}
		}
		if err != nil {
			t.Errorf("%v", err)
		}
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		p, err := Open(bytes.NewReader(b), int64(len(b)))
		check(t, err)
		if err != nil {
			return
		}
		_, err = p.List(t.Context())
		check(t, err)
		check(t, p.CheckContents(t.Context()))
		Lint(t.Context(), p)
	})
}

// FuzzWalk has the same for a payload alone, which in a package hides behind
// checksums.
func FuzzWalk(f *testing.F) {
	f.Add(cpioOf(f, cpioFile{cpio.Header{Name: "./a", Mode: file, Inode: 7, Links: 2}, ""}, cpioFile{cpio.Header{Name: "./b", Mode: file, Inode: 7, Links: 2}, "data"}))
	f.Add(cpioOf(f, cpioFile{cpio.Header{Name: "./" + daemonPath, Mode: file}, daemon}, cpioFile{cpio.Header{Name: "./a", Mode: file}, string(thin(macho.ARM64))}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 64<<10 {
			return
		}
		p := assemble(t, part{"Bom", bomOf(t)}, part{"Payload", b}, info("<payload/>"))
		seen := map[string]bool{}
		err := p.Components[0].Walk(t.Context(), func(h *cpio.Header, r io.Reader) error {
			if seen[h.Name] {
				t.Errorf("%q twice", h.Name)
			}
			seen[h.Name] = true
			_, err := io.Copy(io.Discard, r)
			return err
		})
		if err == nil {
			_ = Expand(t.Context(), p, root(t), ExpandOptions{Full: true})
		}
		_ = p.CheckContents(t.Context())
		Lint(t.Context(), p)
	})
}
