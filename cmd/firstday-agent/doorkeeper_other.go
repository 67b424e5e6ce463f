//go:build !windows

package main

import "github.com/spf13/cobra"

// doorkeeper gives none: no other system has such a desktop.
func doorkeeper() []*cobra.Command { return nil }
