// Package simulate takes a built package and applies it as Windows or macOS
// would, in a folder that stands for a device's disk, and runs the real agent
// there, in this process, until it is enrolled. So IT can try a package before
// a laptop sees it, on any system.
//
// A [Machine] is the device: it keeps its state in its folder, and whoever opens
// the folder again switches the same device on again. A [Package] is one that
// was opened and checked. [Run] does all there is to do with both, [Fleet] for
// many devices at once, and each step is told as an [Event].
//
// Everything in a package is hostile: sizes are bounded, nothing is written
// outside the device's disk, and nothing that a package carries is ever run. Where
// Windows or macOS would start the agent, the code of package agent works in this
// process; whatever else they would start is told, and taken to succeed.
//
// BUG: no Windows and no Mac has confirmed that it does the same; what is done
// follows formats/ppkg.md and formats/macos-pkg.md.
package simulate

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/google/uuid"

	"firstday.dev/agent"
	"firstday.dev/api"
)

// What can keep a device from being set up. Other errors come from the packages
// that simulate uses: what is wrong with a package itself, above all.
var (
	// ErrSeveral: there is more than one package on the stick.
	ErrSeveral = errors.New("more than one package")
	// ErrRefused: the system refuses the package.
	ErrRefused = errors.New("the system refuses the package")
	// ErrSetting: the system took the package, but not all that it sets.
	ErrSetting = errors.New("not all of the package was applied")
	// ErrCommand: a program of the package did not succeed.
	ErrCommand = errors.New("a command of the package did not succeed")
	// ErrOtherDevice: the folder holds another device than the one asked for.
	ErrOtherDevice = errors.New("the sandbox holds another device")
	// ErrNotEnrolled: the agent runs, but the time ran out before it was
	// enrolled.
	ErrNotEnrolled = errors.New("the device was not enrolled in time")
	// ErrBusy: somebody else simulates in the folder.
	ErrBusy = errors.New("another simulation is at work there")
)

// Options say what to simulate. Those of [Open] and [OpenPackage] are among them.
type Options struct {
	// Sandbox is the device's folder. It is made if it is not there.
	Sandbox string
	// Device is what a new device is; what is left empty is chosen. One that
	// is there already must not contradict it.
	Device Device
	// Trust says whom to trust, and whether to insist on signatures.
	Trust Trust
	// Patience is how long the agent may take to enrol; 0: a minute.
	Patience time.Duration
	// Surfaces, if set, is the socket at which the agent listens for what shows the
	// sign-in: a login window in place of the device's own.
	Surfaces string
	// ExitCode gives the code with which a program ends that is not run; nil:
	// 0 for all.
	ExitCode func(program string) int
	// Then, if set, goes on with the device that is enrolled, before it is
	// switched off. Its error is that of the simulation.
	Then func(context.Context, *Machine) error
	// Events, if set, is told what happens, one event at a time.
	Events func(Event)
	// Version is that of this program, to compare with the package's agent.
	Version string
}

func (o *Options) patience() time.Duration {
	if o.Patience == 0 {
		return time.Minute
	}
	return o.Patience
}

// Result is what became of a device.
type Result struct {
	Device    Device          `json:"device"`
	Sandbox   string          `json:"sandbox"`
	PackageID uuid.UUID       `json:"packageId,omitzero"`
	Enrolment agent.Enrolment `json:"enrolment"`
}

// Run applies a package to the device in a folder, and runs its agent until it
// is enrolled. Without a package the device that is there is switched on once
// more. What an earlier run left unfinished goes on.
//
// A refusal of the directory is an error with the refusal's [api.Code].
func Run(ctx context.Context, packages []string, o Options) (r *Result, err error) {
	if err := checkStick(packages); err != nil {
		return nil, err
	}
	told := newNarrator(o.Events)
	var p *Package
	if len(packages) == 1 {
		if p, err = openPackage(ctx, packages[0], o.Trust, told); err != nil {
			return nil, err
		}
		defer func() { err = errors.Join(err, p.Close()) }()
		if o.Device.Platform == "" {
			o.Device.Platform = p.Platform
		}
	}
	m, err := open(o, told)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	if err := m.PowerOn(ctx); err != nil {
		return nil, err
	}
	var applied error
	if p != nil {
		if applied = m.Apply(ctx, p); applied != nil && !errors.Is(applied, ErrSetting) {
			return nil, applied
		}
	}
	r = &Result{Sandbox: m.dir}
	has, err := m.hasAgent()
	switch {
	case err != nil:
	case has:
		r.Enrolment, err = m.AwaitEnrolment(ctx, o.patience())
		if err == nil && o.Then != nil {
			err = o.Then(ctx, m)
		}
	case p == nil:
		err = fmt.Errorf("%s: %w", m.dir, agent.ErrNotInstalled)
	default:
		told.note(StepEnrolment, "there is no agent of Firstday on the device", "nothing is there to enrol")
	}
	r.Device, r.PackageID = m.Device(), m.packageID()
	return r, errors.Join(applied, err)
}

// checkStick lets one package through. Of several Windows shows a list at its
// first screen, where nobody is to choose (formats/ppkg.md §4).
func checkStick(packages []string) error {
	if len(packages) > 1 {
		return fmt.Errorf("%w on the stick: %s; Windows would ask which one", ErrSeveral, strings.Join(packages, ", "))
	}
	return nil
}

// refusal makes an error of what the directory said.
func refusal(e agent.Enrolment) error {
	if e.Code == "" {
		return fmt.Errorf("%w: %s", ErrNotEnrolled, e.LastError)
	}
	return fmt.Errorf("the directory refuses this device: %w", &api.Error{
		Code: e.Code, Detail: strings.TrimPrefix(e.LastError, string(e.Code)+": "),
	})
}
