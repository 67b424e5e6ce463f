//go:build !windows && !darwin

package main

import "github.com/spf13/cobra"

// started are commands that only the agent's service starts. Here there are none.
func started() []*cobra.Command { return nil }
