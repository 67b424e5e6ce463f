package kit

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/micromdm/plist"

	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/pkgbuild"
	"firstday.dev/pkgbuild/cpio"
	"firstday.dev/signing"
	"firstday.dev/templates/macos"
)

// macOptions are those of a build for Macs, signed like a developer's.
func macOptions(t *testing.T, more string) (Options, VerifyOptions) {
	t.Helper()
	pki := testpki.New(t)
	dev := pki.NewDevelopers(t)
	section := func(e *testpki.Entity) string {
		cert, key := e.WritePEM(t, "")
		return fmt.Sprintf("{certificate: %q, key: %q}", cert, key)
	}
	o := options(t, fmt.Sprintf("macos:\n  downloadUrl: https://mdm.acme.example/Acme.pkg\n  signing:\n    application: %s\n    installer: %s\n%s",
		section(dev.Application), section(dev.Installer), more))
	o.Platforms = []Platform{MacOS}
	trust := VerifyOptions{RequireSignature: true}
	trust.Roots, trust.TimestampRoots = pki.Roots(), pki.Roots()
	return o, trust
}

func openInstaller(t *testing.T, path string) *pkgbuild.Package {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pkgbuild.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMacKitVerifies(t *testing.T) {
	o, trust := macOptions(t, "signing: {throwaway: true}\n")
	o.Platforms = []Platform{Windows, MacOS}
	m := build(t, o)
	if len(m.Packages) != 2 || m.Packages[1].Platform != MacOS || m.Packages[1].Contents[0].Version != testagents.Version || m.Packages[1].Signer == nil {
		t.Fatalf("manifest: %+v", m)
	}
	// The kit's own signer is another one, and nobody trusts it but who holds the kit.
	trust.Roots.AppendCertsFromPEM(mustRead(t, filepath.Join(o.Output, SignerFile)))
	v := verify(t, o.Output, trust)
	if err := v.Err(); err != nil {
		t.Error(err)
	}
	for _, what := range []string{"table of contents", "RSA signature", "CMS signature", "chain", "contents", "rules of macOS", "manifest"} {
		if !slices.ContainsFunc(v.Checks, func(c Check) bool { return c.File == "Acme.pkg" && c.What == what }) {
			t.Errorf("%s is not among the checks", what)
		}
	}
	if err := verify(t, filepath.Join(o.Output, "Acme.pkg"), VerifyOptions{}).Err(); !errors.Is(err, signing.ErrUntrusted) {
		t.Errorf("without Apple's root: %v", err)
	}
}

func mustRead(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestMacPackageInstallsWhatItShould(t *testing.T) {
	o, _ := macOptions(t, "")
	build(t, o)
	p := openInstaller(t, filepath.Join(o.Output, "Acme.pkg"))
	list, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range list {
		got = append(got, fmt.Sprintf("%v %d:%d %s", f.FileMode(), f.UID, f.GID, f.VolumePath))
	}
	const (
		ours   = "Library/Application Support/Firstday"
		plugin = "Library/Security/SecurityAgentPlugins/FirstdayLogin.bundle"
	)
	want := []string{
		"drwxr-xr-x 0:0 .",
		"dtrwxrwxr-x 0:80 Library",
		"drwxr-xr-x 0:80 Library/Application Support",
		"drwxr-xr-x 0:0 Library/LaunchDaemons",
		"drwxr-xr-x 0:0 Library/LaunchAgents",
		"drwxr-xr-x 0:0 Library/Security",
		"drwxr-xr-x 0:0 Library/Security/SecurityAgentPlugins",
		"drwxr-xr-x 0:0 " + plugin + "/Contents/_CodeSignature",
		"-rw-r--r-- 0:0 " + plugin + "/Contents/_CodeSignature/CodeResources",
		"-rw-r--r-- 0:0 Library/LaunchAgents/dev.firstday.login-beside.plist",
		"-rw-r--r-- 0:0 Library/LaunchAgents/dev.firstday.login-watch.plist",
		"drwxr-xr-x 0:0 " + ours,
		"-rw-r--r-- 0:0 Library/LaunchDaemons/dev.firstday.agent.plist",
		"drwxr-xr-x 0:0 " + ours + "/Agent",
		"drwx------ 0:0 " + ours + "/Data",
		"-rwxr-xr-x 0:0 " + ours + "/uninstall",
		"drwxr-xr-x 0:0 " + ours + "/Agent/1.2.3",
		"-rw------- 0:0 " + ours + "/Data/enrollment.json",
		"-rwxr-xr-x 0:0 " + ours + "/Agent/1.2.3/firstday-agent",
	}
	err = fs.WalkDir(os.DirFS(filepath.Join(testagents.Dir(t), macos.Plugin)), ".", func(name string, e fs.DirEntry, err error) error {
		mode := "-rw-r--r--"
		switch {
		case e.IsDir():
			mode = "drwxr-xr-x"
		case name == macos.PluginProgram:
			mode = "-rwxr-xr-x"
		}
		want = append(want, mode+" 0:0 "+path.Join(plugin, name))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	files := make(map[string][]byte)
	if err := p.Components[0].Walk(t.Context(), func(h *cpio.Header, r io.Reader) error {
		b, err := io.ReadAll(r)
		files[h.Name] = b
		return err
	}); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Library/LaunchDaemons/dev.firstday.agent.plist", "Library/LaunchAgents/dev.firstday.login-watch.plist", "Library/LaunchAgents/dev.firstday.login-beside.plist"} {
		var job struct{ ProgramArguments []string }
		if err := plist.Unmarshal(files[name], &job); err != nil {
			t.Fatal(err)
		}
		if program := strings.TrimPrefix(job.ProgramArguments[0], "/"); files[program] == nil {
			t.Errorf("%s runs %s, which is not there", name, program)
		}
	}
	if findings := pkgbuild.Lint(t.Context(), p); len(findings) > 0 {
		t.Errorf("findings: %+v", findings)
	}
}

// Whichever byte of a package is changed, a look at it alone finds out.
func TestOneFlippedByteOfAMacPackageIsNoticed(t *testing.T) {
	o, trust := macOptions(t, "")
	build(t, o)
	good := mustRead(t, filepath.Join(o.Output, "Acme.pkg"))
	path := filepath.Join(t.TempDir(), "Acme.pkg")
	step := len(good) / 40
	for at := 3; at < len(good); at += step {
		damaged := bytes.Clone(good)
		damaged[at] ^= 0x08
		if err := os.WriteFile(path, damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		if verify(t, path, trust).OK() {
			t.Errorf("a flipped bit at %d is not found", at)
		}
		if at < 4096 { // header, table of contents and signatures are a small part
			at += 97 - step
		}
	}
}

func TestReproducibleMacBuilds(t *testing.T) {
	var first []byte
	var id string
	for range 2 {
		o := options(t, "")
		o.Platforms, o.Reproducible = []Platform{MacOS}, true
		m := build(t, o)
		b := mustRead(t, filepath.Join(o.Output, "Acme.pkg"))
		if first != nil && (!bytes.Equal(first, b) || m.Packages[0].ID.String() != id) {
			t.Error("two builds differ")
		}
		first, id = b, m.Packages[0].ID.String()
	}
}

func TestManagementFiles(t *testing.T) {
	o, _ := macOptions(t, "")
	m := build(t, o)
	var profile struct {
		PayloadContent []struct {
			PayloadType string
			Rules       []struct{ RuleType, RuleValue string }
			Services    map[string][]struct{ CodeRequirement, Identifier string }
		}
	}
	if err := plist.Unmarshal(mustRead(t, filepath.Join(o.Output, "Acme.mobileconfig")), &profile); err != nil {
		t.Fatal(err)
	}
	if len(profile.PayloadContent) != 2 {
		t.Fatalf("profile: %+v", profile)
	}
	if rules := profile.PayloadContent[0].Rules; len(rules) != 2 || rules[0].RuleType != "LabelPrefix" || rules[0].RuleValue != "dev.firstday." || rules[1].RuleValue != testpki.TeamID {
		t.Errorf("rules: %+v", rules)
	}
	grant := profile.PayloadContent[1].Services["SystemPolicyAllFiles"][0]
	if !strings.Contains(grant.CodeRequirement, `identifier "dev.firstday.agent" and anchor apple generic`) ||
		grant.Identifier != "/Library/Application Support/Firstday/Agent/1.2.3/firstday-agent" {
		t.Errorf("grant: %+v", grant)
	}
	var manifest struct {
		Items []struct {
			Assets []struct {
				SHA256s []string `plist:"sha256s"`
				URL     string   `plist:"url"`
			} `plist:"assets"`
		} `plist:"items"`
	}
	if err := plist.Unmarshal(mustRead(t, filepath.Join(o.Output, MDMManifestFile)), &manifest); err != nil {
		t.Fatal(err)
	}
	// Smaller than one chunk, its hash is the package's.
	if a := manifest.Items[0].Assets[0]; a.URL != "https://mdm.acme.example/Acme.pkg" || len(a.SHA256s) != 1 || a.SHA256s[0] != m.Packages[0].SHA256 {
		t.Errorf("manifest: %+v", a)
	}
	xmllint := testtool.Need(t, "xmllint")
	for _, name := range []string{"Acme.mobileconfig", MDMManifestFile} {
		if out, err := exec.Command(xmllint, "--noout", "--nonet", filepath.Join(o.Output, name)).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestUnsignedMacKit(t *testing.T) {
	o := options(t, "")
	o.Platforms = []Platform{MacOS}
	build(t, o)
	v := verify(t, o.Output, VerifyOptions{})
	if err := v.Err(); err != nil || len(v.Warnings) != 2 {
		t.Errorf("%v, warnings %q", err, v.Warnings)
	}
	if err := verify(t, o.Output, VerifyOptions{RequireSignature: true}).Err(); !errors.Is(err, signing.ErrNoSignature) {
		t.Errorf("got %v", err)
	}
}

func TestMacAgentsMustBeAgents(t *testing.T) {
	o := options(t, "")
	o.Platforms, o.Agents = []Platform{MacOS}, t.TempDir()
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNoAgent) {
		t.Errorf("no agents: %v", err)
	}
	for _, a := range macAgents {
		if err := os.WriteFile(filepath.Join(o.Agents, a.source), []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNoAgent) {
		t.Errorf("scripts for agents: %v", err)
	}
	arm := mustRead(t, filepath.Join(testagents.Dir(t), macAgents[1].source))
	if err := os.WriteFile(filepath.Join(o.Agents, macAgents[0].source), arm, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNoAgent) {
		t.Errorf("one for another architecture: %v", err)
	}
}

// TestOutsideJudgesAcceptTheMacPackage asks tools that know nothing of us.
func TestOutsideJudgesAcceptTheMacPackage(t *testing.T) {
	o, _ := macOptions(t, "")
	build(t, o)
	dir := t.TempDir()
	run := func(name string, args ...string) string {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = dir
		out, err := c.CombinedOutput()
		if err != nil {
			t.Fatalf("%s %q: %v\n%s", filepath.Base(name), args, err, out)
		}
		return string(out)
	}
	sevenzip := testtool.Need(t, "7zz", "7z")
	run(sevenzip, "t", filepath.Join(o.Output, "Acme.pkg"))
	run(sevenzip, "x", "-y", filepath.Join(o.Output, "Acme.pkg"))
	listing := run("sh", "-c", "gzip -dc firstday.pkg/Payload | "+testtool.Need(t, "cpio")+" -it --quiet")
	list, err := openInstaller(t, filepath.Join(o.Output, "Acme.pkg")).List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, f := range list {
		want = append(want, f.Path)
	}
	got := strings.Split(strings.TrimSpace(listing), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("cpio (-want +got):\n%s", diff)
	}
	run("sh", "-c", "mkdir root && cd root && gzip -dc ../firstday.pkg/Payload | "+testtool.Need(t, "bsdtar")+" -xf -")
	agent := filepath.Join(dir, "root", "Library", "Application Support", "Firstday", "Agent", "1.2.3", "firstday-agent")
	headers := run(testtool.LLVM(t, "llvm-objdump"), "--macho", "--arch=all", "--private-headers", agent)
	if strings.Count(headers, "LC_CODE_SIGNATURE") != 2 {
		t.Error("the agent is not signed twice")
	}
}
