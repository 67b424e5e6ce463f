// Package macos holds what the agent and its installer package must say alike
// on a Mac: where things are, the property list of the daemon, and the scripts
// that Installer runs.
package macos

import (
	"bytes"
	_ "embed"
	"encoding/xml"
	"strings"
)

const (
	// Label names the daemon; launchd wants the reverse of a domain.
	Label = "dev.firstday.agent"
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

// LaunchDaemon is the property list of the daemon that runs the program, see
// launchd.plist(5).
func LaunchDaemon(program string) []byte {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(program)) // a buffer takes everything
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + Label + `</string>
	<key>ProgramArguments</key>
	<array>
		<string>` + escaped.String() + `</string>
		<string>run</string>
	</array>
	<key>RunAtLoad</key>
	<true/>
	<key>KeepAlive</key>
	<true/>
	<key>Umask</key>
	<integer>63</integer>
</dict>
</plist>
`)
}

//go:embed preinstall
var preinstall string

//go:embed postinstall
var postinstall string

//go:embed uninstall
var uninstall string

// Preinstall is the script that Installer runs before it copies.
func Preinstall() []byte { return []byte(preinstall) }

// Postinstall is the script that Installer runs after it has copied the agent
// of a version.
func Postinstall(version string) []byte {
	return []byte(strings.ReplaceAll(postinstall, "@VERSION@", version))
}

// Uninstall is the script that removes what the package of an identifier
// installed.
func Uninstall(identifier string) []byte {
	return []byte(strings.ReplaceAll(uninstall, "@IDENTIFIER@", identifier))
}
