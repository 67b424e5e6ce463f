package agent

import (
	"context"
	"errors"
	"fmt"

	"firstday.dev/agent/accounts"
	"firstday.dev/agent/preflight"
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
	found, token, err := a.localAdministrator(ctx)
	checks := []preflight.Check{preflight.Judge("administrator", found, err, "make an account for an administrator on this Mac, and log in with it once")}
	facts, failed := a.System.Facts()
	detail := "off, or not known"
	if facts.Encrypted != nil && *facts.Encrypted {
		detail = "on, and an administrator can unlock the disk"
		if err == nil && !token {
			failed = errors.Join(failed, errors.New("it is on, and no administrator is known to have a secure token: nobody could unlock the disk to repair this Mac"))
		}
	}
	return append(checks, preflight.Judge("FileVault", detail, failed, "give an administrator a secure token: sysadminctl -secureTokenOn"))
}

// localAdministrator names one who may log in, best one with a secure token.
func (a *Agent) localAdministrator(ctx context.Context) (name string, token bool, err error) {
	store, err := a.System.Accounts()
	if err != nil {
		return "", false, err
	}
	list, err := store.List(ctx)
	if err != nil {
		return "", false, err
	}
	var best *accounts.Account
	for i, x := range list {
		has := x.SecureToken != nil && *x.SecureToken
		if x.Administrator && !x.Disabled && (best == nil || has && !token) {
			best, token = &list[i], has
		}
	}
	if best == nil {
		return "", false, fmt.Errorf("none of the %d accounts on this Mac is an enabled administrator's", len(list))
	}
	return best.Name, token, nil
}
