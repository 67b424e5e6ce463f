//go:build linux

package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"time"
)

// page makes the Markdown page.
func (b *bench) page(races []race, peaks []peak) (string, error) {
	version, err := exec.Command(b.wimlib, "--version").Output()
	if err != nil {
		return "", err
	}
	wimlib, _, _ := bytes.Cut(version, []byte("\n"))

	var p strings.Builder
	fmt.Fprintf(&p, `# Benchmarks

Made by `+"`make bench`"+` (%s).

- Machine: %s, %d cores, Linux, %s; files in memory (tmpfs).
- Against: %s, with `+"`--threads=%d`"+`; ours with as many.
- Tree: %s: %.1f MB in %d files.
- Each measurement is a process of its own; the contestants take turns, one round
  to warm up and %d that count. Times are medians, ratios medians of the rounds' ratios.

## Time and size

| | ours | wimlib | ratio | target | size, ours | size, wimlib | ratio | target |
|---|---|---|---|---|---|---|---|---|
`, "`go run ./bench`", cpu(), runtime.NumCPU(), runtime.Version(), wimlib, b.threads,
		b.tree.origin, float64(b.tree.bytes)/1e6, b.tree.files, b.runs)
	for _, r := range races {
		fmt.Fprintf(&p, "| %s | %s | %s | %.2f | %s |", r.what,
			seconds(r.ours.median()), seconds(r.theirs.median()), r.timeRatio(), target(r.maxTime, r.timeRatio()))
		if r.maxSize == 0 {
			p.WriteString(" | | | |\n")
			continue
		}
		fmt.Fprintf(&p, " %.2f MB | %.2f MB | %.3f | %s |\n",
			float64(r.ours.size)/1e6, float64(r.theirs.size)/1e6, r.sizeRatio(), target(r.maxSize, r.sizeRatio()))
	}
	if peaks == nil {
		return p.String(), nil
	}
	fmt.Fprintf(&p, `
## Memory

The highest resident size of a process that writes a WIM, with a soft limit of
40 MiB (debug.SetMemoryLimit). Target: at most %d MiB, whatever the payload.

| payload | | files | level | peak | |
|---|---|---|---|---|---|
`, maxPeak>>20)
	for _, k := range peaks {
		verdict := "met"
		if k.rss > maxPeak {
			verdict = "**missed**"
		}
		fmt.Fprintf(&p, "| %s | %d MB | %d | %s | %.1f MiB | %s |\n",
			k.tree.origin, k.tree.bytes/1e6, k.tree.files, k.what, float64(k.rss)/(1<<20), verdict)
	}
	return p.String(), nil
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

func target(limit, got float64) string {
	switch {
	case limit == 0:
		return ""
	case got <= limit:
		return fmt.Sprintf("≤ %.2f met", limit)
	}
	return fmt.Sprintf("≤ %.2f **missed**", limit)
}

// cpu is the processor's name.
func cpu() string {
	data, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		return runtime.GOARCH
	}
	for line := range strings.Lines(string(data)) {
		if name, value, found := strings.Cut(line, ":"); found && strings.TrimSpace(name) == "model name" {
			return strings.TrimSpace(value)
		}
	}
	return runtime.GOARCH
}
