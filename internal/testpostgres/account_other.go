//go:build !unix

package testpostgres

import "os/exec"

type account struct{}

func (*account) open(string) error { return nil }

func (*account) use(*exec.Cmd) {}
