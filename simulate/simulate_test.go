package simulate

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"firstday.dev/agent"
	"firstday.dev/api"
	"firstday.dev/internal/testagents"
	"firstday.dev/internal/testpki"
	"firstday.dev/kit"
	"firstday.dev/ppkg"
)

const windowsSection = `windows:
  computerName: ACME-%SERIAL%
  wifi: [{ssid: Acme, password: {file: wifi.key}}]
  policies: {DeviceLock/MinDevicePasswordLength: 12}
`

func TestWindowsPackageEnrolsADevice(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{Batch: "PO-7"})
	path := filepath.Join(buildKit(t, d.At, key, windowsSection+"signing: {throwaway: true}\n", kit.Windows), "Acme.ppkg")
	sandbox := filepath.Join(t.TempDir(), "sandbox")
	r, s, err := simulation(t, Options{Sandbox: sandbox, Device: Device{Serial: "5CG1234XYZ", Model: "Latitude"}, Version: "devel"}, path)
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	device := d.OnlyDevice()
	if f := device.Facts; f.Serial != "5CG1234XYZ" || f.Model != "Latitude" || f.Name != "ACME-5CG1234XYZ" || f.AgentVersion != testagents.Version ||
		f.Platform != api.Windows || len(f.Users) != 1 || !f.Users[0].Administrator || device.Batch != "PO-7" {
		t.Errorf("the directory knows %+v", device)
	}
	if r.Enrolment.DeviceID != device.ID || r.Enrolment.State != agent.EnrolmentDone || r.Device.Name != "ACME-5CG1234XYZ" || r.PackageID != device.PackageID {
		t.Errorf("result: %+v", r)
	}
	s.mustTell(t,
		"Acme.ppkg: catalog", "Acme.cat: signature (not trusted",
		"computer name ACME-%SERIAL%", "local account", "wireless network Acme", "policy DeviceLock", "first-run pages are hidden",
		`in C:\Windows\System32\config\systemprofile\AppData\Local\Temp\ProvisioningPkgTmp\{`+device.PackageID.String()+`}\Commands\0`,
		"what works here is the agent of firstday devel",
		`C:\Program Files\Firstday\Agent\1.2.3\firstday-agent.exe run`, "ended with code 0", "restart", "computer name is ACME-5CG1234XYZ",
		"the connect key is erased")
	// Neither the device's story nor its folder keeps a secret of the package.
	for _, secret := range []string{key.Reveal(), "correct horse"} {
		if strings.Contains(s.String(), secret) {
			t.Errorf("%s is told", secret)
		}
		if file := contains(t, sandbox, secret); file != "" {
			t.Errorf("%s holds %s", file, secret)
		}
	}
	if _, err := os.Stat(filepath.Join(sandbox, diskFolder, commandFolder)); !os.IsNotExist(err) {
		t.Errorf("the commands' files are left: %v", err)
	}
}

func TestMacPackageEnrolsADevice(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	pki := testpki.New(t)
	cert, keyFile := pki.NewDevelopers(t).Installer.WritePEM(t, "")
	path := filepath.Join(buildKit(t, d.At, key, "macos:\n  signing:\n    installer: {certificate: "+cert+", key: "+keyFile+"}\n", kit.MacOS), "Acme.pkg")
	trust := Trust{VerifyOptions: kit.VerifyOptions{RequireSignature: true}}
	trust.Roots, trust.TimestampRoots = pki.Roots(), pki.Roots()
	sandbox := filepath.Join(t.TempDir(), "sandbox")
	_, s, err := simulation(t, Options{Sandbox: sandbox, Trust: trust, Device: Device{Name: "Anns-Mac", OSVersion: "15.2"}}, path)
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	device := d.OnlyDevice()
	if f := device.Facts; f.Platform != api.MacOS || f.Arch != "arm64" || f.Name != "Anns-Mac" || f.OSVersion != "15.2" || f.AgentVersion != testagents.Version {
		t.Errorf("the directory knows %+v", device)
	}
	s.mustTell(t, "Acme.pkg: RSA signature", "Acme.pkg: CMS signature", "Acme.pkg: contents", "hostArchitectures x86_64,arm64",
		"Installer runs our preinstall", "files and folders of", "launchd finds dev.firstday.agent", "launchd finds dev.firstday.login-beside", "launchd finds dev.firstday.login-watch", "macOS' own window stays", "Installer runs our postinstall", "service firstday-agent is started",
		"the connect key is erased")
	if file := contains(t, sandbox, key.Reveal()); file != "" {
		t.Errorf("%s holds the connect key", file)
	}
	st, err := readState(sandbox)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range st.Receipts["dev.firstday.acme"].Files {
		if f.Path == "/Library/Application Support" && (f.GID != 80 || f.Mode != 0o40755) {
			t.Errorf("the receipt says %+v", f)
		}
	}
	// On the disk are files that whoever simulates can remove.
	info, err := os.Stat(filepath.Join(sandbox, diskFolder, "Library/Application Support/Firstday/Agent/1.2.3/firstday-agent"))
	if err != nil || info.Mode().Perm() != 0o755 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
}

// The same folder again is the same device, which starts once more.
func TestASecondRunIsARestart(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{Uses: 1})
	for name, path := range map[string]string{
		"windows": provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{}),
	} {
		sandbox := filepath.Join(t.TempDir(), "sandbox")
		first, s, err := simulation(t, Options{Sandbox: sandbox}, path)
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, s)
		}
		for _, packages := range [][]string{{path}, nil} {
			again, s, err := simulation(t, Options{Sandbox: sandbox, Device: Device{Serial: first.Device.Serial}}, packages...)
			if err != nil {
				t.Fatalf("%s: %v\n%s", name, err, s)
			}
			if again.Enrolment.DeviceID != first.Enrolment.DeviceID || again.Device != first.Device {
				t.Errorf("%s: it became %+v", name, again)
			}
			if len(packages) > 0 {
				s.mustTell(t, "is applied already")
			}
		}
	}
	d.OnlyDevice()
}

func TestArmDevicesGetTheirOwnAgent(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	e := enrollment(t, api.Windows, d.At, key)
	path := provisioningPackage(t, e, ppkg.Command{})
	if _, s, err := simulation(t, Options{Device: Device{Arch: "arm64"}}, path); err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	if got := d.OnlyDevice().Facts.Arch; got != "arm64" {
		t.Errorf("it enrolled as %s", got)
	}
}

// What a package runs besides the agent is told, and its code decides.
func TestCodesOfProgramsThatAreNotRun(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{})
	e := enrollment(t, api.Windows, d.At, key)
	e.Payloads = []api.Payload{{File: "setup.exe", Kind: "exe", SHA256: digest("setup.exe"), Arguments: "/S --token=hidden"}}
	path := provisioningPackage(t, e, ppkg.Command{})
	exits := func(program string) int {
		if program == "setup.exe" {
			return 3010
		}
		return 0
	}
	_, s, err := simulation(t, Options{ExitCode: exits}, path)
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.mustTell(t, "the agent would run the payload setup.exe", "ended with code 3010: the device is to restart", "boot 2")
	if strings.Contains(s.String(), "hidden") {
		t.Error("a payload's arguments are told")
	}
}

func TestPendingDevicesAreEnrolled(t *testing.T) {
	d, key := newDirectory(t, api.NewConnectKey{Approval: true})
	_, s, err := simulation(t, Options{}, provisioningPackage(t, enrollment(t, api.Windows, d.At, key), ppkg.Command{}))
	if err != nil {
		t.Fatalf("%v\n%s", err, s)
	}
	s.mustTell(t, "waits for approval")
}
