// Package program runs the programs of the operating system for those parts of the
// agent that ask them.
package program

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// System runs the programs of the system it is on, without a shell and with a
// bounded output.
type System struct{}

// Run does not let a child of the program keep it waiting, either.
func (System) Run(ctx context.Context, stdin []byte, path string, args ...string) (stdout, stderr []byte, err error) {
	c := exec.CommandContext(ctx, path, args...)
	c.Dir = "/"
	c.Env = []string{"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL=C"}
	c.Stdin = bytes.NewReader(stdin)
	var out, errOut output
	c.Stdout, c.Stderr = &out, &errOut
	c.WaitDelay = time.Second
	err = c.Run()
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	return out.text, errOut.text, err
}

// Root tells whether this program is root's.
func (System) Root() bool { return os.Geteuid() == 0 }

// maxOutput bounds what a program may write, in bytes: a copy of macOS'
// authorization database has 68 KB.
const maxOutput = 4 << 20

// output takes no more than that.
type output struct{ text []byte }

func (o *output) Write(p []byte) (int, error) {
	if len(o.text)+len(p) > maxOutput {
		return 0, fmt.Errorf("more than %d bytes of output", maxOutput)
	}
	o.text = append(o.text, p...)
	return len(p), nil
}
