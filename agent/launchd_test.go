package agent

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"howett.net/plist"
)

func TestLaunchdPlistSaysWhatToRun(t *testing.T) {
	const program = "/Library/Application Support/Firstday <&> Co/Agent/1.2.3/firstday-agent"
	var got map[string]any
	if _, err := plist.Unmarshal(launchdPlist(program), &got); err != nil {
		t.Fatal(err)
	}
	want := map[string]any{
		"Label":            "dev.firstday.agent",
		"ProgramArguments": []any{program, "run"},
		"RunAtLoad":        true,
		"KeepAlive":        true,
		"Umask":            uint64(0o077),
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
