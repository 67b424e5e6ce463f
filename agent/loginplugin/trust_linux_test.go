//go:build amd64 || arm64

package loginplugin_test

import (
	"crypto/x509"
	"encoding/base64"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/ebitengine/purego"
	"github.com/google/go-cmp/cmp"

	"firstday.dev/internal/testpki"
)

// What a host answers to a question, NSURLSessionAuthChallengeDisposition.
const (
	useCredential  = 0
	defaultAnswer  = 1
	breakOff       = 2
	rejectQuestion = 3
)

const methodServerTrust = "NSURLAuthenticationMethodServerTrust"

// serverTrust is the variable of that name: an NSString.
var serverTrust uintptr

// space is what a question is about, an NSURLProtectionSpace.
type space struct {
	method, host string
	port         int
	proxy        bool
	trust        uintptr
}

// trust is a SecTrust: a server's certificates, and by what they are looked at. It is
// made as WebKit makes it, with a policy that looks at nothing.
type trust struct {
	chain   []*x509.Certificate
	policy  *policy
	anchors []*x509.Certificate
	alone   bool
	fetches bool
	world   *x509.Certificate // what the system trusts
}

// policy is a SecPolicy for servers.
type policy struct{ host string }

// holds is what SecTrustEvaluateWithError finds.
func (s *trust) holds() bool {
	o := x509.VerifyOptions{Roots: x509.NewCertPool(), Intermediates: x509.NewCertPool(), DNSName: s.policy.host}
	for _, a := range s.anchors {
		o.Roots.AddCert(a)
	}
	if !s.alone && s.world != nil {
		o.Roots.AddCert(s.world)
	}
	for _, c := range s.chain[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := s.chain[0].Verify(o)
	return err == nil
}

// withTrust gives the trust at an address to what changes it, which tells whether it did.
func withTrust(at uintptr, do func(*cocoa, *trust) bool) uintptr {
	c := &present.Load().cocoa
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.objects[at]
	if o == nil || o.class != "SecTrust" {
		c.m.complain("Security is asked of what is no SecTrust")
		return 1
	}
	if !do(c, o.of.(*trust)) {
		return uintptr(0xffffffce) // errSecParam, -50
	}
	return 0
}

// securityFunctions are those of Security, and CFRelease. Certificates are looked at
// by Go.
var securityFunctions = map[string]any{
	"CFRelease": func(at uintptr) uintptr { return present.Load().cocoa.send(at, "release", 0, 0) },
	"SecCertificateCreateWithData": func(allocator, data uintptr) uintptr {
		c := &present.Load().cocoa
		c.mu.Lock()
		defer c.mu.Unlock()
		cert, err := x509.ParseCertificate([]byte(c.objects[data].text))
		if err != nil || allocator != 0 {
			return 0
		}
		return c.owned("SecCertificate", cert)
	},
	"SecPolicyCreateSSL": func(server, host uintptr) uintptr {
		c := &present.Load().cocoa
		if server&0xff != 1 {
			c.m.complain("the policy is for clients")
		}
		c.mu.Lock()
		defer c.mu.Unlock()
		return c.owned("SecPolicy", &policy{c.objects[host].text})
	},
	"SecTrustSetPolicies": func(at, policies uintptr) uintptr {
		return withTrust(at, func(c *cocoa, s *trust) (ok bool) {
			s.policy, ok = c.objects[policies].of.(*policy)
			return ok
		})
	},
	"SecTrustSetAnchorCertificates": func(at, list uintptr) uintptr {
		return withTrust(at, func(c *cocoa, s *trust) bool {
			s.alone = true // as Apple's does
			for _, a := range c.objects[list].of.([]uintptr) {
				s.anchors = append(s.anchors, c.objects[a].of.(*x509.Certificate))
			}
			return true
		})
	},
	"SecTrustSetAnchorCertificatesOnly": func(at, only uintptr) uintptr {
		return withTrust(at, func(_ *cocoa, s *trust) bool { s.alone = only&0xff != 0; return true })
	},
	"SecTrustSetNetworkFetchAllowed": func(at, allowed uintptr) uintptr {
		return withTrust(at, func(_ *cocoa, s *trust) bool { s.fetches = allowed&0xff != 0; return true })
	},
	"SecTrustEvaluateWithError": func(at, _ uintptr) uintptr {
		found := false
		withTrust(at, func(c *cocoa, s *trust) bool {
			if s.policy == nil || s.fetches {
				c.m.complain("a server is looked at without its name, or with the network's help: %+v", s)
				return false
			}
			found = s.holds()
			return true
		})
		if found {
			return 1
		}
		return 0
	},
}

// owned gives an object that whoever asked for it releases.
func (c *cocoa) owned(class string, of any) uintptr {
	at := c.made(class, "")
	c.objects[at].references, c.objects[at].of = 1, of
	return at
}

// sendTrust is a message to what has to do with such a question.
func (c *cocoa) sendTrust(self uintptr, selector string, a, b uintptr) (result uintptr, known bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	o, class := c.objects[self], classOf(self)
	if o != nil {
		class = o.class
	}
	s, _ := c.spaceOf(self)
	switch class + " " + selector {
	case "NSURLAuthenticationChallenge protectionSpace":
		at := c.made("NSURLProtectionSpace", "")
		c.objects[at].of = s
		return at, true
	case "NSURLProtectionSpace authenticationMethod":
		return c.made("NSString", s.method), true
	case "NSURLProtectionSpace host":
		return c.made("NSString", s.host), true
	case "NSURLProtectionSpace port":
		return uintptr(s.port), true
	case "NSURLProtectionSpace isProxy":
		if s.proxy {
			return 1, true
		}
		return 0, true
	case "NSURLProtectionSpace serverTrust":
		return s.trust, true
	case "NSString isEqualToString:":
		if c.objects[a] != nil && c.objects[a].text == o.text {
			return 1, true
		}
		return 0, true
	case "NSArray arrayWithObjects:count:":
		at := c.made("NSArray", "")
		c.objects[at].of = slices.Clone(unsafe.Slice((*uintptr)(unsafe.Pointer(&bytesAt(a, 8*b)[0])), b))
		return at, true
	case "NSURLCredential credentialForTrust:":
		at := c.made("NSURLCredential", "")
		c.objects[at].of = a
		return at, true
	}
	return 0, false
}

func (c *cocoa) spaceOf(at uintptr) (s *space, ok bool) {
	if o := c.objects[at]; o != nil {
		s, ok = o.of.(*space)
	}
	return s, ok
}

// answered is what the plug-in has answered to a question: with what, if anything.
var answered struct {
	sync.Mutex
	all [][2]uintptr
}

var answerCallback = sync.OnceValue(func() uintptr {
	return purego.NewCallback(func(_, disposition, credential uintptr) uintptr {
		answered.Lock()
		defer answered.Unlock()
		answered.all = append(answered.all, [2]uintptr{disposition, credential})
		return 0
	})
})

// asked asks the plug-in on behalf of a web view. It gives the answer, and whether
// that is the server's own certificate.
func (m *mac) asked(view uintptr, s space, of *trust) (disposition int, own bool) {
	m.t.Helper()
	c := &m.cocoa
	c.mu.Lock()
	serverTrust = c.made("NSString", methodServerTrust)
	if of != nil {
		s.trust = c.made("SecTrust", "")
		c.objects[s.trust].of = of
	}
	challenge := c.made("NSURLAuthenticationChallenge", "")
	c.objects[challenge].of = &s
	handler := c.handler
	c.mu.Unlock()
	block := &block{invoke: answerCallback()}
	answered.all = nil
	m.onMain(func() {
		purego.SyscallN(plugin.symbols["-[FirstdayLoginHost webView:didReceiveAuthenticationChallenge:completionHandler:]"],
			handler, 0, view, challenge, uintptr(unsafe.Pointer(block)))
	})
	if len(answered.all) != 1 {
		m.t.Fatalf("%+v: it is answered %d times", s, len(answered.all))
	}
	credential := answered.all[0][1]
	if credential == 0 {
		return int(answered.all[0][0]), false
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if with := c.objects[credential].of; of == nil || with != s.trust {
		m.t.Errorf("%+v: it is answered with %v", s, with)
	}
	return int(answered.all[0][0]), true
}

// serverOf is a certificate for servers of that name, and those above it.
func serverOf(t *testing.T, issuer *testpki.Entity, name string, end time.Duration) []*x509.Certificate {
	t.Helper()
	e, err := testpki.Issue(&x509.Certificate{
		DNSNames: []string{name}, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(end),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}, issuer, false)
	if err != nil {
		t.Fatal(err)
	}
	return e.Chain
}

// anotherCA is of no organisation's that is known here.
func anotherCA(t *testing.T) *testpki.Entity {
	t.Helper()
	e, err := testpki.Issue(&x509.Certificate{
		NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}, nil, false)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// A directory with a CA of its own is known by that, at its own host and port, with
// its own name, and by nothing else, whatever the system trusts. Of all other servers
// it is the system that is asked, and nobody else's questions are answered.
func TestShippedPagesKnowTheDirectorysCA(t *testing.T) {
	pki, other := testpki.New(t), anotherCA(t)
	const name = "id.acme.example"
	right := serverOf(t, pki.Root, name, time.Hour)
	wrong := serverOf(t, other, name, time.Hour)
	directory := space{method: methodServerTrust, host: name, port: 443}
	at := func(host string, port int) space { return space{method: methodServerTrust, host: host, port: port} }
	for _, test := range []struct {
		what  string
		space space
		chain []*x509.Certificate
		want  int
	}{
		{"the right CA", directory, right, useCredential},
		{"the host in upper case", at("ID.ACME.example", 443), right, useCredential},
		{"below another one of the CA's", directory, serverOf(t, pki.Intermediate, name, time.Hour), useCredential},
		{"another CA, which the system trusts", directory, wrong, breakOff},
		{"expired", directory, serverOf(t, pki.Root, name, -time.Hour), breakOff},
		{"of another name", directory, serverOf(t, pki.Root, "mallory.acme.example", time.Hour), breakOff},
		{"no certificate", directory, nil, breakOff},
		{"the right CA at another host", at("mallory.example", 443), serverOf(t, pki.Root, "mallory.example", time.Hour), defaultAnswer},
		{"the right CA at the provider's", at("login.example", 8443), serverOf(t, pki.Root, "login.example", time.Hour), defaultAnswer},
		{"the right CA at another port", at(name, 8443), right, defaultAnswer},
		{"a host that begins so", at("id.acme.example.evil", 443), right, defaultAnswer},
		{"a part of the host", at("id.acme", 443), right, defaultAnswer},
		{"no host", at("", 443), right, defaultAnswer},
		{"a proxy's certificate", space{method: methodServerTrust, host: name, port: 443, proxy: true}, right, rejectQuestion},
		{"who is there, by a certificate", space{method: "NSURLAuthenticationMethodClientCertificate", host: name, port: 443}, nil, rejectQuestion},
		{"who is there, by a password", space{method: "NSURLAuthenticationMethodHTTPBasic", host: name, port: 443}, nil, rejectQuestion},
		{"who is there, by Windows", space{method: "NSURLAuthenticationMethodNTLM", host: name, port: 443}, nil, rejectQuestion},
		{"who is there, of the provider", space{method: "NSURLAuthenticationMethodHTTPBasic", host: "login.example", port: 8443}, nil, rejectQuestion},
	} {
		t.Run(test.what, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			s := serve(m, func(s *service) { s.directory.anchors = [][]byte{pki.Root.Certificate().Raw} })
			e := m.begin("login", nil)
			s.signsIn("waiting")
			m.say("show")
			var presented *trust
			if test.chain != nil {
				presented = &trust{chain: test.chain, world: other.Certificate(), fetches: true}
			}
			got, own := m.asked(m.cocoa.other, test.space, presented)
			if got != test.want || own != (test.want == useCredential) {
				t.Errorf("it answers %d, with the certificate: %v", got, own)
			}
			if test.want == breakOff {
				m.gone() // and the person takes a phone
			} else if m.cocoa.has("removeFromSuperview") {
				t.Error("the page is shut")
			}
			if test.want == defaultAnswer && (presented.anchors != nil || presented.policy != nil) {
				t.Error("what the system is asked is changed")
			}
			m.say("apple")
			e.fell("asked")
		})
	}
}

// Where the service tells of no CA, the system knows the directory, as it does for our
// own page's view, and what is not shown any more is broken off.
func TestShippedPagesWithoutCA(t *testing.T) {
	m, s, e := showing(t)
	c := &m.cocoa
	chain := serverOf(t, testpki.New(t).Root, "id.acme.example", time.Hour)
	directory := space{method: methodServerTrust, host: "id.acme.example", port: 443}
	if got, _ := m.asked(c.other, directory, &trust{chain: chain}); got != defaultAnswer {
		t.Errorf("it answers %d", got)
	}
	if got, _ := m.asked(c.page, directory, &trust{chain: chain}); got != breakOff {
		t.Errorf("for our page it answers %d", got)
	}
	close(s.directory.approved)
	m.sees("password")
	m.gone()
	if got, _ := m.asked(c.other, directory, &trust{chain: chain}); got != breakOff {
		t.Errorf("when it is over it answers %d", got)
	}
	m.say("apple")
	e.fell("asked")
}

// What a service tells of may be no certificate, or not all of it: then it is known by
// none. A portal's pages are known by none of them, wherever they lead.
func TestShippedPagesWithOddAnchors(t *testing.T) {
	root := testpki.New(t).Root
	chain := serverOf(t, root, "id.acme.example", time.Hour)
	good := root.Certificate().Raw
	none := []byte{0x30, 0x03, 0x02, 0x01, 0x07}
	for name, test := range map[string]struct {
		anchors [][]byte
		portal  bool
		want    int
	}{
		"most":           {[][]byte{anotherCA(t).Certificate().Raw, anotherCA(t).Certificate().Raw, anotherCA(t).Certificate().Raw, good}, false, useCredential},
		"none is one":    {[][]byte{none}, false, breakOff},
		"the last isn't": {[][]byte{good, none}, false, breakOff},
		"for a portal":   {[][]byte{good}, true, defaultAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			m := newMac(t)
			m.withPage()
			var rows strings.Builder
			for row := range slices.Chunk([]byte(base64.StdEncoding.EncodeToString(slices.Concat(test.anchors...))), 900) {
				rows.WriteString("anchor=" + string(row) + "\n")
			}
			m.plays(func(conn net.Conn) {
				if hears(conn, "hello 1 login-window 100021") &&
					write(conn, "hello 1\n\nscreen 7\nstate=waiting\npage="+firstPage+"\norigin=https://id.acme.example\n"+rows.String()+"\n") &&
					hears(conn, "network") && write(conn, "ok network\ninternet=captive\nportal=https://id.acme.example/\n\n") {
					silence(conn)
				}
			})
			e := m.begin("login", nil)
			m.sees("waiting")
			m.say("ask network")
			m.sees("answer")
			if test.portal {
				m.say("portal")
			} else {
				m.say("show")
			}
			got, own := m.asked(m.cocoa.other, space{method: methodServerTrust, host: "id.acme.example", port: 443}, &trust{chain: chain})
			if diff := cmp.Diff(test.want, got); diff != "" || own != (test.want == useCredential) {
				t.Errorf("with the certificate: %v (-want +got):\n%s", own, diff)
			}
			if test.want == breakOff {
				m.gone()
			}
			m.say("apple")
			e.fell("asked")
		})
	}
}
