package agent

import (
	"path/filepath"

	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// Accounts are a file: Wine does not make any. Tests build the agent with this file
// in the place of its own.
func (s windowsSystem) Accounts() (accounts.Store, error) {
	return accounts.MemoryIn(api.Windows, filepath.Join(s.Layout().Data, "accounts.json"))
}
