package kit

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// Agents lie beside the program, as in archives, or where packages of Linux
// put them. Those beside it come first: they are of its version.
func TestWhereAgentsAre(t *testing.T) {
	const lib = "lib/firstday/agents"
	for _, c := range []struct {
		program string
		folders []string
		want    string
	}{
		{"firstday", []string{"agents"}, "agents"},
		{"bin/firstday", []string{"bin/agents", lib}, "bin/agents"},
		{"bin/firstday", []string{lib}, lib},
		{"sbin/firstday", []string{lib}, ""}, // anybody's lib, perhaps
		{"bin/firstday", nil, ""},
	} {
		root := t.TempDir()
		for _, folder := range c.folders {
			if err := os.MkdirAll(filepath.Join(root, folder), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		got, err := agentsOf(filepath.Join(root, c.program))
		if c.want == "" {
			if !errors.Is(err, ErrNoAgent) {
				t.Errorf("%s with %v: %q, %v", c.program, c.folders, got, err)
			}
			continue
		}
		if err != nil || got != filepath.Join(root, c.want) {
			t.Errorf("%s with %v: %q, %v, want %q", c.program, c.folders, got, err, c.want)
		}
	}
}
