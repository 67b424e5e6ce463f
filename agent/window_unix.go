//go:build unix

package agent

import (
	"context"
	"io"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

// windowKeeper gives none: only at the sign-in screen of Windows the service
// shows a window itself.
func (*Agent) windowKeeper(*local.Server, func(context.Context, io.ReadWriteCloser), *signin.Machine, *reporter) func(context.Context) {
	return nil
}
