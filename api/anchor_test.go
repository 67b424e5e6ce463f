package api_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/api"
	"firstday.dev/internal/testpki"
)

// What a directory says of its CA holds as far as the agent knows that itself: for the
// pinned one, at the directory's own host and port.
func TestAnchorsAreThePinnedCA(t *testing.T) {
	pki := testpki.New(t)
	ca, other, leaf := pki.Root.Certificate(), pki.Intermediate.Certificate(), pki.Server.Certificate()
	own := [][]byte{ca.Raw}
	for name, test := range map[string]struct {
		url, pin, page string
		anchors, want  [][]byte
	}{
		"its own":         {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin?code=A", own, own},
		"the same port":   {"https://ID.acme.example:443/", api.PinOf(ca), "https://id.acme.example/signin", own, own},
		"by address":      {"https://[2001:db8::1]:8443", api.PinOf(ca), "https://[2001:db8::1]:8443/signin", own, own},
		"another as well": {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", [][]byte{other.Raw, ca.Raw}, own},
		"another":         {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", [][]byte{other.Raw}, nil},
		"no pin":          {"https://id.acme.example", "", "https://id.acme.example/signin", own, nil},
		"another host":    {"https://id.acme.example", api.PinOf(ca), "https://pages.acme.example/signin", own, nil},
		"another port":    {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example:8443/signin", own, nil},
		"no TLS":          {"https://id.acme.example", api.PinOf(ca), "http://id.acme.example/signin", own, nil},
		"no page":         {"https://id.acme.example", api.PinOf(ca), "%", own, nil},
		"broken":          {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", [][]byte{ca.Raw, ca.Raw[1:]}, nil},
		"no CA's":         {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", [][]byte{ca.Raw, leaf.Raw}, nil},
		"too many":        {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", [][]byte{ca.Raw, ca.Raw, ca.Raw, ca.Raw, ca.Raw}, nil},
		"too large":       {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", [][]byte{ca.Raw, make([]byte, api.MaxAnchorBytes)}, nil},
		"none":            {"https://id.acme.example", api.PinOf(ca), "https://id.acme.example/signin", nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			r := &api.SignInResponse{VerificationURIComplete: test.page, Anchors: test.anchors}
			if diff := cmp.Diff(test.want, api.Directory{URL: test.url, Pin: test.pin}.Known(r)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
