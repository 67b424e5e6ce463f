//go:build unix

package order

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"firstday.dev/internal/testtool"
	"firstday.dev/kit"
	"firstday.dev/signing"
)

// shells are those that the script must run in.
var shells = []string{"dash", "bash"}

// verifySh runs the bundle's own script as a partner does.
func verifySh(t *testing.T, dir, shell string, args ...string) (out string, code int) {
	t.Helper()
	testtool.Need(t, "openssl")
	c := exec.CommandContext(t.Context(), testtool.Need(t, shell), append([]string{filepath.Join(dir, ShellFile)}, args...)...)
	told, err := c.CombinedOutput()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		return string(told), exit.ExitCode()
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(told), 0
}

func files(t *testing.T, dir string) (names []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(dir), ".", func(p string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			names = append(names, p)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// blames wants both verifications to call a bundle bad, and to name the file.
func blames(t *testing.T, dir string, made *Created, file string) {
	t.Helper()
	v, err := Verify(t.Context(), dir, pinned(made))
	if err != nil {
		t.Errorf("%s: %v", file, err)
		return
	}
	named := false
	for _, f := range v.Faults {
		named = named || f.File == file
	}
	if v.Err() == nil || !named {
		t.Errorf("%s: there is wrong only %+v", file, v.Faults)
	}
	if _, err := Open(t.Context(), dir, pinned(made)); err == nil {
		t.Errorf("%s: the bundle opens", file)
	}
	if file == ShellFile {
		return // who changed it may let it say what they like
	}
	if out, code := verifySh(t, dir, "dash", made.Signer.SHA256); code != 1 || !strings.Contains(out, "FAILED  "+file+": ") {
		t.Errorf("%s: the script ends with %d: %s", file, code, out)
	}
}

func TestGoodBundle(t *testing.T) {
	dir, made := sampleBundle(t)
	v, err := Verify(t.Context(), dir, pinned(made))
	if err != nil || v.Err() != nil || v.Order.PO != "PO-4711" || v.Files != len(files(t, dir))-2 || v.Signer.SHA256 != made.Signer.SHA256 {
		t.Errorf("%+v, %v", v, err)
	}
	spaced := made.Signer.SHA256[:32] + " " + strings.ToUpper(made.Signer.SHA256[32:])
	var colons []string
	for i := 0; i < len(made.Signer.SHA256); i += 2 {
		colons = append(colons, made.Signer.SHA256[i:i+2])
	}
	for _, shell := range shells {
		for _, fingerprint := range []string{made.Signer.SHA256, spaced, strings.Join(colons, ":")} {
			if out, code := verifySh(t, dir, shell, fingerprint); code != 0 || !strings.Contains(out, "files are as their signer made them") {
				t.Errorf("%s: %d: %s", shell, code, out)
			}
			if _, err := Open(t.Context(), dir, VerifyOptions{Signer: fingerprint}); err != nil {
				t.Error(err)
			}
		}
		for _, args := range [][]string{nil, {"00"}, {strings.Repeat("x", 64)}, {made.Signer.SHA256, "more"}} {
			if out, code := verifySh(t, dir, shell, args...); code != 2 {
				t.Errorf("%s %q: %d: %s", shell, args, code, out)
			}
		}
	}
	if _, err := Verify(t.Context(), dir, VerifyOptions{Signer: "00"}); err == nil {
		t.Error("half a fingerprint is taken")
	}
}

// The script does without sha256sum, as on a Mac, and without shasum.
func TestScriptWithOtherTools(t *testing.T) {
	dir, made := sampleBundle(t)
	for _, sums := range []string{"shasum", "openssl"} {
		bin := t.TempDir()
		for _, tool := range []string{"openssl", "dirname", "mktemp", "rm", "cp", "cat", "tr", "cut", "sed", "grep", "find", "awk", "sort", "cmp", sums} {
			if _, err := os.Lstat(filepath.Join(bin, tool)); err == nil {
				continue
			}
			if err := os.Symlink(testtool.Need(t, tool), filepath.Join(bin, tool)); err != nil {
				t.Fatal(err)
			}
		}
		for want := range 2 { // good, then damaged
			if want == 1 {
				flip(t, filepath.Join(dir, File), 0.5)
			}
			c := exec.CommandContext(t.Context(), testtool.Need(t, "dash"), filepath.Join(dir, ShellFile), made.Signer.SHA256)
			c.Env = []string{"PATH=" + bin, "TMPDIR=" + t.TempDir()}
			out, _ := c.CombinedOutput()
			if got := c.ProcessState.ExitCode(); got != want {
				t.Errorf("with %s: %d, want %d: %s", sums, got, want, out)
			}
		}
		flip(t, filepath.Join(dir, File), 0.5) // back
	}
}

// flip changes one bit of a file, that far in it.
func flip(t *testing.T, file string, where float64) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	data[int(where*float64(len(data)-1))] ^= 1
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
}

// One bit anywhere: the file is named.
func TestOneBitInAnyFile(t *testing.T) {
	dir, made := sampleBundle(t)
	for _, name := range files(t, dir) {
		for _, where := range []float64{0.3, 1} {
			blamed := name
			switch name {
			case kit.SumsFile, kit.SignatureFile: // the one says that the other is bad
				blamed = kit.SumsFile
			}
			path := filepath.Join(dir, filepath.FromSlash(name))
			flip(t, path, where)
			blames(t, dir, made, blamed)
			flip(t, path, where)
		}
	}
	if _, err := Open(t.Context(), dir, pinned(made)); err != nil {
		t.Errorf("after all bits were put right: %v", err)
	}
}

// One bit anywhere in the signature. openssl, and so the script, does not look at some
// bits of the frame around it, which decide nothing: versions, the content's type, and
// the parameters of algorithms that have none.
func TestOneBitInTheSignature(t *testing.T) {
	dir, made := sampleBundle(t)
	path := filepath.Join(dir, kit.SignatureFile)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(whole); i += 47 {
		data := bytes.Clone(whole)
		data[i] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(t.Context(), dir, pinned(made)); err == nil {
			t.Errorf("byte %d of %d: the bundle opens", i, len(whole))
		}
		frame := i < 60 || whole[i] == 0 && whole[i-1] == 5 || bytes.HasSuffix(whole[:i], []byte{2, 1})
		if out, code := verifySh(t, dir, "dash", made.Signer.SHA256); code != 1 && !frame {
			t.Errorf("byte %d of %d: the script ends with %d: %s", i, len(whole), code, out)
		}
	}
}

func TestDamagedBundles(t *testing.T) {
	manifest := KitFolder + "/" + kit.ManifestFile
	for name, test := range map[string]struct {
		damage func(t *testing.T, dir string) error
		file   string // that is named
	}{
		"a file too many": {func(_ *testing.T, dir string) error { return os.WriteFile(filepath.Join(dir, "setup.exe"), nil, 0o600) }, "setup.exe"},
		"a hidden one":    {func(_ *testing.T, dir string) error { return os.WriteFile(filepath.Join(dir, ".DS_Store"), nil, 0o600) }, ".DS_Store"},
		"in the kit": {func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, KitFolder, "Other.ppkg"), nil, 0o600)
		}, KitFolder + "/Other.ppkg"},
		"a folder too many":    {func(_ *testing.T, dir string) error { return os.Mkdir(filepath.Join(dir, "more"), 0o700) }, "more"},
		"a folder in the kit":  {func(_ *testing.T, dir string) error { return os.Mkdir(filepath.Join(dir, KitFolder, "kit"), 0o700) }, KitFolder + "/kit"},
		"a file is missing":    {func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, manifest)) }, manifest},
		"the order is missing": {func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, File)) }, File},
		"a link": {func(t *testing.T, dir string) error {
			other := filepath.Join(t.TempDir(), "manifest")
			return errors.Join(os.Rename(filepath.Join(dir, manifest), other), os.Symlink(other, filepath.Join(dir, manifest)))
		}, manifest},
		"a link to a folder": {func(t *testing.T, dir string) error {
			other := filepath.Join(t.TempDir(), "kit")
			return errors.Join(os.Rename(filepath.Join(dir, KitFolder), other), os.Symlink(other, filepath.Join(dir, KitFolder)))
		}, KitFolder},
		"a link too many": {func(_ *testing.T, dir string) error { return os.Symlink("order.json", filepath.Join(dir, "more")) }, "more"},
		"a file of two lines": {func(_ *testing.T, dir string) error {
			return os.WriteFile(filepath.Join(dir, "more\norder.json"), nil, 0o600)
		}, "more\norder.json"},
		"exchanged": {func(_ *testing.T, dir string) error {
			a, b := filepath.Join(dir, InstructionsFile), filepath.Join(dir, PrintFile)
			return errors.Join(os.Rename(a, a+"x"), os.Rename(b, a), os.Rename(a+"x", b))
		}, PrintFile},
		"no signature": {func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, kit.SignatureFile)) }, kit.SignatureFile},
		"no checksums": {func(_ *testing.T, dir string) error { return os.Remove(filepath.Join(dir, kit.SumsFile)) }, kit.SumsFile},
		"fewer listed": {func(_ *testing.T, dir string) error {
			path := filepath.Join(dir, kit.SumsFile)
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			_, rest, _ := bytes.Cut(data, []byte("\n"))
			return os.WriteFile(path, rest, 0o600)
		}, kit.SumsFile},
		"a pipe": {func(_ *testing.T, dir string) error { return unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600) }, "pipe"},
	} {
		t.Run(name, func(t *testing.T) {
			dir, made := sampleBundle(t)
			if err := test.damage(t, dir); err != nil {
				t.Fatal(err)
			}
			if strings.Contains(test.file, "\n") {
				// The script tells it in two lines.
				if out, code := verifySh(t, dir, "dash", made.Signer.SHA256); code != 1 || !strings.Contains(out, "FAILED  more: ") {
					t.Errorf("the script ends with %d: %s", code, out)
				}
				if _, err := Open(t.Context(), dir, pinned(made)); !errors.Is(err, kit.ErrIntegrity) {
					t.Error(err)
				}
				return
			}
			blames(t, dir, made, test.file)
		})
	}
}

// reseal signs what a bundle holds now.
func reseal(t *testing.T, dir string, who *signing.Identity) {
	t.Helper()
	var certificates bytes.Buffer
	for _, c := range who.Chain {
		if err := pem.Encode(&certificates, &pem.Block{Type: "CERTIFICATE", Bytes: c.Raw}); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, kit.SignerFile), certificates.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	all, err := listBundle(root)
	if err != nil {
		t.Fatal(err)
	}
	sums, err := all.sum(t.Context(), root, func(int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	signature, err := signing.SignDetached(t.Context(), bytes.NewReader(encodeSums(sums)), who, signing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.WriteFile(filepath.Join(dir, kit.SumsFile), encodeSums(sums), 0o600), os.WriteFile(filepath.Join(dir, kit.SignatureFile), signature, 0o600)); err != nil {
		t.Fatal(err)
	}
}

// Somebody else changes the bundle and signs it as well as we do.
func TestBundleOfAnotherSigner(t *testing.T) {
	dir, made := sampleBundle(t)
	thief, err := signing.Throwaway("Ærøskøbing Møbler – Łódź", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	flip(t, filepath.Join(dir, InstructionsFile), 0.5)
	reseal(t, dir, thief)
	v, err := Verify(t.Context(), dir, pinned(made))
	if err != nil || !errors.Is(v.Err(), ErrSigner) || len(v.Faults) != 1 {
		t.Errorf("%+v, %v", v, err)
	}
	if out, code := verifySh(t, dir, "dash", made.Signer.SHA256); code != 1 || !strings.Contains(out, "signed by another one, whose fingerprint is "+signerOf(thief.Chain[0]).SHA256) {
		t.Errorf("the script ends with %d: %s", code, out)
	}
	// Nor is it trusted where nobody was named.
	v, err = Verify(t.Context(), dir, VerifyOptions{})
	if err != nil || !errors.Is(v.Err(), signing.ErrUntrusted) {
		t.Errorf("%+v, %v", v, err)
	}
}

// The signer itself seals what does not belong together.
func TestSealedContradictions(t *testing.T) {
	for name, test := range map[string]struct {
		spoil func(t *testing.T, dir string)
		file  string
		want  error
	}{
		"a kit that was changed after it was signed": {func(t *testing.T, dir string) {
			flip(t, filepath.Join(dir, KitFolder, "Acme.ppkg"), 0.5)
		}, KitFolder + "/Acme.ppkg", kit.ErrIntegrity},
		"an order for other packages": {func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, File), `"file": "Acme.ppkg"`, `"file": "Other.ppkg"`)
		}, File, ErrOrder},
		"an order of nothing": {func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, File), `"quantity": 3`, `"quantity": 0`)
		}, File, ErrOrder},
		"an order of another organisation": {func(t *testing.T, dir string) {
			rewrite(t, filepath.Join(dir, File), `"organisation": "Ærø`, `"organisation": "Fanø`)
		}, File, ErrOrder},
	} {
		dir, _ := sampleBundle(t)
		who, err := signing.Throwaway("Acme", time.Now())
		if err != nil {
			t.Fatal(err)
		}
		test.spoil(t, dir)
		reseal(t, dir, who)
		v, err := Verify(t.Context(), dir, VerifyOptions{Signer: signerOf(who.Chain[0]).SHA256})
		if err != nil || !errors.Is(v.Err(), test.want) || v.Faults[0].File != test.file {
			t.Errorf("%s: %+v, %v", name, v, err)
		}
	}
}

func rewrite(t *testing.T, file, old, now string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(data, []byte(old)) {
		t.Fatalf("%s does not hold %s", file, old)
	}
	if err := os.WriteFile(file, bytes.Replace(data, []byte(old), []byte(now), 1), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Who names a root in place of a fingerprint asks for a chain to it.
func TestBundleByItsRoot(t *testing.T) {
	dir, made := sampleBundle(t)
	data, err := os.ReadFile(filepath.Join(dir, kit.SignerFile))
	if err != nil {
		t.Fatal(err)
	}
	var o VerifyOptions
	o.Roots = x509.NewCertPool()
	o.Roots.AppendCertsFromPEM(data)
	installer, err := os.ReadFile(filepath.Join(dir, KitFolder, kit.SignerFile))
	if err != nil {
		t.Fatal(err)
	}
	o.Roots.AppendCertsFromPEM(installer)
	if b, err := Open(t.Context(), dir, o); err != nil || b.Order.ID != made.ID {
		t.Error(err)
	}
	// An old bundle of a signer who is named is good, and says so.
	late := pinned(made)
	late.Time = time.Now().AddDate(1, 0, 0)
	b, err := Open(t.Context(), dir, late)
	if err != nil || len(b.Warnings) < 2 || !strings.Contains(b.Warnings[0], "certificate ended") {
		t.Errorf("%+v, %v", b, err)
	}
	o.Time = late.Time
	if _, err := Open(t.Context(), dir, o); !errors.Is(err, signing.ErrExpired) {
		t.Errorf("an old one of a root: %v", err)
	}
}

func TestNoBundle(t *testing.T) {
	dir, _ := sampleBundle(t)
	for _, other := range []string{t.TempDir(), filepath.Join(dir, KitFolder)} {
		if _, err := Verify(t.Context(), other, VerifyOptions{}); !errors.Is(err, ErrBundle) {
			t.Errorf("%s: %v", other, err)
		}
	}
	if !IsBundle(dir) || IsBundle(filepath.Join(dir, KitFolder)) {
		t.Error("a bundle is taken for a kit, or a kit for a bundle")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Verify(ctx, dir, VerifyOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("interrupted: %v", err)
	}
}
