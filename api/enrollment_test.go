package api

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// sample is a package for every architecture with two payloads.
func sample() *Enrollment {
	hash := strings.Repeat("5a", 32)
	e := &Enrollment{
		Version: EnrollmentVersion, Organisation: "Acme",
		Directory:  Directory{URL: "https://directory.acme.test"},
		ConnectKey: "fk_very-secret",
		PackageID:  uuid.New(), PackageName: "Acme laptops", PackageVer: "1.0",
		SignIn: SignIn{Enabled: true, Permission: "standard"},
	}
	for _, arch := range []string{"amd64", "arm64"} {
		e.Agents = append(e.Agents, AgentFile{
			File: "firstday-agent-" + arch, Arch: arch, Version: "1.2.3", SHA256: hash,
			CredentialProvider: CarriedFile{File: "firstday-credprov-" + arch + ".dll", SHA256: hash},
		})
	}
	for _, name := range []string{"one.exe", "two.exe"} {
		e.Payloads = append(e.Payloads, Payload{File: name, Kind: "exe", SHA256: hash, Arguments: "/S --token=hidden"})
	}
	return e
}

func TestEnrollmentThatCannotBeFollowedIsRefused(t *testing.T) {
	hash := strings.Repeat("5a", 32)
	for name, spoil := range map[string]func(*Enrollment){
		"no organisation":        func(e *Enrollment) { e.Organisation = "" },
		"organisation of lines":  func(e *Enrollment) { e.Organisation = "Acme\nx" },
		"long key":               func(e *Enrollment) { e.ConnectKey = Secret(strings.Repeat("k", maxText+1)) },
		"no package id":          func(e *Enrollment) { e.PackageID = uuid.Nil },
		"newer version":          func(e *Enrollment) { e.Version = EnrollmentVersion + 1 },
		"plain http":             func(e *Enrollment) { e.Directory.URL = "http://directory.acme.test" },
		"no host":                func(e *Enrollment) { e.Directory.URL = "https://:443/" },
		"user in URL":            func(e *Enrollment) { e.Directory.URL = "https://u:p@directory.acme.test" },
		"query":                  func(e *Enrollment) { e.Directory.URL = "https://directory.acme.test?" },
		"fragment":               func(e *Enrollment) { e.Directory.URL = "https://directory.acme.test#x" },
		"pin without name":       func(e *Enrollment) { e.Directory.Pin = strings.Repeat("ab", 32) },
		"short pin":              func(e *Enrollment) { e.Directory.Pin = "sha256:ab" },
		"upper-case pin":         func(e *Enrollment) { e.Directory.Pin = "sha256:" + strings.Repeat("AB", 32) },
		"no agent":               func(e *Enrollment) { e.Agents = nil },
		"agent elsewhere":        func(e *Enrollment) { e.Agents[0].File = "../firstday-agent" },
		"odd architecture":       func(e *Enrollment) { e.Agents[0].Arch = "386" },
		"one architecture twice": func(e *Enrollment) { e.Agents[1].Arch = "amd64" },
		"version with a path":    func(e *Enrollment) { e.Agents[0].Version = `1.2.3\..\..\Windows` },
		"no version":             func(e *Enrollment) { e.Agents[0].Version = "" },
		"no hash":                func(e *Enrollment) { e.Agents[0].SHA256 = "" },
		"upper-case hash":        func(e *Enrollment) { e.Agents[0].SHA256 = strings.ToUpper(e.Agents[0].SHA256) },
		"tile without a hash":    func(e *Enrollment) { e.Agents[0].CredentialProvider.SHA256 = "" },
		"tile without a name":    func(e *Enrollment) { e.Agents[0].CredentialProvider.File = "" },
		"tile elsewhere":         func(e *Enrollment) { e.Agents[0].CredentialProvider.File = `..\x.dll` },
		"one tile for two":       func(e *Enrollment) { e.Agents[1].CredentialProvider = e.Agents[0].CredentialProvider },
		"plug-in, no hash":       func(e *Enrollment) { e.Agents[0].LoginPlugin = CarriedFile{File: "X.bundle"} },
		"plug-in elsewhere":      func(e *Enrollment) { e.Agents[0].LoginPlugin = CarriedFile{"../X.bundle", hash} },
		"plug-in is an agent":    func(e *Enrollment) { e.Agents[1].LoginPlugin = CarriedFile{e.Agents[0].File, hash} },
		"two plug-ins, one name": func(e *Enrollment) {
			e.Agents[0].LoginPlugin, e.Agents[1].LoginPlugin = CarriedFile{"X.bundle", hash}, CarriedFile{"X.bundle", strings.Repeat("0", 64)}
		},
		"payload on a share":   func(e *Enrollment) { e.Payloads[0].File = `\\evil\share\x.exe` },
		"payload is a device":  func(e *Enrollment) { e.Payloads[0].File = "nul.exe" },
		"payload twice":        func(e *Enrollment) { e.Payloads[1].File = "ONE.exe" },
		"payload is an agent":  func(e *Enrollment) { e.Payloads[0].File = e.Agents[0].File },
		"payload is the file":  func(e *Enrollment) { e.Payloads[0].File = "Enrollment.json" },
		"odd kind":             func(e *Enrollment) { e.Payloads[0].Kind = "bat" },
		"kind and name differ": func(e *Enrollment) { e.Payloads[0].Kind = "msi" },
		"arguments of lines":   func(e *Enrollment) { e.Payloads[0].Arguments = "/S\r\nx" },
		"endless arguments":    func(e *Enrollment) { e.Payloads[0].Arguments = strings.Repeat("x", maxArguments+1) },
		"too many codes":       func(e *Enrollment) { e.Payloads[0].SuccessCodes = make([]int, maxCodes+1) },
		"too many payloads":    func(e *Enrollment) { e.Payloads = make([]Payload, maxPayloads+1) },
	} {
		t.Run(name, func(t *testing.T) {
			e := sample()
			spoil(e)
			data, err := json.Marshal(e)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := ReadEnrollment(bytes.NewReader(data)); err == nil {
				t.Error("accepted")
			} else if strings.Contains(err.Error(), "fk_very-secret") {
				t.Errorf("the error tells the connect key: %v", err)
			}
		})
	}
}

func TestEnrollmentMustBeOneDocumentOfThisKind(t *testing.T) {
	good, err := json.Marshal(sample())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := ReadEnrollment(bytes.NewReader(good)); err != nil {
		t.Fatal(err)
	}
	for name, data := range map[string][]byte{
		"empty":         nil,
		"cut":           good[:len(good)-1],
		"followed":      append(bytes.Clone(good), "{}"...),
		"unknown field": bytes.Replace(good, []byte(`{"version"`), []byte(`{"runAs":"me","version"`), 1),
		"huge":          append(bytes.Repeat([]byte(" "), MaxEnrollmentSize), good...),
		"a list":        []byte("[]"),
	} {
		if _, err := ReadEnrollment(bytes.NewReader(data)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}

func TestOneFileMayServeTwoArchitectures(t *testing.T) {
	e := sample()
	e.Agents[1].File = e.Agents[0].File // a universal binary
	for i := range e.Agents {
		e.Agents[i].LoginPlugin = CarriedFile{"FirstdayLogin.bundle", e.Agents[0].SHA256}
	}
	if err := e.Check(); err != nil {
		t.Error(err)
	}
	e.Agents[1].SHA256 = strings.Repeat("0", 64)
	if err := e.Check(); err == nil {
		t.Error("one file with two hashes was accepted")
	}
}

func FuzzReadEnrollment(f *testing.F) {
	e := sample()
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
		e, err := ReadEnrollment(bytes.NewReader(data))
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
		if _, err := ReadEnrollment(bytes.NewReader(again)); err != nil {
			t.Errorf("not accepted a second time: %v", err)
		}
	})
}
