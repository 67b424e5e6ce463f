package agent

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"time"

	"firstday.dev/agent/eventid"
	"firstday.dev/api"
	"firstday.dev/internal/statefile"
	"github.com/google/uuid"
)

// report is what the service says about itself, in a file, so that status
// needs no connection to it.
type report struct {
	Schema        int                `json:"schema"`
	PID           int                `json:"pid"`
	AgentVersion  string             `json:"agentVersion"`
	PackageID     uuid.UUID          `json:"packageId"`
	Configuration string             `json:"configuration"` // SHA-256 of the enrollment
	StartedAt     time.Time          `json:"startedAt"`
	UpdatedAt     time.Time          `json:"updatedAt"`
	Enrolment     Enrolment          `json:"enrolment"`
	Error         string             `json:"error,omitempty"`       // why there is nothing to do
	Surfaces      string             `json:"surfaces,omitempty"`    // why none can reach the service
	PIN           *PINStatus         `json:"pin,omitempty"`         // nil: not looked at yet, or none here
	Tile          *TileStatus        `json:"tile,omitempty"`        // nil: not looked at yet, or none here
	Login         *LoginWindowStatus `json:"loginWindow,omitempty"` // nil: not looked at yet, or none here
	Window        string             `json:"window,omitempty"`      // why the last sign-in went on without one
	Pages         string             `json:"pages,omitempty"`       // why it went on with a code, though it should have shown pages
}

func readReport(path string) (*report, error) {
	r := new(report)
	if err := statefile.Read(path, r); err != nil {
		return nil, err
	}
	return r, nil
}

// Run is the service. It ends with the context.
//
// A device whose enrollment cannot be read has nothing to do; Run then says
// so in its report and waits: a service that keeps dying helps nobody.
func (a *Agent) Run(ctx context.Context) (err error) {
	layout := a.System.Layout()
	a, stop := a.logging(ctx, layout.ServiceLog())
	defer func() { err = errors.Join(err, stop()) }()
	r := &reporter{Agent: a, report: report{Schema: stateSchema, PID: os.Getpid(), AgentVersion: a.Version, StartedAt: stamp()}}
	raw, err := os.ReadFile(layout.Enrollment())
	var e *api.Enrollment
	if err == nil {
		e, err = api.ReadEnrollment(bytes.NewReader(raw))
	}
	if err != nil {
		a.log().ErrorContext(ctx, "there is no usable enrollment", "error", err)
		r.tell(ctx, func(r *report) { r.Error = fmt.Sprintf("reading the enrollment: %v", err) })
		<-ctx.Done()
		return nil
	}
	r.report.PackageID, r.report.Configuration = e.PackageID, configurationOf(raw)
	a.log().Log(ctx, LevelNotice, "service runs", "version", a.Version, "package", e.PackageID)

	var group sync.WaitGroup
	defer group.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group.Go(func() { a.keepResuming(ctx, e) })
	a.keepContact(ctx, e, raw, r)
	return nil
}

// reporter keeps the report on disk.
type reporter struct {
	*Agent
	mu     sync.Mutex
	report report
}

// tell changes the report and writes it. A full disk must not end the service:
// it would only be started again, and again.
func (r *reporter) tell(ctx context.Context, change func(*report)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change(&r.report)
	r.report.UpdatedAt = stamp()
	if err := statefile.Write(r.System.Layout().Report(), &r.report); err != nil {
		r.log().WarnContext(ctx, "the report was not written", "error", err)
	}
}

// problems are what the directory is to hear of the service's health.
func (r *reporter) problems() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var problems []string
	if s := r.report.Tile; s != nil && s.Problem() != "" {
		problems = append(problems, s.Problem())
	}
	if s := r.report.Login; s != nil && s.Problem() != "" {
		problems = append(problems, s.Problem())
	}
	return problems
}

// keepContact drives the contact machine until the context ends.
func (a *Agent) keepContact(ctx context.Context, e *api.Enrollment, raw []byte, r *reporter) {
	random := a.Random
	if random == nil {
		random = rand.Float64
	}
	c := &contact{random: random, Enrolment: Enrolment{State: EnrolmentPending, Directory: e.Directory.URL, KeyExpiresAt: e.ExpiresAt}}
	enrolment := func(r *report) { r.Enrolment = c.Enrolment }
	enrolment(&r.report) // surfaces may have something to report first
	refreshes := newRefreshes()
	var group sync.WaitGroup
	defer group.Wait()
	tell := func(change func(*report)) {
		before := r.problems()
		r.tell(ctx, change)
		if !slices.Equal(before, r.problems()) {
			group.Go(func() { _ = refreshes.ask(ctx) }) // so that the directory hears of it
		}
	}
	group.Go(func() { a.watchTile(ctx, e, func(s *TileStatus) { tell(func(r *report) { r.Tile = s }) }) })
	login := a.keepLoginWindow(func(s *LoginWindowStatus) { tell(func(r *report) { r.Login = s }) })
	group.Go(func() { login.run(ctx) })
	join := func() (*member, error) {
		m, err := a.newMember(e, raw)
		if err == nil {
			m.into(&c.Enrolment)
			m.health = r.problems
			login.follows(m.signIn)
			group.Go(func() { m.signIn.Run(ctx) })
			group.Go(func() {
				m.watchPINs(ctx, func(s *PINStatus) { r.tell(ctx, func(r *report) { r.PIN = s }) })
			})
			group.Go(func() { m.watchSessions(ctx, a.sessions) })
			group.Go(func() { a.serveSurfaces(ctx, m, refreshes, r, login) })
			if a.SignIn != nil {
				a.SignIn(m.signIn)
			}
			m.passOn(ctx, errNotTried)
		}
		return m, err
	}
	m, broken := join()
	c.begin(time.Now())
	r.tell(ctx, enrolment)
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
		case <-refreshes.wanted:
		case <-ctx.Done():
			return
		}
		begun, before, failures := time.Now(), c.Enrolment, c.failures
		attempt, asked := refreshes.begin(ctx)
		result := broken
		if broken == nil {
			result = m.attempt(attempt, patience(asked))
		}
		if refreshes.end(attempt) && ctx.Err() == nil {
			timer.Reset(0)
			continue // somebody does not want to wait for news
		}
		if broken == nil {
			m.into(&c.Enrolment)
			m.passOn(ctx, result)
			login.look()
		} else {
			m, broken = join()
		}
		if ctx.Err() != nil {
			return
		}
		wait := max(c.step(time.Now(), result), notTooOften(before.Version, c.Version, time.Since(begun)))
		if len(asked) > 0 && result != nil {
			c.failures = failures // who asks does not make the device ask less
		}
		timer.Reset(wait)
		asked.answer(codeOf(result))
		if c.State != EnrolmentDone || before.State != c.State || before.Version != c.Version {
			a.log().InfoContext(ctx, "directory tried", "state", c.State, "error", c.LastError, "wait", wait.Round(time.Second))
		}
		r.tell(ctx, enrolment)
	}
}

// errNotTried: the directory was not asked yet.
var errNotTried = errors.New("not tried yet")

// notTooOften holds back an agent whose directory answers at once without any
// news: one that is shutting down, above all.
func notTooOften(before, after int64, took time.Duration) time.Duration {
	if before == after && took < firstWait {
		return firstWait
	}
	return 0
}

// How often the service looks whether there is an installation to finish, and
// how seldom at last where that keeps failing.
const (
	resumePause    = 20 * time.Second
	maxResumePause = 10 * time.Minute
)

// keepResuming finishes what an installation left, now and whenever one runs
// out of time later.
func (a *Agent) keepResuming(ctx context.Context, e *api.Enrollment) {
	pause := or(a.resumePause, resumePause)
	for wait := pause; ; {
		err := a.resume(ctx, e)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			wait = pause
		default:
			a.log().WarnContext(ctx, "the installation was not finished", "error", err)
			wait = min(2*wait, maxResumePause)
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return
		}
	}
}

// resume finishes an installation that was interrupted after its service had
// been registered, or ran out of time.
func (a *Agent) resume(ctx context.Context, e *api.Enrollment) (err error) {
	layout := a.System.Layout()
	if !a.unfinished(e) {
		return nil
	}
	unlock, err := a.System.Lock(ctx, layout.Lock())
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, unlock(false)) }()
	// Whoever held the lock may have finished it.
	if !a.unfinished(e) {
		return nil
	}
	s, err := readState(layout.State())
	if err != nil {
		return err
	}
	if s == nil {
		s = &state{PackageID: e.PackageID, AgentVersion: a.Version}
	}
	s.Payloads = matchPayloads(e.Payloads, s.Payloads)
	a, stop := a.logging(ctx, layout.InstallLog())
	defer func() { err = errors.Join(err, stop()) }()
	a.log().Log(ctx, LevelNotice, "the service resumes the installation", "phase", s.Phase, "package", e.PackageID)
	in := &installation{Agent: a, layout: layout, state: s, file: api.AgentFile{Version: a.Version}}
	if err := in.resumeTile(ctx, e); err != nil {
		return err
	}
	if err := in.tidy(ctx); err != nil {
		return err
	}
	s.Phase, s.Error = PhasePayloads, ""
	if err := a.finishPayloads(ctx, e.Payloads, s); err != nil {
		if errors.Is(err, errUnfinished) {
			return err // the next time, or the next start, goes on
		}
		s.Error = err.Error()
		return errors.Join(err, s.write(layout.State()))
	}
	s.Phase, s.Error = PhaseDone, ""
	eventid.Installed.Log(ctx, a.log(), "installed", "version", a.Version, "package", e.PackageID)
	return s.write(layout.State())
}

// unfinished tells whether the state speaks of this agent and enrollment and
// leaves something to do. The enrollment is written last of what a service
// needs: whatever phase was interrupted, one that lives by it can go on.
func (a *Agent) unfinished(e *api.Enrollment) bool {
	s, err := readState(a.System.Layout().State())
	if err == nil && s == nil {
		return true // put in place while another system ran, see Open
	}
	if err != nil || s.PackageID != e.PackageID || s.AgentVersion != a.Version {
		return false
	}
	s.Payloads = matchPayloads(e.Payloads, s.Payloads)
	switch s.Phase {
	case PhaseDone:
		return false
	case PhasePayloads:
		return slices.ContainsFunc(s.Payloads, func(r PayloadResult) bool { return !r.ended() })
	default:
		return true
	}
}
