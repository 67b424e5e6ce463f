package pkgbuild

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testpki"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/pkgbuild/xar"
)

// thin is a program without code for one architecture.
func thin(cpu macho.CPU) []byte {
	const header, segment = 32, 72
	le := binary.LittleEndian
	b := make([]byte, header+2*segment+64)
	for i, v := range []uint32{0xfeedfacf, cpu.Type, cpu.Subtype, 2, 2, 2 * segment} {
		le.PutUint32(b[4*i:], v)
	}
	for i, name := range []string{"__TEXT", "__LINKEDIT"} {
		s := b[header+i*segment:]
		le.PutUint32(s, 0x19)
		le.PutUint32(s[4:], segment)
		copy(s[8:], name)
		le.PutUint64(s[40:], uint64(i*len(b)))
		le.PutUint64(s[48:], uint64((1-i)*len(b)))
	}
	return b
}

// runnable is a program for these architectures, signed for nobody.
func runnable(t testing.TB, sign bool, cpus ...macho.CPU) []byte {
	t.Helper()
	var parts []macho.Program
	for _, cpu := range cpus {
		b := thin(cpu)
		if sign {
			var out bytes.Buffer
			err := macho.Sign(t.Context(), &out, macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}, macho.SignOptions{Identifier: "x"})
			if err != nil {
				t.Fatal(err)
			}
			b = out.Bytes()
		}
		parts = append(parts, macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	var fat bytes.Buffer
	if err := macho.MakeFat(&fat, parts...); err != nil {
		t.Fatal(err)
	}
	return fat.Bytes()
}

const daemon = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict><key>Label</key><string>com.example.agent</string>
<key>ProgramArguments</key><array><string>/Library/Example/agent</string><string>run</string></array>
<key>RunAtLoad</key><true/></dict></plist>`

const (
	agentPath  = "Library/Example/agent"
	plugin     = "Library/Security/SecurityAgentPlugins/Example.bundle/Contents/Info.plist"
	daemonPath = "Library/LaunchDaemons/com.example.agent.plist"
)

// clean is a product in which nothing is to be found.
func clean(t testing.TB) *Product {
	t.Helper()
	p := product(t)
	p.Components[0].Payload = fstest.MapFS{
		agentPath:                    {Data: runnable(t, true, macho.AMD64, macho.ARM64), Mode: 0o755},
		daemonPath:                   {Data: []byte(daemon)},
		"Library/Example/data":       {Data: []byte("data")},
		"Library/Example/link":       {Data: []byte("/etc"), Mode: fs.ModeSymlink | 0o777},
		"usr/local/bin/example":      {Data: []byte("#!/bin/sh\n"), Mode: 0o755},
		"Applications/A.app/a.class": {Data: append([]byte{0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, 52}, make([]byte, 100)...)},
	}
	return p
}

func payloadFS(p *Product) fstest.MapFS { return p.Components[0].Payload.(fstest.MapFS) }

// setAttributes gives one path of the payload what it should not have.
func setAttributes(p *Product, path string, a Attributes) {
	before := p.Components[0].Attributes
	p.Components[0].Attributes = func(name string, info fs.FileInfo) Attributes {
		if name == path {
			return a
		}
		return before(name, info)
	}
}

func rules(findings []Finding) []string {
	var list []string
	for _, f := range findings {
		list = append(list, strings.Join([]string{string(f.Severity), f.Rule, f.Path}, " "))
	}
	return list
}

// TestLintFindsEachMistake in a product that has this one alone.
func TestLintFindsEachMistake(t *testing.T) {
	signer := &xar.Signer{Chain: testpki.New(t).CodeRSA.Chain, Key: testpki.New(t).CodeRSA.Key}
	replace := func(path, old, change string) func(*Product, *Options) {
		return func(p *Product, _ *Options) {
			f := payloadFS(p)[path]
			f.Data = bytes.Replace(f.Data, []byte(old), []byte(change), 1)
		}
	}
	attributes := func(path string, a Attributes) func(*Product, *Options) {
		return func(p *Product, _ *Options) { setAttributes(p, path, a) }
	}
	for name, c := range map[string]struct {
		change func(*Product, *Options)
		want   string
	}{
		"nothing":           {func(*Product, *Options) {}, ""},
		"signed":            {func(_ *Product, o *Options) { o.Signer = signer }, ""},
		"program missing":   {replace(daemonPath, "Example/agent", "Example/Agent2"), "error launchd-program /" + daemonPath},
		"program elsewhere": {replace(daemonPath, "/Library/Example/agent", "/usr/local/bin/agent"), "error launchd-program /" + daemonPath},
		"program of macOS":  {replace(daemonPath, "/Library/Example/agent", "/usr/bin/true"), ""},
		"program in PATH":   {replace(daemonPath, "/Library/Example/agent", "true"), ""},
		"program, case":     {replace(daemonPath, "Example/agent", "example/AGENT"), ""},
		"program not runs":  {replace(daemonPath, "Example/agent", "Example/data"), "error launchd-program /" + daemonPath},
		"program, folder":   {replace(daemonPath, "Example/agent", "Example"), "error launchd-program /" + daemonPath},
		"program, link":     {replace(daemonPath, "Example/agent", "Example/link/x"), ""},
		"no label":          {replace(daemonPath, "<key>Label", "<key>Name"), "error launchd-plist /" + daemonPath},
		"no plist":          {replace(daemonPath, "</dict>", ""), "error launchd-plist /" + daemonPath},
		"binary plist":      {replace(daemonPath, "<?xml", "bplist00"), ""},
		"plist, owner":      {attributes(daemonPath, Attributes{Mode: 0o644, UID: 501}), "error launchd-owner /" + daemonPath},
		"plist, group":      {attributes(daemonPath, Attributes{Mode: 0o644, GID: admin}), "error launchd-owner /" + daemonPath},
		"plist, mode":       {attributes(daemonPath, Attributes{Mode: 0o664}), "error launchd-owner /" + daemonPath},
		"system folder":     {attributes("Library", Attributes{Mode: 0o755}), "error system-folder /Library"},
		"root":              {attributes(".", Attributes{Mode: 0o700}), "error system-folder /"},
		"/usr/local":        {attributes("usr/local", Attributes{Mode: 0o775, GID: admin}), "error system-folder /usr/local"},
		"world-writable":    {attributes("Library/Example/data", Attributes{Mode: 0o666}), "error world-writable /Library/Example/data"},
		"writable folder":   {attributes("Library/Example", Attributes{Mode: 0o777}), "error world-writable /Library/Example"},
		"sticky folder":     {attributes("Library/Example", Attributes{Mode: 0o1777}), ""},
		"link, mode":        {attributes("Library/Example/link", Attributes{Mode: 0o777}), ""},
		"set-user-ID":       {attributes(agentPath, Attributes{Mode: 0o4755}), "warning set-id /" + agentPath},
		"plug-in":           {func(p *Product, _ *Options) { payloadFS(p)[plugin] = &fstest.MapFile{} }, ""},
		"plug-in, somebody's": {func(p *Product, _ *Options) {
			payloadFS(p)[plugin] = &fstest.MapFile{}
			setAttributes(p, plugin, Attributes{Mode: 0o644, UID: 501})
		}, "error login-plugin-owner /" + plugin},
		"plug-in, the group's": {func(p *Product, _ *Options) {
			payloadFS(p)[plugin] = &fstest.MapFile{}
			setAttributes(p, plugin, Attributes{Mode: 0o664})
		}, "error login-plugin-owner /" + plugin},
		"sealed":             {func(p *Product, _ *Options) { payloadFS(p)["usr/bin/x"] = &fstest.MapFile{} }, "error sealed /usr/bin/x"},
		"bad signature":      {func(p *Product, _ *Options) { payloadFS(p)[agentPath].Data[4096+200] ^= 1 }, "error program-signature /" + agentPath},
		"arm64 not declared": {func(p *Product, _ *Options) { p.HostArchitectures = []string{"x86_64"} }, "error host-architectures Distribution"},
		"arm64 not needed": {func(p *Product, _ *Options) {
			p.HostArchitectures = []string{"x86_64"}
			payloadFS(p)[agentPath].Data = []byte("#!/bin/sh")
		}, "warning host-architectures Distribution"},
		"x86_64 alone": {func(p *Product, _ *Options) {
			p.HostArchitectures = []string{"x86_64"}
			payloadFS(p)[agentPath].Data = runnable(t, true, macho.AMD64)
		}, ""},
		"slice missing": {func(p *Product, _ *Options) { payloadFS(p)[agentPath].Data = runnable(t, true, macho.ARM64) }, "warning architecture /" + agentPath},
		"unsigned, package": {func(p *Product, _ *Options) {
			payloadFS(p)[agentPath].Data = runnable(t, false, macho.AMD64, macho.ARM64)
		}, ""},
		"unsigned": {func(p *Product, o *Options) {
			payloadFS(p)[agentPath].Data = runnable(t, false, macho.AMD64, macho.ARM64)
			o.Signer = signer
		}, "error unsigned-program /" + agentPath},
		"damaged": {func(p *Product, _ *Options) { clear(payloadFS(p)[agentPath].Data[4096+16 : 4096+24]) }, "warning program-damaged /" + agentPath},
		"script without #!": {func(p *Product, _ *Options) {
			p.Components[0].Scripts = fstest.MapFS{"postinstall": {Data: []byte("exit 0")}}
		}, "error script-interpreter Agent.pkg/Scripts/postinstall"},
		"script, empty": {func(p *Product, _ *Options) { p.Components[0].Scripts = fstest.MapFS{"postinstall": {}} }, "error script-interpreter Agent.pkg/Scripts/postinstall"},
		"script, program": {func(p *Product, _ *Options) {
			p.Components[0].Scripts = fstest.MapFS{"postinstall": {Data: runnable(t, true, macho.ARM64)}}
		}, ""},
	} {
		p, o := clean(t), Options{Time: at}
		c.change(p, &o)
		read := openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, p, o) })
		findings := Lint(t.Context(), read)
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if diff := cmp.Diff(want, rules(findings)); diff != "" {
			t.Errorf("%s: %s%v", name, diff, findings)
		}
	}
}

// TestLintFindsWhatOtherToolsMake: mistakes that our writer does not make.
func TestLintFindsWhatOtherToolsMake(t *testing.T) {
	bill := part{"Bom", bomOf(t)}
	payload := part{"Payload", cpioOf(t)}
	scripts := func(mode uint32) part {
		return part{"Scripts", cpioOf(t, cpioFile{cpio.Header{Name: "./postinstall", Mode: mode}, "#!/bin/sh\n"})}
	}
	named := `<scripts><postinstall file="./postinstall"/></scripts>`
	distribution := func(inside string) part {
		return part{"Distribution", []byte(`<installer-gui-script><options hostArchitectures="x86_64,arm64"/>` + inside + `</installer-gui-script>`)}
	}
	inFolder := func(p part) part { return part{"a.pkg/" + p.name, p.data} }
	ref := `<pkg-ref id="com.example.a">#a.pkg</pkg-ref>`
	for name, c := range map[string]struct {
		parts []part
		want  []string
	}{
		"component":           {[]part{bill, payload, info("<payload/>")}, nil},
		"product":             {[]part{inFolder(bill), inFolder(payload), inFolder(info("<payload/>")), distribution(ref)}, nil},
		"element missing":     {[]part{bill, payload, info("")}, []string{"error payload-element PackageInfo"}},
		"payload missing":     {[]part{info("<payload/>")}, []string{"error payload-element PackageInfo"}},
		"Bom missing":         {[]part{payload, info("<payload/>")}, []string{"error bom Payload"}},
		"Bom alone":           {[]part{bill, info("")}, []string{"error bom Bom"}},
		"newc":                {[]part{bill, {"Payload", append([]byte("070701"), make([]byte, 200)...)}, info("<payload/>")}, []string{"error payload-format Payload"}},
		"old binary":          {[]part{bill, {"Payload", compress(t, []byte{0o307, 0o161, 0, 0, 0, 0, 0, 0}, "gzip")}, info("<payload/>")}, []string{"error payload-format Payload"}},
		"damaged":             {[]part{bill, {"Payload", payload.data[:90]}, info("<payload/>")}, []string{"error payload-damaged Payload"}},
		"no archive":          {[]part{bill, {"Payload", []byte("text")}, info("<payload/>")}, []string{"error payload-damaged Payload"}},
		"relocatable":         {[]part{bill, payload, {"PackageInfo", bytes.Replace(info("<payload/>").data, []byte("<pkg-info"), []byte("<pkg-info relocatable=\"true\""), 1)}}, []string{"warning relocatable PackageInfo"}},
		"relocatable bundle":  {[]part{bill, payload, info(`<payload/><relocate><bundle id="com.example.App"/></relocate>`)}, []string{"warning relocatable PackageInfo"}},
		"script":              {[]part{scripts(file | 0o111), info(named)}, nil},
		"script's mode":       {[]part{scripts(file), info(named)}, []string{"error script-mode Scripts/postinstall"}},
		"script missing":      {[]part{scripts(file | 0o111), info(named + `<scripts><preinstall file="pre"/></scripts>`)}, []string{"error script-missing Scripts/pre"}},
		"script not named":    {[]part{scripts(file | 0o111), info("")}, []string{"warning script-unused Scripts/postinstall"}},
		"component missing":   {[]part{distribution(ref)}, []string{"error distribution-component Distribution"}},
		"component not named": {[]part{inFolder(info("")), distribution("")}, []string{"warning distribution-unused a.pkg"}},
		"stray os versions": {[]part{inFolder(info("")), distribution(ref + `<allowed-os-versions><os-version min="13"/></allowed-os-versions>`)},
			[]string{"warning os-versions Distribution"}},
	} {
		if diff := cmp.Diff(c.want, rules(Lint(t.Context(), assemble(t, c.parts...)))); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

// TestLintFindsCompressedPayloads, which only another writer makes.
func TestLintFindsCompressedPayloads(t *testing.T) {
	p := openPackage(t, func(f *os.File) error {
		parts := []part{{"Bom", bomOf(t)}, {"Payload", cpioOf(t)}, info("<payload/>")}
		var headers []xar.Header
		for _, p := range parts {
			headers = append(headers, xar.Header{Name: p.name, Compress: true})
		}
		return writeArchive(f, headers, parts)
	})
	if diff := cmp.Diff([]string{"error payload-compressed Payload"}, rules(Lint(t.Context(), p))); diff != "" {
		t.Error(diff)
	}
}

func TestLintIsBounded(t *testing.T) {
	var files []cpioFile
	for i := range maxFindings + 10 {
		files = append(files, cpioFile{cpio.Header{Name: fmt.Sprint("./", i), Mode: file | 0o022}, ""})
	}
	if n := len(Lint(t.Context(), payloadOf(t, files...))); n != maxFindings {
		t.Error(n, "findings")
	}
}

func TestLintLeavesNothingBehind(t *testing.T) {
	temporary := t.TempDir()
	for _, name := range []string{"TMPDIR", "TMP"} {
		t.Setenv(name, temporary)
	}
	p := openPackage(t, func(f *os.File) error { return WriteProduct(t.Context(), f, clean(t), Options{Time: at}) })
	ctx, cancel := context.WithCancel(t.Context())
	Lint(ctx, p)
	cancel()
	if found := Lint(ctx, p); len(found) > 0 {
		t.Error(found)
	}
	err := filepath.WalkDir(temporary, func(name string, _ fs.DirEntry, err error) error {
		if strings.HasPrefix(filepath.Base(name), "firstday-lint-") {
			t.Error(name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}
