// Fakeaccounts is the agent, but for its accounts, which are a file: those of
// Windows cannot be made under Wine. Tests install it in place of the agent.
package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"firstday.dev/agent"
	"firstday.dev/agent/accounts"
	"firstday.dev/api"
)

// system is Windows with other accounts.
type system struct{ agent.System }

func (s system) Accounts() (accounts.Store, error) {
	return accounts.MemoryIn(api.Windows, filepath.Join(s.Layout().Data, "accounts.json"))
}

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	real, err := agent.Open("")
	if err != nil {
		return err
	}
	a := &agent.Agent{System: system{real}, Version: "1.2.3"}
	switch os.Args[1] {
	case "install":
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		b, err := agent.OpenBundle(filepath.Join(filepath.Dir(exe), api.EnrollmentFile))
		if err != nil {
			return err
		}
		defer b.Close()
		_, err = a.Install(ctx, b, agent.InstallOptions{})
		return err
	case "run":
		return agent.Serve(ctx, a)
	}
	return fmt.Errorf("%q is not for me", os.Args[1])
}
