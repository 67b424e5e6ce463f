package authdb

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"firstday.dev/agent/program"
)

// asTool makes this program a tool, by its first argument.
const asTool = "-as-tool"

func TestMain(m *testing.M) {
	if len(os.Args) < 3 || os.Args[1] != asTool {
		os.Exit(m.Run())
	}
	os.Exit(securityTool(os.Args[2], os.Args[3:]))
}

// securityTool is security, with the right in a file.
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
	return program.System{}.Run(ctx, stdin, os.Args[0], append([]string{asTool, e.state}, args...)...)
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
