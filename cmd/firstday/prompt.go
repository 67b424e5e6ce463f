package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"golang.org/x/term"

	"firstday.dev/config"
)

// prompter asks for secrets at the terminal, without showing what is typed,
// until the context ends. It is the only place that asks: libraries are handed
// this function.
func prompter(ctx context.Context) func(label string) ([]byte, error) {
	return func(label string) ([]byte, error) {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		in, out, err := openTerminal()
		if err != nil {
			return nil, withHint(fmt.Errorf("asking for the %s: %w: there is no terminal", label, config.ErrNoSecret),
				"name a file or an environment variable instead")
		}
		defer in.Close()
		defer out.Close()
		state, err := term.GetState(int(in.Fd()))
		if err != nil {
			return nil, err
		}
		fmt.Fprintf(out, "%s: ", label)
		defer fmt.Fprintln(out)
		return interruptible(ctx, func() ([]byte, error) { return term.ReadPassword(int(in.Fd())) },
			func() error { return term.Restore(int(in.Fd()), state) })
	}
}

// interruptible reads, or restores the terminal when the context ends first:
// nothing else ends a read from it.
func interruptible(ctx context.Context, read func() ([]byte, error), restore func() error) ([]byte, error) {
	type answer struct {
		secret []byte
		err    error
	}
	answers := make(chan answer, 1)
	go func() {
		secret, err := read()
		answers <- answer{secret, err}
	}()
	select {
	case a := <-answers:
		return a.secret, a.err
	case <-ctx.Done():
		return nil, errors.Join(ctx.Err(), restore())
	}
}

// readLine reads what is typed up to the end of the line.
func readLine(r io.Reader) ([]byte, error) {
	const most = 1 << 10
	line := bufio.NewScanner(io.LimitReader(r, most))
	if !line.Scan() {
		return nil, errors.Join(line.Err(), io.ErrUnexpectedEOF)
	}
	return bytes.TrimSpace(line.Bytes()), nil
}
