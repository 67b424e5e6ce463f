package wifi

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// facts is how things are.
type facts struct {
	device     string // the Wi-Fi's, such as en0; empty: there is none
	link       Link
	power      Power
	active     bool   // Wi-Fi has a carrier
	address    bool   // and an address to be reached at
	name       string // of the current network; empty: none, or withheld
	guessed    bool   // the name may be another one's
	open       bool   // the current network asks for nothing
	saved      []string
	identities []Identity
}

// maxWired bounds how many devices are asked whether a cable is in them.
const maxWired = 6

// survey asks how things are. An error is one of what all else hangs by.
func (r *Radio) survey(ctx context.Context) (facts, error) {
	ports, err := r.tools.ports(ctx)
	if err != nil {
		return facts{}, err
	}
	addresses, err := r.addresses()
	if err != nil {
		return facts{}, err
	}
	f := facts{link: LinkNone, power: PowerNone}
	if i := slices.IndexFunc(ports, port.wireless); i >= 0 {
		f.device = ports[i].device
		if err := r.surveyWiFi(ctx, &f, addresses[f.device]); err != nil {
			return facts{}, err
		}
	}
	wired := slices.DeleteFunc(ports, func(p port) bool { return !p.wired() })
	// A cable comes first, but not one that leads nowhere.
	switch {
	case slices.ContainsFunc(wired, func(p port) bool { return slices.ContainsFunc(addresses[p.device], usable) }):
		f.link = LinkEthernet
	case f.address:
		f.link = LinkWiFi
	case r.carrier(ctx, wired):
		f.link = LinkEthernet
	case f.active:
		f.link = LinkWiFi
	}
	f.identities = r.listIdentities(ctx)
	return f, ctx.Err()
}

func (r *Radio) surveyWiFi(ctx context.Context, f *facts, addresses []netip.Addr) error {
	on, err := r.tools.power(ctx, f.device)
	if err != nil {
		return err
	}
	f.power = PowerOff
	if on {
		f.power = PowerOn
	}
	if f.saved, err = r.tools.saved(ctx, f.device); err != nil {
		r.log.Debug("saved networks are not known", "error", err)
	}
	if !on {
		return nil
	}
	f.address = slices.ContainsFunc(addresses, usable)
	s, err := r.tools.summary(ctx, f.device)
	if err != nil {
		r.log.Debug("there is no summary", "device", f.device, "error", err)
	}
	f.open = s.security == "NONE"
	if f.active = s.active || f.address; f.active {
		f.name = r.currentName(ctx, f.device, s)
		if f.name == "" && r.savedFirst && s.withheld && len(f.saved) > 0 {
			f.name, f.guessed = f.saved[0], true
		}
	}
	return nil
}

// currentName asks one after another, as long as the name is withheld.
func (r *Radio) currentName(ctx context.Context, device string, s summary) string {
	if s.name != "" {
		return s.name
	}
	if name := r.nameOnAir(ctx, device); name != "" {
		return name
	}
	return r.tools.current(ctx, device)
}

// shortCall is what calls get that should come back at once, and their turn.
const shortCall = 2 * time.Second

// nameOnAir asks CoreWLAN, unless it is doing something else.
func (r *Radio) nameOnAir(ctx context.Context, device string) string {
	if r.air == nil {
		return ""
	}
	ctx, cancel := context.WithTimeout(ctx, shortCall)
	defer cancel()
	if r.onAir.enter(ctx) != nil {
		return ""
	}
	name, _ := through(ctx, r.onAir, func() (string, error) { return r.air.name(device), nil })
	if name == redacted || !showable(name) {
		return ""
	}
	return name
}

// listIdentities gives those of before where the keychain does not answer.
func (r *Radio) listIdentities(ctx context.Context) []Identity {
	if r.identities == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, shortCall)
	defer cancel()
	err := r.onKeys.enter(ctx)
	var ids []Identity
	if err == nil {
		ids, err = through(ctx, r.onKeys, r.identities)
	}
	if err != nil {
		r.log.Debug("identities are not known", "error", err)
		r.mu.Lock()
		defer r.mu.Unlock()
		return r.facts.identities
	}
	return ids[:min(len(ids), maxIDs)]
}

// carrier tells whether there is something at the other end of a cable.
func (r *Radio) carrier(ctx context.Context, wired []port) bool {
	// Macs with Apple's processor have such inside, which no cable goes into.
	wired = slices.DeleteFunc(wired, func(p port) bool { return strings.HasPrefix(p.name, "Ethernet Adapter (") })
	for _, p := range wired[:min(len(wired), maxWired)] {
		if s, err := r.tools.summary(ctx, p.device); err == nil && s.active && !s.wireless {
			return true
		}
	}
	return false
}

// usable tells addresses that others can answer to. A Mac gives itself 169.254.x.y
// where nobody else does.
func usable(a netip.Addr) bool {
	return a.IsValid() && !a.IsLoopback() && !a.IsLinkLocalUnicast() && !a.IsMulticast() && !a.IsUnspecified()
}

// interfaceAddresses gives those of each device that is up.
func interfaceAddresses() (map[string][]netip.Addr, error) {
	devices, err := net.Interfaces()
	if err != nil {
		return nil, err
	}
	all := make(map[string][]netip.Addr)
	for _, d := range devices {
		if d.Flags&net.FlagUp == 0 {
			continue
		}
		list, err := d.Addrs()
		if err != nil { // it went away meanwhile
			continue
		}
		for _, a := range list {
			if n, ok := a.(*net.IPNet); ok {
				if ip, ok := netip.AddrFromSlice(n.IP); ok {
					all[d.Name] = append(all[d.Name], ip.Unmap())
				}
			}
		}
	}
	return all, nil
}

// currentIsFirst tells versions of macOS that list the current network first among
// the saved ones.
func currentIsFirst(version string) bool {
	major, _, _ := strings.Cut(version, ".")
	n, err := strconv.Atoi(major)
	return err == nil && n >= 26
}
