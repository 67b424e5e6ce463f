package authdb

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"slices"
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
	os.Exit(tool(os.Args[2], os.Args[3:]))
}

func tool(name string, args []string) int {
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
				return 1
			}
		}
	default: // security, with the right in a file of that name
		return securityTool(name, args)
	}
	return 0
}

func securityTool(state string, args []string) int {
	refuse := func() int {
		os.Stderr.WriteString("NO (-60005)\n")
		return 255
	}
	if len(args) != 3 || args[0] != "authorizationdb" || args[2] != right {
		return refuse()
	}
	var err error
	switch args[1] {
	case "read":
		var data []byte
		if data, err = os.ReadFile(state); err == nil {
			_, err = os.Stdout.Write(data)
		}
	case "write":
		var data []byte
		if data, err = io.ReadAll(os.Stdin); err == nil {
			err = os.WriteFile(state, data, 0o600)
		}
	}
	if err != nil {
		return refuse()
	}
	os.Stderr.WriteString("YES (0)\n")
	return 0
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
	if out, _, err := (System{}).Run(t.Context(), nil, os.Args[0], asTool, "flood"); err == nil || len(out) > maxCopy {
		t.Errorf("%d bytes, %v", len(out), err)
	}
	if _, _, err := (System{}).Run(t.Context(), nil, os.Args[0]+".gone"); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

// killed is a program that ends badly after it has said that all is well.
type killed struct{}

func (killed) Root() bool { return true }

func (killed) Run(context.Context, []byte, string, ...string) ([]byte, []byte, error) {
	return nil, []byte("YES (0)\n"), errors.New("signal: killed")
}

func TestOnlyNoIsARefusal(t *testing.T) {
	_, err := Open(t.TempDir(), killed{}).Read(t.Context())
	if err == nil || errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "killed") {
		t.Error(err)
	}
}

// elsewhere runs this program in security's place.
type elsewhere struct{ state string }

func (elsewhere) Root() bool { return true }

func (e elsewhere) Run(ctx context.Context, stdin []byte, path string, args ...string) ([]byte, []byte, error) {
	if path != security {
		return nil, nil, os.ErrNotExist
	}
	return System{}.Run(ctx, stdin, os.Args[0], append([]string{asTool, e.state}, args...)...)
}

// With real processes and pipes between.
func TestDatabaseBehindAProgram(t *testing.T) {
	state := t.TempDir() + "/right"
	if err := os.WriteFile(state, parseFile(t, "macos-14-crypt.plist").Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	d := Open(t.TempDir(), elsewhere{state})
	if o, err := d.Enable(t.Context(), loadable{}); err != nil || o.Verdict.State != Ours {
		t.Fatalf("%+v, %v", o, err)
	}
	def, err := d.Read(t.Context())
	if err != nil || !slices.Equal(def.Mechanisms(), ours) {
		t.Errorf("%v", err)
	}
	if o, err := d.Disable(t.Context()); err != nil || o.Verdict.State != Apple {
		t.Fatalf("%+v, %v", o, err)
	}
	after, err := os.ReadFile(state)
	if diff := cmp.Diff(string(readFile(t, "macos-14-crypt.plist")), string(after)); diff != "" || err != nil {
		t.Error(diff, err)
	}
	if err := os.Remove(state); err != nil {
		t.Fatal(err)
	}
	var status *StatusError
	if _, err := d.Read(t.Context()); !errors.As(err, &status) || status.Status != -60005 {
		t.Error(err)
	}
}
