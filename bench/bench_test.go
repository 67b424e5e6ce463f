//go:build linux

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestContestants lets each of ours do its part once.
func TestContestants(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := os.Mkdir(in("tree"), 0o777); err != nil {
		t.Fatal(err)
	}
	want := strings.Repeat("some text ", 10_000)
	if err := os.WriteFile(in("tree/file"), []byte(want), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"capture", "fast", "2", in("tree"), in("fast.wim")},
		{"capture", "best", "1", in("tree"), in("best.wim")},
		{"verify", "2", in("best.wim")},
		{"extract", "2", in("fast.wim"), in("extracted")},
	} {
		if err := child(args); err != nil {
			t.Errorf("%q: %v", args, err)
		}
	}
	if got, err := os.ReadFile(in("extracted/file")); string(got) != want {
		t.Errorf("extracted %d bytes, want %d; %v", len(got), len(want), err)
	}
	if err := child([]string{"verify", "2", in("tree/file")}); err == nil {
		t.Error("no error for a file that is no WIM")
	}
}

func TestRatioIsTheMedianOfTheRounds(t *testing.T) {
	r := race{
		ours:   &contestant{times: []time.Duration{1, 9, 3}, size: 50},
		theirs: &contestant{times: []time.Duration{2, 3, 4}, size: 100},
	}
	if got := r.timeRatio(); got != 0.75 {
		t.Errorf("time ratio %v", got)
	}
	if got := r.sizeRatio(); got != 0.5 {
		t.Errorf("size ratio %v", got)
	}
	if got := target(1, 1.001); !strings.Contains(got, "missed") {
		t.Error(got)
	}
}

func TestDirectoryAloneLeavesTheRest(t *testing.T) {
	var figures strings.Builder
	new(directories).page(&figures)
	whole := withDirectory("# Benchmarks\n\n| a | b |\n", figures.String())
	if again := withDirectory(whole, figures.String()); again != whole || !strings.HasPrefix(whole, "# Benchmarks\n\n| a | b |\n\n## Directory") {
		t.Errorf("%q, then %q", whole, again)
	}
}

func TestBatchesAloneLeaveTheRest(t *testing.T) {
	var figures, directory strings.Builder
	kits := &batches{
		single: &contestant{times: []time.Duration{1}}, capture: &contestant{times: []time.Duration{2}},
		first: []cost{{100, 1}, {300, 3}, {200, 2}}, further: []cost{{2, 1}, {9, 9}, {8, 1}}, many: batchCosts{All: 10},
	}
	kits.page(&figures)
	if got := figures.String(); !strings.Contains(got, "| 3.0 % of the first's time | ≤ 3 % met |") {
		t.Error(got)
	}
	new(directories).page(&directory)
	whole := withBatches("# Benchmarks\n\n| a | b |\n"+directory.String(), figures.String())
	if again := withBatches(whole, figures.String()); again != whole || strings.Count(whole, "## Batch") != 1 || strings.Count(whole, "## Directory: calls") != 1 {
		t.Errorf("%q, then %q", whole, again)
	}
}
