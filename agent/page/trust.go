package page

import (
	"cmp"
	"strconv"
	"strings"
)

// Trust is by what is known whom a page in the other web view comes from.
type Trust int

const (
	NothingSaid Trust = iota // it is not that which is asked, and nothing else is answered
	System                   // by what the system trusts
	Anchors                  // by these certificates, and by nothing else
)

// Trusts tells it of a server that such a page comes from, or something in one, with the
// certificates in DER; nothing is said once there is no such page. certificate: it shows its certificate; else it, or a proxy, asks
// who is there. The host is without the brackets that addresses of IPv6 have in others.
func (h *Host) Trusts(certificate bool, host string, port int) (by Trust, anchors [][]byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	t := h.now()
	switch {
	case !certificate, h.visit == Nothing, h.visit == Show && t.address == "", h.visit == Portal && t.portal == "":
		return NothingSaid, nil
	case h.visit == Show && len(t.anchors) > 0 && isAt(t.address, host, port):
		return Anchors, t.anchors
	}
	return System, nil
}

// isAt tells whether a host and a port are those of an address.
func isAt(address, host string, port int) bool {
	u := webAddress(address, "https")
	if u == nil || host == "" {
		return false
	}
	stated := cmp.Or(u.Port(), "443")
	return strings.EqualFold(u.Hostname(), host) && stated == strconv.Itoa(port)
}
