package beside

import (
	"context"
	"errors"
	"log/slog"
	"net"

	"github.com/ebitengine/purego/objc"

	"firstday.dev/agent/local"
)

// Run shows what the service at the socket says, until the context ends. It is for the
// main thread, as AppKit is: who calls it has locked that before anything else.
func Run(ctx context.Context, socket string, log *slog.Logger) error {
	if err := load(); err != nil {
		return err
	}
	if !objc.Send[bool](class("NSThread"), sel("isMainThread")) {
		return errors.New("windows are opened by the main thread only, and this is another one")
	}
	s, err := bindSystem()
	if err != nil {
		return err
	}
	if err := s.awaitSession(ctx); err != nil {
		return nil //nolint:nilerr // nobody wants windows any more
	}
	b := &Beside{
		Dial:         func(ctx context.Context) (net.Conn, error) { return local.Connect(ctx, socket) },
		AuditSession: s.auditSession(), Log: log,
	}
	t, err := newAppKit(s, b)
	if err != nil {
		return err
	}
	b.Toolkit = t
	go func() {
		b.Run(ctx)
		t.onMain(t.stop)
	}()
	t.run()
	return nil
}
