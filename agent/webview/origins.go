// Package webview shows the pages of a sign-in in Microsoft's WebView2, on a desktop
// where nothing may lead anywhere else: it goes to no page but those of the origins
// that the directory has named, opens nothing, asks for nothing and keeps nothing.
// What it cannot lock it does not show: then it fails, and the sign-in goes on with
// a code for a phone.
package webview

import (
	"fmt"
	"net/url"
	"strings"

	"firstday.dev/api"
)

// Origins are those of the pages that may be shown.
type Origins map[string]bool

// NewOrigins takes a list of https://host[:port], and refuses what is none.
func NewOrigins(list []string) (Origins, error) {
	if len(list) == 0 || len(list) > api.MaxOrigins {
		return nil, fmt.Errorf("%d origins of pages, not 1 to %d", len(list), api.MaxOrigins)
	}
	origins := make(Origins)
	for _, s := range list {
		if origin := originOf(s); origin == "" || origin != s {
			return nil, fmt.Errorf("%.60q is not https://host[:port]", s)
		}
		origins[s] = true
	}
	return origins, nil
}

// maxAddress is longer than the addresses of sign-ins, which carry requests, and
// what providers remember in them.
const maxAddress = 64 << 10

// blank is what a page is before there is one, and what frames are that scripts
// fill.
const blank = "about:blank"

// Allowed tells whether a page, or a frame in one, may go to an address.
func (o Origins) Allowed(address string) bool {
	if address == blank {
		return true
	}
	origin := originOf(address)
	return origin != "" && o[origin]
}

// originOf gives the origin of an address of a page as the browser writes it, empty
// if there is none. Whatever two readers could read in two ways is none.
func originOf(address string) string {
	if len(address) > maxAddress || strings.ContainsFunc(address, func(r rune) bool { return r <= ' ' || r > '~' || r == '\\' }) {
		return ""
	}
	if !strings.HasPrefix(address, "https://") {
		return ""
	}
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	origin, err := api.OriginOf(u)
	if err != nil {
		return ""
	}
	return origin
}
