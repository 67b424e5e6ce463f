package agent

import "firstday.dev/agent/accounts"

// Accounts are this system's own.
func (s windowsSystem) Accounts() (accounts.Store, error) { return accounts.Open("") }
