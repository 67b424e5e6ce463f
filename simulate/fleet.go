package simulate

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"firstday.dev/agent"
	"firstday.dev/api"
)

// FleetOptions say how many devices to simulate, and how.
type FleetOptions struct {
	// Options are those of each device. Its serial number gets a number after it.
	Options
	Devices int // how many
	Workers int // at once, at most; 0: eight
}

// MaxFleet bounds the devices of a fleet.
const MaxFleet = 100_000

// FleetResult is what became of the devices of a fleet.
type FleetResult struct {
	Devices  int              `json:"devices"`
	Enrolled int              `json:"enrolled"` // those that wait for approval among them
	Pending  int              `json:"pending"`
	Refused  map[api.Code]int `json:"refused,omitempty"`
	Failed   int              `json:"failed"`           // for another reason
	Errors   []string         `json:"errors,omitempty"` // of the first of those
	// Took is how long it was for all, Median and Slowest for one that enrolled.
	Took    api.Duration `json:"took"`
	Median  api.Duration `json:"median"`
	Slowest api.Duration `json:"slowest"`

	times   []time.Duration
	refusal error
}

// maxErrors bounds the errors that a result tells.
const maxErrors = 10

// Err tells that not every device is enrolled. It holds the code of a refusal, if
// the directory refused any.
func (r *FleetResult) Err() error {
	missing := r.Devices - r.Enrolled
	if missing == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s of %d", cmp.Or(r.refusal, ErrNotEnrolled), counted(missing, "device"), r.Devices)
}

// Fleet applies a package to many devices, some of them at once, and runs their
// agents until they are enrolled. What the package carries is extracted once for
// all. It tells an event for each device. The error is about the package, or that
// the fleet was interrupted; what became of the devices is in the result.
//
// The folder holds a folder for each device; a second run in it goes on with the
// same devices.
func Fleet(ctx context.Context, path string, o FleetOptions) (_ *FleetResult, err error) {
	if o.Devices < 1 || o.Devices > MaxFleet {
		return nil, fmt.Errorf("a fleet of %d devices; 1 to %d are possible", o.Devices, MaxFleet)
	}
	told := newNarrator(o.Events)
	p, err := openPackage(ctx, path, o.Trust, told)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, p.Close()) }()
	o.Device.Platform = cmp.Or(o.Device.Platform, p.Platform)
	shared, err := o.prepare(ctx, p, told)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, shared.Close()) }()
	f := &fleet{FleetOptions: o, p: p, shared: shared, told: told, result: &FleetResult{Devices: o.Devices, Refused: make(map[api.Code]int)}}
	f.run(ctx)
	f.result.summarise(time.Since(told.began))
	return f.result, ctx.Err()
}

// prepare extracts what all devices share.
func (o *FleetOptions) prepare(ctx context.Context, p *Package, told *narrator) (_ *Machine, err error) {
	common := o.Options
	common.Sandbox = filepath.Join(o.Sandbox, "shared")
	m, err := open(common, newNarrator(nil))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, m.Close())
		}
	}()
	if is := m.Device().Platform; is != p.Platform {
		return nil, fmt.Errorf("%s: %w: it is for %s, the devices run %s", p.name, ErrRefused, p.Platform, is)
	}
	if p.Platform == api.Windows {
		err = m.prepareCommands(ctx, p)
	} else {
		err = m.preparePayload(ctx, p)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.name, err)
	}
	told.good(StepFiles, "the package is extracted, once for all devices", "")
	return m, nil
}

// prepareCommands extracts the files of all commands, and puts the agent into
// the place from which all devices run it.
func (m *Machine) prepareCommands(ctx context.Context, p *Package) error {
	w := &provisioning{Machine: m, p: p}
	for _, c := range p.windows.Commands() {
		folder, err := w.extractCommand(ctx, c)
		if err != nil {
			return err
		}
		b, err := agent.OpenBundle(filepath.Join(m.host(folder), api.EnrollmentFile))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		for _, a := range b.Agents {
			if a.Arch == m.Device().Arch {
				err = m.putAgent(path.Join(folder, a.File), a.Version)
			}
		}
		if err := errors.Join(err, b.Close()); err != nil {
			return err
		}
	}
	return nil
}

// putAgent copies a file to where the agent of a version belongs. Whether it is
// the right one each device finds out.
func (m *Machine) putAgent(from, version string) error {
	to := path.Join(m.programFolder(), version, m.executable())
	if err := m.makeFolders(path.Dir(to)); err != nil {
		return err
	}
	in, err := m.disk.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := m.disk.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

func (m *Machine) preparePayload(ctx context.Context, p *Package) error {
	i := &installer{Machine: m, p: p, placed: make(map[string]onVolume)}
	components, err := i.admit()
	if err != nil {
		return err
	}
	for _, c := range components {
		if err := i.place(ctx, c); err != nil {
			return err
		}
	}
	return nil
}

// fleet is a fleet at work.
type fleet struct {
	FleetOptions
	p      *Package
	shared *Machine
	told   *narrator

	mu     sync.Mutex
	result *FleetResult
}

const usualWorkers = 8

func (f *fleet) run(ctx context.Context) {
	numbers := make(chan int)
	var workers sync.WaitGroup
	for range min(cmp.Or(f.Workers, usualWorkers), f.Devices) {
		workers.Go(func() {
			for n := range numbers {
				f.simulate(ctx, n)
			}
		})
	}
	for n := range f.Devices {
		select {
		case numbers <- n + 1:
		case <-ctx.Done():
		}
	}
	close(numbers)
	workers.Wait()
}

// simulate sets one device up.
func (f *fleet) simulate(ctx context.Context, n int) {
	base := f.shared.Device()
	d := base
	d.Serial = fmt.Sprintf("%s-%04d", base.Serial, n)
	d.Name = fmt.Sprintf("%s-%04d", base.Name, n)
	began := time.Now()
	e, err := f.setUp(ctx, d, n)
	took := time.Since(began)
	if err != nil && ctx.Err() != nil {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch code := api.CodeOf(err); {
	case err == nil:
		f.result.Enrolled++
		if e.DeviceState == api.DevicePending {
			f.result.Pending++
		}
		f.result.times = append(f.result.times, took)
		f.told.good(StepDevice, d.Serial+" is enrolled", "device "+e.DeviceID.String())
	case code != "":
		f.result.Refused[code]++
		f.result.refusal = cmp.Or(f.result.refusal, err)
		f.told.failed(StepDevice, d.Serial+" is refused", err)
	default:
		f.result.Failed++
		if len(f.result.Errors) < maxErrors {
			f.result.Errors = append(f.result.Errors, err.Error())
		}
		f.told.failed(StepDevice, d.Serial+" is not enrolled", err)
	}
}

func (f *fleet) setUp(ctx context.Context, d Device, n int) (e agent.Enrolment, err error) {
	o := f.Options
	o.Sandbox, o.Device = filepath.Join(f.Sandbox, fmt.Sprintf("%06d", n)), d
	m, err := open(o, newNarrator(nil))
	if err != nil {
		return e, err
	}
	defer func() { err = errors.Join(err, m.Close()) }()
	m.shared, m.programs = f.shared, f.shared.programs
	if err := m.PowerOn(ctx); err != nil {
		return e, err
	}
	if err := m.Apply(ctx, f.p); err != nil {
		return e, err
	}
	return m.AwaitEnrolment(ctx, o.patience())
}

// summarise looks at the times.
func (r *FleetResult) summarise(took time.Duration) {
	r.Took = api.Duration(took.Round(time.Millisecond))
	if len(r.times) == 0 {
		return
	}
	slices.Sort(r.times)
	r.Median = api.Duration(r.times[len(r.times)/2].Round(time.Millisecond))
	r.Slowest = api.Duration(r.times[len(r.times)-1].Round(time.Millisecond))
}
