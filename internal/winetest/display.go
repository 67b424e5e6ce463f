package winetest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"firstday.dev/internal/testtool"
)

// NewOnDisplay is New with a screen of that size, which windows are seen on. It
// is an X server's of its own, and needs none on this machine.
func NewOnDisplay(tb testing.TB, width, height int) *Prefix {
	tb.Helper()
	t := findTools(tb)
	t.display = startDisplay(tb, testtool.Need(tb, "Xvfb"), width, height)
	return newPrefix(tb, t)
}

// startDisplay starts an X server until the test ends, and gives its name.
func startDisplay(tb testing.TB, xvfb string, width, height int) string {
	tb.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		tb.Fatal(err)
	}
	defer r.Close()
	// It takes a number that is free, and writes it to file 3.
	cmd := exec.Command(xvfb, "-displayfd", "3", "-screen", "0", fmt.Sprintf("%dx%dx24", width, height), "-nolisten", "tcp", "-noreset")
	cmd.ExtraFiles = []*os.File{w}
	err = cmd.Start()
	_ = w.Close()
	if err != nil {
		tb.Fatalf("starting Xvfb: %v", err)
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	number, err := bufio.NewReader(r).ReadString('\n')
	if err != nil {
		tb.Fatalf("Xvfb does not start: %v", err)
	}
	return ":" + strings.TrimSpace(number)
}
