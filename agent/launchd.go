package agent

import (
	"bytes"
	"encoding/xml"
)

// launchdLabel names the daemon; launchd wants the reverse of a domain.
const launchdLabel = "dev.firstday.agent"

// launchdPlist is the property list of the daemon that runs the program, see
// launchd.plist(5).
func launchdPlist(program string) []byte {
	var escaped bytes.Buffer
	_ = xml.EscapeText(&escaped, []byte(program)) // a buffer takes everything
	return []byte(`<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE plist PUBLIC "-//Apple//DTD PLIST 1.0//EN" "http://www.apple.com/DTDs/PropertyList-1.0.dtd">
<plist version="1.0">
<dict>
	<key>Label</key>
	<string>` + launchdLabel + `</string>
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
