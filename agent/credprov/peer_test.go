package credprov_test

import (
	"bytes"
	"crypto/x509"
	"crypto/x509/pkix"
	"debug/pe"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testtool"
	"firstday.dev/internal/winetest"
)

// judge is the code by which the tile knows the agent, as a program.
type judge struct {
	t       *testing.T
	p       *winetest.Prefix
	program string
}

func newJudge(t *testing.T) *judge {
	t.Helper()
	j := &judge{t, winetest.New(t), filepath.Join(t.TempDir(), "peer.exe")}
	out, err := exec.Command(testtool.Need(t, "x86_64-w64-mingw32-gcc"), "-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", "-D_WIN32_WINNT=0x0A00", "-o", j.program,
		"testdata/peer/main.c", "-lwintrust", "-lcrypt32", "-lshell32", "-ladvapi32").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return j
}

func (j *judge) says(program string, args ...string) bool {
	j.t.Helper()
	line := j.p.Command(program)
	for _, a := range args {
		line += ` "` + a + `"`
	}
	res := j.p.Run(j.t.TempDir(), line)
	said := strings.TrimSpace(res.Stdout)
	if res.Code != 0 || said != "yes" && said != "no" {
		j.t.Fatalf("%s: %+v", line, res)
	}
	return said == "yes"
}

// The agent is a program of one name, in the folder of a version beside ours.
func TestAgentIsInItsFolder(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
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
		if got := j.says(j.program, "beside", ours, theirs); got != want {
			t.Errorf("%s: %v", theirs, got)
		}
	}
	for _, ours := range []string{`firstday-credprov.dll`, `1.2.3\firstday-credprov.dll`} {
		if j.says(j.program, "beside", ours, `firstday-agent.exe`) {
			t.Errorf("beside %s", ours)
		}
	}
	if j.says(j.program, "system") {
		t.Error("under Wine, somebody is SYSTEM")
	}
}

// Where the DLL is signed, so is the agent, and by the same.
func TestAgentIsSignedAsTheTile(t *testing.T) {
	t.Parallel()
	j := newJudge(t)
	pki := testpki.New(t)
	sign := func(name string, who *testpki.Entity) string {
		certs, key := who.WritePEM(t, "")
		out := filepath.Join(t.TempDir(), name)
		if said, err := exec.Command(testtool.Need(t, "osslsigncode"), "sign", "-certs", certs, "-key", key, "-h", "sha256", "-in", j.program, "-out", out).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, said)
		}
		return out
	}
	now := time.Now()
	other, err := testpki.Issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Somebody Else"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, pki.Intermediate, true)
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs, others := sign("ours.exe", pki.CodeRSA), sign("firstday-agent.exe", pki.CodeRSA), sign("firstday-agent.exe", other)
	windows := func(path string) string { return "Z:" + strings.ReplaceAll(path, "/", `\`) }

	if !j.says(j.program, "alike", windows(j.program)) {
		t.Error("an unsigned tile wants a signed agent")
	}
	if j.says(ours, "alike", windows(theirs)) {
		t.Error("a root that Windows does not trust is trusted")
	}
	root := filepath.Join(t.TempDir(), "root.der")
	if err := os.WriteFile(root, pki.Root.Certificate().Raw, 0o600); err != nil {
		t.Fatal(err)
	}
	if !j.says(j.program, "trust", windows(root)) {
		t.Fatal("Windows takes no roots")
	}
	for name, test := range map[string]struct {
		theirs string
		want   bool
	}{
		"the same":              {theirs, true},
		"somebody else":         {others, false},
		"nobody":                {j.program, false},
		"the same, but changed": {tampered(t, theirs), false},
		"what is not there":     {theirs + ".no", false},
	} {
		if got := j.says(ours, "alike", windows(test.theirs)); got != test.want {
			t.Errorf("signed by %s: %v", name, got)
		}
	}
}

// tampered changes a byte of a signed program.
func tampered(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := pe.NewFile(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	data[f.Sections[0].Offset] ^= 1
	out := filepath.Join(t.TempDir(), filepath.Base(path))
	if err := os.WriteFile(out, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return out
}
