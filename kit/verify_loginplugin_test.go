package kit

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testloginplugin"
	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/pkgbuild/macho"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// openedMac is a package for macOS taken apart, to be changed and put together
// again.
type openedMac struct {
	*api.Enrollment
	t     *testing.T
	files fstest.MapFS // by the paths on the volume, without the first slash
	owner map[string]pkgbuild.Attributes
	id    *signing.Identity // who signs
}

const (
	pluginFolder = "Library/Security/SecurityAgentPlugins/FirstdayLogin.bundle"
	watchPath    = "Library/LaunchAgents/dev.firstday.login-watch.plist"
	agentPath    = "Library/Application Support/Firstday/Agent/1.2.3/firstday-agent"
)

func takeMacApart(t *testing.T, path string, id *signing.Identity) *openedMac {
	t.Helper()
	o := &openedMac{t: t, files: fstest.MapFS{}, owner: map[string]pkgbuild.Attributes{}, id: id}
	err := openInstaller(t, path).Components[0].Walk(t.Context(), func(h *cpio.Header, r io.Reader) error {
		data, err := io.ReadAll(r)
		if isRegular(h) {
			o.files[h.Name] = &fstest.MapFile{Data: data}
		}
		o.owner[h.Name] = pkgbuild.Attributes{Mode: h.Mode & 0o7777, UID: h.UID, GID: h.GID}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	o.Enrollment, err = api.ReadEnrollment(bytes.NewReader(o.files[o.enrollmentPath()].Data))
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (o *openedMac) enrollmentPath() string {
	return strings.TrimPrefix(path.Join(macos.DataFolder, api.EnrollmentFile), "/")
}

// write puts the package together again, signed by nobody.
func (o *openedMac) write(path string) {
	o.t.Helper()
	e, err := json.Marshal(o.Enrollment)
	if err != nil {
		o.t.Fatal(err)
	}
	o.files[o.enrollmentPath()] = &fstest.MapFile{Data: e}
	p := &pkgbuild.Product{
		Identifier: "dev.firstday.acme", Version: "1.0", Title: "Acme", HostArchitectures: []string{"x86_64", "arm64"},
		Components: []pkgbuild.ProductComponent{{Name: "firstday.pkg", Component: &pkgbuild.Component{
			Identifier: "dev.firstday.acme", Version: "1.0", Payload: o.files,
			Attributes: func(name string, info fs.FileInfo) pkgbuild.Attributes {
				if a, ok := o.owner[name]; ok {
					return a
				}
				return macAttributes(name, info)
			},
		}}},
	}
	f, err := os.Create(path)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := errors.Join(pkgbuild.WriteProduct(o.t.Context(), f, p, pkgbuild.Options{Time: at}), f.Close()); err != nil {
		o.t.Fatal(err)
	}
}

// plugin lets change the plug-in as a folder.
func (o *openedMac) plugin(change func(t *testing.T, bundle string)) {
	o.t.Helper()
	dir := filepath.Join(o.t.TempDir(), macos.Plugin)
	sub, err := fs.Sub(o.files, pluginFolder)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := os.CopyFS(dir, sub); err != nil {
		o.t.Fatal(err)
	}
	change(o.t, dir)
	for name := range o.files {
		if strings.HasPrefix(name, pluginFolder+"/") {
			delete(o.files, name)
		}
	}
	for name, text := range filesOfFolder(o.t, dir) {
		o.files[path.Join(pluginFolder, name)] = &fstest.MapFile{Data: []byte(text)}
	}
	o.name(digestOf(o.t, dir))
}

// name has the enrollment name a plug-in.
func (o *openedMac) name(digest string) {
	for i := range o.Agents {
		o.Agents[i].LoginPlugin.SHA256 = digest
	}
}

// resigned has somebody sign the plug-in once it is changed.
func (o *openedMac) resigned(id *signing.Identity, change func(t *testing.T, bundle string)) {
	o.t.Helper()
	o.plugin(func(t *testing.T, bundle string) {
		t.Helper()
		change(t, bundle)
		if err := signBundle(t.Context(), bundle, id, signing.Options{}); err != nil {
			t.Fatal(err)
		}
	})
}

// agent has somebody sign the agent.
func (o *openedMac) agent(id *signing.Identity) {
	o.t.Helper()
	old := o.files[agentPath].Data
	var b bytes.Buffer
	if err := signing.SignMachO(o.t.Context(), bytes.NewReader(old), int64(len(old)), &b, signing.Code{Identifier: codeIdentifier}, id, signing.Options{}); err != nil {
		o.t.Fatal(err)
	}
	o.files[agentPath] = &fstest.MapFile{Data: b.Bytes()}
	for i := range o.Agents {
		o.Agents[i].SHA256 = hexSum(b.Bytes())
	}
}

func nothing(*testing.T, string) {}

// mixed signs each slice by another.
func mixed(one, other *signing.Identity) func(*testing.T, string) {
	return func(t *testing.T, bundle string) {
		t.Helper()
		lipo, program := testtool.LLVM(t, "llvm-lipo"), testloginplugin.Program(bundle)
		run := func(args ...string) {
			t.Helper()
			if out, err := exec.Command(lipo, args...).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
		}
		dir := t.TempDir()
		for arch, id := range map[string]*signing.Identity{"x86_64": one, "arm64": other} {
			if err := signBundle(t.Context(), bundle, id, signing.Options{}); err != nil {
				t.Fatal(err)
			}
			run(program, "-thin", arch, "-output", filepath.Join(dir, arch))
		}
		run("-create", filepath.Join(dir, "x86_64"), filepath.Join(dir, "arm64"), "-output", program)
	}
}

// soft signs for nobody, and without the hardened runtime.
func soft(t *testing.T, bundle string) {
	t.Helper()
	program := testloginplugin.Program(bundle)
	b := mustRead(t, program)
	var signed bytes.Buffer
	err := macho.Sign(t.Context(), &signed, macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))}, macho.SignOptions{
		Identifier: macos.PluginIdentifier, InfoPlist: mustRead(t, filepath.Join(bundle, "Contents", "Info.plist")),
		CodeResources: mustRead(t, filepath.Join(bundle, "Contents", "_CodeSignature", "CodeResources")),
	})
	if err := errors.Join(err, os.WriteFile(program, signed.Bytes(), 0o600)); err != nil {
		t.Fatal(err)
	}
}

func (o *openedMac) replace(name, old, new string) {
	o.t.Helper()
	text := string(o.files[name].Data)
	if !strings.Contains(text, old) {
		o.t.Fatalf("%s does not hold %q", name, old)
	}
	o.files[name] = &fstest.MapFile{Data: []byte(strings.Replace(text, old, new, 1))}
}

type brokenMac struct {
	change func(o *openedMac)
	want   error
	said   string
}

// brokenMacs are packages that no Mac should take: of each an error says why.
func brokenMacs(t *testing.T) map[string]brokenMac {
	t.Helper()
	mallory, err := signing.Throwaway("Mallory", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	const page, program = pluginFolder + "/" + macos.PluginPage, pluginFolder + "/" + macos.PluginProgram
	cases := map[string]brokenMac{
		"an older firstday's": {func(o *openedMac) {
			o.plugin(func(t *testing.T, bundle string) {
				t.Helper()
				if err := errors.Join(os.RemoveAll(bundle), os.Mkdir(bundle, 0o700)); err != nil {
					t.Fatal(err)
				}
			})
			delete(o.files, watchPath)
			for i := range o.Agents {
				o.Agents[i].LoginPlugin = api.CarriedFile{}
			}
		}, ErrOutdated, "no plug-in of the login window goes with its agent; build the package again"},
		"missing": {func(o *openedMac) {
			for name := range o.files {
				if strings.HasPrefix(name, pluginFolder) {
					delete(o.files, name)
				}
			}
		}, ErrIntegrity, "it lacks " + macos.PluginPath},
		"not named":   {func(o *openedMac) { o.Agents[1].LoginPlugin = api.CarriedFile{} }, ErrIntegrity, "names several agents"},
		"another one": {func(o *openedMac) { o.name(strings.Repeat("0", 64)) }, ErrIntegrity, "the enrollment says 0000"},
		"by another name": {func(o *openedMac) {
			for i := range o.Agents {
				o.Agents[i].LoginPlugin.File = "Other.bundle"
			}
		}, ErrIntegrity, "of Other.bundle"},
		"bytes changed":             {func(o *openedMac) { o.replace(page, "<", "<!-- -->\n<") }, ErrIntegrity, "has the digest"},
		"a page changed":            {func(o *openedMac) { o.plugin(with(macos.PluginPage, []byte("<p>"))) }, signing.ErrBadSignature, "index.html was changed"},
		"a page added":              {func(o *openedMac) { o.plugin(with("Contents/Resources/x.html", []byte("x"))) }, signing.ErrBadSignature, "x.html was added"},
		"a program added":           {func(o *openedMac) { o.plugin(with("Contents/MacOS/x", []byte("x"))) }, signing.ErrBadSignature, "MacOS/x was added"},
		"no seal":                   {func(o *openedMac) { o.plugin(without("Contents/_CodeSignature/CodeResources")) }, signing.ErrBadSignature, "CodeResources is missing"},
		"properties":                {func(o *openedMac) { o.plugin(inPlist("BNDL", "APPL")) }, signing.ErrBadSignature, "another Info.plist"},
		"code":                      {func(o *openedMac) { o.plugin(inProgram("/var/run/firstday", "/tmp/run/firstday", -1)) }, signing.ErrBadSignature, "the code was changed"},
		"unsigned":                  {func(o *openedMac) { o.plugin(inProgram("\xfa\xde\x0c\xc0", "\xfa\xde\x0c\xc1", -1)) }, signing.ErrBadSignature, macos.Plugin},
		"by someone else":           {func(o *openedMac) { o.resigned(mallory, nothing) }, ErrIntegrity, "is signed by CN=DO NOT TRUST"},
		"ad hoc":                    {func(o *openedMac) { o.resigned(nil, nothing) }, ErrIntegrity, "is not signed, its agent is, by "},
		"its agent ad hoc":          {func(o *openedMac) { o.agent(nil) }, ErrIntegrity, "its agent by nobody"},
		"its agent by someone else": {func(o *openedMac) { o.agent(mallory) }, ErrIntegrity, "its agent by CN=DO NOT TRUST"},
		"by two":                    {func(o *openedMac) { o.plugin(mixed(o.id, mallory)) }, signing.ErrBadSignature, "signed by different people"},
		"for one by nobody":         {func(o *openedMac) { o.plugin(mixed(o.id, nil)) }, signing.ErrBadSignature, "signed by different people"},
		"not hardened": {func(o *openedMac) {
			o.agent(nil)
			o.plugin(soft)
		}, ErrOtherProgram, "lacks the hardened runtime"},
		"an agent of another version": {func(o *openedMac) {
			for i := range o.Agents {
				o.Agents[i].Version = "1.2.4"
			}
			o.files[strings.Replace(agentPath, "1.2.3", "1.2.4", 1)] = o.files[agentPath]
			o.resigned(o.id, inPlist("<string>1.2.3<", "<string>1.2.4<"))
		}, ErrOtherProgram, `the agent has version 1.2.3, the enrollment says 1.2.4`},
		"no agent":         {func(o *openedMac) { delete(o.files, agentPath) }, ErrIntegrity, "the agent in it has SHA-256"},
		"a page of others": {func(o *openedMac) { o.owner[page] = pkgbuild.Attributes{Mode: 0o644, UID: 501, GID: 20} }, ErrIntegrity, "is 0644 501:20"},
		"a page for all":   {func(o *openedMac) { o.owner[page] = pkgbuild.Attributes{Mode: 0o666} }, ErrIntegrity, "is 0666 0:0"},
		"a page for none":  {func(o *openedMac) { o.owner[page] = pkgbuild.Attributes{Mode: 0o600} }, ErrIntegrity, "is 0600 0:0"},
		"a folder for all": {func(o *openedMac) { o.owner[pluginFolder] = pkgbuild.Attributes{Mode: 0o777} }, ErrIntegrity, "is 0777 0:0"},
		"a folder closed":  {func(o *openedMac) { o.owner[pluginFolder] = pkgbuild.Attributes{Mode: 0o744} }, ErrIntegrity, "is 0744"},
		"set-user-ID":      {func(o *openedMac) { o.owner[program] = pkgbuild.Attributes{Mode: 0o4755} }, ErrIntegrity, "is 4755"},
		"code not to run":  {func(o *openedMac) { o.owner[program] = pkgbuild.Attributes{Mode: 0o644} }, ErrIntegrity, "nobody can run it"},
		"a link": {func(o *openedMac) {
			name := pluginFolder + "/Contents/Resources/link"
			o.files[name] = &fstest.MapFile{Data: []byte("index.html"), Mode: fs.ModeSymlink | 0o777}
			o.owner[name] = pkgbuild.Attributes{Mode: 0o755}
		}, ErrIntegrity, "link is neither a file nor a folder"},
		"in other letters": {func(o *openedMac) {
			o.files["Library/security/SecurityAgentPlugins/FirstdayLogin.bundle/Contents/x"] = &fstest.MapFile{}
		}, ErrIntegrity, "only Macs take it"},
		"a job in other letters": {func(o *openedMac) { o.files["Library/Launchdaemons/x.plist"] = &fstest.MapFile{} }, ErrIntegrity, "only Macs take it"},
		"no watchdog":            {func(o *openedMac) { delete(o.files, watchPath) }, ErrOutdated, "it lacks /" + watchPath},
		"a watchdog with an environment": {func(o *openedMac) {
			o.replace(watchPath, "<key>RunAtLoad", "<key>EnvironmentVariables</key><dict><key>X</key><string>Y</string></dict><key>RunAtLoad")
		}, ErrIntegrity, watchPath + " is not what this firstday writes"},
		"a daemon that is another's": {func(o *openedMac) { o.replace(macos.DaemonPath[1:], "firstday-agent<", "agent<") }, ErrIntegrity, "dev.firstday.agent.plist is not what"},
		"one more job":               {func(o *openedMac) { o.files["Library/LaunchAgents/x.plist"] = o.files[watchPath] }, ErrIntegrity, "x.plist does not belong there"},
		"a job by a link": {func(o *openedMac) {
			o.files["Library/LaunchDaemons/x.plist"] = &fstest.MapFile{Data: []byte("/tmp/x"), Mode: fs.ModeSymlink | 0o777}
		}, ErrIntegrity, "x.plist does not belong there"},
	}
	for name, c := range unlikePlugins {
		if name != "a link" {
			cases["a plug-in: "+name] = brokenMac{func(o *openedMac) { o.plugin(c.change) }, ErrOtherProgram, c.said}
		}
	}
	return cases
}

func TestMacPackageMustCarryItsLoginPlugin(t *testing.T) {
	o, trust := macOptions(t, "")
	o.Agents = testagents.SmallMac(t)
	for _, name := range []string{"TMPDIR", "TMP"} {
		t.Setenv(name, t.TempDir())
	}
	build(t, o)
	trust.RequireSignature = false // broken ones are made without
	id := applicationOf(t, o)
	whole, broken := filepath.Join(o.Output, "Acme.pkg"), filepath.Join(t.TempDir(), "Acme.pkg")
	takeMacApart(t, whole, id).write(broken)
	if err := verify(t, broken, trust).Err(); err != nil {
		t.Fatalf("what is whole: %v", err)
	}
	for name, c := range brokenMacs(t) {
		o := takeMacApart(t, whole, id)
		c.change(o)
		o.write(broken)
		if err := verify(t, broken, trust).Err(); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v", name, err)
		}
		if left, _ := filepath.Glob(filepath.Join(os.TempDir(), "firstday-verify-*")); len(left) > 0 {
			t.Fatalf("%s: %q is left", name, left)
		}
	}
}

// applicationOf is who signs programs for macOS.
func applicationOf(t *testing.T, o Options) *signing.Identity {
	t.Helper()
	s := o.Config.MacOS.Signing.Application
	id, err := signing.LoadPEM(string(s.Certificate), string(s.Key), "")
	if err != nil {
		t.Fatal(err)
	}
	return id
}
