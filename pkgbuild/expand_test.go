package pkgbuild

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/cpio"
)

func root(t testing.TB) *os.Root {
	t.Helper()
	r, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// names lists what a folder holds; folders end with a slash.
func names(t testing.TB, dir fs.FS) []string {
	t.Helper()
	var list []string
	err := fs.WalkDir(dir, ".", func(name string, d fs.DirEntry, err error) error {
		if d.IsDir() {
			name += "/"
		}
		list = append(list, name)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// contents is all that matters of a package.
type contents struct {
	Product    *Distribution
	Components []PackagedComponent
	Boms       [][]bom.Entry
	Payloads   []map[string]string // header and contents
	Scripts    []map[string]string
}

func contentsOf(t testing.TB, p *Package) contents {
	t.Helper()
	all := contents{Product: p.Product}
	for _, c := range p.Components {
		entries, err := c.Bom()
		if err != nil {
			t.Fatal(err)
		}
		payload, scripts := map[string]string{}, map[string]string{}
		collect := func(into map[string]string) func(h *cpio.Header, r io.Reader) error {
			return func(h *cpio.Header, r io.Reader) error {
				b, err := io.ReadAll(r)
				into[h.Name] = string(b)
				return err
			}
		}
		if c.HasPayload() {
			err = c.Walk(t.Context(), collect(payload))
		}
		if c.HasScripts() {
			err = errors.Join(err, c.WalkScripts(t.Context(), collect(scripts)))
		}
		if err != nil {
			t.Fatal(err)
		}
		plain := *c
		plain.archive = nil
		all.Components = append(all.Components, plain)
		all.Boms, all.Payloads, all.Scripts = append(all.Boms, entries), append(all.Payloads, payload), append(all.Scripts, scripts)
	}
	return all
}

func flatten(t testing.TB, dir fs.FS) *Package {
	t.Helper()
	return openPackage(t, func(f *os.File) error { return Flatten(t.Context(), f, dir, Options{Time: at}) })
}

func expand(t testing.TB, p *Package, o ExpandOptions) *os.Root {
	t.Helper()
	r := root(t)
	if err := Expand(t.Context(), p, r, o); err != nil {
		t.Fatal(err)
	}
	return r
}

// twoComponents is a product whose components are not in the order of their
// names.
func twoComponents(t testing.TB) *Product {
	t.Helper()
	p := product(t)
	second := component(t)
	second.Identifier, second.InstallLocation = "com.example.other", "/Library/Application Support"
	second.Scripts = nil
	p.Components = append([]ProductComponent{{Name: "Other.pkg", Component: second}}, p.Components...)
	return p
}

func TestFlattenUndoesExpand(t *testing.T) {
	write := map[string]func(*os.File) error{
		"component": func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) },
		"product":   func(f *os.File) error { return WriteProduct(t.Context(), f, twoComponents(t), Options{Time: at}) },
		"scripts alone": func(f *os.File) error {
			c := component(t)
			c.Payload = nil
			return WriteComponent(t.Context(), f, c, Options{Time: at})
		},
	}
	for name, write := range write {
		p := openPackage(t, write)
		for _, full := range []bool{false, true} {
			again := flatten(t, expand(t, p, ExpandOptions{Full: full}).FS())
			exported := cmp.AllowUnexported(Distribution{}, PackageInfo{}, PackagedComponent{})
			if diff := cmp.Diff(contentsOf(t, p), contentsOf(t, again), exported); diff != "" {
				t.Errorf("%s, full %v: %s", name, full, diff)
			}
			if err := again.CheckContents(t.Context()); err != nil {
				t.Errorf("%s, full %v: %v", name, full, err)
			}
			var before, after []string
			for _, f := range p.Archive.Files {
				before = append(before, f.Name)
			}
			for _, f := range again.Archive.Files {
				after = append(after, f.Name)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("%s, full %v: order of files: %s", name, full, diff)
			}
		}
	}
}

func TestExpandMakesWhatPkgutilMakes(t *testing.T) {
	p := openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, product(t), Options{Time: at}) })
	want := []string{
		"./", "Agent.pkg/", "Agent.pkg/Bom", "Agent.pkg/PackageInfo", "Agent.pkg/Payload", "Agent.pkg/Scripts/",
		"Agent.pkg/Scripts/postinstall", "Distribution", "Resources/", "Resources/en.lproj/", "Resources/en.lproj/welcome.html",
	}
	if diff := cmp.Diff(want, names(t, expand(t, p, ExpandOptions{}).FS())); diff != "" {
		t.Error(diff)
	}
	full := expand(t, p, ExpandOptions{Full: true})
	target, err := full.Readlink("Agent.pkg/Payload/Library/Application Support/Firstday/current")
	if target != "agent" || err != nil {
		t.Error(target, err)
	}
	info, err := full.Stat("Agent.pkg/Payload/Library/Application Support/Firstday/agent")
	if err != nil || !info.ModTime().Equal(at) || runtime.GOOS != "windows" && info.Mode().Perm()&0o700 != 0o700 {
		t.Error(info, err)
	}
	if err := Expand(t.Context(), p, full, ExpandOptions{}); !errors.Is(err, fs.ErrExist) {
		t.Errorf("into a folder that is not empty: %v", err)
	}
}

func TestFlattenPacksWhatWasChanged(t *testing.T) {
	p := openPackage(t, func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) })
	dir := expand(t, p, ExpandOptions{Full: true})
	const agent = "Payload/Library/Application Support/Firstday/"
	if err := errors.Join(dir.Remove(agent+"agent"), dir.WriteFile(agent+"new", []byte("new"), 0o755),
		dir.WriteFile(agent+"enrollment.json", []byte("{\"changed\": true}"), 0o666)); err != nil {
		t.Fatal(err)
	}
	again := flatten(t, dir.FS())
	if err := again.CheckContents(t.Context()); err != nil {
		t.Error(err)
	}
	if n := again.Components[0].Info; n.NumberOfFiles != 11 || n.InstallKBytes != 783 || !n.OverwritePermissions {
		t.Errorf("%+v", n)
	}
	list, err := again.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	modes := map[string]uint32{}
	for _, f := range list {
		modes[filepath.Base(f.VolumePath)] = f.Mode
	}
	if modes["new"] != file|0o111 || modes["enrollment.json"] != cpio.ModeRegular|0o600 || modes["agent"] != 0 {
		t.Errorf("%v", modes)
	}
	if err := dir.Remove("Bom"); err != nil {
		t.Fatal(err)
	}
	if err := flatten(t, dir.FS()).CheckContents(t.Context()); err != nil {
		t.Errorf("without the old Bom: %v", err)
	}
}

func TestFlattenRefuses(t *testing.T) {
	for name, files := range map[string]map[string]string{
		"nothing":         {"Payload": ""},
		"no Distribution": {"Distribution": "text"},
		"no Bom":          {"PackageInfo": string(info("").data), "Payload/a": "", "Bom": "text"},
		"no PackageInfo":  {"PackageInfo": "text", "Payload/a": ""},
	} {
		dir := root(t)
		for file, data := range files {
			if err := errors.Join(dir.MkdirAll(filepath.Dir(file), 0o755), dir.WriteFile(file, []byte(data), 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		err := Flatten(t.Context(), discard{}, dir.FS(), Options{})
		if !errors.Is(err, ErrFormat) && !errors.Is(err, bom.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	dir := root(t)
	if err := errors.Join(dir.WriteFile("PackageInfo", info("").data, 0o644), dir.Symlink("PackageInfo", "more")); err != nil {
		t.Fatal(err)
	}
	if err := Flatten(t.Context(), discard{}, dir.FS(), Options{}); !errors.Is(err, ErrTree) {
		t.Error(err)
	}
}

type discard struct{}

func (discard) WriteAt(p []byte, _ int64) (int, error) { return len(p), nil }

func TestExpandRefusesLinksThatLeadOutside(t *testing.T) {
	to := func(name, target string) cpioFile {
		return cpioFile{cpio.Header{Name: "./" + name, Mode: link}, target}
	}
	in := func(name string) cpioFile { return cpioFile{cpio.Header{Name: "./" + name, Mode: folder}, ""} }
	for name, c := range map[string]struct {
		files []cpioFile
		ok    bool
	}{
		"beside":                {[]cpioFile{to("a", "b")}, true},
		"itself":                {[]cpioFile{to("a", "a")}, true},
		"below":                 {[]cpioFile{to("Current", "A"), to("Program", "Versions/Current/Program")}, true},
		"up to the root":        {[]cpioFile{in("a"), in("a/b"), to("a/b/c", "../../d/e")}, true},
		"absolute":              {[]cpioFile{to("a", "/etc/passwd")}, false},
		"up":                    {[]cpioFile{to("a", "..")}, false},
		"up and down":           {[]cpioFile{in("a"), to("a/b", "../../c")}, false},
		"down and up":           {[]cpioFile{to("a", "b/../../c")}, false},
		"up through other link": {[]cpioFile{in("p"), in("p/q"), to("p/q/d", "../.."), to("p/q/e", "d/../x")}, false},
	} {
		p := payloadOf(t, c.files...)
		if err := Expand(t.Context(), p, root(t), ExpandOptions{Full: true}); errors.Is(err, ErrUnsafe) == c.ok || c.ok && err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if err := Expand(t.Context(), p, root(t), ExpandOptions{Full: true, Links: KeepLinks}); err != nil {
			t.Errorf("%s, kept: %v", name, err)
		}
	}
	err := Expand(t.Context(), payloadOf(t, to("one", "/1"), to("two", "/2")), root(t), ExpandOptions{Full: true})
	if err == nil || !strings.Contains(err.Error(), `"one" leads to "/1"`) || !strings.Contains(err.Error(), `"two" leads to "/2"`) {
		t.Error(err)
	}
}

// TestExpandWritesThroughNoLink: neither out of its folder nor elsewhere in it.
func TestExpandWritesThroughNoLink(t *testing.T) {
	outside := t.TempDir()
	for _, target := range []string{outside, "../Scripts", "b"} {
		for name, files := range map[string][]cpioFile{
			"file":   {{cpio.Header{Name: "./a", Mode: link}, target}, {cpio.Header{Name: "./a/evil", Mode: file}, "evil"}},
			"folder": {{cpio.Header{Name: "./a", Mode: link}, target}, {cpio.Header{Name: "./a/evil", Mode: folder}, ""}},
			"link":   {{cpio.Header{Name: "./a", Mode: link}, target}, {cpio.Header{Name: "./a/evil", Mode: link}, "x"}},
			"case":   {{cpio.Header{Name: "./a", Mode: link}, target}, {cpio.Header{Name: "./A/evil", Mode: file}, "evil"}},
		} {
			dir := root(t)
			files = append(files, cpioFile{cpio.Header{Name: "./b", Mode: folder}, ""})
			err := Expand(t.Context(), payloadOf(t, files...), dir, ExpandOptions{Full: true, Links: KeepLinks})
			if (err == nil) != (name == "case") && runtime.GOOS == "linux" {
				t.Errorf("%s through %s: %v", name, target, err)
			}
			if there, err := os.ReadDir(outside); err != nil || len(there) > 0 {
				t.Fatalf("%s through %s: %v %v", name, target, there, err)
			}
			if _, err := dir.Stat("Payload/b/evil"); err == nil {
				t.Fatalf("%s through %s", name, target)
			}
		}
	}
}

func TestExpandRefusesFilesInPlaceOfFolders(t *testing.T) {
	for name, files := range map[string][]cpioFile{
		"file":   {{cpio.Header{Name: "./a", Mode: file}, ""}, {cpio.Header{Name: "./a/b", Mode: file}, ""}},
		"twice":  {{cpio.Header{Name: "./a", Mode: file}, ""}, {cpio.Header{Name: "./a", Mode: file}, ""}},
		"up":     {{cpio.Header{Name: "./../a", Mode: file}, ""}},
		"device": {{cpio.Header{Name: "./a", Mode: 0o060666, RDev: 8}, ""}},
		"UTF-8":  {{cpio.Header{Name: "./a\xff", Mode: file}, ""}},
	} {
		if err := Expand(t.Context(), payloadOf(t, files...), root(t), ExpandOptions{Full: true}); err == nil {
			t.Error(name)
		}
	}
}

func TestExpandKeepsHardLinksTogether(t *testing.T) {
	linked := func(name, data string) cpioFile {
		return cpioFile{cpio.Header{Name: "./" + name, Mode: 0o104555, Inode: 7, Links: 3}, data}
	}
	dir := expand(t, payloadOf(t, linked("a", ""), linked("d/b", "data"), linked("c", "")), ExpandOptions{Full: true})
	first, err := dir.Stat("Payload/a")
	if err != nil {
		t.Fatal(err)
	}
	if first.Mode()&(fs.ModeSetuid|0o600) != 0o600 {
		t.Error(first.Mode())
	}
	for _, name := range []string{"Payload/d/b", "Payload/c"} {
		if info, err := dir.Stat(name); err != nil || !os.SameFile(first, info) || info.Size() != 4 {
			t.Errorf("%s: %v %v", name, info, err)
		}
	}
}

func TestSevenZipTestsFlattenedPackages(t *testing.T) {
	peer := testtool.Need(t, "7zz")
	p := openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, product(t), Options{Time: at}) })
	dir := expand(t, p, ExpandOptions{Full: true})
	path := writeFile(t, func(f *os.File) error { return Flatten(t.Context(), f, dir.FS(), Options{Time: at}) })
	if out, err := exec.Command(peer, "t", "-txar", path).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// TestPayloadsOfOtherTools: cpio and bsdtar write archives with hard links, each
// in its own way.
func TestPayloadsOfOtherTools(t *testing.T) {
	tree := t.TempDir()
	if err := errors.Join(os.WriteFile(filepath.Join(tree, "a"), []byte("data"), 0o644), os.Link(filepath.Join(tree, "a"), filepath.Join(tree, "b")),
		os.Symlink("a", filepath.Join(tree, "c")), os.Mkdir(filepath.Join(tree, "d"), 0o755)); err != nil {
		t.Fatal(err)
	}
	for name, arguments := range map[string][]string{
		"cpio":   {"-o", "-H", "odc", "--quiet"},
		"bsdtar": {"-c", "--format", "odc", "-f", "-", "-n", "-T", "-"},
	} {
		tool := exec.Command(testtool.Need(t, name), arguments...)
		tool.Dir = tree
		tool.Stdin = strings.NewReader(".\n./a\n./b\n./c\n./d\n")
		data, err := tool.Output()
		if err != nil {
			t.Fatal(name, err)
		}
		p := assemble(t, part{"Payload", data}, info("<payload/>"))
		want := map[string]string{".": "", "a": "data", "b": "data", "c": "a", "d": ""}
		if diff := cmp.Diff(want, contentsOf(t, p).Payloads[0]); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		expand(t, p, ExpandOptions{Full: true})
	}
}

// TestOtherToolsReadPayloads that are decompressed here.
func TestOtherToolsReadPayloads(t *testing.T) {
	tool := testtool.Need(t, "bsdtar")
	p := openPackage(t, func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) })
	r, err := p.Components[0].Payload()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	var out bytes.Buffer
	list := exec.Command(tool, "-tf", "-")
	list.Stdin, list.Stdout = r, &out
	if err := list.Run(); err != nil || strings.Count(out.String(), "\n") != 11 {
		t.Errorf("%v: %s", err, out.String())
	}
}
