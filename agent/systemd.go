package agent

import (
	"fmt"
	"strings"
)

const systemdUnitPath = "/etc/systemd/system/" + ServiceName + ".service"

// systemdUnit is the unit that runs the program. Quoting: systemd.service(5),
// "Command lines"; a per cent sign would begin a specifier.
func systemdUnit(program string) []byte {
	quoted := strings.NewReplacer(`\`, `\\`, `"`, `\"`, `%`, `%%`, `$`, `$$`).Replace(program)
	return fmt.Appendf(nil, `[Unit]
Description=Firstday agent
Wants=network-online.target
After=network-online.target

[Service]
Type=exec
ExecStart="%s" run
Restart=always
RestartSec=5
UMask=0077

[Install]
WantedBy=multi-user.target
`, quoted)
}
