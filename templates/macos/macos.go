// Package macos holds what the agent and its installer package must say alike
// on a Mac: where things are, the property lists of its jobs, what the plug-in of
// the login window holds, and the scripts that Installer runs.
package macos

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"slices"
	"strings"
)

const (
	// LabelPrefix begins the names of all jobs; launchd wants the reverse of a domain.
	LabelPrefix = "dev.firstday."
	// Label names the daemon.
	Label = LabelPrefix + "agent"
	// DaemonPath is where launchd finds it.
	DaemonPath = "/Library/LaunchDaemons/" + Label + ".plist"

	// Folder holds everything else of ours.
	Folder = "/Library/Application Support/Firstday"
	// ProgramFolder holds one folder per version of the agent.
	ProgramFolder = Folder + "/Agent"
	// DataFolder is root's alone.
	DataFolder = Folder + "/Data"
	// Executable is the name of the agent.
	Executable = "firstday-agent"
	// UninstallPath is the script that removes it all.
	UninstallPath = Folder + "/uninstall"
)

// LaunchDaemon is the property list of the daemon that runs the program.
func LaunchDaemon(program string) []byte {
	return job(Label, program, "run", `	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<true/>
`)
}

// loginCommands are what the program does beside macOS' login window. Each is a job
// of its own.
var loginCommands = []string{"login-watch", "login-beside"}

// LoginJobFolder is where launchd finds them.
const LoginJobFolder = "/Library/LaunchAgents"

// LoginJobs gives the property lists of what launchd runs by the program as root
// wherever a login window is, by their paths. A job that ends well is not started
// again before the next login window.
func LoginJobs(program string) map[string][]byte {
	jobs := make(map[string][]byte)
	for _, command := range loginCommands {
		label := LabelPrefix + command
		jobs[LoginJobFolder+"/"+label+".plist"] = job(label, program, command, `	<key>LimitLoadToSessionType</key>
	<string>LoginWindow</string>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<dict>
		<key>SuccessfulExit</key>
		<false/>
	</dict>
`)
	}
	return jobs
}

// job is a property list for launchd, see launchd.plist(5).
func job(label, program, command, when string) []byte {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(program)) // a buffer takes everything
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + label + `</string>
	<key>ProgramArguments</key>
	<array>
		<string>` + escaped.String() + `</string>
		<string>` + command + `</string>
	</array>
` + when + `	<key>Umask</key>
	<integer>63</integer>
</dict>
</plist>
`)
}

//go:embed applewindow
var appleWindow string

//go:embed preinstall
var preinstall string

//go:embed postinstall
var postinstall string

//go:embed uninstall
var uninstall string

// Preinstall is the script that Installer runs before it copies.
func Preinstall() []byte { return []byte(withAppleWindow(preinstall)) }

// Postinstall is the script that Installer runs after it has copied the agent
// of a version.
func Postinstall(version string) []byte {
	return []byte(strings.ReplaceAll(postinstall, "@VERSION@", version))
}

// Uninstall is the script that removes what the package of an identifier
// installed.
func Uninstall(identifier string) []byte {
	var jobs []string
	for path := range LoginJobs("") {
		jobs = append(jobs, path)
	}
	slices.Sort(jobs)
	script := strings.ReplaceAll(uninstall, "@LOGIN_JOBS@", strings.Join(jobs, " "))
	return []byte(strings.ReplaceAll(withAppleWindow(script), "@IDENTIFIER@", identifier))
}

// withAppleWindow fills in what puts macOS' own login window back.
func withAppleWindow(script string) string {
	return strings.ReplaceAll(script, "@APPLE_WINDOW@\n", appleWindow)
}
