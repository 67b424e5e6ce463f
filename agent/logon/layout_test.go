package logon

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"firstday.dev/internal/testtool"
)

// The compiler knows the structure from Windows' headers.
func TestLayoutIsThatOfTheHeaders(t *testing.T) {
	gcc := testtool.Need(t, "x86_64-w64-mingw32-gcc")
	source := filepath.Join(t.TempDir(), "layout.c")
	if err := os.WriteFile(source, []byte(`
#include <windows.h>
#include <ntsecapi.h>
#include <stddef.h>
#define AT(member, offset) _Static_assert(offsetof(KERB_INTERACTIVE_UNLOCK_LOGON, member) == offset, #member)
AT(Logon.MessageType, 0);
AT(Logon.LogonDomainName.Length, 8);
AT(Logon.LogonDomainName.MaximumLength, 10);
AT(Logon.LogonDomainName.Buffer, 16);
AT(Logon.UserName, 24);
AT(Logon.Password, 40);
AT(LogonId, 56);
_Static_assert(sizeof(KERB_INTERACTIVE_UNLOCK_LOGON) == 64 && KerbInteractiveLogon == 2, "as packed");
`), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(gcc, "-std=c11", "-Wall", "-Werror", "-fsyntax-only", source).CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}
