//go:build linux

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// contestant is a command that is timed. Its output is removed before.
type contestant struct {
	name   string
	output string
	argv   []string

	times []time.Duration
	size  int64  // of the output, if it is a file
	says  string // on standard output
}

// race holds one of ours against wimlib doing the same.
type race struct {
	what         string
	ours, theirs *contestant
	maxTime      float64 // the ratios we want to stay below; 0 for none
	maxSize      float64
}

// races lets all contestants run turn about, so that whatever else the machine
// does hits them alike.
func (b *bench) races(ctx context.Context) ([]race, error) {
	threads := strconv.Itoa(b.threads)
	in := func(name string) string { return filepath.Join(b.dir, name) }
	wimlibWIM := in("wimlib.wim")
	captureWimlib := &contestant{name: "wimlib", output: wimlibWIM, argv: []string{
		b.wimlib, "capture", b.tree.path, wimlibWIM, "--compress=XPRESS", "--threads=" + threads}}
	capture := func(level string) *contestant {
		file := in(level + ".wim")
		return &contestant{name: level, output: file, argv: []string{
			b.self, childMode, "capture", level, threads, b.tree.path, file}}
	}
	fast, normal, best := capture("fast"), capture("default"), capture("best")
	file := normal.output
	extract := &contestant{name: "extract", output: in("extracted"), argv: []string{
		b.self, childMode, "extract", threads, file, in("extracted")}}
	apply := &contestant{name: "wimlib apply", output: in("applied"), argv: []string{
		b.wimlib, "apply", file, "1", in("applied")}}
	verify := &contestant{name: "verify", argv: []string{b.self, childMode, "verify", threads, file}}
	wimverify := &contestant{name: "wimlib verify", argv: []string{b.wimlib, "verify", file}}

	all := []*contestant{captureWimlib, normal, fast, best, apply, extract, wimverify, verify}
	for round := -1; round < b.runs; round++ { // the first warms up
		for _, c := range all {
			fmt.Fprintf(os.Stderr, "\rround %d of %d: %-20s", round+1, b.runs, c.name)
			if err := c.run(ctx, round >= 0); err != nil {
				return nil, err
			}
		}
	}
	fmt.Fprintln(os.Stderr)
	return []race{
		{"capture, level Default", normal, captureWimlib, 1.0, 1.02},
		{"capture, level Fast", fast, captureWimlib, 0.7, 1.08},
		{"capture, level Best", best, captureWimlib, 0, 1.0},
		{"extraction", extract, apply, 1.2, 0},
		{"verification", verify, wimverify, 1.0, 0},
	}, nil
}

// run runs the contestant once, and keeps the figures if they count.
func (c *contestant) run(ctx context.Context, counts bool) error {
	if c.output != "" {
		if err := os.RemoveAll(c.output); err != nil {
			return err
		}
	}
	cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	start := time.Now()
	err := cmd.Run()
	elapsed := time.Since(start)
	if err != nil {
		return fmt.Errorf("%q: %w\n%s", c.argv, err, &stderr)
	}
	c.says = strings.TrimSpace(stdout.String())
	if !counts {
		return nil
	}
	c.times = append(c.times, elapsed)
	if info, err := os.Stat(c.output); err == nil && info.Mode().IsRegular() {
		c.size = info.Size()
	}
	return nil
}

func (c *contestant) median() time.Duration { return median(c.times) }

// timeRatio is the median of the rounds' ratios.
func (r *race) timeRatio() float64 {
	ratios := make([]float64, len(r.ours.times))
	for i := range ratios {
		ratios[i] = float64(r.ours.times[i]) / float64(r.theirs.times[i])
	}
	return median(ratios)
}

func (r *race) sizeRatio() float64 { return float64(r.ours.size) / float64(r.theirs.size) }

func median[T time.Duration | float64](list []T) T {
	sorted := slices.Sorted(slices.Values(list))
	return sorted[len(sorted)/2]
}

// peak is the memory one capture took.
type peak struct {
	what string
	tree tree
	rss  int64
}

// maxPeak is what a capture may take, whatever the payload's size.
const maxPeak = 64 << 20

// peaks captures the tree, and two of 2 GB, at each level.
func (b *bench) peaks(ctx context.Context) ([]peak, error) {
	list, err := b.peaksOf(ctx, b.tree)
	if err != nil {
		return nil, err
	}
	for _, grow := range []func(string, int64) (tree, error){b.tree.withLargeFiles, b.tree.manyTimes} {
		fmt.Fprintf(os.Stderr, "\rmemory: making 2 GB       ")
		big, err := grow(filepath.Join(b.dir, "big"), 2_000_000_000)
		if err != nil {
			return nil, err
		}
		more, err := b.peaksOf(ctx, big)
		if err != nil {
			return nil, err
		}
		list = append(list, more...)
		if err := os.RemoveAll(big.path); err != nil {
			return nil, err
		}
	}
	fmt.Fprintln(os.Stderr)
	return list, nil
}

func (b *bench) peaksOf(ctx context.Context, t tree) ([]peak, error) {
	var list []peak
	for _, level := range []string{"Fast", "Default", "Best"} {
		fmt.Fprintf(os.Stderr, "\rmemory: %d MB, level %-10s", t.bytes/1e6, level)
		file := filepath.Join(b.dir, "memory.wim")
		c := &contestant{output: file, argv: []string{
			b.self, childMode, "capture", strings.ToLower(level), strconv.Itoa(b.threads), t.path, file}}
		if err := c.run(ctx, true); err != nil {
			return nil, err
		}
		rss, err := strconv.ParseInt(c.says, 10, 64)
		if err != nil {
			return nil, err
		}
		list = append(list, peak{level, t, rss})
	}
	return list, nil
}
