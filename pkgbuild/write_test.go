package pkgbuild

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/pkgbuild/xar"
)

var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// program is a universal binary of headers alone.
func program(t testing.TB) []byte {
	t.Helper()
	var parts []macho.Program
	for _, cpu := range []macho.CPU{macho.AMD64, macho.ARM64} {
		b := append([]byte{0xcf, 0xfa, 0xed, 0xfe, byte(cpu.Type), 0, 0, byte(cpu.Type >> 24), byte(cpu.Subtype)}, make([]byte, 5000)...)
		parts = append(parts, macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	var fat bytes.Buffer
	if err := macho.MakeFat(&fat, parts...); err != nil {
		t.Fatal(err)
	}
	return fat.Bytes()
}

func tree(t testing.TB) fstest.MapFS {
	return fstest.MapFS{
		"Library/Application Support/Firstday/agent":              {Data: program(t), Mode: 0o700, ModTime: at.Add(time.Hour)},
		"Library/Application Support/Firstday/current":            {Data: []byte("agent"), Mode: fs.ModeSymlink | 0o777},
		"Library/Application Support/Firstday/enrollment.json":    {Data: []byte("{}\n"), Mode: 0o600, ModTime: at.Add(-time.Hour)},
		"Library/LaunchDaemons/com.example.agent.plist":           {Data: bytes.Repeat([]byte("<plist/>"), 100_000), Mode: 0o664},
		"Library/Application Support/Firstday/Grüße/empty folder": {Mode: fs.ModeDir | 0o777},
	}
}

func component(t testing.TB) *Component {
	return &Component{
		Identifier: "com.example.agent", Version: "1.2.3", Payload: tree(t),
		Scripts: fstest.MapFS{"postinstall": {Data: []byte("#!/bin/sh\nexit 0\n"), Mode: 0o644}},
		Attributes: func(path string, info fs.FileInfo) Attributes {
			a := DefaultAttributes(path, info)
			if strings.HasSuffix(path, "enrollment.json") {
				a.Mode = 0o600
			}
			return a
		},
	}
}

func product(t testing.TB) *Product {
	return &Product{
		Identifier: "com.example.product", Version: "1.2.3", Title: "Acme & Söhne",
		HostArchitectures: []string{"x86_64", "arm64"}, MinOSVersion: "13.0",
		Resources: fstest.MapFS{"en.lproj/welcome.html": {Data: []byte("<p>Welcome</p>")}}, Welcome: "welcome.html",
		Components: []ProductComponent{{Name: "Agent.pkg", Component: component(t)}},
	}
}

func writeFile(t testing.TB, write func(*os.File) error) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "test.pkg"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(write(f), f.Close()); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

func open(t testing.TB, path string) *xar.Archive {
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
	a, err := xar.Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func read(t testing.TB, a *xar.Archive, name string) []byte {
	t.Helper()
	for _, f := range a.Files {
		if f.Name != name {
			continue
		}
		r, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	t.Fatalf("no %s", name)
	return nil
}

// TestPayloadAndBomAgree on everything but what only one of them holds.
func TestPayloadAndBomAgree(t *testing.T) {
	path := writeFile(t, func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) })
	a := open(t, path)
	if len(a.Oddities) > 0 {
		t.Error(a.Oddities)
	}
	list := read(t, a, "Bom")
	entries, err := bom.Read(bytes.NewReader(list), int64(len(list)))
	if err != nil {
		t.Fatal(err)
	}
	byPath := map[string]bom.Entry{}
	for _, e := range entries {
		byPath[e.Path] = e
	}
	z, err := gzip.NewReader(bytes.NewReader(read(t, a, "Payload")))
	if err != nil {
		t.Fatal(err)
	}
	cksum := testtool.Need(t, "cksum")
	for in, n := cpio.NewReader(z), 0; ; n++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			if n != len(entries) {
				t.Errorf("%d files in the payload, %d in the Bom", n, len(entries))
			}
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		e, ok := byPath[h.Name]
		if !ok || e.Mode != h.Mode || e.UID != h.UID || e.GID != h.GID || int64(e.ModTime) != h.ModTime {
			t.Errorf("%s: payload %+v, Bom %+v", h.Name, h, e)
		}
		if h.Mode&cpio.ModeType == cpio.ModeDir {
			continue
		}
		content, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		judge := exec.Command(cksum)
		judge.Stdin = bytes.NewReader(content)
		out, err := judge.Output()
		if err != nil || !strings.HasPrefix(string(out), fmt.Sprintf("%d %d", e.Checksum, e.Size)) {
			t.Errorf("%s: Bom says %d %d, cksum %s", h.Name, e.Checksum, e.Size, out)
		}
	}
	for path, want := range map[string]string{
		".": "40755 0/0", "./Library": "41775 0/80", "./Library/Application Support": "40755 0/80", "./Library/LaunchDaemons": "40755 0/0",
		"./Library/Application Support/Firstday/agent":           "100755 0/0",
		"./Library/Application Support/Firstday/enrollment.json": "100600 0/0",
		"./Library/LaunchDaemons/com.example.agent.plist":        "100644 0/0",
	} {
		if e := byPath[path]; fmt.Sprintf("%o %d/%d", e.Mode, e.UID, e.GID) != want {
			t.Errorf("%s is %o %d/%d, want %s", path, e.Mode, e.UID, e.GID, want)
		}
	}
	agent := byPath["./Library/Application Support/Firstday/agent"]
	if len(agent.Slices) != 2 || agent.Slices[1].CPUType != macho.ARM64.Type || agent.Slices[0].Size != 5009 || int64(agent.ModTime) != at.Unix() {
		t.Errorf("the agent is %+v", agent)
	}
	if link := byPath["./Library/Application Support/Firstday/current"]; link.Target != "agent" {
		t.Errorf("the link is %+v", link)
	}
}

func TestSevenZipTestsProducts(t *testing.T) {
	peer := testtool.Need(t, "7zz")
	pki := testpki.New(t)
	for name, signer := range map[string]*xar.Signer{"unsigned": nil, "signed": {Chain: pki.CodeRSA.Chain, Key: pki.CodeRSA.Key}} {
		path := writeFile(t, func(f *os.File) error {
			return WriteProduct(t.Context(), f, product(t), Options{Time: at, Signer: signer})
		})
		out, err := exec.Command(peer, "t", path).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "Everything is Ok") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
		a := open(t, path)
		if distribution := string(read(t, a, "Distribution")); !strings.Contains(distribution, `hostArchitectures="x86_64,arm64"`) ||
			!strings.Contains(distribution, "#Agent.pkg<") || !strings.Contains(distribution, "<volume-check>") {
			t.Error(distribution)
		}
		if info := string(read(t, a, "Agent.pkg/PackageInfo")); !strings.Contains(info, `numberOfFiles="11"`) || !strings.Contains(info, `<postinstall file="./postinstall"/>`) {
			t.Error(info)
		}
	}
}

func TestProductsAreReproducible(t *testing.T) {
	write := func(threads int) []byte {
		b, err := os.ReadFile(writeFile(t, func(f *os.File) error {
			return WriteProduct(t.Context(), f, product(t), Options{Time: at, Threads: threads})
		}))
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if !bytes.Equal(write(1), write(4)) {
		t.Error("a second product is another one")
	}
}

func TestRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		change func(p *Product)
		want   error
	}{
		"identifier":       {func(p *Product) { p.Identifier = "a b" }, ErrDescription},
		"version":          {func(p *Product) { p.Version = "1.x" }, ErrDescription},
		"architecture":     {func(p *Product) { p.HostArchitectures = []string{"amd64"} }, ErrDescription},
		"no architecture":  {func(p *Product) { p.HostArchitectures = nil }, ErrDescription},
		"no component":     {func(p *Product) { p.Components = nil }, ErrDescription},
		"component's name": {func(p *Product) { p.Components[0].Name = "Agent" }, ErrDescription},
		"folder":           {func(p *Product) { p.Components[0].Name = "../Agent.pkg" }, ErrDescription},
		"same component": {func(p *Product) {
			p.Components = append(p.Components, ProductComponent{Name: "B.pkg", Component: p.Components[0].Component})
		}, ErrDescription},
		"nothing":           {func(p *Product) { p.Components[0].Payload, p.Components[0].Scripts = nil, nil }, ErrDescription},
		"no script":         {func(p *Product) { p.Components[0].Scripts = fstest.MapFS{"other": {}} }, ErrDescription},
		"relative location": {func(p *Product) { p.Components[0].InstallLocation = "Library" }, ErrDescription},
		"action":            {func(p *Product) { p.Components[0].PostinstallAction = "explode" }, ErrDescription},
		"device":            {func(p *Product) { p.Components[0].Payload = fstest.MapFS{"a": {Mode: fs.ModeDevice}} }, ErrTree},
		"long path":         {func(p *Product) { p.Components[0].Payload = fstest.MapFS{strings.Repeat("a/", 600) + "b": {}} }, ErrTree},
	} {
		p := product(t)
		c.change(p)
		f, err := os.Create(filepath.Join(t.TempDir(), "x.pkg"))
		if err != nil {
			t.Fatal(err)
		}
		if err := WriteProduct(t.Context(), f, p, Options{Time: at}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
		f.Close()
	}
}

// Who watches sees all bytes go by, of all components.
func TestProgressGrowsToTheEnd(t *testing.T) {
	p := twoComponents(t)
	var total, last int64
	for _, c := range p.Components {
		for _, fsys := range []fs.FS{c.Payload, c.Scripts} {
			files, _ := fsys.(fstest.MapFS) // none where there are no scripts
			for _, file := range files {
				total += int64(len(file.Data))
			}
		}
	}
	o := Options{Time: at, Progress: func(done int64) {
		if done < last {
			t.Errorf("%d after %d", done, last)
		}
		last = done
	}}
	openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, p, o) })
	if last != total {
		t.Errorf("it ends with %d of %d bytes", last, total)
	}
}
