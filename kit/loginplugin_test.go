package kit

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/authdb"
	"firstday.dev/agent/loginplugin"
	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testloginplugin"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// pluginIn is where the plug-in is on an unpacked volume.
func pluginIn(volume string) string {
	return filepath.Join(volume, filepath.FromSlash(macos.PluginPath))
}

func digestOf(t *testing.T, dir string) string {
	t.Helper()
	digest, err := macos.PluginDigest(os.DirFS(dir))
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// What a built package carries is what build.sh gives, once more, but for who
// signed it; taken out by our reader and by cpio.
func TestPackageCarriesTheLoginPlugin(t *testing.T) {
	fresh := testloginplugin.Build(t, testagents.Version)
	signed, _ := macOptions(t, "")
	for name, o := range map[string]Options{"signed": signed, "by nobody": options(t, "")} {
		o.Platforms = []Platform{MacOS}
		m := build(t, o)
		path := filepath.Join(o.Output, "Acme.pkg")
		volume := testagents.UnpackInstaller(t, path)
		plugin := pluginIn(volume)
		testloginplugin.CheckShipped(t, plugin, macos.PluginIdentifier)
		testloginplugin.CheckSame(t, fresh, plugin)
		files := filesOfFolder(t, plugin)
		delete(files, "Contents/_CodeSignature/CodeResources")
		delete(files, macos.PluginProgram)
		want := filesOfFolder(t, fresh)
		delete(want, macos.PluginProgram)
		if diff := cmp.Diff(want, files); diff != "" {
			t.Errorf("%s: (-want +got):\n%s", name, diff)
		}
		digest := digestOf(t, plugin)
		for _, a := range enrollmentOf(t, filepath.Join(volume, filepath.FromSlash(macos.DataFolder))).Agents {
			if diff := cmp.Diff(api.CarriedFile{File: macos.Plugin, SHA256: digest}, a.LoginPlugin); diff != "" {
				t.Errorf("%s: the enrollment (-want +got):\n%s", name, diff)
			}
		}
		got := m.Packages[0].Contents[1]
		if got.Size < 100_000 {
			t.Errorf("%s: %d bytes", name, got.Size)
		}
		got.Size = 0
		if diff := cmp.Diff(Content{File: macos.Plugin, Kind: "login-plugin", Arch: "universal", Version: testagents.Version, SHA256: digest}, got); diff != "" {
			t.Errorf("%s: the manifest (-want +got):\n%s", name, diff)
		}
		bom := string(mustRead(t, filepath.Join(o.Output, SBOMFile)))
		for file := range filesOfFolder(t, plugin) {
			if !strings.Contains(bom, hexSum(mustRead(t, filepath.Join(plugin, file)))) {
				t.Errorf("%s: the SBOM does not have %s", name, file)
			}
		}
		if strings.Contains(bom, digest) {
			t.Errorf("%s: the SBOM has a hash of a folder", name)
		}
		if by := digestOf(t, pluginIn(unpackedByCPIO(t, path))); by != digest {
			t.Errorf("%s: cpio takes out another plug-in", name)
		}
	}
}

func filesOfFolder(t *testing.T, dir string) map[string]string {
	t.Helper()
	files := make(map[string]string)
	if err := macos.WalkPlugin(os.DirFS(dir), func(name string, _ fs.File) error {
		files[name] = string(mustRead(t, filepath.Join(dir, name)))
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	return files
}

// unpackedByCPIO has others than us unpack the package.
func unpackedByCPIO(t *testing.T, path string) string {
	t.Helper()
	sevenzip, cpio := testtool.Need(t, "7zz", "7z"), testtool.Need(t, "cpio")
	c := exec.Command("sh", "-c", `"$0" x -y "$1" >/dev/null && mkdir volume && cd volume && gzip -dc ../firstday.pkg/Payload | "$2" -id --quiet`, sevenzip, path, cpio)
	c.Dir = t.TempDir()
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return filepath.Join(c.Dir, "volume")
}

// All who name the plug-in must mean the same.
func TestLoginPluginHasOneName(t *testing.T) {
	if macos.Plugin != loginplugin.Bundle || macos.PluginPath != authdb.BundlePath {
		t.Errorf("%s, %s, %s, %s", macos.Plugin, loginplugin.Bundle, macos.PluginPath, authdb.BundlePath)
	}
}

func TestLoginPluginIsSignedAsItsAgent(t *testing.T) {
	o, trust := macOptions(t, "")
	build(t, o)
	volume := testagents.UnpackInstaller(t, filepath.Join(o.Output, "Acme.pkg"))
	b, root, err := openBundle(pluginIn(volume))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all, err := signing.VerifyBundle(t.Context(), b, trust.VerifyOptions)
	if err != nil || len(all) != 1 || len(all[0].Reports) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	agent, err := readSignature(t.Context(), filepath.Join(volume, filepath.FromSlash(macAgentPath(testagents.Version))))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all[0].Reports {
		if r.Identifier != macos.PluginIdentifier || r.TeamID != testpki.TeamID || r.TeamID != agent.TeamID || r.Flags != agent.Flags || r.CodeResources == nil {
			t.Errorf("%v: %+v, the agent has flags %#x", r.CPU, r.Signature, agent.Flags)
		}
	}
	v := verify(t, filepath.Join(o.Output, "Acme.pkg"), trust)
	if err := v.Err(); err != nil || len(v.Warnings) > 0 {
		t.Errorf("%v, warnings %q", err, v.Warnings)
	}
	for what, detail := range map[string]string{"login plug-in": "FirstdayLogin.bundle, signed by ", "jobs of launchd": ""} {
		if !hasCheck(v, what, detail) {
			t.Errorf("%s is not among the checks: %+v", what, v.Checks)
		}
	}
}

func hasCheck(v *Verification, what, detail string) bool {
	for _, c := range v.Checks {
		if c.What == what && strings.HasPrefix(c.Detail, detail) && c.Error == "" {
			return true
		}
	}
	return false
}

// unlikePlugins are bundles that do not go with an agent, made of one that does;
// said is what the error says of each.
var unlikePlugins = map[string]struct {
	change func(t *testing.T, bundle string)
	said   string
}{
	"another version": {inPlist("<string>1.2.3<", "<string>1.2.4<"), `has version "1.2.4", its agent 1.2.3`},
	"half a version":  {inPlist("<key>CFBundleVersion</key>", "<key>CFBundleVersiom</key>"), `has version "", its agent 1.2.3`},
	"another name":    {inPlist("dev.firstday.login<", "com.example.login<"), "is called com.example.login"},
	"another program": {func(t *testing.T, bundle string) {
		t.Helper()
		program := testloginplugin.Program(bundle)
		if err := os.Rename(program, program+"2"); err != nil {
			t.Fatal(err)
		}
		inPlist("FirstdayLogin</string>\n\t<key>CFBundleIdentifier", "FirstdayLogin2</string>\n\t<key>CFBundleIdentifier")(t, bundle)
	}, "its program is Contents/MacOS/FirstdayLogin2"},
	"no property list": {inPlist("<plist", "<plost"), "Info.plist"},
	"no page":          {without(macos.PluginPage), "no such file"},
	"an empty page":    {with(macos.PluginPage, nil), "is no page"},
	"no script":        {without("Contents/Resources/host.js"), "its page needs host.js: "},
	"no style":         {with("Contents/Resources/style.css", nil), "its page needs style.css"},
	"no words":         {without("Contents/Resources/words/de.js"), "its page needs words/de.js: "},
	"another's script": {with(macos.PluginPage, []byte(`<script src="../../../x.js">`)), "its page needs ../../../x.js"},
	"no program":       {without(macos.PluginProgram), "no such file"},
	"a script":         {with(macos.PluginProgram, []byte("#!/bin/sh\n")), macos.PluginProgram},
	"a program":        {inProgram("\x08\x00\x00\x00", "\x02\x00\x00\x00", 12), "is no plug-in"},
	"no export":        {inProgram("_AuthorizationPluginCreate", "_AuthorizationPluginCreatf", -1), "does not export _AuthorizationPluginCreate"},
	"one slice":        {thinned, macos.PluginProgram},
	"a link": {func(t *testing.T, bundle string) {
		t.Helper()
		if err := os.Symlink("index.html", filepath.Join(bundle, "Contents", "Resources", "link.html")); err != nil {
			t.Fatal(err)
		}
	}, "is neither a file nor a folder"},
}

func inPlist(old, new string) func(*testing.T, string) {
	return func(t *testing.T, bundle string) {
		t.Helper()
		path := filepath.Join(bundle, "Contents", "Info.plist")
		text := strings.ReplaceAll(string(mustRead(t, path)), old, new)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// inProgram changes both slices: wherever the text is, or so many bytes from their
// beginning.
func inProgram(old, new string, from int) func(*testing.T, string) {
	return func(t *testing.T, bundle string) {
		t.Helper()
		path := testloginplugin.Program(bundle)
		text := string(mustRead(t, path))
		if from < 0 {
			text = strings.ReplaceAll(text, old, new)
		}
		const magic = "\xcf\xfa\xed\xfe"
		for at := 0; from >= 0; {
			next := strings.Index(text[at:], magic)
			if next < 0 {
				break
			}
			at += next + 1
			if place := at - 1 + from; strings.HasPrefix(text[place:], old) {
				text = text[:place] + new + text[place+len(new):]
			}
		}
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

func without(name string) func(*testing.T, string) {
	return func(t *testing.T, bundle string) {
		t.Helper()
		if err := os.Remove(filepath.Join(bundle, name)); err != nil {
			t.Fatal(err)
		}
	}
}

func with(name string, content []byte) func(*testing.T, string) {
	return func(t *testing.T, bundle string) {
		t.Helper()
		path := filepath.Join(bundle, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, content, 0o700)); err != nil {
			t.Fatal(err)
		}
	}
}

// thinned leaves the slice for one of the processors.
func thinned(t *testing.T, bundle string) {
	t.Helper()
	lipo := testtool.LLVM(t, "llvm-lipo")
	program := testloginplugin.Program(bundle)
	if out, err := exec.Command(lipo, program, "-thin", "x86_64", "-output", program).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestAgentsMustComeWithTheirLoginPlugin(t *testing.T) {
	cases := map[string]struct {
		change func(t *testing.T, bundle string)
		said   string
	}{"nothing": {func(t *testing.T, bundle string) {
		t.Helper()
		if err := os.RemoveAll(bundle); err != nil {
			t.Fatal(err)
		}
	}, "no such file"}}
	for name, c := range unlikePlugins {
		cases[name] = c
	}
	for name, c := range cases {
		agents := t.TempDir()
		if err := os.CopyFS(agents, os.DirFS(testagents.Dir(t))); err != nil {
			t.Fatal(err)
		}
		c.change(t, filepath.Join(agents, macos.Plugin))
		o := options(t, "")
		o.Platforms, o.Agents = []Platform{MacOS}, agents
		_, err := Build(t.Context(), o)
		if !errors.Is(err, ErrNoLoginPlugin) || !strings.Contains(err.Error(), filepath.Join(agents, macos.Plugin)) || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(o.Output); err == nil {
			t.Errorf("%s: there is a kit", name)
		}
	}
}

// Who signs anew takes away what was signed before, and what its seal listed.
func TestBuildSealsThePluginAnew(t *testing.T) {
	o, trust := macOptions(t, "")
	o.Agents = t.TempDir()
	if err := os.CopyFS(o.Agents, os.DirFS(testagents.Dir(t))); err != nil {
		t.Fatal(err)
	}
	plugin := filepath.Join(o.Agents, macos.Plugin)
	if err := signBundle(t.Context(), plugin, nil, signing.Options{}); err != nil {
		t.Fatal(err)
	}
	with("Contents/_CodeSignature/other", []byte("x"))(t, plugin)
	with("Contents/Resources/new.css", []byte("body {}"))(t, plugin)
	before := digestOf(t, plugin)
	build(t, o)
	if err := verify(t, filepath.Join(o.Output, "Acme.pkg"), trust).Err(); err != nil {
		t.Error(err)
	}
	if digestOf(t, plugin) != before {
		t.Error("it signs what lies beside the agents")
	}
}

// The package's own script takes away whatever the package has brought.
func TestUninstallTakesAwayAllOfAPackage(t *testing.T) {
	sh := testtool.Need(t, "sh")
	o := options(t, "")
	o.Platforms, o.Agents = []Platform{MacOS}, testagents.SmallMac(t)
	build(t, o)
	volume, tools := testagents.UnpackInstaller(t, filepath.Join(o.Output, "Acme.pkg")), t.TempDir()
	for name, text := range map[string]string{
		filepath.Join(tools, "id"):                              "echo 0",
		filepath.Join(tools, "security"):                        "echo '<string>loginwindow:login</string>'",
		filepath.Join(tools, "launchctl"):                       "exit 0",
		filepath.Join(tools, "pkgutil"):                         "exit 0",
		filepath.Join(volume, macAgentPath(testagents.Version)): "exit 0", // nothing here could run it
	} {
		if err := os.WriteFile(name, []byte("#!/bin/sh\n"+text+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	script := string(mustRead(t, filepath.Join(volume, filepath.FromSlash(macos.UninstallPath))))
	script = strings.NewReplacer(`"/Library/`, `"`+volume+"/Library/", "=/Library/", "="+volume+"/Library/", " /Library/", " "+volume+"/Library/", " /var/run/", " "+volume+"/var/run/",
		"/usr/bin/security", tools+"/security", "/bin/launchctl", tools+"/launchctl", "/usr/sbin/pkgutil", tools+"/pkgutil").Replace(script)
	c := exec.Command(sh, "-c", script)
	c.Env = []string{"PATH=" + tools + ":" + os.Getenv("PATH")}
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if left := filesOfFolder(t, volume); len(left) > 0 {
		t.Errorf("%d files are left", len(left))
	}
	for _, folder := range []string{macos.Folder, macos.PluginPath} {
		if _, err := os.Lstat(filepath.Join(volume, folder)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", folder, err)
		}
	}
}
