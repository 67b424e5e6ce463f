package preflight

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/internal/testmacho"
)

// installed is a plug-in that is in order, of code for these processors.
func installed(t *testing.T, archs ...string) Plugin {
	t.Helper()
	p := Plugin{
		Path: filepath.Join(t.TempDir(), "FirstdayLogin.bundle"), Version: "1.2.3", Arch: "arm64", Files: files{},
		Signed: func(string) (string, error) { return "team ABCDE12345", nil },
		Load:   func(context.Context, string) error { return nil },
	}
	put(t, p, "Info.plist", `<?xml version="1.0" encoding="UTF-8"?><plist version="1.0"><dict>
<key>CFBundleShortVersionString</key><string>1.2.3</string><key>CFBundleExecutable</key><string>FirstdayLogin</string></dict></plist>`)
	put(t, p, "Resources/index.html", "<!doctype html>")
	put(t, p, "MacOS/FirstdayLogin", string(universal(t, archs...)))
	return p
}

func put(t *testing.T, p Plugin, name, text string) {
	t.Helper()
	path := filepath.Join(p.Path, "Contents", name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(text), 0o600)); err != nil {
		t.Fatal(err)
	}
}

// universal is a program of several slices (mach-o/fat.h).
func universal(t *testing.T, archs ...string) []byte {
	t.Helper()
	const magic, page = 0xcafebabe, 1 << 14
	head := binary.BigEndian.AppendUint32(nil, magic)
	head = binary.BigEndian.AppendUint32(head, uint32(len(archs)))
	var code []byte
	for _, arch := range archs {
		slice := testmacho.Thin(t, arch)
		for _, n := range []uint32{binary.LittleEndian.Uint32(slice[4:]), binary.LittleEndian.Uint32(slice[8:]), uint32(page + len(code)), uint32(len(slice)), 14} {
			head = binary.BigEndian.AppendUint32(head, n)
		}
		code = append(code, slice...)
		code = append(code, make([]byte, -len(code)&(page-1))...)
	}
	return append(append(head, make([]byte, page-len(head))...), code...)
}

// files vouches, or does not.
type files struct{ err error }

func (f files) Loadable(context.Context) error { return f.err }

func TestChecks(t *testing.T) {
	bad := errors.New("bad")
	for name, c := range map[string]struct {
		change func(*testing.T, *Plugin)
		failed string // names of checks
		loads  int
	}{
		"all is well":       {func(*testing.T, *Plugin) {}, "", 1},
		"for Intel":         {func(_ *testing.T, p *Plugin) { p.Arch = "amd64" }, "", 1},
		"others may write":  {func(_ *testing.T, p *Plugin) { p.Files = files{bad} }, "files", 0},
		"another version":   {func(_ *testing.T, p *Plugin) { p.Version = "1.3.0" }, "version", 0},
		"no version":        {func(t *testing.T, p *Plugin) { put(t, *p, "Info.plist", "<plist/>") }, "version architecture", 0},
		"no page":           {func(t *testing.T, p *Plugin) { put(t, *p, "Resources/index.html", "") }, "page", 0},
		"another processor": {func(_ *testing.T, p *Plugin) { p.Arch = "386" }, "architecture", 0},
		"one processor":     {func(t *testing.T, p *Plugin) { put(t, *p, "MacOS/FirstdayLogin", string(universal(t, "amd64"))) }, "architecture", 0},
		"no program":        {func(t *testing.T, p *Plugin) { put(t, *p, "MacOS/FirstdayLogin", "#!/bin/sh") }, "architecture", 0},
		"a name with a way out": {func(t *testing.T, p *Plugin) {
			put(t, *p, "Info.plist", `<plist version="1.0"><dict><key>CFBundleShortVersionString</key><string>1.2.3</string><key>CFBundleExecutable</key><string>../../../etc/passwd</string></dict></plist>`)
		}, "architecture", 0},
		"signed by nobody": {func(_ *testing.T, p *Plugin) { p.Signed = func(string) (string, error) { return "", bad } }, "signature", 0},
		"it crashes":       {func(_ *testing.T, p *Plugin) { p.Load = func(context.Context, string) error { return bad } }, "loading", 0},
	} {
		t.Run(name, func(t *testing.T) {
			p, loads := installed(t, "amd64", "arm64"), 0
			p.Load = func(_ context.Context, program string) error {
				if loads++; program != filepath.Join(p.Path, "Contents", "MacOS", "FirstdayLogin") {
					t.Errorf("%s is loaded", program)
				}
				return nil
			}
			c.change(t, &p)
			checks := p.Checks(t.Context())
			var failed []string
			for _, check := range checks {
				if !check.Passed {
					failed = append(failed, check.Name)
				}
				if check.Passed != (check.Remedy == "") || check.Detail == "" {
					t.Errorf("%+v", check)
				}
			}
			if got := strings.Join(failed, " "); got != c.failed || loads != c.loads {
				t.Errorf("%q has not passed, %d loads: %+v", got, loads, checks)
			}
			if err := Failure(checks); (err == nil) != (c.failed == "") || err != nil && !strings.HasPrefix(err.Error(), strings.Fields(c.failed)[0]+": ") {
				t.Errorf("%v", err)
			}
		})
	}
}
