package signing_test

import (
	"bytes"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"

	"firstday.dev/internal/testpki"
	"firstday.dev/pkgbuild/bundle"
	"firstday.dev/signing"
)

// signBundle signs the bundle at a path and puts in what was written.
func signBundle(t *testing.T, files fstest.MapFS, at string, id *signing.Identity) {
	t.Helper()
	b := openBundle(t, files, at)
	var program bytes.Buffer
	seal, err := signing.SignBundle(t.Context(), b, &program, signing.Code{}, id, signing.Options{})
	if err != nil {
		t.Fatal(err)
	}
	files[at+b.Executable].Data = program.Bytes()
	files[at+b.Resources] = &fstest.MapFile{Data: seal}
}

func openBundle(t *testing.T, files fs.FS, at string) *bundle.Bundle {
	t.Helper()
	if at != "" {
		var err error
		if files, err = fs.Sub(files, strings.TrimSuffix(at, "/")); err != nil {
			t.Fatal(err)
		}
	}
	b, err := bundle.Open(files)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func infoPlist(identifier string) *fstest.MapFile {
	return &fstest.MapFile{Data: []byte(`<plist version="1.0"><dict><key>CFBundleIdentifier</key><string>` + identifier +
		`</string><key>CFBundleExecutable</key><string>Program</string></dict></plist>`)}
}

func TestBundle(t *testing.T) {
	pki := testpki.New(t)
	id := developer(t, pki.NewDevelopers(t).Application)
	program := machoProgram(t)
	const inner = "Contents/PlugIns/In.bundle/"
	files := fstest.MapFS{
		"Contents/Info.plist":              infoPlist("com.example.login"),
		"Contents/MacOS/Program":           {Data: program},
		"Contents/Resources/login.html":    {Data: []byte("<!doctype html>")},
		inner + "Contents/Info.plist":      infoPlist("com.example.login.in"),
		inner + "Contents/MacOS/Program":   {Data: program},
		inner + "Contents/Resources/x.txt": {Data: []byte("x")},
	}
	_, err := signing.SignBundle(t.Context(), openBundle(t, files, ""), new(bytes.Buffer), signing.Code{}, id, signing.Options{})
	if !errors.Is(err, bundle.ErrUnsignedCode) {
		t.Errorf("signing around unsigned code: %v", err)
	}
	signBundle(t, files, inner, id)
	signBundle(t, files, "", id)

	all, err := signing.VerifyBundle(t.Context(), openBundle(t, files, ""), trust(pki))
	if err != nil {
		t.Fatal(err)
	}
	var identifiers []string
	for _, r := range all {
		for _, c := range r.Reports {
			identifiers = append(identifiers, c.Identifier)
			if c.TeamID != testpki.TeamID || c.Report == nil || c.CodeResources == nil {
				t.Errorf("%s: %+v", r.Path, c)
			}
		}
	}
	if got := strings.Join(identifiers, " "); got != "com.example.login com.example.login com.example.login.in com.example.login.in" {
		t.Errorf("signed are %s", got)
	}
	if !strings.Contains(string(files["Contents/_CodeSignature/CodeResources"].Data), "anchor apple generic and certificate 1[field.1.2.840.113635.100.6.2.6]") {
		t.Error("the seal names the code inside by no requirement of Apple's form")
	}

	if all, err := signing.VerifyBundle(t.Context(), openBundle(t, files, ""), signing.VerifyOptions{}); !errors.Is(err, signing.ErrUntrusted) || len(all) != 2 {
		t.Errorf("with Apple to trust: %d programs, %v", len(all), err)
	}
	files[inner+"Contents/MacOS/Program"].Data, program = program, files[inner+"Contents/MacOS/Program"].Data
	if _, err := signing.VerifyBundle(t.Context(), openBundle(t, files, ""), trust(pki)); !errors.Is(err, signing.ErrBadSignature) || errors.Is(err, signing.ErrNoSignature) {
		t.Errorf("unsigned code inside: %v", err)
	}
	files[inner+"Contents/MacOS/Program"].Data = program
	files[inner+"Contents/Resources/x.txt"].Data = []byte("y")
	if _, err := signing.VerifyBundle(t.Context(), openBundle(t, files, ""), trust(pki)); !errors.Is(err, signing.ErrBadSignature) || !strings.Contains(err.Error(), "x.txt") {
		t.Errorf("a changed resource: %v", err)
	}
}

func TestBundleAdHoc(t *testing.T) {
	files := fstest.MapFS{"Contents/Info.plist": infoPlist("com.example.login"), "Contents/MacOS/Program": {Data: machoProgram(t)}}
	signBundle(t, files, "", nil)
	all, err := signing.VerifyBundle(t.Context(), openBundle(t, files, ""), signing.VerifyOptions{})
	if err != nil || len(all) != 1 || all[0].Reports[0].Report != nil {
		t.Errorf("%+v, %v", all, err)
	}
}
