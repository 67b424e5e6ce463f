package agent

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"firstday.dev/agent/eventid"
	"firstday.dev/api"
	"firstday.dev/internal/atomicfile"
	"firstday.dev/internal/statefile"
	"firstday.dev/templates/macos"
)

// Outcome is what an installation came to.
type Outcome struct {
	AgentVersion string
	Changed      bool // false: everything was in place already
	RebootNeeded bool // a payload wants it
	// Unfinished: the time ran out; the service goes on with the payloads.
	Unfinished bool
}

// InstallOptions changes how [Agent.Install] decides.
type InstallOptions struct {
	Force bool // also replace a newer agent
}

// Install brings the device into the state the bundle asks for: the agent of
// the machine's native architecture in its versioned folder, the enrollment
// in the data folder, the service registered and running, the payloads run.
//
// Every phase first looks whether its work is done already. So a second run
// changes nothing, and a run after a kill or a reboot goes on where the first
// one ended. Nothing is touched before every file of the bundle has been
// checked against its hash.
func (a *Agent) Install(ctx context.Context, b *Bundle, opts InstallOptions) (out Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.installLimit())
	defer cancel()
	arch, err := a.System.Arch()
	if err != nil {
		return out, err
	}
	file, err := agentFor(b.Enrollment, arch)
	if err != nil {
		return out, err
	}
	if err := b.checkFiles(file); err != nil {
		return out, err
	}
	return a.perform(ctx, &installation{bundle: b, file: file}, opts)
}

// InstallInPlace is Install where an installer package has put agent,
// enrollment and service definition into their places already, as those of
// macOS do: what is left is to let the service run by them. Older agents may
// take over, too: whoever installs an older package means it.
func (a *Agent) InstallInPlace(ctx context.Context) (out Outcome, err error) {
	ctx, cancel := context.WithTimeout(ctx, a.installLimit())
	defer cancel()
	arch, err := a.System.Arch()
	if err != nil {
		return out, err
	}
	layout := a.System.Layout()
	b, err := OpenBundle(layout.Enrollment())
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, b.Close()) }()
	file, err := agentFor(b.Enrollment, arch)
	if err != nil {
		return out, err
	}
	if err := checkLoginPlugin(layout.LoginPlugin, file.LoginPlugin); err != nil {
		return out, err
	}
	placed, err := hasHash(layout.Agent(file.Version), file.SHA256)
	if err != nil {
		return out, err
	}
	if !placed {
		return out, unusable(fmt.Errorf("%s is missing or another one", layout.Agent(file.Version)))
	}
	if err := a.settleLoginWindow(ctx); err != nil {
		return out, err
	}
	if out, err = a.perform(ctx, &installation{bundle: b, file: file}, InstallOptions{Force: true}); err != nil {
		return out, err
	}
	return out, a.endPreparation()
}

// checkLoginPlugin looks whether the plug-in of the login window is the one that goes
// with the agent, if one does.
func checkLoginPlugin(dir string, want api.CarriedFile) error {
	if want == (api.CarriedFile{}) || dir == "" {
		return nil
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return unusable(err)
	}
	defer root.Close()
	got, err := macos.PluginDigest(root.FS())
	if err != nil {
		return unusable(fmt.Errorf("%s: %w", dir, err))
	}
	if got != want.SHA256 {
		return unusable(fmt.Errorf("%s has the digest %s, the enrollment says %s", dir, got, want.SHA256))
	}
	return nil
}

// perform runs the steps of an installation under the lock.
func (a *Agent) perform(ctx context.Context, in *installation, opts InstallOptions) (out Outcome, err error) {
	out.AgentVersion = in.file.Version
	layout := a.System.Layout()
	if err := a.System.MakeFolder(layout.Data, AdminsOnly); err != nil {
		return out, err
	}
	unlock, err := a.System.Lock(ctx, layout.Lock())
	if err != nil {
		return out, err
	}
	defer func() { err = errors.Join(err, unlock(false)) }()

	a, stop := a.logging(ctx, layout.InstallLog())
	defer func() { err = errors.Join(err, stop()) }()
	in.Agent, in.layout = a, layout
	if in.state, err = readState(layout.State()); err != nil {
		// What a power cut or a later agent left there is no reason to stay so.
		a.log().WarnContext(ctx, "the record of the installation is replaced", "error", err)
	}
	if err := in.checkDowngrade(opts.Force); err != nil {
		a.log().WarnContext(ctx, "not installed", "error", err)
		return out, err
	}
	in.begin()
	err = in.run(ctx)
	out.Changed = in.changed
	out.RebootNeeded = rebootNeeded(in.state.Payloads, a.System.BootID())
	if errors.Is(err, errUnfinished) {
		out.Unfinished = true
		err = nil
	}
	return out, err
}

// checkFiles compares every file that will be used with its hash.
func (b *Bundle) checkFiles(agent api.AgentFile) error {
	if err := b.check(agent.File, agent.SHA256); err != nil {
		return err
	}
	if tile := agent.CredentialProvider; tile.File != "" {
		if err := b.check(tile.File, tile.SHA256); err != nil {
			return err
		}
	}
	for _, p := range b.Payloads {
		if err := b.check(p.File, p.SHA256); err != nil {
			return err
		}
	}
	return nil
}

// installation is one run of [Agent.Install] that holds the lock.
type installation struct {
	*Agent
	bundle  *Bundle
	file    api.AgentFile
	layout  Layout
	state   *state
	former  []PayloadResult // running, of another package or file
	changed bool
}

// step is one phase: done looks whether there is anything to do, and do does
// it, from wherever an earlier attempt was interrupted.
type step struct {
	phase Phase
	done  func(context.Context) (bool, error)
	do    func(context.Context) error
}

func (in *installation) steps() []step {
	return []step{
		{PhaseCopy, in.copied, in.copy},
		{PhaseConfigure, in.configured, in.configure},
		{PhaseRegister, in.registered, in.register},
		{PhaseStart, in.started, in.start},
		{PhaseTile, in.tileSettled, in.settleTile},
		{PhaseTidy, in.tidied, in.tidy},
		{PhasePayloads, in.payloadsDone, in.runPayloads},
	}
}

func (in *installation) checkDowngrade(force bool) error {
	if force || in.state == nil || !api.IsVersion(in.state.AgentVersion) {
		return nil
	}
	if api.CompareVersions(in.file.Version, in.state.AgentVersion) < 0 {
		return fmt.Errorf("%w: %s, the package carries %s", ErrDowngrade, in.state.AgentVersion, in.file.Version)
	}
	return nil
}

// begin makes the state speak of this bundle. A package with another id takes
// over: its payloads are its own, whatever ran before.
func (in *installation) begin() {
	old := in.state
	in.state = &state{PackageID: in.bundle.PackageID, AgentVersion: in.file.Version, Phase: PhaseCopy}
	if old != nil && old.PackageID == in.bundle.PackageID {
		in.state.Phase, in.state.Error = old.Phase, old.Error
		if old.AgentVersion != in.file.Version {
			in.state.Phase = PhaseCopy
		}
		in.state.Payloads = old.Payloads
	}
	in.state.Payloads = matchPayloads(in.bundle.Payloads, in.state.Payloads)
	if old != nil {
		in.former = runningElsewhere(old.Payloads, in.state.Payloads)
	}
	// Somebody who installs again wants another try at what failed.
	for i := range in.state.Payloads {
		if r := &in.state.Payloads[i]; r.State == PayloadFailed {
			*r = PayloadResult{File: r.File, SHA256: r.SHA256, State: PayloadWaiting}
		}
	}
}

func (in *installation) run(ctx context.Context) error {
	log := in.log().With("package", in.bundle.PackageID, "version", in.file.Version)
	for _, s := range in.steps() {
		done, err := s.done(ctx)
		if err != nil {
			return fmt.Errorf("%s: %w", s.phase, err)
		}
		if done {
			continue
		}
		in.changed = true
		in.state.Phase, in.state.Error = s.phase, ""
		if err := in.state.write(in.layout.State()); err != nil {
			return err
		}
		log.InfoContext(ctx, "phase begins", "phase", s.phase)
		in.mark(s.phase, before)
		begun := time.Now()
		if err := s.do(ctx); err != nil {
			in.state.Error = err.Error()
			log.WarnContext(ctx, "phase ends early", "phase", s.phase, "error", err)
			return errors.Join(fmt.Errorf("%s: %w", s.phase, err), in.state.write(in.layout.State()))
		}
		in.mark(s.phase, after)
		log.InfoContext(ctx, "phase is done", "phase", s.phase, "took", time.Since(begun).Round(time.Millisecond))
	}
	if in.state.Phase == PhaseDone {
		return nil
	}
	in.changed = true
	in.state.Phase, in.state.Error = PhaseDone, ""
	if err := in.state.write(in.layout.State()); err != nil {
		return err
	}
	eventid.Installed.Log(ctx, log, "installed")
	return nil
}

func (a *Agent) mark(p Phase, m moment) {
	if a.entered != nil {
		a.entered(p, m)
	}
}

func (in *installation) target() string { return in.layout.Agent(in.file.Version) }

func (in *installation) copied(context.Context) (bool, error) {
	if placed, err := hasHash(in.target(), in.file.SHA256); !placed {
		return false, err
	}
	return in.tileCopied()
}

func (in *installation) copy(ctx context.Context) error {
	if err := in.System.MakeFolder(in.layout.Program, Everyone); err != nil {
		return err
	}
	if err := in.System.MakeFolder(filepath.Dir(in.target()), Everyone); err != nil {
		return err
	}
	if err := atomicfile.RemoveStale(filepath.Dir(in.target())); err != nil {
		return err
	}
	if err := in.copyAgent(ctx); err != nil {
		return err
	}
	return in.copyTile()
}

func (in *installation) copyAgent(ctx context.Context) error {
	if placed, err := hasHash(in.target(), in.file.SHA256); placed || err != nil {
		return err
	}
	if _, err := os.Lstat(in.target()); err == nil {
		// Other bytes under the same version: a running file cannot be
		// replaced everywhere.
		if err := in.System.StopService(ctx); err != nil {
			return err
		}
		if err := in.System.RemoveAll(in.target()); err != nil {
			return err
		}
	}
	return in.bundle.copyTo(in.target(), in.file.File, in.file.SHA256, 0o755)
}

// configured: the enrollment is this one, and the payloads to be run are at
// hand.
func (in *installation) configured(context.Context) (bool, error) {
	current, err := os.ReadFile(in.layout.Enrollment())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, err
	}
	if !in.sameEnrollment(current) {
		return false, nil
	}
	for i, p := range in.bundle.Payloads {
		if in.state.Payloads[i].ended() {
			continue
		}
		if ok, err := hasHash(in.staged(p), p.SHA256); !ok {
			return false, err
		}
	}
	return true, nil
}

// sameEnrollment: it is the package's, whether or not the connect key was erased
// since.
func (in *installation) sameEnrollment(current []byte) bool {
	if bytes.Equal(current, in.bundle.raw) {
		return true
	}
	plain, err := withoutKey(in.bundle.raw)
	return err == nil && bytes.Equal(current, plain)
}

func (in *installation) staged(p api.Payload) string {
	return filepath.Join(in.layout.Payloads(), p.File)
}

// configure copies the payloads too: the folder Windows extracted them into
// is gone after a reboot, and others may write there.
func (in *installation) configure(ctx context.Context) error {
	current, err := os.ReadFile(in.layout.Enrollment())
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case !in.sameEnrollment(current):
		// What the running service lives by is kept until its successor runs.
		if _, err := os.Lstat(in.layout.PreviousEnrollment()); errors.Is(err, fs.ErrNotExist) {
			if err := statefile.WriteBytes(in.layout.PreviousEnrollment(), current); err != nil {
				return err
			}
		}
	}
	for i, p := range in.bundle.Payloads {
		r := &in.state.Payloads[i]
		if r.ended() {
			continue
		}
		// A disk too small for a payload must not keep the laptop from its agent.
		if err := in.stage(p); err != nil {
			r.fail(err)
			in.log().WarnContext(ctx, "payload failed", "payload", p.File, "error", err)
		}
	}
	return statefile.WriteBytes(in.layout.Enrollment(), in.bundle.raw)
}

func (in *installation) stage(p api.Payload) error {
	if err := in.System.MakeFolder(in.layout.Payloads(), AdminsOnly); err != nil {
		return err
	}
	if ok, err := hasHash(in.staged(p), p.SHA256); err != nil || ok {
		return err
	}
	return in.bundle.copyTo(in.staged(p), p.File, p.SHA256, 0o700)
}

func (in *installation) registered(context.Context) (bool, error) {
	return in.System.Registered(in.target())
}

func (in *installation) register(ctx context.Context) error {
	return in.System.Register(ctx, in.target())
}

// started: a service runs, and it is this version living by this enrollment.
func (in *installation) started(ctx context.Context) (bool, error) {
	current, err := in.System.ServiceState(ctx)
	if err != nil || current == ServiceOffline {
		return err == nil, err
	}
	if current != ServiceRunning || !in.reports() {
		return false, nil
	}
	returned, err := in.keyReturned()
	return !returned, err
}

// keyReturned: this device is enrolled, and the connect key that was erased then
// is back with the package. Only a service that starts looks for it: it erases
// the key again, or enrols a device anew that was removed.
func (in *installation) keyReturned() (bool, error) {
	raw, err := os.ReadFile(in.layout.Enrollment())
	if err != nil {
		return false, err
	}
	e, err := api.ReadEnrollment(bytes.NewReader(raw))
	if err != nil || e.ConnectKey == "" {
		return false, err
	}
	enrolled, err := readRecord(in.layout.Device(), e.Directory)
	return enrolled != nil, err
}

func (in *installation) reports() bool {
	r, err := readReport(in.layout.Report())
	return err == nil && r.AgentVersion == in.file.Version && r.Configuration == configurationOf(in.bundle.raw)
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// start replaces whatever runs by the new agent. If that does not report in
// time, the old one is put back.
func (in *installation) start(ctx context.Context) error {
	err := in.restart(ctx)
	if err == nil || ctx.Err() != nil {
		return err
	}
	old, found := in.predecessor()
	if !found {
		return err
	}
	in.log().WarnContext(ctx, "the new agent did not report, what ran before is put back", "error", err)
	return errors.Join(err, in.rollBack(ctx, old))
}

func (in *installation) restart(ctx context.Context) error {
	if err := in.System.StopService(ctx); err != nil {
		return err
	}
	// An older report must not be taken for the new agent's.
	if err := os.Remove(in.layout.Report()); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := in.System.StartService(ctx); err != nil {
		return err
	}
	deadline := time.After(in.startLimit())
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for !in.reports() {
		select {
		case <-tick.C:
		case <-deadline:
			return fmt.Errorf("the service did not report within %v", in.startLimit())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// predecessor finds the newest other version that is still there; where only
// the enrollment is another one, it is the same version.
func (in *installation) predecessor() (version string, found bool) {
	for _, v := range in.otherVersions() {
		if _, err := os.Lstat(in.layout.Agent(v)); err == nil && (!found || api.CompareVersions(v, version) > 0) {
			version, found = v, true
		}
	}
	if !found {
		_, err := os.Lstat(in.layout.PreviousEnrollment())
		return in.file.Version, err == nil
	}
	return version, found
}

// otherVersions lists the folders of other versions, also of those that are
// no versions at all.
func (in *installation) otherVersions() []string {
	entries, _ := os.ReadDir(in.layout.Program) // none if it does not exist
	var others []string
	for _, e := range entries {
		if e.Name() != in.file.Version {
			others = append(others, e.Name())
		}
	}
	return others
}

func (in *installation) rollBack(ctx context.Context, old string) error {
	previous, err := os.ReadFile(in.layout.PreviousEnrollment())
	if err == nil {
		err = statefile.WriteBytes(in.layout.Enrollment(), previous)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := in.System.StopService(ctx); err != nil {
		return err
	}
	login := in.rollBackLoginWindow(ctx) // which keeps no agent from coming back
	if err := in.System.Register(ctx, in.layout.Agent(old)); err != nil {
		return err
	}
	in.state.AgentVersion = old
	if err := in.System.StartService(ctx); err != nil {
		return err
	}
	return errors.Join(login, in.rollBackTile(old))
}

func (in *installation) tidied(context.Context) (bool, error) {
	_, err := os.Lstat(in.layout.PreviousEnrollment())
	return len(in.otherVersions()) == 0 && errors.Is(err, fs.ErrNotExist), nil
}

// tidy removes what was kept in case the new agent would not run.
func (in *installation) tidy(ctx context.Context) error {
	for _, v := range in.otherVersions() {
		if err := in.System.RemoveAll(filepath.Join(in.layout.Program, v)); err != nil {
			return err
		}
		in.log().InfoContext(ctx, "older agent removed", slog.String("old", v))
	}
	return in.System.RemoveAll(in.layout.PreviousEnrollment())
}
