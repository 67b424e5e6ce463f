package api

import (
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// MaxOrigins is how many a setting, or an answer, may name.
const MaxOrigins = 50

// OriginOf gives the origin of an address of pages (RFC 6454 §6.1), as browsers
// write it: https://host, with a port other than 443. Addresses that are not
// https have none that counts here.
func OriginOf(u *url.URL) (string, error) {
	host := strings.ToLower(u.Hostname())
	if u.Scheme != "https" || u.User != nil || u.Opaque != "" || !isHost(host) {
		return "", fmt.Errorf("%.60q is not an https:// address", u)
	}
	port := u.Port()
	n, err := strconv.ParseUint(port, 10, 16)
	switch {
	case port == "" && strings.HasSuffix(u.Host, ":"), port != "" && (err != nil || n == 0 || strconv.FormatUint(n, 10) != port):
		return "", fmt.Errorf("%.60q has a port that is none", u)
	case port == "443":
		port = ""
	}
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	if port != "" {
		host += ":" + port
	}
	return "https://" + host, nil
}

// isHost tells names and addresses as browsers write them. Names of other
// alphabets are in Punycode.
func isHost(host string) bool {
	if ip, err := netip.ParseAddr(host); err == nil {
		return ip.Zone() == "" && ip.String() == host
	}
	if host == "" || len(host) > 253 {
		return false
	}
	labels := strings.Split(host, ".")
	if last := labels[len(labels)-1]; last == "" || strings.Trim(last, "0123456789") == "" || strings.HasPrefix(last, "0x") {
		return false // browsers read it as an address, written otherwise
	}
	return !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != ""
	})
}

// checkOrigins refuses a list with something in it that is no origin.
func checkOrigins(list []string) error {
	if len(list) > MaxOrigins {
		return fmt.Errorf("%d, at most %d are allowed", len(list), MaxOrigins)
	}
	for _, s := range list {
		u, err := url.Parse(s)
		if err != nil || len(s) > maxURL {
			return fmt.Errorf("%.60q is not https://host[:port]", s)
		}
		if origin, err := OriginOf(u); err != nil || origin != s {
			return fmt.Errorf("%.60q is not https://host[:port], in lower case and with no more", s)
		}
	}
	return nil
}
