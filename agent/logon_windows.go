package agent

import (
	"fmt"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/logon"
)

// packLogon packs what the credential provider logs an account of this computer
// on with.
func packLogon(account string, password []byte) ([]byte, error) {
	computer, err := windows.ComputerName()
	if err != nil {
		return nil, fmt.Errorf("this computer's name: %w", err)
	}
	return logon.Pack(computer, account, password)
}
