package testbrowser

import "github.com/chromedp/cdproto/network"

// Cookie gives the browser a cookie of a site, as if the site had set it for itself.
func (b *Browser) Cookie(address, name, value string) {
	b.tb.Helper()
	secure := true
	call(b, network.SetCookie, network.SetCookieParams{Name: name, Value: value, URL: address, Path: "/", Secure: &secure, HTTPOnly: &secure, SameSite: network.CookieSameSiteStrict})
}

// Weigh counts the bytes that come over the wire from now on, and gives how many did
// so far.
func (b *Browser) Weigh() (weight func() int) {
	b.tb.Helper()
	b.mu.Lock()
	b.weight = 0
	b.mu.Unlock()
	call(b, network.Enable, network.EnableParams{})
	return func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.weight
	}
}
