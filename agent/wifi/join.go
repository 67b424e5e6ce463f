package wifi

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

var (
	// errNotSeen: CoreWLAN sees no network of the name, which may be since names
	// are withheld from it.
	errNotSeen = errors.New("CoreWLAN sees no network of that name")
	// errElsewhere: CoreWLAN does not do it for us; another may.
	errElsewhere = errors.New("CoreWLAN does not join networks for this program")
	// errOther: somebody has given a network's name to one that wants something else.
	errOther = errors.New("the network of that name is another one")
)

// joinInTurn waits until nothing else is under way, and joins. There is an error
// with every code, for the log.
func (r *Radio) joinInTurn(ctx context.Context, j Join) (Code, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return timely(ctx, CodeFailed), ctx.Err()
	}
	defer func() { <-r.turn }()
	f, err := r.survey(ctx)
	if err != nil {
		return timely(ctx, CodeFailed), err
	}
	if f.device == "" {
		return CodeFailed, ErrNone
	}
	if f.power != PowerOn { // who wants a network wants it on
		if err := r.switchTo(ctx, f.device, true); err != nil {
			return timely(ctx, CodeFailed), err
		}
	}
	before, unknown := r.tools.saved(ctx, f.device)
	onAir, err := r.attempt(ctx, f, j)
	code, err := r.settle(ctx, j, err)
	switch {
	case j.Identity != "": // a profile brought it
	case len(j.Password) == 0:
		if !onAir && unknown == nil && !slices.Contains(before, j.Name) {
			r.forget(context.WithoutCancel(ctx), f.device, j, code == "")
		}
	case code == "" && onAir:
		// Else the Mac would not find back to it after its next start.
		if err := r.tools.remember(ctx, f.device, j); err != nil {
			r.log.Warn("the network is joined, but not saved", "error", err)
		}
	}
	return code, err
}

// forget takes a network without a password off the saved ones, where networksetup puts
// what it joins, or tries to: it would come first for ever, and anybody can give that
// name to a network. If that takes the Mac off it, it is joined once more, and stays:
// who has no other network must get on.
func (r *Radio) forget(ctx context.Context, device string, j Join, joined bool) {
	saved, err := r.tools.saved(ctx, device)
	if err == nil && !slices.Contains(saved, j.Name) {
		return
	}
	if err == nil {
		err = r.tools.forget(ctx, device, j.Name)
	}
	if err != nil {
		r.log.Warn("a network without a password stays saved", "error", err)
		return
	}
	if !joined {
		return
	}
	time.Sleep(pollTime)
	if f, err := r.survey(ctx); err != nil || f.active {
		return
	}
	r.log.Warn("a network without a password stays saved, or this Mac leaves it")
	if err := r.tools.join(ctx, device, j, SecurityOpen); err != nil {
		r.log.Warn("the network was not joined again", "error", err)
	}
}

// timely gives the code of something that went wrong, which may be since the time
// was over.
func timely(ctx context.Context, c Code) Code {
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return CodeTimeout
	}
	return c
}

// attempt asks who can do it, and tells whether CoreWLAN did, which saves nothing.
// What macOS has saved it knows best how to join.
func (r *Radio) attempt(ctx context.Context, f facts, j Join) (onAir bool, err error) {
	saved := slices.Contains(f.saved, j.Name)
	security := r.securityOf(j)
	if security == SecurityEnterprise && j.Identity == "" && !saved {
		return false, &refusal{CodeIdentity, errors.New("the network wants an identity")}
	}
	// One at a time, whoever does it; but not after what hangs.
	limited, cancel := context.WithTimeout(ctx, airTime)
	defer cancel()
	free := r.onAir.enter(limited) == nil
	if r.air == nil || !free || saved && len(j.Password) == 0 && j.Identity == "" {
		if free {
			defer r.onAir.leave()
		}
		if j.Identity != "" {
			return false, &refusal{timely(ctx, CodeFailed), errNoAir}
		}
		return false, r.tools.join(ctx, f.device, j, security)
	}
	own := j // CoreWLAN may still be at it when everybody has given up
	own.Password = slices.Clone(j.Password)
	_, err = through(ctx, r.onAir, func() (struct{}, error) {
		defer clear(own.Password)
		return struct{}{}, r.air.associate(f.device, own)
	})
	seen, here := !errors.Is(err, errNotSeen), !errors.Is(err, errElsewhere)
	switch {
	case seen && here:
		return true, err
	case j.Identity == "":
		r.log.Debug("CoreWLAN does not join, networksetup is asked", "error", err)
		return false, r.tools.join(ctx, f.device, j, security)
	case seen:
		return false, &refusal{CodeRefused, err}
	}
	return false, &refusal{CodeNotFound, err}
}

// associateError reads the number that CoreWLAN gives for why it did not join.
func associateError(n int, security Security, err error) error {
	switch n {
	case coreNotSupported, coreNotBound, coreIPC, coreNotPermitted:
		return fmt.Errorf("%w: %w", errElsewhere, err)
	}
	return &refusal{codeOfCoreWLAN(n, security), err}
}

// pick gives the one to associate with of the networks that CoreWLAN sees: the
// strongest of those that have the name and want what there is. Who gives a password
// wants a network that asks for it, and not one that only bears its name.
func pick(seen []sighting, j Join) (int, error) {
	want := SecurityOpen
	switch {
	case j.Identity != "":
		want = SecurityEnterprise
	case len(j.Password) > 0:
		want = SecurityPassword
	}
	best, other := -1, -1
	for i, s := range seen {
		switch {
		case s.name != j.Name:
		case s.security != want:
			if other < 0 || wants(s.security) > wants(seen[other].security) {
				other = i
			}
		case best < 0 || s.dBm > seen[best].dBm:
			best = i
		}
	}
	switch {
	case best >= 0:
		return best, nil
	case other < 0:
		return -1, errNotSeen
	case seen[other].security == SecurityEnterprise:
		return -1, &refusal{CodeIdentity, errors.New("the network wants an identity")}
	case want == SecurityOpen:
		return -1, &refusal{CodePassword, errors.New("the network wants a password")}
	}
	return -1, &refusal{CodeNotFound, errOther}
}

// securityOf is what the network wants, as far as it was seen.
func (r *Radio) securityOf(j Join) Security {
	if j.Identity != "" {
		return SecurityEnterprise
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	security := SecurityPassword
	found := false
	for _, s := range r.last.seen {
		if s.name == j.Name && (!found || wants(s.security) > wants(security)) {
			security, found = s.security, true
		}
	}
	return security
}

// grace is how often it is looked after an attempt has failed: what failed to join
// may be joined all the same.
const grace = 2

// settle judges by what is true: that the network is the current one, twice in a
// row, with an address that is not the last network's. attempt is how the attempt
// went, which counts where macOS does not tell what is true.
func (r *Radio) settle(ctx context.Context, j Join, attempt error) (Code, error) {
	var on time.Time // since when the network is the current one
	sure, twin := 0, 0
	for looks := 1; ; looks++ {
		f, err := r.survey(ctx)
		if err == nil {
			r.mu.Lock()
			r.learn(f)
			r.mu.Unlock()
		}
		here := err == nil && f.active && (f.name == j.Name || (f.name == "" || f.guessed) && attempt == nil)
		switch {
		case !here:
			sure, on = 0, time.Time{}
		case on.IsZero():
			on = time.Now()
		}
		if here && attempt == nil && len(j.Password) > 0 && f.open {
			if twin++; twin == 2 {
				return CodeNotFound, errOther
			}
			here = false // for all that counts
		}
		if here && f.address {
			if sure++; sure == 2 {
				return "", nil
			}
		} else {
			sure = 0
		}
		switch {
		case attempt != nil && !here && looks >= grace:
			return timely(ctx, codeOf(attempt)), attempt
		case !on.IsZero() && time.Since(on) >= addressTime:
			return CodeNoAddress, errors.New("it gives no address")
		}
		select {
		case <-time.After(pollTime):
		case <-ctx.Done():
			if attempt != nil {
				return timely(ctx, codeOf(attempt)), attempt
			}
			if !on.IsZero() {
				return CodeNoAddress, ctx.Err()
			}
			return timely(ctx, CodeFailed), ctx.Err()
		}
	}
}

// SetPower switches Wi-Fi on or off, and looks that it is. Who switches it wants no
// join any more.
func (r *Radio) SetPower(ctx context.Context, on bool) error {
	ports, err := r.tools.ports(ctx)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(ports, port.wireless)
	if i < 0 {
		return ErrNone
	}
	r.mu.Lock()
	r.interrupt()
	r.mu.Unlock()
	select {
	case r.turn <- struct{}{}: // what was interrupted has ended
	case <-ctx.Done():
		return ctx.Err()
	}
	defer func() { <-r.turn }()
	if err := r.switchTo(ctx, ports[i].device, on); err != nil {
		return err
	}
	r.mu.Lock()
	r.changes++
	r.facts.power, r.facts.active, r.facts.name = PowerOff, false, ""
	if on {
		r.facts.power = PowerOn
	}
	r.join.holds = false
	r.surveyed = time.Now().Add(-freshTime) // who asks sees the rest of it
	r.mu.Unlock()
	if on {
		r.Scan()
	}
	return nil
}

// switchTimes is how often it is looked whether the switch is where it should be.
const switchTimes = 6

func (r *Radio) switchTo(ctx context.Context, device string, on bool) error {
	asked := r.tools.setPower(ctx, device, on)
	for range switchTimes {
		if is, err := r.tools.power(ctx, device); err == nil && is == on {
			return nil
		}
		select {
		case <-time.After(pollTime / 2):
		case <-ctx.Done():
			return errors.Join(ctx.Err(), asked)
		}
	}
	return errors.Join(fmt.Errorf("the Wi-Fi of %s stays as it was", device), asked)
}
