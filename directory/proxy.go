package directory

import (
	"net"
	"net/netip"
	"time"

	"github.com/pires/go-proxyproto"
)

// behindProxies takes the address of who connects from the PROXY protocol, as
// load balancers in the given networks speak it ahead of TLS. Whoever else
// speaks it is cut off: it could name any address.
func behindProxies(l net.Listener, networks []netip.Prefix, patience time.Duration) net.Listener {
	return &proxyproto.Listener{
		Listener:          l,
		ReadHeaderTimeout: patience,
		ConnPolicy: func(o proxyproto.ConnPolicyOptions) (proxyproto.Policy, error) {
			from, err := netip.ParseAddrPort(o.Upstream.String())
			if err != nil {
				return proxyproto.REJECT, nil //nolint:nilerr // no network: no proxy of ours
			}
			for _, n := range networks {
				if n.Contains(from.Addr().Unmap().WithZone("")) {
					return proxyproto.USE, nil
				}
			}
			return proxyproto.REJECT, nil
		},
	}
}
