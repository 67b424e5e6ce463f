//go:build unix

package agent

import "firstday.dev/agent/desktop"

// onSignInScreen: no sign-in screen here has windows that the service starts.
func (*Agent) onSignInScreen(*desktop.Keeper) bool { return false }
