package wifi

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"
)

// scanInTurn waits until nothing else is under way, and scans.
func (r *Radio) scanInTurn(ctx context.Context) (sightings, error) {
	select {
	case r.turn <- struct{}{}:
	case <-ctx.Done():
		return sightings{}, ctx.Err()
	}
	defer func() { <-r.turn }()
	ctx, cancel := context.WithTimeout(ctx, scanTime)
	defer cancel()
	f, err := r.survey(ctx)
	if err != nil {
		return sightings{}, err
	}
	r.mu.Lock()
	r.learn(f)
	r.mu.Unlock()
	if f.power != PowerOn {
		return sightings{scanned: time.Now()}, nil // the switch says why there is nothing
	}
	seen, err := r.see(ctx, f.device)
	if err != nil {
		return sightings{}, err
	}
	s := sightings{seen: seen, scanned: time.Now()}
	// All are withheld, or none: one without a name among others does not tell it.
	if len(seen) > 0 && !slices.ContainsFunc(seen, named) {
		s.withheld = WithheldLocation
	}
	return s, nil
}

func named(s sighting) bool { return s.name != "" }

// see asks CoreWLAN, and where that gives no names, system_profiler.
func (r *Radio) see(ctx context.Context, device string) ([]sighting, error) {
	seen, err := r.scanOnAir(ctx, device)
	if err == nil && slices.ContainsFunc(seen, named) {
		return seen, nil
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	profiled, profileErr := r.tools.scan(ctx, device)
	switch {
	case err != nil && profileErr != nil:
		return nil, errors.Join(err, profileErr)
	case err != nil || slices.ContainsFunc(profiled, named):
		seen = profiled
	}
	return seen, nil // without names, or none at all, if nobody saw more
}

// airTime is what CoreWLAN gets for a scan, or to end what it is doing.
const airTime = 12 * time.Second

func (r *Radio) scanOnAir(ctx context.Context, device string) ([]sighting, error) {
	if r.air == nil {
		return nil, errNoAir
	}
	ctx, cancel := context.WithTimeout(ctx, airTime)
	defer cancel()
	if err := r.onAir.enter(ctx); err != nil {
		return nil, fmt.Errorf("waiting for CoreWLAN: %w", err)
	}
	return through(ctx, r.onAir, func() ([]sighting, error) { return r.air.scan(device) })
}

var errNoAir = errors.New("there is no CoreWLAN")

// list makes one network of all that have its name. What one of them wants is taken
// for what the network wants: an open one that bears the name of another is not
// shown as the way to it. Saved ones that are not seen are in it where names are
// withheld: they may be in reach.
func list(seen []sighting, saved []string, withheld bool) []Network {
	at := make(map[string]int)
	var all []Network
	for _, s := range seen {
		if !named(s) {
			continue
		}
		i, ok := at[s.name]
		if !ok {
			i = len(all)
			at[s.name] = i
			all = append(all, Network{Name: s.name, Security: s.security, Saved: slices.Contains(saved, s.name)})
		}
		all[i].Strength = max(all[i].Strength, s.strength())
		if wants(s.security) > wants(all[i].Security) {
			all[i].Security = s.security
		}
	}
	if withheld {
		for _, name := range saved {
			if _, ok := at[name]; !ok {
				at[name] = len(all)
				all = append(all, Network{Name: name, Security: SecurityPassword, Saved: true})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b Network) int {
		if a.Saved != b.Saved {
			if a.Saved {
				return -1
			}
			return 1
		}
		if a.Strength == b.Strength && (!withheld || !a.Saved) { // saved ones keep their order
			return cmp.Compare(a.Name, b.Name)
		}
		return b.Strength - a.Strength
	})
	return all[:min(len(all), maxNetworks)]
}

// wants orders by how much.
func wants(s Security) int {
	return slices.Index([]Security{SecurityOpen, SecurityPassword, SecurityEnterprise}, s)
}
