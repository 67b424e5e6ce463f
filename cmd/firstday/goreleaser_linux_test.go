package main

import (
	"archive/zip"
	"bytes"
	"crypto/sha256"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testdirectory"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
)

const sampleRepository = "../../docs/samples/goreleaser"

// The repository that docs/goreleaser.md shows makes a kit with the real
// goreleaser and a real directory, and tells no secret.
func TestSampleRepository(t *testing.T) {
	// Building it takes minutes, the first time.
	goreleaser := testtool.Build(t, "../../tools/release/go.mod", "goreleaser")
	d := testdirectory.New(t)
	r := newRepository(t, d)
	token, err := d.CreateToken(t.Context(), "token:ann", api.NewToken{Name: "ci", Role: api.Builder, Life: api.Duration(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}

	t.Run("with a token that does not hold", func(t *testing.T) {
		out, err := r.release(goreleaser, "fdt_of-nobody")
		if err == nil || !strings.Contains(out, "unauthorized") {
			t.Errorf("%v\n%s", err, out)
		}
		r.mustHide(t, out, "fdt_of-nobody")
		if _, err := os.Stat(filepath.Join(r.dir, "kit")); err == nil {
			t.Error("there is a kit")
		}
	})

	out, err := r.release(goreleaser, token.Secret.Reveal())
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	published := r.unzip(t)
	if out, err := exec.Command(r.firstday, "verify", filepath.Join(published, "kit"), "--root", filepath.Join(r.dir, "roots.pem")).CombinedOutput(); err != nil {
		t.Errorf("verifying what was published: %v\n%s", err, out)
	}
	inside := filepath.Join(r.dir, "dist", "inside") // where mustHide looks
	if out, err := exec.Command(r.firstday, "ppkg", "extract", filepath.Join(published, "kit", "Acme.ppkg"), "-o", inside).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	r.mustHide(t, out, token.Secret.Reveal())

	keys, err := d.Keys(t.Context(), uuid.Nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(keys) != 2 { // one a platform
		t.Errorf("%d keys were minted", len(keys))
	}
	for _, k := range keys {
		if k.MaxUses != 50 || !strings.HasPrefix(k.Batch, "acme-laptops-") || k.CreatedBy != "token:ci" {
			t.Errorf("%+v", k)
		}
	}
}

// repository is a copy of the sample, filled in as its owner would.
type repository struct {
	dir      string
	firstday string // the program, installed as packages of Linux do
	password string
	keys     []byte
}

func newRepository(t *testing.T, d *testdirectory.Service) *repository {
	t.Helper()
	usr := t.TempDir()
	r := &repository{dir: t.TempDir(), firstday: filepath.Join(usr, "bin", "firstday"), password: "swordfish-of-the-ci"}
	if out, err := exec.Command("go", "build", "-o", r.firstday, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	lib := filepath.Join(usr, "lib", "firstday")
	if err := os.MkdirAll(lib, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(testagents.Dir(t), filepath.Join(lib, "agents")); err != nil {
		t.Fatal(err)
	}

	if err := os.CopyFS(r.dir, os.DirFS(sampleRepository)); err != nil {
		t.Fatal(err)
	}
	pki := testpki.New(t)
	write := func(name string, data []byte) {
		name = filepath.Join(r.dir, name)
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	developers := pki.NewDevelopers(t)
	for name, signer := range map[string]*testpki.Entity{
		"code-signing": pki.CodeRSA, "developer-id-application": developers.Application, "developer-id-installer": developers.Installer,
	} {
		cert, key := signer.WritePEM(t, r.password)
		write(name+".pem", read(t, cert))
		write("secrets/"+name+".key", read(t, key))
		r.keys = append(r.keys, read(t, key)...)
	}
	write("roots.pem", read(t, pki.RootFile(t)))
	write("firstday.yaml", []byte(strings.NewReplacer(
		"https://directory.acme.example:8443", d.At.URL,
		"sha256:"+strings.Repeat("0", 64), d.At.Pin,
	).Replace(string(read(t, filepath.Join(r.dir, "firstday.yaml"))))))
	git := testtool.Need(t, "git")
	for _, args := range [][]string{
		{"init", "-q"}, {"add", "-A"},
		{"-c", "user.name=Ann", "-c", "user.email=ann@acme.example", "-c", "commit.gpgsign=false", "commit", "-q", "-m", "Start"},
		{"remote", "add", "origin", "https://github.com/acme/laptops.git"},
	} {
		c := exec.Command(git, args...)
		c.Dir = r.dir
		if out, err := c.CombinedOutput(); err != nil {
			t.Fatalf("git %q: %v\n%s", args, err, out)
		}
	}
	if out, err := r.command(git, "ls-files", "secrets").Output(); err != nil || len(out) > 0 {
		t.Fatalf("%v; the repository has the secrets: %s", err, out)
	}
	for name, value := range map[string]string{"FIRSTDAY_DIRECTORY": d.At.URL, "FIRSTDAY_PIN": d.At.Pin, "SIGNING_PASSWORD": r.password} {
		t.Setenv(name, value)
	}
	t.Setenv("PATH", filepath.Dir(r.firstday)+string(filepath.ListSeparator)+os.Getenv("PATH"))
	return r
}

func (r *repository) command(name string, args ...string) *exec.Cmd {
	c := exec.Command(name, args...)
	c.Dir = r.dir
	return c
}

// release runs goreleaser, at its most talkative.
func (r *repository) release(goreleaser, token string) (string, error) {
	c := r.command(goreleaser, "release", "--snapshot", "--clean", "--verbose")
	c.Env = append(os.Environ(), "FIRSTDAY_TOKEN="+token)
	out, err := c.CombinedOutput()
	return string(out), err
}

// unzip gives a folder with what the archive holds, after its checksum.
func (r *repository) unzip(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(r.dir, "dist", "*_kit.zip"))
	if err != nil || len(found) != 1 {
		t.Fatalf("archives: %q, %v", found, err)
	}
	line := fmt.Sprintf("%x  %s\n", sha256.Sum256(read(t, found[0])), filepath.Base(found[0]))
	if sums := string(read(t, filepath.Join(r.dir, "dist", "SHA256SUMS"))); sums != line {
		t.Errorf("SHA256SUMS is %q, want %q", sums, line)
	}
	z, err := zip.OpenReader(found[0])
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	to := t.TempDir()
	if err := os.CopyFS(to, z); err != nil {
		t.Fatal(err)
	}
	return to
}

// mustHide looks for secrets in what was said and in all that was made.
func (r *repository) mustHide(t *testing.T, said, token string) {
	t.Helper()
	secrets := []string{token, r.password}
	for line := range strings.Lines(string(r.keys)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "-----") {
			secrets = append(secrets, line)
		}
	}
	look := func(where string, data []byte) {
		for _, s := range secrets {
			if bytes.Contains(data, []byte(s)) {
				t.Errorf("%s tells a secret", where)
			}
		}
	}
	look("the log", []byte(said))
	err := filepath.WalkDir(r.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		if where, err := filepath.Rel(r.dir, path); err != nil || strings.HasPrefix(where, "secrets") {
			return err
		}
		look(path, read(t, path))
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
