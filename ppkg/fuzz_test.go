package ppkg

import (
	"bytes"
	"context"
	"os"
	"testing"
)

func FuzzReadCustomizations(f *testing.F) {
	f.Add(classroom(f))
	f.Add([]byte(withSettings(`<Policies><A_x007E_B><C fd:type="string">x</C></A_x007E_B></Policies>`)))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := ReadCustomizations(bytes.NewReader(data), AssetsFrom(projectFiles))
		if err != nil {
			return
		}
		tree, err := Compile(context.Background(), p, testTime)
		if err != nil {
			return // a certificate that is none, for example
		}
		// What was compiled must say the same when it is read again.
		written := contents(t, tree)
		again, err := ReadCustomizations(bytes.NewReader([]byte(written["Multivariant/0/customizations.xml"])), AssetsFrom(projectFiles))
		if err != nil {
			t.Fatalf("reading our own project: %v", err)
		}
		tree, err = Compile(context.Background(), again, testTime)
		if err != nil {
			t.Fatal(err)
		}
		for path, data := range contents(t, tree) {
			if written[path] != data {
				t.Errorf("%s: %q, then %q", path, written[path], data)
			}
		}
	})
}

func FuzzOpen(f *testing.F) {
	b, err := os.ReadFile(writeFile(f, minimal()))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, data []byte) { readAll(data) })
}

// readAll reads what a package offers, if it is one.
func readAll(data []byte) {
	r, err := Open(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return
	}
	r.Commands()
	r.Secrets()
	for _, a := range r.Assets {
		_ = r.CheckAsset(context.Background(), a)
	}
	_, _ = r.Package()
}

// memory is a file in memory.
type memory struct{ b []byte }

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	if n := int(at) + len(p); n > len(m.b) {
		m.b = append(m.b, make([]byte, n-len(m.b))...)
	}
	return copy(m.b[at:], p), nil
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	return bytes.NewReader(m.b).ReadAt(p, at)
}

// FuzzProvxml feeds the parsers that a WIM's checksums keep FuzzOpen from.
func FuzzProvxml(f *testing.F) {
	e := Entry{Parms: []Parm{{"a/b", []string{"a", "b"}, "c", Integer, "1"}}}
	f.Add(e.provxml())
	f.Fuzz(func(t *testing.T, data []byte) {
		parms, err := parseProvxml(data)
		if err != nil {
			return
		}
		for _, p := range parms {
			p.secret()
		}
	})
}
