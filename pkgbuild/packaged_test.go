package pkgbuild

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// A component that somebody made becomes part of a product byte for byte.
func TestProductOfPackagedComponents(t *testing.T) {
	at := time.Unix(1_700_000_000, 0)
	read := func(write func(*os.File) error) *Package {
		t.Helper()
		f, err := os.Create(filepath.Join(t.TempDir(), "x.pkg"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if err := write(f); err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(f.Name())
		if err != nil {
			t.Fatal(err)
		}
		p, err := Open(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	lone := read(func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) })
	inside := read(func(f *os.File) error { return WriteProduct(t.Context(), f, product(t), Options{Time: at}) })
	for name, from := range map[string]*PackagedComponent{"of a component package": lone.Components[0], "of a product": inside.Components[0]} {
		p := product(t)
		p.Components = []ProductComponent{{Name: "Taken.pkg", Packaged: from}}
		got := read(func(f *os.File) error { return WriteProduct(t.Context(), f, p, Options{Time: at}) })
		if err := got.CheckContents(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		taken := got.Components[0]
		for _, f := range from.files() {
			want, err := readFile(f, 1<<20)
			if err != nil {
				t.Fatal(err)
			}
			have, err := readFile(taken.file(from.inside(f)), 1<<20)
			if err != nil || !bytes.Equal(want, have) {
				t.Errorf("%s: %s is another one, %v", name, f.Name, err)
			}
		}
		// But for the folder's name it is the product that is made of the tree.
		want, have := inside.Product.Packages[0], got.Product.Packages[0]
		want.Location, have.Location = "", ""
		if diff := cmp.Diff(want, have); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	p := product(t)
	p.Components[0].Packaged = lone.Components[0]
	if err := WriteProduct(t.Context(), nil, p, Options{}); !errors.Is(err, ErrDescription) {
		t.Errorf("made and packaged: %v", err)
	}
}
