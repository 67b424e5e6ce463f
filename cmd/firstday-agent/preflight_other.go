//go:build !darwin

package main

import "github.com/spf13/cobra"

// newLoginWindowPreflight are commands that only the agent of a Mac starts. Here there
// are none.
func newLoginWindowPreflight() []*cobra.Command { return nil }

// newLoginWatch is the second watchdog of Macs.
func newLoginWatch() []*cobra.Command { return nil }
