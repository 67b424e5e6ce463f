package munkipkg

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/pkgbuild"
)

const (
	asPlist = `<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0"><dict>
	<key>distribution_style</key><true/>
	<key>identifier</key><string>com.example.tool</string>
	<key>install_location</key><string>/</string>
	<key>name</key><string>Tool-${version}.pkg</string>
	<key>ownership</key><string>recommended</string>
	<key>postinstall_action</key><string>none</string>
	<key>suppress_bundle_relocation</key><true/>
	<key>version</key><string>1.2</string>
	<key>signing_info</key><dict><key>identity</key><string>Developer ID Installer</string></dict>
</dict></plist>`
	asJSON = `{"distribution_style": true, "identifier": "com.example.tool", "install_location": "/", "name": "Tool-${version}.pkg",
		"ownership": "recommended", "postinstall_action": "none", "suppress_bundle_relocation": true, "version": "1.2", "signing_info": {}}`
	asYAML = "distribution_style: true\nidentifier: com.example.tool\ninstall_location: /\nname: Tool-${version}.pkg\n" +
		"ownership: recommended\npostinstall_action: none\nsuppress_bundle_relocation: true\nversion: \"1.2\"\nsigning_info: {}\n"
)

// project makes a folder of files.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, contents := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(contents), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestProjectsOfAllFormats(t *testing.T) {
	for name, text := range map[string]string{"plist": asPlist, "json": asJSON, "yaml": asYAML} {
		dir := project(t, map[string]string{
			"build-info." + name: text, "payload/usr/local/share/tool.txt": "a tool", "payload/opt/secret": "x",
			"scripts/postinstall": "#!/bin/sh\n",
			"Bom.txt":             ".\t40755\t0/0\n./opt\t40700\t501/20\n./opt/secret\t100600\t501/20\t1\t2\n",
		})
		p, err := Open(dir)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if p.Name != "Tool-1.2.pkg" || len(p.Warnings) != 1 || p.Product == nil || p.Product.Components[0].Name != "Tool-1.2.pkg" {
			t.Errorf("%s: %+v", name, p)
		}
		out, err := os.Create(filepath.Join(t.TempDir(), p.Name))
		if err != nil {
			t.Fatal(err)
		}
		if err := pkgbuild.WriteProduct(t.Context(), out, p.Product, pkgbuild.Options{Time: time.Now()}); err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(out.Close(), p.Close()); err != nil {
			t.Fatal(err)
		}
		got := modes(t, out.Name())
		want := map[string]uint32{
			".": 0o40755, "usr": 0o40755, "usr/local": 0o40755, "usr/local/share": 0o40755, "usr/local/share/tool.txt": 0o100644,
			"opt": 0o40700, "opt/secret": 0o100600,
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
}

// modes are those of all files of a package.
func modes(t *testing.T, name string) map[string]uint32 {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	p, err := pkgbuild.Open(bytes.NewReader(b), int64(len(b)))
	if err != nil {
		t.Fatal(err)
	}
	list, err := p.List(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]uint32)
	for _, f := range list {
		all[f.VolumePath] = f.Mode
		if strings.HasPrefix(f.VolumePath, "opt") && (f.UID != 501 || f.GID != 20) {
			t.Errorf("%s belongs to %d:%d", f.VolumePath, f.UID, f.GID)
		}
	}
	return all
}

func TestProjectOfScriptsAlone(t *testing.T) {
	p, err := Open(project(t, map[string]string{"build-info.json": `{"identifier": "com.example.fix", "version": "1"}`, "scripts/postinstall": "#!/bin/sh\n"}))
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if p.Name != "com.example.fix-1.pkg" || p.Component.Payload != nil || p.Component.Scripts == nil || p.Product != nil {
		t.Errorf("%+v", p)
	}
}

func TestOpenNamesWhatIsWrong(t *testing.T) {
	base := `"identifier": "com.example.tool", "version": "1.2"`
	for name, c := range map[string]struct {
		files map[string]string
		says  string
	}{
		"nothing":          {map[string]string{"x": ""}, "0 files build-info"},
		"two":              {map[string]string{"build-info.json": "{}", "build-info.yaml": "{}"}, "2 files build-info"},
		"no JSON":          {map[string]string{"build-info.json": "{"}, "build-info.json"},
		"no plist":         {map[string]string{"build-info.plist": "<plist>"}, "build-info.plist"},
		"no identifier":    {map[string]string{"build-info.json": `{"version": "1"}`}, "identifier or version"},
		"a typo":           {map[string]string{"build-info.json": `{` + base + `, "instal_location": "/"}`}, `"instal_location" is not known`},
		"a number":         {map[string]string{"build-info.yaml": "identifier: a\nversion: 1.0\n"}, "put it in quotes"},
		"an alias":         {map[string]string{"build-info.yaml": "identifier: &a x\nversion: *a\n"}, "anchors"},
		"a list":           {map[string]string{"build-info.json": `{` + base + `, "name": []}`}, "name is no text"},
		"no truth":         {map[string]string{"build-info.json": `{` + base + `, "distribution_style": "yes"}`}, "neither true nor false"},
		"ownership":        {map[string]string{"build-info.json": `{` + base + `, "ownership": "preserve"}`}, "only recommended"},
		"xattr":            {map[string]string{"build-info.json": `{` + base + `, "preserve_xattr": true}`}, "cannot be done"},
		"a path for name":  {map[string]string{"build-info.json": `{` + base + `, "name": "../x.pkg"}`}, "that of a file"},
		"a broken Bom.txt": {map[string]string{"build-info.json": `{` + base + `}`, "Bom.txt": "./a 100644 0/0\n"}, "Bom.txt:1"},
		"a bad mode":       {map[string]string{"build-info.json": `{` + base + `}`, "Bom.txt": "./a\t10x\t0/0\n"}, "Bom.txt:1"},
	} {
		if _, err := Open(project(t, c.files)); !errors.Is(err, ErrProject) || !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// What a link leads to outside of the project is not read.
func TestProjectsStayInTheirFolder(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "build-info.json")
	if err := os.WriteFile(outside, []byte(asJSON), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Symlink(outside, filepath.Join(dir, "build-info.json")); err != nil {
		t.Fatal(err)
	}
	if _, err := Open(dir); err == nil {
		t.Error("build-info is read through a link")
	}
}

func FuzzBuildInfo(f *testing.F) {
	f.Add("plist", []byte(asPlist))
	f.Add("json", []byte(asJSON))
	f.Add("yaml", []byte(asYAML))
	f.Fuzz(func(t *testing.T, format string, data []byte) {
		if formats[format] == nil || len(data) > 4096 {
			return
		}
		b, err := parseBuildInfo("build-info."+format, format, data)
		if err != nil {
			if !errors.Is(err, ErrProject) {
				t.Fatal(err)
			}
			return
		}
		if b.Identifier == "" || strings.ContainsAny(b.Name, `/\`) {
			t.Fatalf("%+v", b)
		}
	})
}

func FuzzOwners(f *testing.F) {
	f.Add([]byte("./opt\t40700\t501/20\n\n./a b\t100644\t0/0\t1\t2\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := parseOwners(bytes.NewReader(data)); err != nil && !errors.Is(err, ErrProject) {
			t.Fatal(err)
		}
	})
}
