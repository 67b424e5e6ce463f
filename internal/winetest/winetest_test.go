package winetest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestRunGivesAll32BitsOfTheExitCode(t *testing.T) {
	p := New(t)
	dir := t.TempDir()
	res := p.Run(dir, `cmd.exe /c echo hello& cd& exit 3010`)
	if res.Code != 3010 {
		t.Errorf("code %d, want 3010", res.Code)
	}
	if !strings.Contains(res.Stdout, "hello") || !strings.Contains(res.Stdout, filepath.Base(dir)) {
		t.Errorf("output %q", res.Stdout)
	}
}

func TestPrefixesDoNotSeeEachOther(t *testing.T) {
	a, b := New(t), New(t)
	if res := a.Run(t.TempDir(), `reg.exe add HKLM\SOFTWARE\FirstdayTest /v x /d y /f`); res.Code != 0 {
		t.Fatalf("%+v", res)
	}
	want := []string{`SOFTWARE\FirstdayTest\`, `SOFTWARE\FirstdayTest\x="y"`}
	if diff := cmp.Diff(want, a.Registry(`SOFTWARE\FirstdayTest`)); diff != "" {
		t.Errorf("registry (-want +got):\n%s", diff)
	}
	if res := b.Run(t.TempDir(), `reg.exe query HKLM\SOFTWARE\FirstdayTest`); res.Code == 0 {
		t.Error("the key is in the other prefix too")
	}
}

func TestKillTerminatesTheCommand(t *testing.T) {
	p := New(t)
	r := p.Start(t.TempDir(), `cmd.exe /c pause`)
	if res := r.Kill(); res.Code != 137 {
		t.Errorf("code %d, want 137", res.Code)
	}
}

func TestPathIsOnDriveC(t *testing.T) {
	p := New(t)
	if _, err := os.Stat(p.Path(`windows\system32\bcryptprimitives.dll`)); err != nil {
		t.Error(err)
	}
}
