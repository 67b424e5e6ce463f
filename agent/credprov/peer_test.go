package credprov_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
)

// The agent is a program of one name, in the folder of a version beside ours. These
// are paths, also such as no process of a test could have.
func TestAgentIsInItsFolder(t *testing.T) {
	t.Parallel()
	p, program := winetest.New(t), filepath.Join(t.TempDir(), "peer.exe")
	out, err := exec.Command(testtool.Need(t, "x86_64-w64-mingw32-gcc"), "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_WIN32_WINNT=0x0A00", "-o", program,
		"testdata/peer/main.c", "-lwintrust", "-lshell32", "-ladvapi32").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	beside := func(ours, theirs string) bool {
		res := p.Run(t.TempDir(), fmt.Sprintf(`%s "%s" "%s"`, p.Command(program), ours, theirs))
		said := strings.TrimSpace(res.Stdout)
		if res.Code != 0 || said != "yes" && said != "no" {
			t.Fatalf("%s, %s: %+v", ours, theirs, res)
		}
		return said == "yes"
	}
	const ours = `C:\Program Files\Firstday\Agent\1.2.3\firstday-credprov.dll`
	for theirs, want := range map[string]bool{
		`C:\Program Files\Firstday\Agent\1.2.3\firstday-agent.exe`:      true,
		`C:\Program Files\Firstday\Agent\1.10.0\firstday-agent.exe`:     true, // after an update
		`c:\program files\firstday\AGENT\1.2.3\Firstday-Agent.exe`:      true,
		`C:\Program Files\Firstday\Agent\1.2.3\firstday-agent.exe.exe`:  false,
		`C:\Program Files\Firstday\Agent\1.2.3\other.exe`:               false,
		`C:\Program Files\Firstday\Agent\firstday-agent.exe`:            false,
		`C:\Program Files\Firstday\Agent\1.2.3\sub\firstday-agent.exe`:  false,
		`C:\Program Files\Firstday\Agent2\1.2.3\firstday-agent.exe`:     false,
		`D:\Program Files\Firstday\Agent\1.2.3\firstday-agent.exe`:      false,
		`C:\Users\Public\Firstday\Agent\1.2.3\firstday-agent.exe`:       false,
		`C:\Windows\System32\firstday-agent.exe`:                        false,
		`\\server\C$\Program Files\Firstday\Agent\1\firstday-agent.exe`: false,
		`firstday-agent.exe`: false,
	} {
		if got := beside(ours, theirs); got != want {
			t.Errorf("%s: %v", theirs, got)
		}
	}
	for _, ours := range []string{`firstday-credprov.dll`, `1.2.3\firstday-credprov.dll`} {
		if beside(ours, `firstday-agent.exe`) {
			t.Errorf("beside %s", ours)
		}
	}
}
