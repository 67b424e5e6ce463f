package ppkg

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/binary"
	"encoding/pem"
	"errors"
	"io"
	"io/fs"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/internal/testtool"
	"firstday.dev/ppkg/wim"
)

// testCertificate is fixed, so that golden files can hold it.
func testCertificate(t *testing.T) *x509.Certificate {
	t.Helper()
	const file = "testdata/root.pem"
	if _, err := os.Stat(file); *update && errors.Is(err, fs.ErrNotExist) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "Test Root"},
			NotBefore: testTime, NotAfter: testTime.AddDate(20, 0, 0), IsCA: true, BasicConstraintsValid: true,
		}
		der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o666); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		t.Fatalf("%s is not PEM", file)
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

// everything uses every kind of setting.
func everything(t *testing.T) *Package {
	return &Package{
		ID:   uuid.MustParse("0f8c1c8e-54f5-4b8e-8a3c-6f0a0d9a1b2c"),
		Name: "Everything & more", Version: "1.2.3.4", Owner: OEM, Rank: 7,
		Notes: "for <tests>", Description: "All kinds of settings", Author: "Firstday",
		Settings: []Setting{
			DomainJoin{
				Domain: "corp.example.com", OU: "OU=New,DC=corp", Account: "joiner",
				Password: `pa"ss<&>`, ComputerName: "PC-%SERIAL%",
			}.Setting(),
			User("rescue", "p@ss", Administrators),
			User("jane", "hunter22", StandardUsers),
			RootCertificate("Test Root", testCertificate(t)),
			ClientCertificate("Device", []byte("not really PKCS#12"), "secret", true, TPMOrSoftware),
			WLAN{SSID: "Office & Lab", Key: "correct horse"}.Setting(),
			WLAN{SSID: "Büro", Security: WPA3, Key: "correct horse", Hidden: true}.Setting(),
			WLAN{SSID: "Guests", Security: OpenNetwork, Manual: true}.Setting(),
			WLAN{SSID: "Raw", Profile: "<WLANProfile>\r\n\t<name>Raw</name>\r\n</WLANProfile>"}.Setting(),
			HideOobe(),
			Images(NewFile("desk.jpg", []byte("desk")), NewFile("lock.jpg", []byte("lock"))),
			Policy("Experience", "AllowCortana", Integer, "0"),
			Policy("Chrome~Policy~googlechrome", "HomepageLocation", String, `<enabled/><data id="x" value="y"/>`),
			Value("SharedPC/DeletionPolicy", "SharedPC/DeletionPolicy", Integer, "1"),
			DeviceContext("cmd /c early.cmd", NewFile("early.cmd", []byte("rem\r\n"))),
			Command{
				Name: "Install", Line: "install.exe --quiet",
				File:         NewFile("install.exe", bytes.Repeat([]byte("MZ"), 50_000)),
				Dependencies: []*File{NewFile("enrollment.json", []byte("{}")), NewFile("empty.txt", nil)},
			}.Setting(),
			Command{Name: "Second", Line: "reg add HKLM\\X", StopOnFailure: true, RestartRequired: true, Success: 1, Restart: 2}.Setting(),
			AutoLogon("jane", "hunter22"),
			UIVerbosityLevel(0),
		},
	}
}

func TestEveryKindOfSettingCompilesToTheGoldenTree(t *testing.T) {
	golden(t, "everything", everything(t))
}

// writeFile writes a package to a file.
func writeFile(t testing.TB, p *Package) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "test.ppkg")
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := Write(context.Background(), f, p, Options{Time: testTime}); err != nil {
		t.Fatal(err)
	}
	return name
}

func openFile(t *testing.T, name string) *Reader {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := Open(f, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestHeaderIsThatOfICD(t *testing.T) {
	b, err := os.ReadFile(writeFile(t, everything(t)))
	if err != nil {
		t.Fatal(err)
	}
	le := binary.LittleEndian
	size := func(at int) int64 { return int64(le.Uint64(b[at:]) & (1<<56 - 1)) }
	// formats/ppkg.md §1.1
	for _, c := range []struct {
		what      string
		got, want any
	}{
		{"magic", string(b[:8]), "MSWIM\x00\x00\x00"},
		{"header size", le.Uint32(b[8:]), uint32(208)},
		{"version", le.Uint32(b[0x0C:]), uint32(0x00010D00)},
		{"flags", le.Uint32(b[0x10:]), uint32(0x00020082)},
		{"chunk size", le.Uint32(b[0x14:]), uint32(32768)},
		{"part", le.Uint16(b[0x28:]), uint16(1)},
		{"parts", le.Uint16(b[0x2A:]), uint16(1)},
		{"images", le.Uint32(b[0x2C:]), uint32(1)},
		{"blob table flags", b[0x37], byte(2)},
		{"XML flags", b[0x4F], byte(2)},
		{"end of XML", int64(le.Uint64(b[0x50:])) + size(0x48), int64(len(b))},
		{"byte order mark of XML", string(b[le.Uint64(b[0x50:]):][:2]), "\xFF\xFE"},
		{"rest", string(b[0x60:208]), strings.Repeat("\x00", 208-0x60)},
	} {
		if c.got != c.want {
			t.Errorf("%s: %v, want %v", c.what, c.got, c.want)
		}
	}
}

func TestReaderReadsWhatWriteWrote(t *testing.T) {
	p := everything(t)
	r := openFile(t, writeFile(t, p))
	if r.ID != p.ID || r.Name != p.Name || r.Version != p.Version || r.Description != p.Description ||
		r.Author != p.Author || r.Altitude != p.Altitude() || !r.Created.Equal(testTime) {
		t.Errorf("metadata: %+v", r)
	}
	tree, err := Compile(context.Background(), p, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(t, tree), contents(t, r.FS)); diff != "" {
		t.Error(diff)
	}
	want := tree.Entries
	for i := range want {
		want[i].Path = want[i].Parms[0].Path // all that provxml says
	}
	if diff := cmp.Diff(want, r.Entries); diff != "" {
		t.Error(diff)
	}
	if len(r.Assets) != 6 {
		t.Errorf("%d assets", len(r.Assets))
	}
	for _, a := range r.Assets {
		if err := r.CheckAsset(context.Background(), a); err != nil {
			t.Error(err)
		}
	}
	var commands []string
	for _, c := range r.Commands() {
		line := c.Context + " " + c.Line
		for _, f := range c.Files {
			line += " " + f.Name
		}
		commands = append(commands, line)
	}
	if diff := cmp.Diff([]string{
		"DeviceContext cmd /c early.cmd early.cmd",
		"PrimaryContext install.exe --quiet install.exe enrollment.json empty.txt",
		`PrimaryContext reg add HKLM\X`,
	}, commands); diff != "" {
		t.Error(diff)
	}
}

func TestSecretsAreFoundAndNotShown(t *testing.T) {
	r := openFile(t, writeFile(t, everything(t)))
	var got []string
	for _, s := range r.Secrets() {
		got = append(got, s.Setting)
		if s.Reveal() == "" || strings.Contains(s.String()+s.GoString(), s.Reveal()) {
			t.Errorf("%s shows itself", s.Setting)
		}
	}
	if diff := cmp.Diff([]string{
		"Accounts/Domain/Password",
		"Accounts/Users/rescue/Password",
		"Accounts/Users/jane/Password",
		"ClientCertificateInstall/PFXCertInstall/Device/PFXCertPassword",
		"ClientCertificateInstall/PFXCertInstall/Device/PFXCertBlob",
		"WiFi/Profile/Office & Lab/WlanXml",
		"WiFi/Profile/Büro/WlanXml",
		"MCSF/SMISettings/AutoLogon/Password",
	}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWriteReadWriteIsIdentical(t *testing.T) {
	first := writeFile(t, everything(t))
	p, err := openFile(t, first).Package()
	if err != nil {
		t.Fatal(err)
	}
	a, errA := os.ReadFile(first)
	b, errB := os.ReadFile(writeFile(t, p))
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		t.Error("written again, the package differs")
	}
}

func TestChangedFileIsRefused(t *testing.T) {
	opened := 0
	f := &File{Name: "setup.cmd", Size: 3, Open: func() (io.ReadCloser, error) {
		opened++
		return io.NopCloser(strings.NewReader([]string{"one", "two", "two"}[opened-1])), nil
	}}
	p := minimal()
	p.Settings = []Setting{Command{Name: "a", Line: "b", File: f}.Setting()}
	out, err := os.Create(filepath.Join(t.TempDir(), "x.ppkg"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := Write(context.Background(), out, p, Options{}); !errors.Is(err, ErrChanged) {
		t.Errorf("error %v", err)
	}
}

func TestXmllintAcceptsEveryFile(t *testing.T) {
	xmllint := testtool.Need(t, "xmllint")
	r := openFile(t, writeFile(t, everything(t)))
	dir := t.TempDir()
	if err := os.CopyFS(dir, r.FS); err != nil {
		t.Fatal(err)
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "xml") {
			return err
		}
		if out, err := exec.Command(xmllint, "--noout", "--nonet", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", path, err, out)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestOtherToolsReadThePackage(t *testing.T) {
	p := everything(t)
	file := writeFile(t, p)
	toolsRead(t, p, file)
	t.Run("file", func(t *testing.T) {
		out, err := exec.Command(testtool.Need(t, "file"), file).CombinedOutput()
		if err != nil || !strings.Contains(string(out), "provisioning package") {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// toolsRead has 7-Zip and wimlib judge a package.
func toolsRead(t *testing.T, p *Package, file string) {
	t.Helper()
	t.Run("7zz", func(t *testing.T) {
		if out, err := exec.Command(testtool.Need(t, "7zz", "7z"), "t", "-twim", file).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
	t.Run("wimlib", func(t *testing.T) {
		wimlib := testtool.Need(t, "wimlib-imagex")
		dir := t.TempDir()
		for _, args := range [][]string{{"verify", file}, {"apply", file, "1", dir}} {
			if out, err := exec.Command(wimlib, args...).CombinedOutput(); err != nil {
				t.Fatalf("%q: %v: %s", args, err, out)
			}
		}
		tree, err := Compile(context.Background(), p, testTime)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(contents(t, tree), contents(t, os.DirFS(dir))); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOpenRefusesWhatIsNotAPackage(t *testing.T) {
	out, err := os.Create(filepath.Join(t.TempDir(), "x.wim"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	empty := newTree(testTime)
	empty.finish()
	if err := wim.Write(context.Background(), out, &wim.Image{FS: empty}, wim.Options{}); err != nil {
		t.Fatal(err)
	}
	info, err := out.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Open(out, info.Size()); !errors.Is(err, ErrFormat) {
		t.Errorf("error %v", err)
	}
	if _, err := Open(strings.NewReader("PK\x03\x04"), 4); !errors.Is(err, wim.ErrFormat) {
		t.Errorf("error %v", err)
	}
}

func TestMinimalPackageIsTheSameEveryTime(t *testing.T) {
	got, err := os.ReadFile(writeFile(t, minimal()))
	if err != nil {
		t.Fatal(err)
	}
	again, err := os.ReadFile(writeFile(t, minimal()))
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, again) {
		t.Error("two builds differ")
	}
}

// Others write packages with wimlib, and with fewer files than ICD.
func TestReaderReadsAPackageMadeWithWimlib(t *testing.T) {
	wimlib := testtool.Need(t, "wimlib-imagex")
	p := minimal()
	tree, err := Compile(context.Background(), p, testTime)
	if err != nil {
		t.Fatal(err)
	}
	dir, file := filepath.Join(t.TempDir(), "tree"), filepath.Join(t.TempDir(), "x.ppkg")
	if err := os.CopyFS(dir, tree); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(filepath.Join(dir, "CommonSettings")); err != nil {
		t.Fatal(err)
	}
	args := []string{"capture", dir, file, "Minimal", "--compress=LZX", "--rpfix", "--no-acls"}
	for _, property := range p.properties()[1:] {
		args = append(args, "--image-property", property.Name+"="+property.Value)
	}
	if out, err := exec.Command(wimlib, args...).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	r := openFile(t, file)
	if r.ID != p.ID || r.Altitude != 5000 || len(r.Entries) != 6 || len(r.Assets) != 1 {
		t.Errorf("%+v", r)
	}
	again, err := r.Package()
	if err != nil {
		t.Fatal(err)
	}
	got, err := Compile(context.Background(), again, testTime)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(contents(t, tree), contents(t, got)); diff != "" {
		t.Error(diff)
	}
}
