package api

import (
	"bytes"
	"fmt"
	"image/png"
	"regexp"
	"slices"
	"strings"
)

const (
	maxBuilds = 50
	// MaxLogo is how large a logo may be, in bytes: what a block of the local
	// protocol holds of base64.
	MaxLogo     = 24000
	maxLogoSide = 1024 // pixels
)

// checkWindow refuses what is not of the platform.
func (p *PlatformSettings) checkWindow(platform Platform) error {
	windows := signInWindows[platform]
	switch {
	case p.Hello != "" && p.Hello != HelloOff && platform != Windows:
		return fmt.Errorf("hello: %.20q, but only Windows has it", string(p.Hello))
	case p.Window != "" && len(windows) == 0:
		return fmt.Errorf("signInWindow: %.20q, but only Windows and macOS have it", string(p.Window))
	case p.Window != "" && !slices.Contains(windows, p.Window):
		return fmt.Errorf("signInWindow: %.20q is none of %s, %s and %s", string(p.Window), windows[0], windows[1], windows[2])
	case len(p.Origins) > 0 && len(windows) == 0:
		return fmt.Errorf("signInOrigins: only Windows and macOS have them")
	case len(p.Builds) > 0 && platform != MacOS:
		return fmt.Errorf("signInBuilds: only macOS has them")
	case len(p.Builds) > maxBuilds:
		return fmt.Errorf("signInBuilds: %d, at most %d are allowed", len(p.Builds), maxBuilds)
	case p.UserList != "" && platform != MacOS:
		return fmt.Errorf("userList: %.20q, but only macOS has it", string(p.UserList))
	case p.UserList != "" && p.UserList != ListNames && p.UserList != ListFields:
		return fmt.Errorf("userList: %.20q is neither names nor fields", string(p.UserList))
	}
	for _, b := range p.Builds {
		if !build.MatchString(b) {
			return fmt.Errorf("signInBuilds: %.20q is no build of macOS, such as 25A354 or 24*", b)
		}
	}
	if err := checkOrigins(p.Origins); err != nil {
		return fmt.Errorf("signInOrigins: %w", err)
	}
	return nil
}

// build is a build of macOS, or how builds begin. One star for all there will ever
// be is not among them.
var build = regexp.MustCompile(`^[0-9]{2}([A-Z][0-9]{1,5}[a-z]?|([A-Z][0-9]{0,5})?\*)$`)

// AllowsBuild tells whether our login window may take the place of Apple's on a build
// of macOS.
func (p *PlatformSettings) AllowsBuild(name string) bool {
	return slices.ContainsFunc(p.Builds, func(b string) bool {
		beginning, all := strings.CutSuffix(b, "*")
		return b == name || all && strings.HasPrefix(name, beginning)
	})
}

// CheckLogo reads the whole picture, which is small: devices show it before anybody
// has signed in.
func CheckLogo(data []byte) error {
	if len(data) == 0 {
		return nil
	}
	if len(data) > MaxLogo {
		return fmt.Errorf("it is larger than %d bytes", MaxLogo)
	}
	head, err := png.DecodeConfig(bytes.NewReader(data))
	if err != nil {
		return fmt.Errorf("it is no PNG: %w", err)
	}
	if head.Width > maxLogoSide || head.Height > maxLogoSide {
		return fmt.Errorf("it has %d by %d pixels, at most %d by %d are allowed", head.Width, head.Height, maxLogoSide, maxLogoSide)
	}
	if _, err := png.Decode(bytes.NewReader(data)); err != nil {
		return fmt.Errorf("it is no whole PNG: %w", err)
	}
	return nil
}
