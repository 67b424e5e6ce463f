package beside

import (
	"errors"
	"unsafe"

	"github.com/ebitengine/purego/objc"

	"firstday.dev/agent/page"
)

// security are what a server is looked at with.
type security struct {
	certificate func(allocator uintptr, der objc.ID) objc.ID
	policy      func(server bool, host objc.ID) objc.ID
	setPolicies func(trust, policy objc.ID) int32
	setAnchors  func(trust, anchors objc.ID) int32
	setAlone    func(trust objc.ID, alone bool) int32
	setFetch    func(trust objc.ID, allowed bool) int32
	evaluate    func(trust objc.ID, problem uintptr) bool
	// serverTrust is what is asked where a server shows its certificate.
	serverTrust objc.ID
}

func bindSecurity() (s security, err error) {
	var missing error
	s.serverTrust, missing = variable("NSURLAuthenticationMethodServerTrust")
	return s, errors.Join(
		missing, bind(&s.certificate, "SecCertificateCreateWithData"), bind(&s.policy, "SecPolicyCreateSSL"), bind(&s.setPolicies, "SecTrustSetPolicies"),
		bind(&s.setAnchors, "SecTrustSetAnchorCertificates"), bind(&s.setAlone, "SecTrustSetAnchorCertificatesOnly"),
		bind(&s.setFetch, "SecTrustSetNetworkFetchAllowed"), bind(&s.evaluate, "SecTrustEvaluateWithError"))
}

// asked answers what a web view is asked on its way to a server, as native/window.m of
// the plug-in does.
func (t *appKit) asked(view, space, answer objc.ID) {
	certificate := objc.Send[bool](space.Send(sel("authenticationMethod")), sel("isEqualToString:"), t.serverTrust) && !objc.Send[bool](space, sel("isProxy"))
	host := space.Send(sel("host"))
	by, anchors := page.NothingSaid, [][]byte(nil)
	if t.page != nil && view == t.page.other {
		by, anchors = t.beside.Trusts(certificate, string(goText(host)), objc.Send[int](space, sel("port")))
	}
	switch {
	case by == page.System:
		decide(answer, challengeDefault, 0)
	case by == page.NothingSaid && certificate: // for what is not shown any more
		decide(answer, challengeBreakOff, 0)
	case by == page.NothingSaid:
		decide(answer, challengeReject, 0) // as if nobody had taken the question
	default:
		trust := space.Send(sel("serverTrust"))
		if t.holds(trust, host, anchors) {
			decide(answer, challengeUse, class("NSURLCredential").Send(sel("credentialForTrust:"), trust))
			return
		}
		decide(answer, challengeBreakOff, 0) // which WebKit tells as if another page took its place
		t.beside.OtherLost()
	}
}

// holds tells whether a server is the one of that name by certificates of CAs, and by
// nothing else. The policy is set anew, so that the name is looked at whatever it was;
// nothing is fetched, since the main thread waits.
func (t *appKit) holds(trust, host objc.ID, anchors [][]byte) bool {
	var all []objc.ID
	defer func() {
		for _, o := range all {
			t.release(uintptr(o))
		}
	}()
	for _, der := range anchors {
		one := t.certificate(0, data(der))
		if one == 0 {
			return false
		}
		all = append(all, one)
	}
	if trust == 0 || host == 0 || len(all) == 0 {
		return false
	}
	list := class("NSArray").Send(sel("arrayWithObjects:count:"), unsafe.Pointer(&all[0]), uint(len(all)))
	policy := t.policy(true, host)
	if policy == 0 {
		return false
	}
	all = append(all, policy)
	return t.setPolicies(trust, policy) == 0 && t.setAnchors(trust, list) == 0 && t.setAlone(trust, true) == 0 && t.setFetch(trust, false) == 0 && t.evaluate(trust, 0)
}
