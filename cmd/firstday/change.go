package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"firstday.dev/api"
)

// examples of what commands that change one thing are given.
var examples = map[string]string{"ID": "019f…", "USER": "ann", "PROVIDER": "google", "PO": "PO-4711", "NAME": "ann"}

// newChange makes the command of that path, which does one thing to what its
// argument names.
func newChange[T any](path, argument, short, done string, parse func(string) (T, error), change func(*api.Client, context.Context, T) error) *cobra.Command {
	return &cobra.Command{
		Use:     path[strings.LastIndex(path, " ")+1:] + " " + argument,
		Short:   short,
		Example: "  firstday " + path + " " + examples[argument],
		Args:    cobra.ExactArgs(1),
		RunE: asAdmin(func(c *cobra.Command, client *api.Client, args []string) error {
			what, err := parse(args[0])
			if err != nil {
				return err
			}
			if err := change(client, c.Context(), what); err != nil {
				return err
			}
			return show(c, map[string]T{done: what}, func(w *text) { w.line("%v is %s", what, done) })
		}),
	}
}

// asIs takes an argument for what it is.
func asIs(argument string) (string, error) { return argument, nil }
