package pkgbuild

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
)

func TestOwnPackagesDoNotContradictThemselves(t *testing.T) {
	for name, p := range map[string]*Package{
		"component": openPackage(t, func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) }),
		"product":   openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, product(t), Options{Time: at}) }),
		"scripts alone": openPackage(t, func(f *os.File) error {
			c := component(t)
			c.Payload = nil
			return WriteComponent(t.Context(), f, c, Options{Time: at})
		}),
	} {
		if err := p.CheckContents(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// bomOf lists entries, behind a root.
func bomOf(t testing.TB, entries ...bom.Entry) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := bom.Write(&b, append([]bom.Entry{{Path: ".", Mode: folder}}, entries...)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func sumOf(data string) uint32 {
	h := bom.NewChecksum()
	h.Write([]byte(data))
	return h.Sum32()
}

func TestCheckContentsNamesEachDifference(t *testing.T) {
	program := string(program(t))
	files := []cpioFile{
		{cpio.Header{Name: "./a", Mode: file}, "data"},
		{cpio.Header{Name: "./agent", Mode: file, Inode: 9, Links: 2}, program},
		{cpio.Header{Name: "./again", Mode: file, Inode: 9, Links: 2}, ""},
		{cpio.Header{Name: "./to", Mode: link}, "a"},
	}
	right := func() []bom.Entry {
		agent := bom.Entry{Path: "./agent", Mode: file, Size: int64(len(program))}
		s := newSums([]byte(program), agent.Size)
		s.write([]byte(program))
		s.into(&agent)
		again := agent
		again.Path = "./again"
		return []bom.Entry{
			{Path: "./a", Mode: file, Size: 4, Checksum: sumOf("data")}, agent, again,
			{Path: "./to", Mode: link, Size: 1, Target: "a", Checksum: sumOf("a")},
		}
	}
	counts := fmt.Sprintf(`<payload numberOfFiles="5" installKBytes="%d"/>`, (512+2*(len(program)+511)/512*512+1023)/1024)
	for name, c := range map[string]struct {
		change func(e []bom.Entry) []bom.Entry
		info   string
		want   []string
	}{
		"nothing":      {want: nil},
		"mode":         {change: func(e []bom.Entry) []bom.Entry { e[0].Mode = file | 0o111; return e }, want: []string{`"a" has mode 100644, in the Bom 100755`}},
		"type":         {change: func(e []bom.Entry) []bom.Entry { e[0].Mode = folder; e[0].Size = 0; return e }, want: []string{`"a" has mode 100644, in the Bom 40755`}},
		"owner":        {change: func(e []bom.Entry) []bom.Entry { e[0].GID = 80; return e }, want: []string{`"a" is of 0:0, in the Bom of 0:80`}},
		"size":         {change: func(e []bom.Entry) []bom.Entry { e[0].Size = 5; return e }, want: []string{`"a" has 4 bytes, in the Bom 5`}},
		"gigantic":     {change: func(e []bom.Entry) []bom.Entry { e[0].Size = 1 << 60; return e }, want: []string{`"a" has 4 bytes, in the Bom 1152921504606846976`}},
		"checksum":     {change: func(e []bom.Entry) []bom.Entry { e[0].Checksum = 1; return e }, want: []string{`"a" has checksum `}},
		"target":       {change: func(e []bom.Entry) []bom.Entry { e[3].Target = "b"; return e }, want: []string{`"to" links to "a", in the Bom to "b"`}},
		"slice":        {change: func(e []bom.Entry) []bom.Entry { e[1].Slices[0].Checksum++; return e }, want: []string{`"agent" has other architectures`, `"again" has other architectures`}},
		"no slices":    {change: func(e []bom.Entry) []bom.Entry { e[1].Slices, e[2].Slices = nil, nil; return e }},
		"hard link":    {change: func(e []bom.Entry) []bom.Entry { e[2].Checksum++; return e }, want: []string{`"again" has checksum`}},
		"Bom alone":    {change: func(e []bom.Entry) []bom.Entry { return append(e, bom.Entry{Path: "./b", Mode: file}) }, want: []string{`"b" is in the Bom alone`}},
		"not in Bom":   {change: func(e []bom.Entry) []bom.Entry { return e[:3] }, want: []string{`"to" is not in the Bom`}},
		"empty Bom":    {change: func(e []bom.Entry) []bom.Entry { return nil }, want: []string{`"a" is not`, `"agent" is not`, `"again" is not`, `"to" is not`}},
		"number":       {info: strings.Replace(counts, "5", "6", 1), want: []string{"has 5 files, PackageInfo says 6"}},
		"size in info": {info: `<payload numberOfFiles="5" installKBytes="999999999"/>`, want: []string{"PackageInfo says 999999999"}},
	} {
		entries := right()
		if c.change != nil {
			entries = c.change(entries)
		}
		if c.info == "" {
			c.info = counts
		}
		p := assemble(t, part{"Bom", bomOf(t, entries...)}, part{"Payload", cpioOf(t, files...)}, info(c.info))
		expectErrors(t, name, p.CheckContents(t.Context()), c.want)
	}
	if macho.Peek([]byte(program), int64(len(program))) == nil {
		t.Error("the program is none")
	}
}

// expectErrors wants joined errors that hold these texts, and no others.
func expectErrors(t *testing.T, name string, err error, want []string) {
	t.Helper()
	var got []error
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		got = joined.Unwrap()
	} else if err != nil {
		got = []error{err}
	}
	if len(got) != len(want) {
		t.Errorf("%s: %d differences: %v", name, len(got), err)
		return
	}
	for i := range got {
		if !errors.Is(got[i], ErrContents) || !strings.Contains(got[i].Error(), want[i]) {
			t.Errorf("%s: %v, want %q", name, got[i], want[i])
		}
	}
}

func TestCheckContentsStopsAtAHundred(t *testing.T) {
	var files []cpioFile
	for i := range 500 {
		files = append(files, cpioFile{cpio.Header{Name: fmt.Sprint("./", i), Mode: file}, ""})
	}
	p := assemble(t, part{"Bom", bomOf(t)}, part{"Payload", cpioOf(t, files...)}, info("<payload/>"))
	joined, ok := p.CheckContents(t.Context()).(interface{ Unwrap() []error })
	if !ok || len(joined.Unwrap()) != maxDifferences {
		t.Error("not a hundred")
	}
}

func TestCheckContentsWantsBomAndPayload(t *testing.T) {
	want := []string{"the package has one of Bom and Payload, not the other"}
	expectErrors(t, "no Bom", payloadOf(t).CheckContents(t.Context()), want)
	expectErrors(t, "no Payload", assemble(t, part{"Bom", bomOf(t)}, info("")).CheckContents(t.Context()), want)
}

// TestCheckContentsKnowsApplesHabits: sidecars of which only the name counts,
// and a root without owner.
func TestCheckContentsKnowsApplesHabits(t *testing.T) {
	b := bomOf(t, bom.Entry{Path: "./._a", Mode: file})
	// The root's record: type 2, then 1, its architecture and its mode.
	root := append([]byte{2, 1, 0, 0x0f}, byte(folder>>8), byte(folder&0xff))
	if bytes.Count(b, root) != 1 {
		t.Fatalf("%d roots", bytes.Count(b, root))
	}
	b = bytes.Replace(b, root, []byte{2, 1, 0, 1, 0, 0}, 1)
	files := []cpioFile{{cpio.Header{Name: "./._a", Mode: file}, "attributes"}}
	p := assemble(t, part{"Bom", b}, part{"Payload", cpioOf(t, files...)}, info("<payload/>"))
	if err := p.CheckContents(t.Context()); err != nil {
		t.Error(err)
	}
}
