package accounts_test

import (
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/accounts/accountstest"
	"firstday.dev/api"
)

// What is done to the records of macOS, on records that are none.
func TestMacStore(t *testing.T) {
	accountstest.Run(t, func(t *testing.T) accountstest.Subject {
		s, canSignIn := accounts.OpenMac(t)
		return accountstest.Subject{
			Store: s, Platform: api.MacOS, Group: "staff", System: "root",
			CanSignIn: func(_ *testing.T, name, password string) bool { return canSignIn(name, password) },
			Home:      func(home string) string { return home },
		}
	})
}
