//go:build !windows

package credprov_test

import (
	"crypto/x509"
	"crypto/x509/pkix"
	"os"
	"path/filepath"
	"testing"
	"time"

	"firstday.dev/internal/testcredprov"
	"firstday.dev/internal/testpki"
	"firstday.dev/internal/testvectors"
	"firstday.dev/internal/winetest"
)

// home is where the DLL that these tests look at is installed, with the agent.
const home = `Program Files\Firstday\Agent\1.2.3`

// device is a Windows with the DLL that is shipped, for tests of this package.
type device struct {
	t       *testing.T
	p       *winetest.Prefix
	program []byte
}

// newDevice installs the DLL as the installer does, and beside it the program of
// the tests as the agent, both signed by somebody or by nobody.
func newDevice(t *testing.T, signer *testpki.Entity) *device {
	t.Helper()
	program, err := os.ReadFile(winetest.BuildTest(t, "."))
	if err != nil {
		t.Fatal(err)
	}
	d := &device{t, winetest.New(t), program}
	testcredprov.Install(t, d.p, home, signer)
	d.place(home+`\firstday-agent.exe`, signer)
	return d
}

// place puts the program of the tests somewhere on drive C.
func (d *device) place(name string, signer *testpki.Entity) {
	d.t.Helper()
	path := d.p.Path(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		d.t.Fatal(err)
	}
	if err := os.WriteFile(path, testcredprov.Sign(d.t, d.program, signer), 0o755); err != nil {
		d.t.Fatal(err)
	}
}

func (d *device) run(tests string) {
	d.t.Helper()
	res := d.p.Run(d.t.TempDir(), `"C:\`+home+`\firstday-agent.exe" -test.run=^TestWindows`+tests+" -test.v -test.timeout=150s")
	d.t.Log(res.Stdout)
	if res.Code != 0 {
		d.t.Errorf("code %d\n%s", res.Code, res.Stderr)
	}
}

func TestTileUnderWine(t *testing.T) {
	t.Parallel()
	newDevice(t, nil).run("Tile")
}

func TestTileLosesTheAgentUnderWine(t *testing.T) {
	t.Parallel()
	newDevice(t, nil).run("Loss")
}

// Wine knows no Negotiate, and here nobody says otherwise.
func TestTileWithoutNegotiateUnderWine(t *testing.T) {
	t.Parallel()
	newDevice(t, nil).run("NoLogon")
}

// The DLL reads what the core is tried with, outside Windows and with sanitizers.
func TestTileSurvivesAnyFramesUnderWine(t *testing.T) {
	t.Parallel()
	d := newDevice(t, nil)
	for seed := range uint64(5) {
		if err := os.WriteFile(d.p.Path(`frames.bin`), testvectors.Frames(t, vectors, seed, 2000), 0o644); err != nil {
			t.Fatal(err)
		}
		d.run("Frames")
	}
}

// Who serves the pipe is known by the account, the folder, the name, and the
// signature; whoever differs in one of them gets nothing.
func TestTileKnowsTheAgentUnderWine(t *testing.T) {
	t.Parallel()
	pki := testpki.New(t)
	now := time.Now()
	other, err := testpki.Issue(&x509.Certificate{
		Subject: pkix.Name{CommonName: "Test Somebody Else"}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour), KeyUsage: x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}, pki.Intermediate, true)
	if err != nil {
		t.Fatal(err)
	}
	d := newDevice(t, pki.CodeRSA)
	d.run("PeerOfAnUntrustedRoot")
	d.p.Trust(pki.Root.Certificate())
	for name, signer := range map[string]*testpki.Entity{
		`Program Files\Firstday\Agent\1.10.0\firstday-agent.exe`:    pki.CodeRSA,
		`Users\Public\Firstday\Agent\1.2.3\firstday-agent.exe`:      pki.CodeRSA,
		`Program Files\Firstday\Agent\1.2.3\sub\firstday-agent.exe`: pki.CodeRSA,
		`Program Files\Firstday\Agent\1.2.3\other.exe`:              pki.CodeRSA,
		`Program Files\Firstday\Agent\1.2.4\firstday-agent.exe`:     nil,
		`Program Files\Firstday\Agent\1.2.5\firstday-agent.exe`:     other,
		`Program Files\Firstday\Agent\1.2.6\firstday-agent.exe`:     pki.CodeRSA,
	} {
		d.place(name, signer)
	}
	change(t, d.p.Path(`Program Files\Firstday\Agent\1.2.6\firstday-agent.exe`))
	d.run("Peer$")
}

// change changes a byte of a signed program that no processor runs: one of the
// stub for DOS.
func change(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt([]byte{'t'}, 0x4e); err != nil {
		t.Error(err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}
