//go:build unix

package agent

import "context"

// Serve runs the agent for the service manager that started this process.
func Serve(ctx context.Context, a *Agent) error { return a.Run(ctx) }
