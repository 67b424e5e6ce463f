package main

import (
	"firstday.dev/agent/loginplugin/trial"
	"github.com/ebitengine/purego"
	"github.com/spf13/cobra"
)

// newLoginWindowPreflight are commands that only the agent itself starts: what they
// load may bring them down.
func newLoginWindowPreflight() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "preflight PROGRAM",
		Short:  "Load the plug-in as macOS' hosts do",
		Args:   cobra.ExactArgs(1),
		Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			handle, err := purego.Dlopen(args[0], purego.RTLD_NOW|purego.RTLD_LOCAL)
			if err != nil {
				return err
			}
			create, err := purego.Dlsym(handle, "AuthorizationPluginCreate")
			if err != nil {
				return err
			}
			return trial.Try(create)
		},
	}}
}

// newLoginWatch is the second watchdog.
func newLoginWatch() []*cobra.Command {
	return []*cobra.Command{{
		Use:    "login-watch",
		Short:  "Watch the login window, beside the service",
		Args:   cobra.NoArgs,
		Hidden: true,
		RunE: func(c *cobra.Command, _ []string) error {
			a, err := openAgent(c)
			if err != nil {
				return err
			}
			return a.WatchLogin(c.Context())
		},
	}}
}
