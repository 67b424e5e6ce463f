// Surface plays a surface of the sign-in in tests under Wine, where no service
// is SYSTEM: it opens the pipe itself and trusts whoever serves it.
//
// usage: surface start            press the button, and say what the picture does
//
//	surface finish NUMBER    type the number and a password, and say what comes of it
package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"time"

	"golang.org/x/sys/windows"

	"firstday.dev/agent/local"
	"firstday.dev/agent/signin"
)

const (
	pipe     = `\\.\pipe\firstday-agent`
	password = "Grüße von 100 % Acme"
)

// conn is a pipe as package net sees connections.
type conn struct{ *os.File }

func (conn) LocalAddr() net.Addr  { return nil }
func (conn) RemoteAddr() net.Addr { return nil }

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	f, err := os.OpenFile(pipe, os.O_RDWR|windows.FILE_FLAG_OVERLAPPED, 0)
	if err != nil {
		return err
	}
	c, err := local.NewClient(ctx, conn{f}, "test")
	if err != nil {
		return err
	}
	defer c.Close()
	s := &surface{c, ctx}
	if os.Args[1] == "start" {
		if err := s.press(signin.Ready, signin.Start, nil); err != nil {
			return err
		}
		waiting, err := s.wait(signin.Waiting)
		if err != nil {
			return err
		}
		fmt.Println(waiting.QR)
		return nil
	}
	if err := s.press(signin.Number, signin.Submit, map[string]string{signin.FieldNumber: os.Args[2]}); err != nil {
		return err
	}
	if err := s.press(signin.Password, signin.Submit, map[string]string{signin.FieldPassword: password, signin.FieldAgain: password}); err != nil {
		return err
	}
	done, err := s.wait(signin.Done)
	if err != nil {
		return err
	}
	fmt.Println(done.Account)
	return s.press(signin.Done, signin.Close, nil)
}

type surface struct {
	*local.Client
	ctx context.Context
}

// wait waits for a state, and gives up on a failure.
func (s *surface) wait(state signin.State) (*local.Screen, error) {
	for serial := int64(0); ; {
		screen, err := s.Next(s.ctx, serial)
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", state, err)
		}
		if screen.State == state {
			return screen, nil
		}
		if screen.State == signin.Failed {
			return nil, fmt.Errorf("%s instead of %s", screen.Code, state)
		}
		serial = screen.Serial
	}
}

func (s *surface) press(state signin.State, name signin.ActionName, fields map[string]string) error {
	screen, err := s.wait(state)
	if err != nil {
		return err
	}
	return s.Act(s.ctx, signin.Action{Name: name, Serial: screen.Serial, Fields: fields})
}
