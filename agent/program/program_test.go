package program

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// asTool makes this program a tool, by its first argument.
const asTool = "-as-tool"

func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != asTool {
		os.Exit(m.Run())
	}
	tool(os.Args[2], os.Args[3:])
}

func tool(name string, args []string) {
	switch name {
	case "echo": // what it was given
		os.Stdout.WriteString(strings.Join(append(args, os.Environ()...), "\n") + "\n")
		dir, _ := os.Getwd()
		os.Stdout.WriteString(dir + "\n")
		io.Copy(os.Stdout, os.Stdin)
		os.Stderr.WriteString("YES (0)\n")
	case "hang":
		time.Sleep(time.Hour)
	case "flood":
		line := bytes.Repeat([]byte("x"), 1<<16)
		for {
			if _, err := os.Stdout.Write(line); err != nil {
				os.Exit(1)
			}
		}
	}
}

func TestSystemRunsAsItIs(t *testing.T) {
	t.Setenv("SECRET", "of somebody else")
	stdin := bytes.Repeat([]byte("stdin\n"), 100_000)
	out, errOut, err := System{}.Run(t.Context(), stdin, os.Args[0], asTool, "echo", "$HOME", "a b", "*")
	want := "$HOME\na b\n*\nPATH=/usr/bin:/bin:/usr/sbin:/sbin\nLC_ALL=C\n/\n" + string(stdin)
	if diff := cmp.Diff(want, string(out)); diff != "" || string(errOut) != "YES (0)\n" || err != nil {
		t.Errorf("%.500s %q %v", diff, errOut, err)
	}
}

func TestSystemWaitsForNobody(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, _, err := (System{}).Run(ctx, nil, os.Args[0], asTool, "hang"); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
	if out, _, err := (System{}).Run(t.Context(), nil, os.Args[0], asTool, "flood"); err == nil || len(out) > maxOutput {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if _, _, err := (System{}).Run(t.Context(), nil, os.Args[0]+".gone"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}
