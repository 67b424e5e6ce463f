package agent

import "fmt"

const systemdUnitPath = "/etc/systemd/system/" + ServiceName + ".service"

// systemdUnit is the unit that runs the program, whose path is made of our own
// folder names and a semantic version: nothing in it needs quoting.
func systemdUnit(program string) []byte {
	return fmt.Appendf(nil, `[Unit]
Description=Firstday agent
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart=%s run
Restart=always
RestartSec=5
UMask=0077

[Install]
WantedBy=multi-user.target
`, program)
}
