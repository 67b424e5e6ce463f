package agent

import (
	"path/filepath"

	"firstday.dev/agent/credprov"
)

// Layout says where things are on a device.
//
//	            Program                                   Data                     Surfaces
//	Windows     %ProgramFiles%\Firstday\Agent             %ProgramData%\Firstday    \\.\pipe\firstday-agent
//	macOS       /Library/Application Support/Firstday/Agent   …/Firstday/Data         /var/run/firstday/agent.sock
//	Linux       /opt/firstday/agent                       /var/lib/firstday        /run/firstday/agent.sock
type Layout struct {
	Program    string // holds one folder per version; everybody may read
	Data       string // system and administrators only
	Executable string // base name of the agent
	// Surfaces is where the service speaks with what shows the sign-in: a
	// socket, on Windows a named pipe. Empty: it does not.
	Surfaces string
	// LoginPlugin is where macOS looks for what its login window may show of ours.
	// Empty: the system has no such thing.
	LoginPlugin string
}

// Agent is where the agent of a version lies.
func (l Layout) Agent(version string) string {
	return filepath.Join(l.Program, version, l.Executable)
}

// CredentialProvider is where the tile that goes with the agent of a version
// lies, where the system's sign-in screen takes one.
func (l Layout) CredentialProvider(version string) string {
	return filepath.Join(l.Program, version, credprov.File)
}

// Enrollment is the enrollment the device lives by, byte for byte as the
// package carried it.
func (l Layout) Enrollment() string { return filepath.Join(l.Data, "enrollment.json") }

// PreviousEnrollment is what Enrollment held, until its successor is known to
// work.
func (l Layout) PreviousEnrollment() string {
	return filepath.Join(l.Data, "enrollment.previous.json")
}

// Device is what the directory made of the device.
func (l Layout) Device() string { return filepath.Join(l.Data, "device.json") }

// DeviceKey is the device's private key, or what the TPM needs to use it.
func (l Layout) DeviceKey() string { return filepath.Join(l.Data, "device.key") }

// PINs holds what is kept of people's PINs.
func (l Layout) PINs() string { return filepath.Join(l.Data, "pins") }

// WindowAccount says which account of the system the sign-in window runs under.
func (l Layout) WindowAccount() string { return filepath.Join(l.Data, "window.json") }

// PagesAccount says which account the window with the pages runs under.
func (l Layout) PagesAccount() string { return filepath.Join(l.Data, "pages.json") }

// Pages holds what the browser in that window writes, until it has ended.
func (l Layout) Pages() string { return filepath.Join(l.Data, "pages") }

// FileVault holds at which start of the system somebody was logged on who had
// unlocked the disk.
func (l Layout) FileVault() string { return filepath.Join(l.Data, "filevault") }

// State is how far the installation is, written by whoever holds the lock.
func (l Layout) State() string { return filepath.Join(l.Data, "install.json") }

// Report is what the service says about itself.
func (l Layout) Report() string { return filepath.Join(l.Data, "report.json") }

// Tile is what the watchdog of the sign-in screen's tile has seen.
func (l Layout) Tile() string { return filepath.Join(l.Data, "tile.json") }

// LoginWindow is what the service has seen of the login window.
func (l Layout) LoginWindow() string { return filepath.Join(l.Data, "loginwindow.json") }

// LoginWindowOff says who has switched our login window off; it is there as long
// as that holds.
func (l Layout) LoginWindowOff() string { return filepath.Join(l.Data, "loginwindow.off.json") }

// LoginHello says which login window's plug-in has spoken with the service last.
func (l Layout) LoginHello() string { return filepath.Join(l.Data, "loginwindow.hello.json") }

// LoginWindowLock is held by whoever changes what LoginWindow holds.
func (l Layout) LoginWindowLock() string { return filepath.Join(l.Data, "loginwindow.lock") }

// Lock is held by whoever installs, removes or runs payloads.
func (l Layout) Lock() string { return filepath.Join(l.Data, "install.lock") }

// Payloads holds the payloads still to be run.
func (l Layout) Payloads() string { return filepath.Join(l.Data, "payloads") }

// Logs holds the logs in JSON lines, one file per writer.
func (l Layout) Logs() string { return filepath.Join(l.Data, "log") }

// InstallLog is written by install and by the service when it resumes one.
func (l Layout) InstallLog() string { return filepath.Join(l.Logs(), "install.jsonl") }

// ServiceLog is written by the service.
func (l Layout) ServiceLog() string { return filepath.Join(l.Logs(), "service.jsonl") }
