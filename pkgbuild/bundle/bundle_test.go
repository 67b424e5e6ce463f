package bundle

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"flag"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testmacho"
	"firstday.dev/pkgbuild/macho"
)

var update = flag.Bool("update", false, "write golden files")

func info(identifier, executable string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(`<?xml version="1.0" encoding="UTF-8"?>
<plist version="1.0"><dict><key>CFBundleIdentifier</key><string>` + identifier + `</string>
<key>CFBundleExecutable</key><string>` + executable + `</string></dict></plist>
`)}
}

// unsigned is a universal program.
func unsigned(t *testing.T) *fstest.MapFile {
	t.Helper()
	var parts []macho.Program
	for _, arch := range []string{"amd64", "arm64"} {
		b := testmacho.Thin(t, arch)
		parts = append(parts, macho.Program{ReaderAt: bytes.NewReader(b), Size: int64(len(b))})
	}
	var fat bytes.Buffer
	if err := macho.MakeFat(&fat, parts...); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: fat.Bytes(), Mode: 0o755}
}

// sign seals and signs a bundle ad hoc, as package signing does with a name.
func sign(t *testing.T, files fstest.MapFS, at string) {
	t.Helper()
	b := open(t, files, at)
	resources, err := b.Seal(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	files[join(at, b.Resources)] = &fstest.MapFile{Data: resources}
	signProgram(t, files[join(at, b.Executable)], macho.SignOptions{Identifier: b.Identifier, InfoPlist: b.InfoPlist, CodeResources: resources})
}

func signProgram(t *testing.T, f *fstest.MapFile, o macho.SignOptions) {
	t.Helper()
	var out bytes.Buffer
	if err := macho.Sign(t.Context(), &out, macho.Program{ReaderAt: bytes.NewReader(f.Data), Size: int64(len(f.Data))}, o); err != nil {
		t.Fatal(err)
	}
	f.Data = out.Bytes()
}

func open(t *testing.T, files fs.FS, at string) *Bundle {
	t.Helper()
	inner, err := fs.Sub(files, at)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Open(inner)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func join(at, name string) string { return strings.TrimPrefix(at+"/"+name, "./") }

// plugIn is a bundle with something of each kind, not signed yet.
func plugIn(t *testing.T) fstest.MapFS {
	t.Helper()
	files := fstest.MapFS{
		"Contents/Info.plist":                                             info("com.example.login", "Login"),
		"Contents/PkgInfo":                                                {Data: []byte("BNDL????")},
		"Contents/version.plist":                                          {Data: []byte("<plist/>")},
		"Contents/MacOS/Login":                                            unsigned(t),
		"Contents/MacOS/helper":                                           unsigned(t),
		"Contents/Resources/login.html":                                   {Data: []byte("<!doctype html>")},
		"Contents/Resources/.DS_Store":                                    {Data: []byte("the Finder's")},
		"Contents/Resources/en.lproj/login.strings":                       {Data: []byte("text")},
		"Contents/Resources/en.lproj/locversion.plist":                    {Data: []byte("not sealed")},
		"Contents/Resources/Base.lproj/login.nib":                         {Data: []byte("nib")},
		"Contents/Resources/link":                                         {Data: []byte("login.html"), Mode: fs.ModeSymlink | 0o755},
		"Contents/PlugIns/In.appex/Contents/Info.plist":                   info("com.example.login.in", "In"),
		"Contents/PlugIns/In.appex/Contents/MacOS/In":                     unsigned(t),
		"Contents/Frameworks/F.framework/F":                               {Data: []byte("Versions/Current/F"), Mode: fs.ModeSymlink | 0o755},
		"Contents/Frameworks/F.framework/Resources":                       {Data: []byte("Versions/Current/Resources"), Mode: fs.ModeSymlink | 0o755},
		"Contents/Frameworks/F.framework/Versions/A/F":                    unsigned(t),
		"Contents/Frameworks/F.framework/Versions/Current":                {Data: []byte("A"), Mode: fs.ModeSymlink | 0o755},
		"Contents/Frameworks/F.framework/Versions/A/Resources/Info.plist": info("com.example.f", "F"),
	}
	return files
}

func signed(t *testing.T) fstest.MapFS {
	files := plugIn(t)
	signProgram(t, files["Contents/MacOS/helper"], macho.SignOptions{Identifier: "helper"})
	sign(t, files, "Contents/PlugIns/In.appex")
	sign(t, files, "Contents/Frameworks/F.framework")
	sign(t, files, ".")
	return files
}

func TestSealIsAsCodesignWritesIt(t *testing.T) {
	files := signed(t)
	got := string(files["Contents/_CodeSignature/CodeResources"].Data)
	// The cdhashes change with the Go tool chain.
	for name, file := range map[string]string{
		"helper": "Contents/MacOS/helper", "in": "Contents/PlugIns/In.appex/Contents/MacOS/In",
		"framework": "Contents/Frameworks/F.framework/Versions/A/F",
	} {
		signatures, err := macho.Verify(t.Context(), macho.Program{ReaderAt: bytes.NewReader(files[file].Data), Size: int64(len(files[file].Data))})
		if err != nil {
			t.Fatal(err)
		}
		s := sealCode(signatures)
		got = strings.ReplaceAll(got, s.Requirement, "REQUIREMENT of "+name)
		got = strings.ReplaceAll(got, strings.ReplaceAll(s.Requirement, `"`, "&#34;"), "REQUIREMENT of "+name)
		got = strings.ReplaceAll(got, base64.StdEncoding.EncodeToString(s.CDHash), "CDHASH of "+name)
	}
	golden := filepath.Join("testdata", "CodeResources")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the seal is not %s:\n%s", golden, got)
	}
	sum := sha256.Sum256([]byte("<!doctype html>"))
	if !strings.Contains(got, base64.StdEncoding.EncodeToString(sum[:])) {
		t.Error("the seal does not have the SHA-256 of login.html")
	}
}

func verify(t *testing.T, files fs.FS) error {
	t.Helper()
	b, err := Open(files)
	if err != nil {
		return err
	}
	return b.Verify(t.Context(), func(ctx context.Context, _ string, p macho.Program) ([]*macho.Signature, error) {
		return macho.Verify(ctx, p)
	})
}

func TestVerify(t *testing.T) {
	files := signed(t)
	if err := verify(t, files); err != nil {
		t.Fatal(err)
	}
	if err := verify(t, must(fs.Sub(files, "Contents/Frameworks/F.framework"))); err != nil {
		t.Error(err)
	}
	var judged []string
	b := open(t, files, ".")
	err := b.Verify(t.Context(), func(ctx context.Context, path string, p macho.Program) ([]*macho.Signature, error) {
		judged = append(judged, path)
		return macho.Verify(ctx, p)
	})
	want := []string{
		"Contents/MacOS/Login", "Contents/Frameworks/F.framework/Versions/A/F",
		"Contents/MacOS/helper", "Contents/PlugIns/In.appex/Contents/MacOS/In",
	}
	if err != nil || !slices.Equal(judged, want) {
		t.Errorf("judged %q, %v, want %q", judged, err, want)
	}
}

func must(files fs.FS, err error) fs.FS {
	if err != nil {
		panic(err)
	}
	return files
}

func TestVerifyFindsEachChange(t *testing.T) {
	whole := signed(t)
	file := func(content string) *fstest.MapFile { return &fstest.MapFile{Data: []byte(content)} }
	for name, test := range map[string]struct {
		path string
		to   *fstest.MapFile // nil: it is removed
		want error
		text string
	}{
		"a resource":         {"Contents/Resources/login.html", file("<script>"), ErrSeal, "Contents/Resources/login.html was changed"},
		"no resource":        {"Contents/Resources/login.html", nil, ErrSeal, "Contents/Resources/login.html is missing"},
		"one more":           {"Contents/Resources/more.html", file(""), ErrSeal, "more.html was added"},
		"link for file":      {"Contents/Resources/login.html", &fstest.MapFile{Data: []byte("link"), Mode: fs.ModeSymlink}, ErrSeal, "changed"},
		"link elsewhere":     {"Contents/Resources/link", &fstest.MapFile{Data: []byte("/etc/passwd"), Mode: fs.ModeSymlink}, ErrSeal, "changed"},
		"Info.plist":         {"Contents/Info.plist", info("com.example.other", "Login"), ErrSeal, "Info.plist"},
		"the seal":           {"Contents/_CodeSignature/CodeResources", file("<plist/>"), ErrSeal, "CodeResources"},
		"no seal":            {"Contents/_CodeSignature/CodeResources", nil, ErrSeal, "CodeResources is missing"},
		"unsigned helper":    {"Contents/MacOS/helper", unsigned(t), macho.ErrUnsigned, "MacOS/helper"},
		"another helper":     {"Contents/MacOS/helper", whole["Contents/MacOS/Login"], ErrSeal, "other code"},
		"helper with it":     {"Contents/MacOS/helper2", whole["Contents/MacOS/helper"], ErrSeal, "added"},
		"the nested program": {"Contents/PlugIns/In.appex/Contents/MacOS/In", whole["Contents/MacOS/helper"], ErrSeal, "In.appex"},
		"a nested resource":  {"Contents/PlugIns/In.appex/Contents/Resources/x", file("x"), ErrSeal, "In.appex"},
		"a nested bundle":    {"Contents/PlugIns/Out.appex/Contents/Info.plist", info("a.b", "c"), ErrSeal, "Out.appex was added"},
		"text beside code":   {"Contents/MacOS/readme.txt", file("text"), ErrSeal, "added"},
		"the framework":      {"Contents/Frameworks/F.framework/Versions/A/F", whole["Contents/MacOS/helper"], ErrSeal, "F.framework"},
		"version.plist":      {"Contents/version.plist", file("<plist></plist>"), ErrSeal, "version.plist was changed"},
		"no translation":     {"Contents/Resources/en.lproj/login.strings", nil, nil, ""},
		"a bad translation":  {"Contents/Resources/en.lproj/login.strings", file("lies"), ErrSeal, "login.strings was changed"},
		"what is not sealed": {"Contents/Resources/.DS_Store", file("moved"), nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := maps.Clone(whole)
			delete(files, test.path)
			if test.to != nil {
				files[test.path] = test.to
			}
			err := verify(t, files)
			if !errors.Is(err, test.want) || err != nil && (test.want == nil || !strings.Contains(err.Error(), test.text)) {
				t.Errorf("Verify says %v, want %v with %q", err, test.want, test.text)
			}
		})
	}
}

// Whoever signs could write rules that seal nothing.
func TestVerifyRefusesRulesThatLeaveThingsOut(t *testing.T) {
	files := signed(t)
	resources := bytes.Replace(files["Contents/_CodeSignature/CodeResources"].Data, []byte("<key>^Resources/</key>"), []byte("<key>^Nothing/</key>"), 2)
	resources = bytes.Replace(resources, []byte(`<key>^.*</key>`), []byte(`<key>^Void/</key>`), 1)
	files["Contents/_CodeSignature/CodeResources"].Data = resources
	signProgram(t, files["Contents/MacOS/Login"], macho.SignOptions{
		Identifier: "com.example.login", InfoPlist: files["Contents/Info.plist"].Data, CodeResources: resources,
	})
	if err := verify(t, files); !errors.Is(err, ErrSeal) || !strings.Contains(err.Error(), "leave out") {
		t.Errorf("Verify says %v", err)
	}
}

func TestSealWantsSignedCode(t *testing.T) {
	files := plugIn(t)
	delete(files, "Contents/Frameworks/F.framework/Versions/Current")
	delete(files, "Contents/Frameworks/F.framework/F")
	for name := range files {
		if strings.Contains(name, "F.framework") {
			delete(files, name)
		}
	}
	if _, err := open(t, files, ".").Seal(t.Context()); !errors.Is(err, ErrUnsignedCode) || !strings.Contains(err.Error(), "MacOS/helper") {
		t.Errorf("Seal says %v", err)
	}
	files["Contents/MacOS/helper"] = &fstest.MapFile{Data: []byte("#!/bin/sh\n")}
	if _, err := open(t, files, ".").Seal(t.Context()); !errors.Is(err, ErrUnsignedCode) {
		t.Errorf("Seal says %v of a script beside programs", err)
	}
}

func TestOpenRefuses(t *testing.T) {
	for name, files := range map[string]fstest.MapFS{
		"nothing":             {},
		"no Info.plist":       {"Contents/MacOS/x": {}},
		"no property list":    {"Contents/Info.plist": {Data: []byte("x")}},
		"no identifier":       {"Contents/Info.plist": info("", "x")},
		"no program":          {"Contents/Info.plist": info("a.b", "")},
		"a program elsewhere": {"Contents/Info.plist": info("a.b", "../../bin/sh")},
		"the folder above":    {"Contents/Info.plist": info("a.b", "..")},
		"a huge Info.plist":   {"Contents/Info.plist": {Data: make([]byte, maxInfoPlist+1)}},
		"a version elsewhere": {"Versions/Current": {Data: []byte("../.."), Mode: fs.ModeSymlink}},
	} {
		if _, err := Open(files); !errors.Is(err, ErrFormat) {
			t.Errorf("%s: Open says %v", name, err)
		}
	}
}

func TestBundlesInBundlesEnd(t *testing.T) {
	files := fstest.MapFS{}
	at := "."
	for range maxDepth + 2 {
		files[join(at, "Contents/Info.plist")] = info("a.b", "x")
		files[join(at, "Contents/MacOS/x")] = unsigned(t)
		at = join(at, "Contents/PlugIns/P.bundle")
	}
	if _, err := open(t, files, ".").Seal(t.Context()); err == nil {
		t.Error("it sealed code that is not signed")
	}
	b := open(t, files, ".")
	v := verifier{program: unjudged, depth: maxDepth}
	if _, err := v.bundle(t.Context(), b); !errors.Is(err, ErrFormat) {
		t.Errorf("at depth %d: %v", maxDepth, err)
	}
}

func FuzzOpen(f *testing.F) {
	f.Add(info("com.example.login", "Login").Data)
	f.Add([]byte("bplist00\xd1\x01\x02_\x10\x12CFBundleIdentifierSa.b\x08\x0b\x20\x00\x00\x00\x00\x00\x00\x01\x01\x00\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x24"))
	f.Fuzz(func(t *testing.T, infoPlist []byte) {
		b, err := Open(fstest.MapFS{"Contents/Info.plist": {Data: infoPlist}})
		if err == nil && !strings.HasPrefix(b.Executable, "Contents/MacOS/") {
			t.Errorf("a program at %q", b.Executable)
		}
	})
}

func FuzzSeal(f *testing.F) {
	golden, err := os.ReadFile(filepath.Join("testdata", "CodeResources"))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(golden)
	files := fstest.MapFS{
		"Contents/Info.plist":           info("com.example.login", "Login"),
		"Contents/Resources/login.html": {Data: []byte("<!doctype html>")},
		"Contents/MacOS/helper":         {Data: []byte("code")},
	}
	f.Fuzz(func(t *testing.T, resources []byte) {
		b := open(t, files, ".")
		judge := func(context.Context, string, macho.Program) ([]*macho.Signature, error) {
			return []*macho.Signature{{CDHash: make([]byte, 20)}}, nil
		}
		_ = verifier{program: judge}.contents(t.Context(), b, resources)
	})
}
