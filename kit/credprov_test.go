package kit

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/google/go-cmp/cmp"
	"github.com/google/uuid"

	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testcredprov"
	"firstday.dev/ppkg"
	"firstday.dev/ppkg/xpress"
	"firstday.dev/signing"
)

// What a built package carries is what build.sh gives, once more, and as hardened.
func TestPackageCarriesTheCredentialProviders(t *testing.T) {
	fresh := testcredprov.Build(t, testagents.Version)
	for _, signing := range []string{"", "signing: {throwaway: true}\n"} {
		o := options(t, signing)
		m := build(t, o)
		dir, _ := testagents.Unpack(t, filepath.Join(o.Output, "Acme.ppkg"))
		e := enrollmentOf(t, dir)
		for i, arch := range []string{"amd64", "arm64"} {
			name := "firstday-credprov-" + arch + ".dll"
			testcredprov.CheckShipped(t, filepath.Join(dir, name), arch, testagents.Version)
			carried := mustRead(t, filepath.Join(dir, name))
			if signing == "" && !bytes.Equal(carried, mustRead(t, filepath.Join(fresh, name))) {
				t.Errorf("%s is another than is built", name)
			}
			want := Content{
				File: name, Kind: "credential-provider", Arch: arch, Version: testagents.Version,
				Size: int64(len(carried)), SHA256: hexSum(carried),
			}
			if diff := cmp.Diff(want, m.Packages[0].Contents[2*i+1]); diff != "" {
				t.Errorf("the manifest (-want +got):\n%s", diff)
			}
			if diff := cmp.Diff(api.CarriedFile{File: name, SHA256: hexSum(carried)}, e.Agents[i].CredentialProvider); diff != "" || e.Agents[i].Arch != arch {
				t.Errorf("the enrollment (-want +got):\n%s", diff)
			}
			if bom := string(mustRead(t, filepath.Join(o.Output, SBOMFile))); !strings.Contains(bom, hexSum(carried)) {
				t.Errorf("the SBOM does not have %s", name)
			}
		}
	}
}

func enrollmentOf(t *testing.T, dir string) *api.Enrollment {
	t.Helper()
	e, err := api.ReadEnrollment(bytes.NewReader(mustRead(t, filepath.Join(dir, api.EnrollmentFile))))
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestCredentialProviderIsSignedAsItsAgent(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	build(t, o)
	trust := trusting(t, o.Output)
	i, err := Inspect(t.Context(), filepath.Join(o.Output, "Acme.ppkg"), InspectOptions{VerifyOptions: trust})
	if err != nil {
		t.Fatal(err)
	}
	var signers []string
	for _, p := range i.Package.Programs {
		signers = append(signers, p.File+" "+p.Signature.State+" "+p.Signature.Description)
	}
	slices.Sort(signers)
	want := []string{
		"firstday-agent-amd64.exe valid Firstday agent", "firstday-agent-arm64.exe valid Firstday agent",
		"firstday-credprov-amd64.dll valid Firstday credential provider", "firstday-credprov-arm64.dll valid Firstday credential provider",
	}
	if diff := cmp.Diff(want, signers); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func wide(text string) []byte {
	var b []byte
	for _, unit := range utf16.Encode([]rune(text)) {
		b = binary.LittleEndian.AppendUint16(b, unit)
	}
	return b
}

// optional is where the optional header of a program begins.
func optional(program []byte) int { return int(binary.LittleEndian.Uint32(program[0x3c:])) + 24 }

// unlike are DLLs that do not go with an agent, made of one that does; said is what
// the error says of each.
var unlike = map[string]struct {
	change func(dll []byte) []byte
	said   string
}{
	"another version": {func(b []byte) []byte { return bytes.ReplaceAll(b, wide(testagents.Version), wide("1.2.4")) }, "has version 1.2.4, its agent 1.2.3"},
	"no version":      {func(b []byte) []byte { return bytes.ReplaceAll(b, wide("ProductVersion"), wide("ProductVersiom")) }, "has no version resource"},
	"another machine": {func(b []byte) []byte { b[optional(b)-20], b[optional(b)-19] = 0x64, 0xaa; return b }, "is for arm64, its agent for amd64"},
	"a program":       {func(b []byte) []byte { b[optional(b)-1] &^= 0x20; return b }, "is no DLL"},
	"no NX":           {func(b []byte) []byte { b[optional(b)+71] &^= 0x01; return b }, "lacks NX"},
	"no ASLR":         {func(b []byte) []byte { b[optional(b)+70] &^= 0x40; return b }, "lacks NX, ASLR"},
	"no high entropy": {func(b []byte) []byte { b[optional(b)+70] &^= 0x20; return b }, "high entropy"},
	"no DllCanUnload": {func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("DllCanUnloadNow"), []byte("DllCanUnloadNov"))
	}, "does not export DllCanUnloadNow"},
	"no class": {func(b []byte) []byte {
		return bytes.ReplaceAll(b, []byte("DllGetClassObject"), []byte("DllGetClassObjecx"))
	}, "does not export DllGetClassObject"},
	"nothing in it":     {func([]byte) []byte { return nil }, "is empty"},
	"not even a header": {func([]byte) []byte { return []byte("#!/bin/sh\n") }, "reading"},
}

// agentsWith is a copy of the folder of agents with one file changed; nil: it is not
// there.
func agentsWith(t *testing.T, file string, change func([]byte) []byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(testagents.Dir(t))); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, file)
	if change == nil {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	if err := os.WriteFile(path, change(mustRead(t, path)), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAgentsMustComeWithTheirCredentialProviders(t *testing.T) {
	const dll = "firstday-credprov-amd64.dll"
	refuses := func(name, agents, file, said string) {
		t.Helper()
		o := options(t, "")
		o.Agents = agents
		_, err := Build(t.Context(), o)
		if !errors.Is(err, ErrNoCredentialProvider) || !strings.Contains(err.Error(), filepath.Join(agents, file)) || !strings.Contains(err.Error(), said) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(o.Output); err == nil {
			t.Errorf("%s: there is a kit", name)
		}
	}
	for _, file := range []string{dll, "firstday-credprov-arm64.dll"} {
		agents := agentsWith(t, file, nil)
		refuses("without "+file, agents, file, "no such file")
		o := options(t, "")
		o.Agents = agents
		if _, err := Build(t.Context(), o); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("without %s: %v", file, err)
		}
	}
	for name, c := range unlike {
		refuses(name, agentsWith(t, dll, c.change), dll, c.said)
	}
	id, err := signing.Throwaway("Mallory", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	signed := func(b []byte) []byte { return signedBySomebody(t, b, id) }
	refuses("signed, its agent not", agentsWith(t, dll, signed), dll, "its agent by nobody")
	refuses("not signed, its agent is", agentsWith(t, "firstday-agent-windows-amd64.exe", signed), dll, "is not signed, its agent is, by ")
}

// Who signs anew takes away what was signed before.
func TestBuildSignsWhatWasSignedBefore(t *testing.T) {
	id, err := signing.Throwaway("Mallory", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	o := options(t, "signing: {throwaway: true}\n")
	o.Agents = agentsWith(t, "firstday-credprov-amd64.dll", func(b []byte) []byte { return signedBySomebody(t, b, id) })
	build(t, o)
	if v := verify(t, o.Output, trusting(t, o.Output)); !v.OK() || len(v.Warnings) > 0 {
		t.Errorf("%v, warnings %q", v.Err(), v.Warnings)
	}
}

func signedBySomebody(t *testing.T, program []byte, id *signing.Identity) []byte {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "signed"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	if err := signing.SignPE(t.Context(), bytes.NewReader(program), int64(len(program)), out, id, signing.Options{}); err != nil {
		t.Fatal(err)
	}
	return mustRead(t, out.Name())
}

// opened is a package taken apart, to be changed and put together again.
type opened struct {
	*api.Enrollment
	files map[string][]byte
	apart map[string][]byte // of another command
}

// write puts the package together again, with files that its enrollment need not
// describe truly.
func (o *opened) write(t *testing.T, path string) *Package {
	t.Helper()
	e, err := json.Marshal(o.Enrollment)
	if err != nil {
		t.Fatal(err)
	}
	command := ppkg.Command{Name: "Firstday", Line: commandLine, File: ppkg.NewFile(api.EnrollmentFile, e)}
	for _, name := range slices.Sorted(maps.Keys(o.files)) {
		command.Dependencies = append(command.Dependencies, ppkg.NewFile(name, o.files[name]))
	}
	p := &ppkg.Package{ID: o.PackageID, Version: o.PackageVer, Name: o.PackageName, Owner: ppkg.ITAdmin, Settings: []ppkg.Setting{command.Setting()}}
	for name, content := range o.apart {
		other := ppkg.Command{Name: "Another", Line: name, File: ppkg.NewFile(name, content)}
		p.Settings = append(p.Settings, other.Setting())
	}
	built, err := WritePackage(t.Context(), path, p, ppkg.Options{Time: at, Level: xpress.Fast}, func(string, int64, int64) {})
	if err != nil {
		t.Fatal(err)
	}
	return built
}

// replace changes a file, and what the enrollment says of it.
func (o *opened) replace(file string, content []byte) {
	o.files[file] = content
	for i := range o.Agents {
		a := &o.Agents[i]
		if a.File == file {
			a.SHA256 = hexSum(content)
		}
		if a.CredentialProvider.File == file {
			a.CredentialProvider.SHA256 = hexSum(content)
		}
	}
}

func takeApart(t *testing.T, path string) *opened {
	t.Helper()
	dir, _ := testagents.Unpack(t, path)
	o := &opened{Enrollment: enrollmentOf(t, dir), files: map[string][]byte{}}
	for _, a := range o.Agents {
		for _, name := range []string{a.File, a.CredentialProvider.File} {
			o.files[name] = mustRead(t, filepath.Join(dir, name))
		}
	}
	return o
}

// broken are packages that no sign-in screen would show a tile of.
func broken(t *testing.T) map[string]struct {
	change func(o *opened)
	want   error
	said   string
} {
	t.Helper()
	const dll, agent = "firstday-credprov-amd64.dll", "firstday-agent-amd64.exe"
	mallory, err := signing.Throwaway("Mallory", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]struct {
		change func(o *opened)
		want   error
		said   string
	}{
		"an older firstday's": {func(o *opened) {
			for i := range o.Agents {
				delete(o.files, o.Agents[i].CredentialProvider.File)
				o.Agents[i].CredentialProvider = api.CarriedFile{}
			}
		}, ErrOutdated, "no credential provider goes with " + agent},
		"one agent without": {func(o *opened) { o.Agents[0].CredentialProvider = api.CarriedFile{} }, ErrOutdated, agent},
		"missing":           {func(o *opened) { delete(o.files, dll) }, ErrIntegrity, "lacks " + dll},
		"in another folder": {func(o *opened) {
			o.apart = map[string][]byte{dll: o.files[dll]}
			delete(o.files, dll)
		}, ErrIntegrity, "lacks " + dll},
		"agent missing": {func(o *opened) { delete(o.files, agent) }, ErrIntegrity, "lacks " + agent},
		"bytes changed": {func(o *opened) { o.files[dll][len(o.files[dll])/2] ^= 1 }, ErrIntegrity, dll + " in it has SHA-256"},
		"agent changed": {func(o *opened) { o.files[agent][len(o.files[agent])/2] ^= 1 }, ErrIntegrity, agent + " in it has SHA-256"},
		"the other one": {func(o *opened) { o.replace(dll, o.files["firstday-credprov-arm64.dll"]) },
			ErrOtherProgram, dll + " is for arm64, its agent for amd64"},
		"an agent of another version": {func(o *opened) { o.Agents[0].Version = "1.2.4" }, ErrOtherProgram, agent},
		"an agent for another machine": {func(o *opened) { o.replace(agent, o.files["firstday-agent-arm64.exe"]) },
			ErrOtherProgram, agent + " is for arm64"},
		"changed after signing": {func(o *opened) {
			b := bytes.Clone(o.files[dll])
			b[len(b)/2] ^= 1
			o.replace(dll, b)
		}, signing.ErrBadSignature, dll},
		"signed by someone else": {func(o *opened) { o.replace(dll, signedBySomebody(t, o.files[dll], mallory)) }, ErrIntegrity, dll + " is signed by"},
		"unsigned beside a signed agent": {func(o *opened) { o.replace(dll, mustRead(t, filepath.Join(testagents.Dir(t), dll))) },
			ErrIntegrity, dll + " is not signed, its agent is, by "},
		"signed beside an unsigned agent": {func(o *opened) {
			o.replace(agent, mustRead(t, filepath.Join(testagents.Dir(t), "firstday-agent-windows-amd64.exe")))
		}, ErrIntegrity, "its agent by nobody"},
	}
	for name, c := range unlike {
		cases["a tile that is "+name] = struct {
			change func(o *opened)
			want   error
			said   string
		}{func(o *opened) { o.replace(dll, c.change(mustRead(t, filepath.Join(testagents.Dir(t), dll)))) }, ErrOtherProgram, c.said}
	}
	return cases
}

func TestPackageMustCarryItsCredentialProviders(t *testing.T) {
	o := options(t, "signing: {throwaway: true}\n")
	build(t, o)
	trust := trusting(t, o.Output)
	trust.RequireSignature = false // broken ones are made without
	path := filepath.Join(t.TempDir(), "Acme.ppkg")
	whole := takeApart(t, filepath.Join(o.Output, "Acme.ppkg"))
	whole.write(t, path)
	if err := verify(t, path, trust).Err(); err != nil {
		t.Fatalf("what is whole: %v", err)
	}
	for name, c := range broken(t) {
		o := takeApart(t, filepath.Join(o.Output, "Acme.ppkg"))
		c.change(o)
		o.write(t, path)
		v := verify(t, path, trust)
		if err := v.Err(); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.said) || !strings.Contains(err.Error(), "Acme.ppkg: credential provider for amd64: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A kit whose manifest and checksums fit a broken package is as bad.
func TestKitMustCarryItsCredentialProviders(t *testing.T) {
	o := options(t, "")
	o.Config.Windows.WiFi, o.Config.Windows.BreakGlass.Enabled = nil, false
	m := build(t, o)
	path := filepath.Join(o.Output, "Acme.ppkg")
	whole := mustRead(t, path)
	for name, c := range broken(t) {
		if err := os.WriteFile(path, whole, 0o600); err != nil {
			t.Fatal(err)
		}
		if slices.Contains([]string{"changed after signing", "unsigned beside a signed agent", "signed beside an unsigned agent"}, name) {
			continue // of signed ones
		}
		broken := takeApart(t, path)
		c.change(broken)
		built := broken.write(t, path)
		lying := *m
		lying.Packages = slices.Clone(m.Packages)
		p := &lying.Packages[0]
		p.Size, p.SHA256 = built.Size, built.SHA256
		p.Contents = nil
		for _, a := range broken.Agents {
			p.Contents = append(p.Contents, Content{File: a.File, Kind: kindAgent, Arch: a.Arch, Version: a.Version, SHA256: a.SHA256})
			if c := a.CredentialProvider; c.File != "" {
				p.Contents = append(p.Contents, Content{File: c.File, Kind: kindProvider, Arch: a.Arch, Version: a.Version, SHA256: c.SHA256})
			}
		}
		rewrite(t, o.Output, &lying)
		if err := verify(t, o.Output, VerifyOptions{}).Err(); !errors.Is(err, c.want) || !strings.Contains(err.Error(), c.said) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What is no package of ours has no tile.
func TestPackageOfSomebodyElseVerifies(t *testing.T) {
	path := filepath.Join(t.TempDir(), "Other.ppkg")
	p := &ppkg.Package{ID: uuid.New(), Version: "1.0", Name: "Other", Owner: ppkg.ITAdmin, Settings: []ppkg.Setting{ppkg.ComputerName("OTHER-%SERIAL%")}}
	if _, err := WritePackage(t.Context(), path, p, ppkg.Options{Time: at}, func(string, int64, int64) {}); err != nil {
		t.Fatal(err)
	}
	if v := verify(t, path, VerifyOptions{}); !v.OK() {
		t.Error(v.Err())
	}
}
