package main

import (
	"errors"
	"fmt"

	"golang.org/x/term"

	"firstday.dev/config"
)

// prompt asks for a secret at the terminal, without showing what is typed. It
// is the only place that asks: libraries are handed this function.
func prompt(label string) ([]byte, error) {
	in, out, err := openTerminal()
	if err != nil {
		return nil, fmt.Errorf("there is no terminal to ask at: %w", errors.Join(config.ErrNoSecret, err))
	}
	defer in.Close()
	defer out.Close()
	fmt.Fprintf(out, "%s: ", label)
	defer fmt.Fprintln(out)
	return term.ReadPassword(int(in.Fd()))
}
