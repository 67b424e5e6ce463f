//go:build !darwin

package main

import "testing"

func TestLoginWindowIsOfMacsOnly(t *testing.T) {
	for _, verb := range []string{"status", "off", "on", "doctor", "prepare"} {
		code, out, errOut := execute("login-window", verb)
		if code != exitFailure || out != "" || errOut != "error: a login window of ours: not supported on this system\n" {
			t.Errorf("%s: code %d, %q, %q", verb, code, out, errOut)
		}
	}
}
