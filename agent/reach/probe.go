// Package reach tells how far this device gets: to the internet, to the
// organisation's directory, or no further than the page at which a network lets
// people in (a captive portal).
//
// That a device has an address says little: XCreds, which shows its state by that
// alone, is told to be wrong about it (twocanoes/xcreds issue 304). So both are
// asked. The directory is asked for its health, at the certificate that the device
// knows it by. The internet is asked as macOS asks itself: for Apple's page that
// says "Success" over plain HTTP, which a portal answers in Apple's place. It goes
// by the name of nobody and sends nothing but that request.
//
// Proxies are those of the environment, as for everything that the agent sends: the
// question is whether the agent gets out. What the system's settings say of
// proxies, scripts (PAC) among them, is not looked at, since the agent does not use
// it either.
package reach

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"firstday.dev/api"
)

// Answer is what is known of something that is asked.
type Answer string

const (
	Unknown Answer = "unknown" // it answers as neither it nor a portal would, or nobody has asked yet
	Yes     Answer = "yes"
	No      Answer = "no"
	Captive Answer = "captive" // a portal answers in its place
)

// State is how far the device gets.
type State struct {
	Internet  Answer
	Directory Answer // never Captive
	// Portal is the http or https address of the page that lets people in, where
	// Internet is Captive.
	Portal string
}

const (
	// patience is what each answer gets, its body included.
	patience = 4 * time.Second
	// maxBody is how much of an answer is read.
	maxBody = 256 << 10
	// maxPortal is how long the address of a portal may be: it has to fit into a
	// line of the local protocol.
	maxPortal = 900
)

// success is where Apple says that a device is on the internet.
const success = "http://captive.apple.com/hotspot-detect.html"

// successPage is what Apple answers. Some copies have a document type before it.
var successPage = regexp.MustCompile(`(?is)^\s*(<!doctype[^<>]*>\s*)?<html>\s*<head>\s*<title>\s*success\s*</title>\s*</head>\s*<body>\s*success\s*</body>\s*</html>\s*$`)

// Probe asks.
type Probe struct {
	internet  string // address of the page
	directory string // address of its health; empty: there is no directory
	plain     *http.Client
	known     *http.Client // knows the directory's certificate
}

// NewProbe makes a probe for a directory. None (the zero one) is never asked.
func NewProbe(d api.Directory) (*Probe, error) {
	p := &Probe{internet: success, plain: client(&http.Transport{})}
	if d.URL == "" {
		return p, nil
	}
	config, err := d.DeviceTLS()
	if err != nil {
		return nil, err
	}
	if p.directory, err = url.JoinPath(d.URL, api.PathHealth); err != nil {
		return nil, err
	}
	p.known = client(&http.Transport{TLSClientConfig: config, ForceAttemptHTTP2: true})
	return p, nil
}

// client follows no redirect: where a portal leads is for a person to see, in a
// window that can do nothing else.
func client(t *http.Transport) *http.Client {
	t.Proxy = http.ProxyFromEnvironment
	t.DisableKeepAlives = true // a connection of before may lead to another network
	t.MaxResponseHeaderBytes = 64 << 10
	// A transport goes on connecting when nobody waits for it any more.
	t.DialContext = (&net.Dialer{Timeout: patience}).DialContext
	t.TLSHandshakeTimeout = patience
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Look asks both at once, for four seconds at most.
func (p *Probe) Look(ctx context.Context) (s State) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var both sync.WaitGroup
	both.Go(func() { s.Directory = p.askDirectory(ctx) })
	both.Go(func() { s.Internet, s.Portal = p.askInternet(ctx) })
	both.Wait()
	return s
}

// askDirectory believes nobody but the directory. Without one there is nothing to
// know.
func (p *Probe) askDirectory(ctx context.Context) Answer {
	if p.directory == "" {
		return Unknown
	}
	response, err := get(ctx, p.known, p.directory)
	if err != nil {
		return No
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return No
	}
	return Yes
}

func (p *Probe) askInternet(ctx context.Context) (a Answer, portal string) {
	response, err := get(ctx, p.plain, p.internet)
	if err != nil {
		return No, ""
	}
	defer response.Body.Close()
	switch code := response.StatusCode; {
	case code == http.StatusOK:
		body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
		if err != nil { // it did not come in time, or was cut off
			return No, ""
		}
		if len(body) <= maxBody && successPage.Match(body) {
			return Yes, ""
		}
		return Captive, p.internet // which the portal answers there, too
	case code >= 300 && code < 400 && code != http.StatusNotModified:
		return Captive, p.portal(response)
	case code == http.StatusNetworkAuthenticationRequired: // RFC 6585
		return Captive, p.internet
	}
	return Unknown, ""
}

// portal gives where a redirect leads, if that is a page and nothing else; else
// the address that was redirected.
func (p *Probe) portal(response *http.Response) string {
	u, err := response.Location()
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return p.internet
	}
	address := u.String()
	if len(address) > maxPortal || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r >= 0x7f }) {
		return p.internet
	}
	return address
}

func get(ctx context.Context, c *http.Client, address string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	request.Header.Set("User-Agent", "Firstday")
	request.Header.Set("Cache-Control", "no-cache")
	return c.Do(request)
}
