package agent

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"golang.org/x/sys/windows"
	"golang.org/x/sys/windows/svc"
)

// Serve runs the agent for the service manager that started this process.
func Serve(ctx context.Context, a *Agent) error {
	sessions, console := make(chan struct{}, 1), make(chan struct{}, 1)
	a.sessions, a.console = sessions, console
	h := &handler{ctx: ctx, agent: a, run: a.Run, sessions: []chan<- struct{}{sessions, console}}
	err := svc.Run(ServiceName, h)
	if errors.Is(err, windows.ERROR_FAILED_SERVICE_CONTROLLER_CONNECT) {
		return fmt.Errorf("this process was not started by the service manager: %w", ErrUnsupported)
	}
	return errors.Join(err, h.err)
}

type handler struct {
	ctx      context.Context
	agent    *Agent
	run      func(context.Context) error // the agent's, until the context ends
	patience time.Duration               // 0: endPatience
	sessions []chan<- struct{}           // of those who want to know of changes
	err      error
}

// endPatience is how long the agent may take to end. Who stops it waits longer
// (stopPatience): nothing here is worth that its process is killed.
const endPatience = 20 * time.Second

var errStuck = errors.New("the agent does not end")

// Execute answers the service manager until it wants the service to stop, or
// the agent ends by itself.
func (h *handler) Execute(_ []string, requests <-chan svc.ChangeRequest, status chan<- svc.Status) (specific bool, code uint32) {
	ctx, cancel := context.WithCancel(h.ctx)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- h.run(ctx) }()
	var late <-chan time.Time
	status <- svc.Status{State: svc.Running, Accepts: svc.AcceptStop | svc.AcceptShutdown | svc.AcceptSessionChange}
	for {
		select {
		case r := <-requests:
			switch r.Cmd {
			case svc.Interrogate:
				status <- r.CurrentStatus
			case svc.SessionChange:
				// What it points to may be gone by now: who cares looks for themselves.
				for _, watcher := range h.sessions {
					select {
					case watcher <- struct{}{}:
					default: // it has not looked at the last change yet
					}
				}
			case svc.Stop, svc.Shutdown:
				status <- svc.Status{State: svc.StopPending}
				cancel()
				if late == nil {
					late = time.After(or(h.patience, endPatience))
				}
			}
		case <-late:
			h.err = errStuck
			h.tellStuck()
			return false, 0 // it was told to stop, and does
		case h.err = <-ended:
			if h.err != nil {
				return true, 1
			}
			return false, 0
		}
	}
}

// tellStuck notes what the agent is waiting for.
func (h *handler) tellStuck() {
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	a, stop := h.agent.logging(h.ctx, h.agent.System.Layout().ServiceLog())
	a.log().ErrorContext(h.ctx, errStuck.Error(), "goroutines", string(stacks))
	_ = stop() // there is nothing to be done about it any more
}
