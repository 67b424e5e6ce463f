package accounts_test

import (
	"path/filepath"
	"testing"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/accounts/accountstest"
	"firstday.dev/api"
	"firstday.dev/internal/testroot"
)

// shadow-utils, in roots of their own.
func TestLinuxStore(t *testing.T) {
	accountstest.Run(t, func(t *testing.T) accountstest.Subject {
		root := testroot.New(t)
		s, err := accounts.Open(root)
		if err != nil {
			t.Fatal(err)
		}
		return accountstest.Subject{
			Store: s, Platform: api.Linux, Group: "users", System: "root",
			CanSignIn: func(t *testing.T, name, password string) bool {
				return testroot.CanSignIn(t, root, name, password)
			},
			Home: func(home string) string { return filepath.Join(root, home) },
		}
	})
}
