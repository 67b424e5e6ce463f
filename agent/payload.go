package agent

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"time"

	"firstday.dev/api"
)

// PayloadState is how far a payload is.
type PayloadState string

const (
	PayloadWaiting PayloadState = "waiting"
	PayloadRunning PayloadState = "running"
	PayloadDone    PayloadState = "done"
	PayloadReboot  PayloadState = "reboot" // done, and wants a restart
	PayloadFailed  PayloadState = "failed"
)

// PayloadResult is what became of one payload.
type PayloadResult struct {
	File      string       `json:"file"`
	SHA256    string       `json:"sha256"`
	State     PayloadState `json:"state"`
	ExitCode  *int         `json:"exitCode,omitempty"` // of the last attempt that ended
	Attempts  int          `json:"attempts"`
	StartedAt *time.Time   `json:"startedAt,omitempty"`
	EndedAt   *time.Time   `json:"endedAt,omitempty"`
	Error     string       `json:"error,omitempty"`
	Process   *ProcessID   `json:"process,omitempty"` // while it runs
	Boot      string       `json:"boot,omitempty"`    // in which it asked for a restart
}

// settled: it succeeded and need not be run again.
func (r PayloadResult) settled() bool { return r.State == PayloadDone || r.State == PayloadReboot }

// ended: nothing more will happen by itself.
func (r PayloadResult) ended() bool { return r.settled() || r.State == PayloadFailed }

// ErrNoProcess: the process is gone.
var ErrNoProcess = errors.New("no such process")

// errUnfinished: the context ended while payloads were still to be run.
var errUnfinished = errors.New("the time ran out, the service goes on with the payloads")

const (
	// maxAttempts bounds how often a payload that keeps being interrupted, by
	// a restart it causes for instance, is begun anew.
	maxAttempts = 5

	// Of msiexec: another installation is in progress. Windows serialises
	// them, so waiting is all there is to do.
	codeInstallerBusy  = 1618
	installerBusyPause = 15 * time.Second

	// Of msiexec and others: the restart has begun.
	codeRebootBegun = 1641
)

// matchPayloads gives one result per payload, in order, taking over what is
// known of the same file.
func matchPayloads(payloads []api.Payload, known []PayloadResult) []PayloadResult {
	var results []PayloadResult
	for _, p := range payloads {
		r := PayloadResult{File: p.File, SHA256: p.SHA256, State: PayloadWaiting}
		same := func(k PayloadResult) bool { return k.File == p.File && k.SHA256 == p.SHA256 }
		if i := slices.IndexFunc(known, same); i >= 0 {
			r = known[i]
		}
		results = append(results, r)
	}
	return results
}

// runningElsewhere gives the payloads that run and are not among the present
// ones.
func runningElsewhere(known, present []PayloadResult) []PayloadResult {
	return slices.DeleteFunc(slices.Clone(known), func(k PayloadResult) bool {
		same := func(r PayloadResult) bool { return r.Process != nil && *r.Process == *k.Process }
		return k.State != PayloadRunning || k.Process == nil || slices.ContainsFunc(present, same)
	})
}

// rebootNeeded: a payload asked for a restart in this boot.
func rebootNeeded(results []PayloadResult, boot string) bool {
	return slices.ContainsFunc(results, func(r PayloadResult) bool {
		return r.State == PayloadReboot && r.Boot == boot
	})
}

func (in *installation) payloadsDone(context.Context) (bool, error) {
	for _, r := range in.state.Payloads {
		if !r.settled() {
			return false, nil
		}
	}
	_, err := os.Lstat(in.layout.Payloads())
	return errors.Is(err, fs.ErrNotExist), nil
}

func (in *installation) runPayloads(ctx context.Context) error {
	for _, r := range in.former {
		if err := in.awaitFormer(ctx, r); err != nil {
			return err
		}
	}
	return in.finishPayloads(ctx, in.bundle.Payloads, in.state)
}

// awaitFormer waits for a payload of the package before this one: two
// installers at once are more than many of them bear.
func (in *installation) awaitFormer(ctx context.Context, r PayloadResult) error {
	proc, err := in.System.FindProcess(*r.Process)
	if errors.Is(err, ErrNoProcess) {
		return nil
	}
	if err != nil {
		return err
	}
	in.log().InfoContext(ctx, "a former package's payload is waited for", "payload", r.File)
	code, err := in.waitPayload(ctx, proc)
	if ctx.Err() != nil {
		err = errUnfinished
	} else {
		in.log().InfoContext(ctx, "a former package's payload ended", "payload", r.File, "code", code, "error", err)
		err = nil
	}
	return errors.Join(err, proc.Close())
}

// finishPayloads runs, in order, the payloads that have not ended. One that
// fails does not keep the laptop from getting the others.
func (a *Agent) finishPayloads(ctx context.Context, payloads []api.Payload, s *state) error {
	var failed error
	for i, p := range payloads {
		r := &s.Payloads[i]
		if !r.ended() {
			if err := a.finishPayload(ctx, p, r, s); err != nil {
				return err
			}
		}
		switch {
		case r.State == PayloadFailed:
			failed = errors.Join(failed, fmt.Errorf("%w: %s: %s", ErrPayload, r.File, r.Error))
		case r.ExitCode != nil && *r.ExitCode == codeRebootBegun && rebootNeeded(s.Payloads[i:i+1], a.System.BootID()):
			return errors.Join(failed, errUnfinished) // the system is going down; the service goes on
		}
	}
	// Another installation brings what failed again. Files that cannot go now,
	// because something an installer left running uses them, go with it.
	if err := a.System.RemoveAll(a.System.Layout().Payloads()); err != nil {
		a.log().WarnContext(ctx, "the payloads' files are left", "error", err)
	}
	return failed
}

// finishPayload brings one payload to its end and records it.
func (a *Agent) finishPayload(ctx context.Context, p api.Payload, r *PayloadResult, s *state) error {
	log := a.log().With("payload", p.File)
	path := a.System.Layout().State()
	begun := time.Now()
	for {
		proc, err := a.resumePayload(p, r)
		if err != nil {
			r.fail(err)
			log.WarnContext(ctx, "payload failed", "error", err)
			return s.write(path)
		}
		// Recorded before the wait: whoever comes after us finds the process.
		if err := s.write(path); err != nil {
			return errors.Join(err, proc.Close())
		}
		a.mark(PhasePayloads, "running")
		log.InfoContext(ctx, "payload runs", "pid", proc.ID().PID, "attempt", r.Attempts)
		code, err := a.waitPayload(ctx, proc)
		if err != nil && ctx.Err() != nil {
			return errors.Join(errUnfinished, proc.Close())
		}
		if err := proc.Close(); err != nil {
			log.DebugContext(ctx, "letting go of payload", "error", err)
		}
		busy := r.end(p, code, err)
		if r.State == PayloadReboot {
			r.Boot = a.System.BootID()
		}
		if busy && time.Since(begun) > a.payloadLimit() {
			r.fail(errors.New("another installation did not end"))
			busy = false
		}
		log.Log(ctx, r.level(), "payload ended", "code", code, "state", r.State, "error", r.Error)
		if err := s.write(path); err != nil {
			return err
		}
		if !busy {
			return nil
		}
		select {
		case <-time.After(installerBusyPause):
		case <-ctx.Done():
			return errUnfinished
		}
	}
}

// resumePayload finds the payload's process if it still runs, and starts it
// otherwise.
func (a *Agent) resumePayload(p api.Payload, r *PayloadResult) (Process, error) {
	if r.State == PayloadRunning && r.Process != nil {
		proc, err := a.System.FindProcess(*r.Process)
		if !errors.Is(err, ErrNoProcess) {
			return proc, err
		}
	}
	if r.Attempts >= maxAttempts {
		return nil, fmt.Errorf("interrupted %d times", r.Attempts)
	}
	path := filepath.Join(a.System.Layout().Payloads(), p.File)
	ok, err := hasHash(path, p.SHA256)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, fmt.Errorf("%s is missing or changed", path)
	}
	proc, err := a.System.StartPayload(p.Kind, path, p.Arguments)
	if err != nil {
		return nil, err
	}
	now, id := stamp(), proc.ID()
	r.State, r.Attempts, r.Process = PayloadRunning, r.Attempts+1, &id
	r.StartedAt, r.EndedAt, r.ExitCode, r.Error = &now, nil, nil, ""
	return proc, nil
}

// payloadCommand gives the program that installs a payload on Windows, and its
// whole command line. The author's arguments stand in it as they are: programs
// for Windows take them apart each in their own way. The path cannot hold a
// quotation mark, see checkFileName.
func payloadCommand(systemDir, kind, path, arguments string) (program, line string) {
	program, line = path, fmt.Sprintf(`"%s"`, path)
	if kind == "msi" {
		program = systemDir + `\msiexec.exe`
		// Silent, and never a restart of its own accord.
		line = fmt.Sprintf(`"%s" /i "%s" /qn /norestart`, program, path)
	}
	if arguments != "" {
		line += " " + arguments
	}
	return program, line
}

// waitPayload waits for the process, no longer than a payload may take. Who
// takes over the wait begins it anew: the clock of a new laptop may be years
// off when the payload starts, and right when the service goes on.
func (a *Agent) waitPayload(ctx context.Context, proc Process) (code int, err error) {
	limited, cancel := context.WithTimeout(ctx, a.payloadLimit())
	defer cancel()
	code, err = proc.Wait(limited)
	if err != nil && limited.Err() != nil && ctx.Err() == nil {
		return 0, errors.Join(fmt.Errorf("did not end within %v", a.payloadLimit()), proc.Kill())
	}
	return code, err
}

// end records how an attempt ended. busy asks for another one.
func (r *PayloadResult) end(p api.Payload, code int, err error) (busy bool) {
	if err != nil {
		r.fail(err)
		return false
	}
	now := stamp()
	r.EndedAt, r.ExitCode, r.Process, r.Error = &now, &code, nil, ""
	success, reboot := p.SuccessCodes, p.RebootCodes
	if success == nil {
		success = []int{0}
	}
	if reboot == nil {
		reboot = []int{3010, codeRebootBegun}
	}
	// An exit code has 32 bits, and there are two ways to write those above 2^31.
	among := func(codes []int) bool {
		return slices.ContainsFunc(codes, func(c int) bool { return uint32(c) == uint32(code) })
	}
	switch {
	case among(success):
		r.State = PayloadDone
	case among(reboot):
		r.State = PayloadReboot
	case p.Kind == "msi" && code == codeInstallerBusy:
		r.State, r.EndedAt, r.Attempts = PayloadWaiting, nil, r.Attempts-1
		return true
	default:
		r.fail(fmt.Errorf("exit code %d", code))
	}
	return false
}

func (r *PayloadResult) level() slog.Level {
	if r.State == PayloadFailed {
		return slog.LevelWarn
	}
	return LevelNotice
}

func (r *PayloadResult) fail(err error) {
	now := stamp()
	r.State, r.EndedAt, r.Process, r.Error = PayloadFailed, &now, nil, err.Error()
}
