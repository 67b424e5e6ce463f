package kit

import (
	"bytes"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/config"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testtool"
	"firstday.dev/signing"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv(killed); dir != "" {
		if err := batchToBeKilled(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	code := m.Run()
	testagents.Cleanup()
	os.Exit(code)
}

const sample = `version: 1
organisation: {name: Acme}
directory: {url: "https://directory.acme.example"}
connectKey: {file: connect.key, expires: 2099-01-01}
windows:
  computerName: ACME-%SERIAL%
  wifi: [{ssid: Acme, password: {file: wifi.key}}]
  policies: {DeviceLock/MinDevicePasswordLength: 12}
`

// at is the time of all kits in tests.
var at = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// options are those of a build in a fresh folder; more is added to the
// configuration.
func options(t *testing.T, more string) Options {
	t.Helper()
	dir := t.TempDir()
	for name, content := range map[string]string{
		"firstday.yaml": sample + more,
		"connect.key":   "fdk_the-connect-key-of-the-tests\n",
		"wifi.key":      "correct horse battery\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	o := Options{Platforms: []Platform{Windows},
		Agents: testagents.Dir(t), Output: filepath.Join(dir, "kit"),
		Builder: "test", Time: at,
	}
	o.Config = load(t, filepath.Join(dir, "firstday.yaml"))
	return o
}

func load(t *testing.T, file string) *config.Config {
	t.Helper()
	c, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func build(t *testing.T, o Options) *Manifest {
	t.Helper()
	m, err := Build(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// trusting trusts the signer that the kit itself names.
func trusting(t *testing.T, kit string) VerifyOptions {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(kit, SignerFile))
	if err != nil {
		t.Fatal(err)
	}
	o := VerifyOptions{RequireSignature: true}
	o.Roots = x509.NewCertPool()
	o.Roots.AppendCertsFromPEM(data)
	return o
}

func verify(t *testing.T, path string, o VerifyOptions) *Verification {
	t.Helper()
	v, err := Verify(t.Context(), path, o)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func TestSignedKitVerifies(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	m := build(t, o)
	v := verify(t, o.Output, trusting(t, o.Output))
	if !v.OK() || len(v.Warnings) > 0 {
		t.Errorf("%v, warnings %q", v.Err(), v.Warnings)
	}
	if err := verify(t, o.Output, VerifyOptions{}).Err(); !errors.Is(err, signing.ErrUntrusted) {
		t.Errorf("a throw-away identity is trusted: %v", err)
	}
	f, err := os.Open(filepath.Join(o.Output, ManifestFile))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	read, err := ReadManifest(f)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, read); diff != "" {
		t.Errorf("the manifest comes back different:\n%s", diff)
	}
	if p := read.Packages[0]; p.Signer == nil || !p.Signer.Throwaway || len(p.Contents) != 4 || p.Contents[0].Version != testagents.Version {
		t.Errorf("package is described as %+v", p)
	}
	if got := fmt.Sprint(read.Secrets); strings.Count(got, "Acme.ppkg") != 3 {
		t.Errorf("secrets are %s", got)
	}
}

func TestUnsignedKitVerifiesWithWarnings(t *testing.T) {
	o := options(t, "")
	build(t, o)
	v := verify(t, o.Output, VerifyOptions{})
	if !v.OK() || len(v.Warnings) != 2 {
		t.Errorf("%v, warnings %q", v.Err(), v.Warnings)
	}
	if err := verify(t, o.Output, VerifyOptions{RequireSignature: true}).Err(); !errors.Is(err, signing.ErrNoSignature) {
		t.Errorf("a missing signature is no error: %v", err)
	}
}

// TestLyingManifestIsNoticed even where nobody signed and the checksums fit.
func TestLyingManifestIsNoticed(t *testing.T) {
	o := options(t, "")
	m := build(t, o)
	zeros := strings.Repeat("0", 64)
	for name, lie := range map[string]func(m *Manifest){
		"hash":         func(m *Manifest) { m.Packages[0].SHA256 = zeros },
		"name":         func(m *Manifest) { m.Packages[0].Name = "Other" },
		"contents":     func(m *Manifest) { m.Packages[0].Contents[1].SHA256 = zeros },
		"less":         func(m *Manifest) { m.Packages[0].Contents = m.Packages[0].Contents[:1] },
		"organisation": func(m *Manifest) { m.Organisation = "Other" },
		"directory":    func(m *Manifest) { m.Directory = "https://other.example" },
		"secrets":      func(m *Manifest) { m.Secrets = m.Secrets[1:] },
		"no package":   func(m *Manifest) { m.Packages = nil },
		"signer":       func(m *Manifest) { m.Packages[0].Signer = &Signer{SHA256: zeros} },
		"file":         func(m *Manifest) { m.Packages[0].File = "Other.ppkg" },
	} {
		data, err := m.encode()
		if err != nil {
			t.Fatal(err)
		}
		liar, err := ReadManifest(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		lie(liar)
		rewrite(t, o.Output, liar)
		if err := verify(t, o.Output, VerifyOptions{}).Err(); !errors.Is(err, ErrIntegrity) {
			t.Errorf("%s: %v", name, err)
		}
	}
	rewrite(t, o.Output, m)
	if err := verify(t, o.Output, VerifyOptions{}).Err(); err != nil {
		t.Error(err)
	}
}

// rewrite replaces the manifest of an unsigned kit, and its checksum.
func rewrite(t *testing.T, dir string, m *Manifest) {
	t.Helper()
	data, err := m.encode()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, ManifestFile), data, 0o600); err != nil {
		t.Fatal(err)
	}
	files, err := listFolder(dir)
	if err != nil {
		t.Fatal(err)
	}
	s, err := sumFiles(t.Context(), dir, files, nil, func(_, _ int64) {})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, SumsFile), s.encode(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestOddFilesAreNoticed, and none of them is waited for.
func TestOddFilesAreNoticed(t *testing.T) {
	pipe := testtool.Need(t, "mkfifo")
	for _, name := range []string{ManifestFile, "Acme.ppkg", "more"} {
		o := options(t, "")
		build(t, o)
		path := filepath.Join(o.Output, name)
		_ = os.Remove(path)
		if err := exec.Command(pipe, path).Run(); err != nil {
			t.Fatal(err)
		}
		if err := verify(t, o.Output, VerifyOptions{}).Err(); err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOneFlippedByteIsNoticed flips every byte of the small files of a kit and
// a sample of those of the package.
func TestOneFlippedByteIsNoticed(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	build(t, o)
	trust := trusting(t, o.Output)
	entries, err := os.ReadDir(o.Output)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(o.Output, e.Name())
		good, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		step := max(1, len(good)/25) // each check reads the whole kit
		for i := 0; i < len(good); i += step {
			bad := bytes.Clone(good)
			bad[i] ^= 0x20
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			err := verify(t, o.Output, trust).Err()
			if !errors.Is(err, ErrIntegrity) && !errors.Is(err, signing.ErrBadSignature) && !errors.Is(err, signing.ErrUntrusted) {
				t.Errorf("%s: byte %d flipped: %v", e.Name(), i, err)
			}
		}
		if err := os.WriteFile(path, good, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v := verify(t, o.Output, trust); !v.OK() {
		t.Errorf("the restored kit: %v", v.Err())
	}
}

func TestMissingAndForeignFilesAreNoticed(t *testing.T) {
	o := options(t, "")
	build(t, o)
	if err := os.Remove(filepath.Join(o.Output, SBOMFile)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(o.Output, "autorun.inf"), []byte("[autorun]"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := verify(t, o.Output, VerifyOptions{}).Err()
	for _, want := range []string{SBOMFile, "autorun.inf"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("nothing about %s: %v", want, err)
		}
	}
}

func TestReproducibleBuilds(t *testing.T) {
	read := func(o Options) []byte {
		o.Reproducible = true
		build(t, o)
		data, err := os.ReadFile(filepath.Join(o.Output, "Acme.ppkg"))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	first, again := read(options(t, "")), read(options(t, ""))
	if !bytes.Equal(first, again) {
		t.Error("the same inputs give two packages")
	}
	other := read(options(t, "  hideOobe: false\n"))
	if bytes.Equal(first, other) {
		t.Error("other inputs give the same package")
	}
	a, b := options(t, ""), options(t, "")
	if build(t, a).Packages[0].ID == build(t, b).Packages[0].ID {
		t.Error("two ordinary builds have one id")
	}
}

func TestBuildKeepsWhatIsNotAKit(t *testing.T) {
	o := options(t, "")
	if err := os.Mkdir(o.Output, 0o755); err != nil {
		t.Fatal(err)
	}
	treasure := filepath.Join(o.Output, "thesis.odt")
	if err := os.WriteFile(treasure, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNotAKit) {
		t.Fatalf("a folder with files: %v", err)
	}
	if err := os.Remove(treasure); err != nil {
		t.Fatal(err)
	}
	build(t, o) // into the empty folder
	build(t, o) // over a kit
	if err := os.WriteFile(treasure, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNotAKit) {
		t.Fatalf("a kit with a foreign file: %v", err)
	}
	if _, err := os.Stat(treasure); err != nil {
		t.Error(err)
	}
}

func TestFailedBuildLeavesTheOldKit(t *testing.T) {
	o := options(t, "")
	build(t, o)
	before := fileSums(t, filepath.Dir(o.Output))
	ctx, cancel := context.WithCancel(t.Context())
	o.Progress = func(step string, _, _ int64) {
		if step == "packing" {
			cancel()
		}
	}
	if _, err := Build(ctx, o); !errors.Is(err, context.Canceled) {
		t.Fatalf("a cancelled build: %v", err)
	}
	if diff := cmp.Diff(before, fileSums(t, filepath.Dir(o.Output))); diff != "" {
		t.Errorf("the cancelled build left something:\n%s", diff)
	}
	if v := verify(t, o.Output, VerifyOptions{}); !v.OK() {
		t.Error(v.Err())
	}
}

// fileSums gives the files below dir with their sizes and times.
func fileSums(t *testing.T, dir string) []string {
	t.Helper()
	var list []string
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		list = append(list, fmt.Sprintf("%s %d %s", path, info.Size(), info.ModTime()))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestPinnedPayloadMustMatch(t *testing.T) {
	o := options(t, "")
	setup := filepath.Join(t.TempDir(), "setup.exe")
	if err := os.WriteFile(setup, []byte("MZ not really"), 0o600); err != nil {
		t.Fatal(err)
	}
	silent := "/S"
	o.Config.Windows.Payloads = []config.Payload{{
		File: config.Path(setup), Kind: config.EXE, Arguments: &silent, SHA256: strings.Repeat("0", 64),
	}}
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrPayload) {
		t.Errorf("a payload with another hash: %v", err)
	}
}

func TestAgentsMustBeAgents(t *testing.T) {
	o := options(t, "")
	o.Agents = t.TempDir()
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNoAgent) || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no agents: %v", err)
	}
	for _, a := range windowsAgents {
		if err := os.WriteFile(filepath.Join(o.Agents, a.source), []byte("#!/bin/sh\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Build(t.Context(), o); !errors.Is(err, ErrNoAgent) {
		t.Errorf("scripts for agents: %v", err)
	}
}

// TestOutsideJudgesAcceptTheKit asks tools that know nothing of us.
func TestOutsideJudgesAcceptTheKit(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	build(t, o)
	outsideJudges(t, o.Output)
}

// TestOutsideJudgesAcceptAFurtherKit of a batch, whose package is hashed from where
// that of the first left off.
func TestOutsideJudgesAcceptAFurtherKit(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	b := batch(t, o)
	for _, name := range []string{"first", "further"} {
		if _, err := b.Build(t.Context(), Row{Name: name, Config: o.Config}); err != nil {
			t.Fatal(err)
		}
	}
	if len(b.shared.begun.states) != 1 {
		t.Errorf("%d packages were hashed from the beginning", len(b.shared.begun.states))
	}
	dir := filepath.Join(b.options.Output, "further")
	if v := verify(t, dir, trusting(t, dir)); !v.OK() || len(v.Warnings) > 0 {
		t.Errorf("%v, warnings %q", v.Err(), v.Warnings)
	}
	outsideJudges(t, dir)
}

func outsideJudges(t *testing.T, kit string) {
	t.Helper()
	inKit := func(name string) string { return filepath.Join(kit, name) }
	tree := t.TempDir()
	run := func(name string, args ...string) {
		t.Helper()
		c := exec.Command(name, args...)
		c.Dir = kit
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("%s %q: %v\n%s", filepath.Base(name), args, err, out)
		}
	}
	wimlib := testtool.Need(t, "wimlib-imagex")
	run(wimlib, "verify", inKit("Acme.ppkg"))
	run(wimlib, "apply", inKit("Acme.ppkg"), tree)
	run(testtool.Need(t, "7zz", "7z"), "t", inKit("Acme.ppkg"))
	run(testtool.Need(t, "openssl"), "cms", "-verify", "-binary", "-inform", "DER", "-in", inKit(SignatureFile),
		"-content", inKit(SumsFile), "-CAfile", inKit(SignerFile), "-purpose", "any", "-out", os.DevNull)
	osslsigncode := testtool.Need(t, "osslsigncode")
	run(osslsigncode, "verify", "-CAfile", inKit(SignerFile), "-in", inKit("Acme.cat"))
	run(testtool.Need(t, "sha256sum"), "--check", "--strict", SumsFile)
	programs, err := filepath.Glob(filepath.Join(tree, "DataAsset", "*", "*", "firstday-*-*"))
	if err != nil || len(programs) != 4 {
		t.Fatalf("programs in the tree: %q, %v", programs, err)
	}
	for _, program := range programs {
		run(osslsigncode, "verify", "-CAfile", inKit(SignerFile), "-in", program)
		if arch, isProvider := strings.CutPrefix(filepath.Base(program), "firstday-credprov-"); isProvider {
			testcredprov.CheckShipped(t, program, strings.TrimSuffix(arch, ".dll"), testagents.Version)
		}
	}
}
