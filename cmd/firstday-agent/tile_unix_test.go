//go:build !windows

package main

import "testing"

func TestTileIsOfWindowsOnly(t *testing.T) {
	for _, verb := range []string{"status", "off", "on"} {
		code, out, errOut := execute("tile", verb, "--root", t.TempDir())
		if code != exitFailure || out != "" || errOut != "error: a tile of the sign-in screen: not supported on this system\n" {
			t.Errorf("%s: code %d, %q, %q", verb, code, out, errOut)
		}
	}
}
