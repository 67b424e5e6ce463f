package api

import (
	"strings"
	"testing"
)

func TestFileNames(t *testing.T) {
	for _, name := range []string{
		"setup.exe", "Setup 2.0 (x64).msi", "größe.exe", "安装.exe", "com.exe", "com10.exe", "console.exe", "lpt.msi",
		".hidden", "a", strings.Repeat("n", 255),
	} {
		if err := CheckFileName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{
		"", ".", "..", "../x.exe", `..\x.exe`, "a/b", `a\b`, "/etc/passwd", `C:\x.exe`, "C:x.exe", `\\server\share`,
		"x.exe:stream", "x?.exe", "x*.exe", `x".exe`, "x<.exe", "x>.exe", "x|.exe", "x.exe.", "x.exe ", "x\x00.exe",
		"x\n.exe", "\x7f", "\xff.exe", "nul", "NUL.exe", "con.tar.gz", "CoM1.exe", "com¹.msi", "LPT9", "aux .exe",
		"CONIN$", "conout$.exe", "prn", strings.Repeat("n", 256),
	} {
		if err := CheckFileName(name); err == nil {
			t.Errorf("%q was accepted", name)
		}
	}
}
