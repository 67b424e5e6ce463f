package agent

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/api"
	"github.com/google/uuid"
)

func TestFileNames(t *testing.T) {
	for _, name := range []string{
		"setup.exe", "Setup 2.0 (x64).msi", "größe.exe", "安装.exe", "com.exe", "com10.exe", "console.exe", "lpt.msi",
		".hidden", "a", strings.Repeat("n", 255),
	} {
		if err := checkFileName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../x.exe", `..\x.exe`, "a/b", `a\b`, "/etc/passwd", `C:\x.exe`, "C:x.exe", `\\server\share`,
		"x.exe:stream", "x?.exe", "x*.exe", `x".exe`, "x<.exe", "x>.exe", "x|.exe", "x.exe.", "x.exe ", "x\x00.exe",
		"x\n.exe", "\x7f", "\xff.exe", "nul", "NUL.exe", "con.tar.gz", "CoM1.exe", "com¹.msi", "LPT9", "aux .exe",
		"CONIN$", "conout$.exe", "prn", strings.Repeat("n", 256),
	} {
		if err := checkFileName(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}

func TestVersionsInOrder(t *testing.T) {
	// The first ten are semver.org's own example, and what surrounds it.
	order := []string{
		"0.0.0", "0.1.0-dev", "1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta", "1.0.0-beta", "1.0.0-beta.2",
		"1.0.0-beta.11", "1.0.0-rc.1", "1.0.0", "1.0.1", "1.2.0", "1.10.0", "2.0.0", "18446744073709551616.0.0",
	}
	for i, a := range order {
		if !isVersion(a) {
			t.Errorf("%q was refused", a)
		}
		for j, b := range order {
			want := map[bool]int{i < j: -1, i > j: 1, i == j: 0}[true]
			if got := compareVersions(a, b); got != want {
				t.Errorf("compareVersions(%s, %s) = %d", a, b, got)
			}
		}
	}
	if compareVersions("1.0.0+a", "1.0.0+b") != 0 {
		t.Error("builds differ")
	}
	for _, v := range []string{"", "1", "1.2", "v1.2.3", "01.2.3", "1.2.3-", "1.2.3-01", "1.2.3/..", "../1.2.3", "1.2.3 ", strings.Repeat("1", 65) + ".0.0", "devel"} {
		if isVersion(v) {
			t.Errorf("%q was accepted", v)
		}
	}
}

func TestEnrollmentThatCannotBeFollowedIsRefused(t *testing.T) {
	for name, spoil := range map[string]func(*api.Enrollment){
		"no organisation":        func(e *api.Enrollment) { e.Organisation = "" },
		"organisation of lines":  func(e *api.Enrollment) { e.Organisation = "Acme\nx" },
		"long key":               func(e *api.Enrollment) { e.ConnectKey = api.Secret(strings.Repeat("k", maxText+1)) },
		"no package id":          func(e *api.Enrollment) { e.PackageID = uuid.Nil },
		"newer version":          func(e *api.Enrollment) { e.Version = api.EnrollmentVersion + 1 },
		"plain http":             func(e *api.Enrollment) { e.Directory.URL = "http://directory.acme.test" },
		"no host":                func(e *api.Enrollment) { e.Directory.URL = "https://:443/" },
		"user in URL":            func(e *api.Enrollment) { e.Directory.URL = "https://u:p@directory.acme.test" },
		"query":                  func(e *api.Enrollment) { e.Directory.URL = "https://directory.acme.test?" },
		"fragment":               func(e *api.Enrollment) { e.Directory.URL = "https://directory.acme.test#x" },
		"pin without name":       func(e *api.Enrollment) { e.Directory.Pin = strings.Repeat("ab", 32) },
		"short pin":              func(e *api.Enrollment) { e.Directory.Pin = "sha256:ab" },
		"upper-case pin":         func(e *api.Enrollment) { e.Directory.Pin = "sha256:" + strings.Repeat("AB", 32) },
		"no agent":               func(e *api.Enrollment) { e.Agents = nil },
		"agent elsewhere":        func(e *api.Enrollment) { e.Agents[0].File = "../firstday-agent" },
		"odd architecture":       func(e *api.Enrollment) { e.Agents[0].Arch = "386" },
		"one architecture twice": func(e *api.Enrollment) { e.Agents[1].Arch = "amd64" },
		"version with a path":    func(e *api.Enrollment) { e.Agents[0].Version = `1.2.3\..\..\Windows` },
		"no version":             func(e *api.Enrollment) { e.Agents[0].Version = "" },
		"no hash":                func(e *api.Enrollment) { e.Agents[0].SHA256 = "" },
		"upper-case hash":        func(e *api.Enrollment) { e.Agents[0].SHA256 = strings.ToUpper(e.Agents[0].SHA256) },
		"payload on a share":     func(e *api.Enrollment) { e.Payloads[0].File = `\\evil\share\x.exe` },
		"payload is a device":    func(e *api.Enrollment) { e.Payloads[0].File = "nul.exe" },
		"payload twice":          func(e *api.Enrollment) { e.Payloads[1].File = "ONE.exe" },
		"payload is an agent":    func(e *api.Enrollment) { e.Payloads[0].File = e.Agents[0].File },
		"payload is the file":    func(e *api.Enrollment) { e.Payloads[0].File = "Enrollment.json" },
		"odd kind":               func(e *api.Enrollment) { e.Payloads[0].Kind = "bat" },
		"kind and name differ":   func(e *api.Enrollment) { e.Payloads[0].Kind = "msi" },
		"arguments of lines":     func(e *api.Enrollment) { e.Payloads[0].Arguments = "/S\r\nx" },
		"endless arguments":      func(e *api.Enrollment) { e.Payloads[0].Arguments = strings.Repeat("x", maxArguments+1) },
		"too many codes":         func(e *api.Enrollment) { e.Payloads[0].SuccessCodes = make([]int, maxCodes+1) },
		"too many payloads":      func(e *api.Enrollment) { e.Payloads = make([]api.Payload, maxPayloads+1) },
	} {
		t.Run(name, func(t *testing.T) {
			e := sample("1.2.3")
			spoil(e)
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parseEnrollment(data); err == nil {
				t.Error("accepted")
			} else if strings.Contains(err.Error(), "fk_very-secret") {
				t.Errorf("the error tells the connect key: %v", err)
			}
		})
	}
}

func TestEnrollmentMustBeOneDocumentOfThisKind(t *testing.T) {
	good, err := json.Marshal(sample("1.2.3"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parseEnrollment(good); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":         nil,
		"cut":           good[:len(good)-1],
		"followed":      append(bytes.Clone(good), "{}"...),
		"unknown field": bytes.Replace(good, []byte(`{"version"`), []byte(`{"runAs":"me","version"`), 1),
		"huge":          append(bytes.Repeat([]byte(" "), api.MaxEnrollmentSize), good...),
		"a list":        []byte("[]"),
	} {
		if _, err := parseEnrollment(data); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOneFileMayServeTwoArchitectures(t *testing.T) {
	e := sample("1.2.3")
	e.Agents[1].File = e.Agents[0].File // a universal binary
	if err := checkEnrollment(e); err != nil {
		t.Error(err)
	}
	e.Agents[1].SHA256 = digest(nil)
	if err := checkEnrollment(e); err == nil {
		t.Error("one file with two hashes was accepted")
	}
}

func TestOpenBundleTakesNoLinkForTheEnrollment(t *testing.T) {
	dir := t.TempDir()
	if _, err := OpenBundle(filepath.Join(dir, api.EnrollmentFile)); !errors.Is(err, ErrEnrollment) || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, err := OpenBundle(filepath.Join(dir, "no", api.EnrollmentFile)); !errors.Is(err, ErrEnrollment) {
		t.Errorf("missing folder: %v", err)
	}
	if err := os.Symlink("/dev/zero", filepath.Join(dir, api.EnrollmentFile)); err != nil {
		t.Skip(err)
	}
	if _, err := OpenBundle(filepath.Join(dir, api.EnrollmentFile)); !errors.Is(err, ErrEnrollment) {
		t.Errorf("link: %v", err)
	}
}

func FuzzReadEnrollment(f *testing.F) {
	e := sample("1.2.3")
	e.PackageID = uuid.MustParse("6ba7b810-9dad-11d1-80b4-00c04fd430c8")
	e.Directory.Pin = "sha256:" + strings.Repeat("ab", 32)
	e.Payloads[0].RebootCodes = []int{-1}
	good, err := json.Marshal(e)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Add(bytes.ReplaceAll(good, []byte("one.exe"), []byte(`..\\one.exe`)))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		e, err := parseEnrollment(data)
		if err != nil {
			return
		}
		// What is accepted stays inside its folder, and means the same again.
		for _, a := range e.Agents {
			if !filepath.IsLocal(a.File) || filepath.Base(a.File) != a.File || !filepath.IsLocal(a.Version) {
				t.Errorf("agent %q, version %q", a.File, a.Version)
			}
		}
		for _, p := range e.Payloads {
			if !filepath.IsLocal(p.File) || filepath.Base(p.File) != p.File {
				t.Errorf("payload %q", p.File)
			}
		}
		again, err := json.Marshal(e)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := parseEnrollment(again); err != nil {
			t.Errorf("not accepted a second time: %v", err)
		}
	})
}
