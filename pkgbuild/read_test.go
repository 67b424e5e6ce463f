package pkgbuild

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/pkgbuild/bom"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/xar"
)

// openPackage opens what is written.
func openPackage(t testing.TB, write func(*os.File) error) *Package {
	t.Helper()
	p, err := Open(readerOf(t, write))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func readerOf(t testing.TB, write func(*os.File) error) (io.ReaderAt, int64) {
	t.Helper()
	b, err := os.ReadFile(writeFile(t, write))
	if err != nil {
		t.Fatal(err)
	}
	return bytes.NewReader(b), int64(len(b))
}

// part is a file of an archive that no writer of ours would write.
type part struct {
	name string
	data []byte
}

// assemble makes an archive of parts.
func assemble(t testing.TB, parts ...part) *Package {
	t.Helper()
	return openPackage(t, func(f *os.File) error { return writeParts(f, parts) })
}

func writeParts(out xar.Output, parts []part) error {
	var headers []xar.Header
	for _, p := range parts {
		name := path.Base(p.name)
		headers = append(headers, xar.Header{Name: p.name, Compress: name != payloadFile && name != scriptsFile})
	}
	return writeArchive(out, headers, parts)
}

func writeArchive(out xar.Output, headers []xar.Header, parts []part) error {
	w, err := xar.NewWriter(out, headers, xar.Options{})
	if err != nil {
		return err
	}
	for _, p := range parts {
		f, err := w.Create(p.name)
		if err != nil {
			return err
		}
		_, err = f.Write(p.data)
		if err := errors.Join(err, f.Close()); err != nil {
			return err
		}
	}
	return w.Close(context.Background())
}

const (
	file   = cpio.ModeRegular | 0o644
	folder = cpio.ModeDir | 0o755
	link   = cpio.ModeSymlink | 0o755
)

// cpioFile is an entry of an archive and its contents.
type cpioFile struct {
	cpio.Header
	data string
}

// cpioOf makes an archive of entries, behind a root.
func cpioOf(t testing.TB, files ...cpioFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := cpio.NewWriter(&b)
	for _, f := range append([]cpioFile{{cpio.Header{Name: ".", Mode: folder}, ""}}, files...) {
		f.Size = int64(len(f.data))
		if err := w.WriteHeader(&f.Header); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// info is a PackageInfo with what it is to say beside the usual.
func info(inside string) part {
	return part{"PackageInfo", []byte(`<pkg-info identifier="com.example.a" version="1" install-location="/">` + inside + `</pkg-info>`)}
}

// payloadOf is a component package of that payload, without a Bom.
func payloadOf(t testing.TB, files ...cpioFile) *Package {
	t.Helper()
	return assemble(t, part{"Payload", cpioOf(t, files...)}, info(`<payload/>`))
}

func TestOpenReadsProducts(t *testing.T) {
	p := openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, product(t), Options{Time: at}) })
	want := &Distribution{
		Identifier: "com.example.product", Version: "1.2.3", Title: "Acme & Söhne",
		HostArchitectures: []string{"x86_64", "arm64"}, MinOSVersion: "13.0", Customize: "never",
		Domains:  Domains{LocalSystem: true},
		Choices:  []Choice{{ID: "default"}, {ID: "com.example.agent", Packages: []string{"com.example.agent"}}},
		Packages: []PackageRef{{"com.example.agent", "1.2.3", "#Agent.pkg", "none"}},
		Welcome:  "welcome.html", Resources: []string{"en.lproj/welcome.html"},
	}
	if diff := cmp.Diff(want, p.Product, cmp.AllowUnexported(Distribution{})); diff != "" {
		t.Error(diff)
	}
	if len(p.Components) != 1 {
		t.Fatalf("%d components", len(p.Components))
	}
	c := p.Components[0]
	wantInfo := PackageInfo{
		Identifier: "com.example.agent", Version: "1.2.3", InstallLocation: "/", Auth: "root", PostinstallAction: "none",
		OverwritePermissions: true, HasPayload: true, NumberOfFiles: 11, InstallKBytes: 803,
		Scripts: []Script{{"postinstall", "postinstall"}},
	}
	if diff := cmp.Diff(wantInfo, c.Info, cmp.AllowUnexported(PackageInfo{})); diff != "" || c.Folder != "Agent.pkg" {
		t.Error(diff, c.Folder)
	}
	list, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list, func(f ListedFile) bool { return f.VolumePath == "Library/Application Support/Firstday/current" })
	if len(list) != 11 || list[0].VolumePath != "." || i < 0 || list[i].Target != "agent" || list[i].FileMode() != os.ModeSymlink|0o755 {
		t.Errorf("%d files, %+v", len(list), list)
	}
}

func TestOpenReadsComponents(t *testing.T) {
	p := openPackage(t, func(f *os.File) error { return WriteComponent(t.Context(), f, component(t), Options{Time: at}) })
	if p.Product != nil || len(p.Components) != 1 || p.Components[0].Info.Identifier != "com.example.agent" {
		t.Fatalf("%+v", p)
	}
	got := map[string]string{}
	err := p.Components[0].Walk(t.Context(), func(h *cpio.Header, r io.Reader) error {
		b, err := io.ReadAll(r)
		got[h.Name] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 11 || got["Library/Application Support/Firstday/enrollment.json"] != "{}\n" || got["Library/Application Support/Firstday/current"] != "agent" {
		t.Errorf("%d files", len(got))
	}
	err = p.Components[0].WalkScripts(t.Context(), func(h *cpio.Header, r io.Reader) error {
		b, err := io.ReadAll(r)
		if h.Name == "postinstall" && !strings.HasPrefix(string(b), "#!/bin/sh") {
			t.Errorf("%q", b)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOpenReadsWhatApplesToolsWrite(t *testing.T) {
	p := assemble(t,
		part{"a b.pkg/PackageInfo", []byte(`<?xml version="1.0" encoding="utf-8"?>
<pkg-info overwrite-permissions="true" relocatable="true" identifier="com.example.app" postinstall-action="restart" version="2.0" install-location="/Applications" auth="root">
<payload numberOfFiles="7" installKBytes="12"/>
<bundle path="./App.app" id="com.example.App" CFBundleShortVersionString="2.0" CFBundleVersion="200"/>
<bundle-version><bundle id="com.example.App"/></bundle-version>
<relocate><bundle id="com.example.App"/></relocate>
<scripts><preinstall file="./preinstall"/><postinstall file="./sub/after"/></scripts></pkg-info>`)},
		part{"Distribution", []byte(`<?xml version="1.0" encoding="utf-8" standalone="no"?>
<installer-gui-script minSpecVersion="1"><title>App</title>
<pkg-ref id="com.example.app"><bundle-version><bundle id="com.example.App"/></bundle-version></pkg-ref>
<options customize="never" hostArchitectures="x86_64, arm64"/>
<volume-check><allowed-os-versions><os-version min="12.0"/><os-version min="9.3" before="10"/></allowed-os-versions></volume-check>
<script><![CDATA[ function f() { return 1 < 2 } ]]></script>
<choice id="c"><pkg-ref id="com.example.app"/></choice>
<pkg-ref id="com.example.app" version="2.0" onConclusion="RequireRestart">#a%20b.pkg</pkg-ref></installer-gui-script>`)})
	wantInfo := PackageInfo{
		Identifier: "com.example.app", Version: "2.0", InstallLocation: "/Applications", Auth: "root", PostinstallAction: "restart",
		OverwritePermissions: true, Relocatable: true, HasPayload: true, NumberOfFiles: 7, InstallKBytes: 12,
		Scripts:            []Script{{"preinstall", "preinstall"}, {"postinstall", "sub/after"}},
		Bundles:            []Bundle{{"App.app", "com.example.App", "2.0", "200"}},
		RelocatableBundles: []string{"com.example.App"},
	}
	if diff := cmp.Diff(wantInfo, p.Components[0].Info, cmp.AllowUnexported(PackageInfo{})); diff != "" {
		t.Error(diff)
	}
	d := p.Product
	if d.MinOSVersion != "9.3" || !d.HasScripts || len(d.Packages) != 1 || d.Packages[0].Folder() != p.Components[0].Folder || !d.Domains.LocalSystem {
		t.Errorf("%+v", d)
	}
}

func TestOpenRefuses(t *testing.T) {
	good := info("")
	for name, parts := range map[string][]part{
		"nothing":            {{"Payload", nil}},
		"both":               {good, {"Distribution", []byte("<installer-gui-script/>")}},
		"no XML":             {{"PackageInfo", []byte("identifier: a")}},
		"cut XML":            {{"PackageInfo", good.data[:30]}},
		"another root":       {{"PackageInfo", []byte(`<info identifier="a"/>`)}},
		"no identifier":      {{"PackageInfo", []byte(`<pkg-info/>`)}},
		"entities":           {{"PackageInfo", []byte(`<!DOCTYPE pkg-info [<!ENTITY a "b">]>` + string(good.data))}},
		"unknown entity":     {{"PackageInfo", []byte(`<pkg-info identifier="&a;"/>`)}},
		"negative files":     {info(`<payload numberOfFiles="-1"/>`)},
		"gigantic files":     {info(`<payload numberOfFiles="99999999999999999999"/>`)},
		"deep":               {info(strings.Repeat("<a>", 1000) + strings.Repeat("</a>", 1000))},
		"gigantic":           {info("<!--" + strings.Repeat(" ", maxDescription) + "-->")},
		"pkg-ref without id": {{"Distribution", []byte(`<installer-gui-script><pkg-ref>#a.pkg</pkg-ref></installer-gui-script>`)}},
		"bad component":      {{"a.pkg/PackageInfo", nil}, {"Distribution", []byte(`<installer-gui-script/>`)}},
	} {
		if _, err := Open(readerOf(t, func(f *os.File) error { return writeParts(f, parts) })); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := Open(bytes.NewReader([]byte("no archive")), 10); !errors.Is(err, xar.ErrFormat) {
		t.Error(err)
	}
}

func TestWalkRefuses(t *testing.T) {
	for name, files := range map[string][]cpioFile{
		"absolute":           {{cpio.Header{Name: "/etc/passwd", Mode: file}, ""}},
		"absolute behind ./": {{cpio.Header{Name: ".//etc/passwd", Mode: file}, ""}},
		"up":                 {{cpio.Header{Name: "../a", Mode: file}, ""}},
		"up inside":          {{cpio.Header{Name: "./a/../../b", Mode: file}, ""}},
		"twice":              {{cpio.Header{Name: "./a", Mode: file}, ""}, {cpio.Header{Name: "a", Mode: file}, ""}},
		"root twice":         {{cpio.Header{Name: "./", Mode: folder}, ""}},
		"device":             {{cpio.Header{Name: "./a", Mode: 0o020666, RDev: 3}, ""}},
		"fifo":               {{cpio.Header{Name: "./a", Mode: 0o010666}, ""}},
		"no type":            {{cpio.Header{Name: "./a", Mode: 0o666}, ""}},
		"long name":          {{cpio.Header{Name: "./" + strings.Repeat("a", 1000), Mode: file}, ""}},
		"long path":          {{cpio.Header{Name: "./" + strings.Repeat("a/", 1000) + "b", Mode: file}, ""}},
		"link to nothing":    {{cpio.Header{Name: "./a", Mode: link}, ""}},
		"long link":          {{cpio.Header{Name: "./a", Mode: link}, strings.Repeat("a", 2000)}},
		"link with NUL":      {{cpio.Header{Name: "./a", Mode: link}, "a\x00b"}},
	} {
		c := payloadOf(t, files...).Components[0]
		if err := c.Walk(t.Context(), func(*cpio.Header, io.Reader) error { return nil }); !errors.Is(err, ErrUnsafe) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestWalkResolvesHardLinks(t *testing.T) {
	linked := func(name, data string) cpioFile {
		return cpioFile{cpio.Header{Name: "./" + name, Mode: file, Inode: 7, Links: 3}, data}
	}
	for name, c := range map[string]struct {
		files []cpioFile
		want  string // contents of each
	}{
		"first":                 {[]cpioFile{linked("a", "data"), linked("b", ""), linked("c", "")}, "data"},
		"last":                  {[]cpioFile{linked("a", ""), linked("b", ""), linked("c", "data")}, "data"},
		"between":               {[]cpioFile{linked("a", ""), linked("b", "data"), linked("c", "")}, "data"},
		"each":                  {[]cpioFile{linked("a", "data"), linked("b", "data"), linked("c", "data")}, "data"},
		"a loop without a file": {[]cpioFile{linked("a", ""), linked("b", ""), linked("c", "")}, ""},
	} {
		got := map[string]string{}
		err := payloadOf(t, c.files...).Components[0].Walk(t.Context(), func(h *cpio.Header, r io.Reader) error {
			if h.Name == "." {
				return nil
			}
			b, err := io.ReadAll(r)
			if got[h.Name] = string(b); h.Size != int64(len(b)) {
				t.Errorf("%s: %s of %d bytes has %d", name, h.Name, h.Size, len(b))
			}
			return err
		})
		if diff := cmp.Diff(map[string]string{"a": c.want, "b": c.want, "c": c.want}, got); diff != "" || err != nil {
			t.Error(name, diff, err)
		}
	}
	// Who does not read, or not all, does not hinder.
	err := payloadOf(t, linked("a", "data"), linked("b", "")).Components[0].Walk(t.Context(), func(h *cpio.Header, r io.Reader) error {
		_, err := io.CopyN(io.Discard, r, min(h.Size, 1))
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

// TestWalkChecksTheArchivesSums though the cpio archive itself ends well.
func TestWalkChecksTheArchivesSums(t *testing.T) {
	plain := cpioOf(t, cpioFile{cpio.Header{Name: "./a", Mode: file}, "contents of a file"})
	r, size := readerOf(t, func(f *os.File) error { return writeParts(f, []part{{"Payload", plain}, info("<payload/>")}) })
	b, err := io.ReadAll(io.NewSectionReader(r, 0, size))
	if err != nil {
		t.Fatal(err)
	}
	b = bytes.Replace(b, []byte("contents of a file"), []byte("contents of a FILE"), 1)
	p, err := Open(bytes.NewReader(b), size)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Components[0].Walk(t.Context(), func(*cpio.Header, io.Reader) error { return nil }); !errors.Is(err, xar.ErrChecksum) {
		t.Error(err)
	}
}

func TestWalkRefusesPayloadsThatLie(t *testing.T) {
	plain := cpioOf(t, cpioFile{cpio.Header{Name: "./a", Mode: file, ModTime: time.Now().Unix()}, strings.Repeat("x", 0o7777)})
	lie := bytes.Replace(plain, []byte("00000007777"), []byte("77777777777"), 1)
	newc := append([]byte("070701"), plain[6:]...)
	for name, data := range map[string][]byte{"longer": lie, "shorter": bytes.Replace(plain, []byte("00000007777"), []byte("00000000777"), 1), "cut": plain[:500], "newc": newc} {
		p := assemble(t, part{"Payload", data}, info("<payload/>"))
		if err := p.Components[0].Walk(t.Context(), func(*cpio.Header, io.Reader) error { return nil }); !errors.Is(err, cpio.ErrFormat) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestPayloadOfNothing(t *testing.T) {
	p := assemble(t, info(""))
	if _, err := p.Components[0].Payload(); !errors.Is(err, ErrFormat) {
		t.Error(err)
	}
	if entries, err := p.Components[0].Bom(); err != nil || entries != nil {
		t.Error(entries, err)
	}
	bad := assemble(t, part{"Bom", []byte("no Bom")}, info(""))
	if _, err := bad.List(t.Context()); !errors.Is(err, bom.ErrFormat) {
		t.Error(err)
	}
}

// TestDamagedPayloadsAreFormatErrors, though it is a decompressor that notices;
// what goes wrong in reading is not.
func TestDamagedPayloadsAreFormatErrors(t *testing.T) {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(cpioOf(t, cpioFile{cpio.Header{Name: "./a", Mode: file}, strings.Repeat("some data ", 1000)})); err != nil || z.Close() != nil {
		t.Fatal(err)
	}
	walk := func(data []byte) error {
		c := assemble(t, part{"Payload", data}, info("<payload/>")).Components[0]
		return c.Walk(t.Context(), func(*cpio.Header, io.Reader) error { return nil })
	}
	for at := range b.Bytes() {
		damaged := bytes.Clone(b.Bytes())
		damaged[at] ^= 0x55
		if err := walk(damaged); err != nil && !errors.Is(err, ErrFormat) && !errors.Is(err, ErrUnsupported) && !errors.Is(err, ErrUnsafe) && !errors.Is(err, cpio.ErrFormat) {
			t.Errorf("byte %d: %v", at, err)
		}
	}
	if err := walk(b.Bytes()[:b.Len()-3]); !errors.Is(err, ErrFormat) {
		t.Errorf("cut: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := assemble(t, part{"Payload", b.Bytes()}, info("<payload/>")).Components[0]
	if err := c.Walk(ctx, nil); !errors.Is(err, context.Canceled) || errors.Is(err, ErrFormat) {
		t.Error(err)
	}
}

func TestWalkReadsAgainOnlySoOften(t *testing.T) {
	var files []cpioFile
	for i := range maxRereads + 2 {
		files = append(files, cpioFile{cpio.Header{Name: fmt.Sprint("./", i), Mode: file, Inode: 7, Links: 3}, ""})
	}
	files[0].data = "data"
	c := payloadOf(t, files...).Components[0]
	err := c.Walk(t.Context(), func(_ *cpio.Header, r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if err := c.Walk(t.Context(), func(*cpio.Header, io.Reader) error { return nil }); err != nil {
		t.Errorf("without reading: %v", err)
	}
}

func TestPayloadsAreBounded(t *testing.T) {
	r := &boundedReader{strings.NewReader("more than that"), &sourceReader{}, 4}
	if b, err := io.ReadAll(r); string(b) != "more" || !errors.Is(err, ErrUnsupported) {
		t.Errorf("%q %v", b, err)
	}
}
