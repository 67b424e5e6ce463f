package main

import "os"

// openTerminal opens the console itself, so that standard input may be
// something else.
func openTerminal() (in, out *os.File, err error) {
	// Turning the echo off needs the right to write as well.
	if in, err = os.OpenFile("CONIN$", os.O_RDWR, 0); err != nil {
		return nil, nil, err
	}
	if out, err = os.OpenFile("CONOUT$", os.O_RDWR, 0); err != nil {
		in.Close()
		return nil, nil, err
	}
	return in, out, nil
}
