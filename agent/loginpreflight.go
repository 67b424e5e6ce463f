package agent

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/preflight"
	"firstday.dev/agent/securetoken"
)

// loginChecks is the preflight: the plug-in, and the ways in that are left if all of
// ours fails.
func (a *Agent) loginChecks(ctx context.Context, w LoginWindow) []preflight.Check {
	checks := []preflight.Check{preflight.Judge("watchdog", "in place", w.Watched(), "install the organisation's package again")}
	checks = append(checks, a.wayIn(ctx)...)
	if preflight.Failure(checks) != nil {
		return checks
	}
	return append(checks, w.Preflight(ctx, a.Version)...)
}

// wayIn looks for an administrator who can repair this Mac, and, where the disk is
// encrypted, unlock it.
func (a *Agent) wayIn(ctx context.Context) []preflight.Check {
	store, err := a.System.Accounts()
	var names []string
	if err == nil {
		names, err = localAdministrators(ctx, store)
	}
	checks := []preflight.Check{preflight.Judge("administrator", strings.Join(names, ", "), err, "make an account for an administrator on this Mac, and log in with it once")}
	facts, failed := a.System.Facts()
	detail := "off, or not known"
	if facts.Encrypted != nil && *facts.Encrypted {
		detail = "on, and an administrator can unlock the disk"
		if err == nil {
			failed = errors.Join(failed, canUnlock(ctx, store, names))
		}
	}
	return append(checks, preflight.Judge("FileVault", detail, failed, "give an administrator a secure token: sysadminctl -secureTokenOn"))
}

// localAdministrators are those who may log in.
func localAdministrators(ctx context.Context, store accounts.Store) (names []string, err error) {
	list, err := store.List(ctx)
	if err != nil {
		return nil, err
	}
	for _, x := range list {
		if x.Administrator && !x.Disabled {
			names = append(names, x.Name)
		}
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("none of the %d accounts on this Mac is an enabled administrator's", len(list))
	}
	return names, nil
}

// canUnlock wants one of them to have a secure token.
func canUnlock(ctx context.Context, store accounts.Store, names []string) error {
	giver, ok := store.(accounts.TokenGiver)
	if !ok {
		return errors.New("it is not known who can unlock the disk")
	}
	states, err := giver.TokenStates(ctx, names)
	if slices.ContainsFunc(states, func(t accounts.AccountToken) bool { return t.State == securetoken.Held || t.State == securetoken.Alone }) {
		return nil
	}
	return errors.Join(errors.New("it is on, and no administrator is known to have a secure token: nobody could unlock the disk to repair this Mac"), err)
}
